/* Greenlets and what they wait for, in words, and who could end the wait. */
#ifndef BINE_INSPECT_SNAPSHOT_DESCRIBE_H
#define BINE_INSPECT_SNAPSHOT_DESCRIBE_H

#include "inspect/target/text.h"
#include "snapshot.h"

/* "1.17": the number of the hub and of the greenlet in it. */
void inspect_id(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                char *text, size_t size);
/* The name that the program gave it, or "function(argument)". */
void inspect_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  char *text, size_t size);
/* "file.c:12" */
void inspect_place(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                   char *text, size_t size);
/* "recv fd". Empty if it is not parked. */
void inspect_verb(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  char *text, size_t size);
const char *inspect_state_name(const struct inspect_greenlet *g);

/* The name of the class of an object of libbine at this address. Empty if none is there. */
void inspect_class_of(const struct inspect_snapshot *snapshot, const struct inspect_table *table,
                      uint64_t object, char *text, size_t size);

/* What a wait is for, as far as it can be told. */
enum inspect_kind {
    INSPECT_OTHER,
    INSPECT_DESCRIPTOR,
    INSPECT_GREENLET, /* a join */
    INSPECT_MUTEX,    /* of pthreads */
    INSPECT_POSIX_RWLOCK,
    INSPECT_OBJECT, /* of libbine */
    INSPECT_SEVERAL,
    INSPECT_PROCESS,
    INSPECT_NAME, /* that is looked up */
};

enum {
    INSPECT_MOST_HOLDERS = 64
};

/* Which greenlet or thread holds the object, or has to end. */
struct inspect_holder {
    const struct inspect_greenlet *greenlet; /* or NULL */
    pid_t thread;                            /* of which it is known only that; 0: not even that */
};

struct inspect_wait {
    enum inspect_kind kind;
    char verb[64];
    char object[160]; /* "fd 7 (tcp ...)", "rlock 0x..." */
    char class[24];   /* of an object of libbine */
    size_t holder_count;
    struct inspect_holder holders[INSPECT_MOST_HOLDERS];
    bool any; /* one of the holders suffices to end the wait */
};

/* Says what a parked greenlet waits for. Otherwise wait->verb is empty. */
void inspect_wait(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  struct inspect_wait *wait);
/* "held by 1.3 (name)" or "for 1.3 (name)": one holder, in words. */
void inspect_holder(const struct inspect_snapshot *snapshot, const struct inspect_wait *wait,
                    const struct inspect_holder *holder, char *text, size_t size);

/* The wait and its holders: "acquire rlock 0x... held by 1.3 (name)". Empty if it does not wait. */
void inspect_wait_text(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                       char *text, size_t size);

#endif
