/* Thunks: a few bytes of code each, which carry the address of a record and jump to the address in
 * its first word. */
#ifndef BINE_PATCH_ENGINE_THUNK_H
#define BINE_PATCH_ENGINE_THUNK_H

struct bine_limit;

struct bine_gate {
    void (*enter)(void); /* the assembly finds these two by their place */
    void *function;
    struct bine_limit *limit;
    struct bine_gate *next;
    void *thunk;
};

/* Makes code that jumps to gate->enter with the gate's address in r11 (x86-64) or x16 (aarch64),
 * and changes nothing else. Returns NULL if there is no memory for code, or the system allows none.
 * Thunks are never freed. Callers hold the engine's lock. */
void *bine_thunk_make(struct bine_gate *gate);

#endif
