/*
 * Hooks of dlopen and its relatives. They have two parts: C, and a few lines of assembly where it
 * matters which caller the loader sees.
 *
 * The loader looks at the return address of dlopen, dlmopen, dlsym and dlvsym to find out which
 * object asks: its RUNPATH and $ORIGIN, its namespace, and what comes after it (RTLD_NEXT) depend
 * on that (hazard 35). If a hook called the loader, the loader would see libbine. So dlsym for a
 * name that is not patched jumps on to the original with the caller's own return address. Where
 * something is left to do after the call, the call returns through a return instruction somewhere
 * in the caller's object:
 *
 *     stack at the first instruction of dlopen:
 *         [ address of a `ret` in the caller's object ]   what the loader looks at
 *         [ address of the rest of bine_call_as       ]   where that `ret` goes
 */
#ifndef BINE_PATCH_HOOKS_LOADER_H
#define BINE_PATCH_HOOKS_LOADER_H

/* Calls function(a, b, c), which returns by way of `gadget`, a return instruction (see
 * return_site.h). Assembly. */
void *bine_call_as(void *gadget, void *function, const void *a, const void *b, const void *c);

/* What the assembly of hook_dlsym and hook_dlvsym asks first: it returns `value`. If `jump` is not
 * NULL, it jumps there with the arguments and the return address as they came. There are two words,
 * so that both come back in registers. */
struct bine_looked_up {
    void *value;
    void *jump;
};
struct bine_looked_up bine_loader_dlsym(void *handle, const char *name, void *caller);
struct bine_looked_up bine_loader_dlvsym(void *handle, const char *name, const char *version,
                                         void *caller);

#endif
