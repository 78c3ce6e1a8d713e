/* What vars.c and objects.cpp offer: variables of each thread's own. */
#ifndef BINE_TESTS_LOCKS_VARS_H
#define BINE_TESTS_LOCKS_VARS_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    VARS_FIRST = 7,
    VARS_TEXT = 300,
};

struct vars {
    int *zero;  /* 0 in a new thread */
    int *first; /* VARS_FIRST in a new thread */
    char *text; /* VARS_TEXT bytes: "text", the rest 0 in a new thread */
};

struct vars vars_here(void);

/* Two objects, constructed when they are first used, the first one first. Returns how often objects
 * of this number were used. */
int objects_use(int which, int id);
/* What was done, as text: "+N" for a constructor, "-N:ID" for a destructor of object N with the
 * last id it was used with. Clears it. */
const char *objects_log(void);
/* How many were constructed and not destroyed, in all threads. */
int objects_alive(void);

#ifdef __cplusplus
}
#endif

#endif
