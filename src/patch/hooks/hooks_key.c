/*
 * Hooks of pthread keys in the objects whose keys are greenlet-local (local_keys.h).
 */
#include "patch/locals/local_keys.h"
#include "patch/table/hook.h"

void *hook_pthread_getspecific(pthread_key_t key)
{
    return bine_hook_active(BINE_PATCH_LOCAL_KEYS) ? bine_local_key_get(key)
                                                   : bine_libc.pthread_getspecific(key);
}

/* glibc declares that the value is never read through, and gcc takes it for uninitialised data that
 * we hand on. */
#pragma GCC diagnostic push
#ifndef __clang__ /* which does not know the name */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
int hook_pthread_setspecific(pthread_key_t key, const void *value)
{
    if (!bine_hook_active(BINE_PATCH_LOCAL_KEYS))
        return bine_libc.pthread_setspecific(key, value);
    return bine_local_key_set(key, value, __builtin_return_address(0));
}
#pragma GCC diagnostic pop

int hook_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    int error = bine_libc.pthread_key_create(key, destructor);
    if (!error && bine_hook_active(BINE_PATCH_LOCAL_KEYS))
        bine_local_key_made(*key, destructor);
    return error;
}

int hook_pthread_key_delete(pthread_key_t key)
{
    bine_local_key_deleted(key);
    return bine_libc.pthread_key_delete(key);
}

/* C11: tss_t is pthread_key_t under another name. */

void *hook_tss_get(tss_t key)
{
    return hook_pthread_getspecific(key);
}

int hook_tss_set(tss_t key, void *value)
{
    if (!bine_hook_active(BINE_PATCH_LOCAL_KEYS))
        return bine_libc.tss_set(key, value);
    return bine_local_key_set(key, value, __builtin_return_address(0)) ? thrd_error : thrd_success;
}

int hook_tss_create(tss_t *key, tss_dtor_t destructor)
{
    int result = bine_libc.tss_create(key, destructor);
    if (result == thrd_success && bine_hook_active(BINE_PATCH_LOCAL_KEYS))
        bine_local_key_made(*key, destructor);
    return result;
}

void hook_tss_delete(tss_t key)
{
    bine_local_key_deleted(key);
    bine_libc.tss_delete(key);
}
