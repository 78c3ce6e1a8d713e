/* Which libraries the loader would load with an object. */
#ifndef BINE_CLI_DEPENDENCIES_H
#define BINE_CLI_DEPENDENCIES_H

#include <stddef.h>

struct dependencies {
    char **paths;   /* the object itself is not among them */
    char **missing; /* names that the loader did not find */
    size_t count, missing_count;
};

/* Ask the loader (it lists, it runs nothing). `loader` is the program's own interpreter. 0, or -1 with errno. */
int dependencies_list(struct dependencies *dependencies, const char *loader, const char *object);
void dependencies_free(struct dependencies *dependencies);

#endif
