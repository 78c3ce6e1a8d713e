/* How many threads does this process have? The kernel's answer, for examples that claim to need
 * only one. */
#ifndef EXAMPLES_THREADS_H
#define EXAMPLES_THREADS_H

#include <stdio.h>
#include <string.h>

/* Print the line "Threads: N" of /proc/self/status. */
static inline void print_threads(void)
{
    int count = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Threads: %d", &count) == 1)
            printf("Threads: %d\n", count);
    if (status)
        fclose(status);
}

#endif
