/* What the test library offers: found by its one symbol, "library". */
#ifndef BINE_TESTS_PATCH_LIBRARY_H
#define BINE_TESTS_PATCH_LIBRARY_H

struct library {
    int (*nap)(unsigned microseconds); /* calls usleep */
    void *(*address)(void);            /* of usleep, as an expression in the code gives it */
    void *(*from_closed_table)(void);  /* of usleep, from constant data */
    void *(*from_open_table)(void);    /* ... from variable data */
    void (*set_open_table)(void *function);
    void *(*look_up)(void *handle, const char *name);
    void *(*look_up_version)(void *handle, const char *name, const char *version);
    void *(*load)(const char *file, int flags);
    void *(*load_into)(long space, const char *file, int flags);
    int (*unload)(void *handle);
};

#endif
