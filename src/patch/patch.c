/* The public interface of monkey patching. See bine/patch.h. The engine does the work. */
#include <bine/patch.h>
#include <errno.h>
#include <stddef.h>

#include "core/hub/hub.h"
#include "io/descriptor/descriptor.h"
#include "io/offload/confine.h"
#include "patch/engine/engine.h"
#include "patch/engine/limit.h"
#include "patch/engine/rules.h"
#include "patch/locals/local_tls.h"
#include "patch/signals/signals.h"
#include "patch/table/hook.h"
#include "patch/table/interpreter.h"
#include "patch/threads/thread_greenlets.h"
#include "surprise.h"

/* The families that the user asked for; written with the engine's lock held. */
static atomic_uint asked;
/* Inner families that are patched in any case (interpreter.h). */
static atomic_uint always;

/* With the lock held: let exactly these families be patched. Hooks are told first, so that each
 * works as soon as a slot leads to it, and falls through as soon as its family is gone. */
static int change_to(unsigned families, bool anew)
{
    unsigned before = atomic_load(&bine_patch_active);
    unsigned all = bine_families_with_inner(families) | atomic_load(&always);
    if (bine_limit_any())
        all |= BINE_PATCH_LOADER;
    if (bine_rules_any_local_tls())
        all |= BINE_PATCH_LOADER | BINE_PATCH_LOCAL_TLS;
    atomic_store(&bine_patch_active, before | all);
    int error = bine_engine_apply(all, anew);
    atomic_store(&bine_patch_active, error ? before : all);
    if (!error) {
        atomic_store(&asked, families);
        if (all & ~before & BINE_PATCH_HANDLERS)
            bine_signals_adopt();
        if (before & ~all & BINE_PATCH_HANDLERS)
            bine_signals_release();
        /* The records of descriptors are true only if no code changes descriptors without Bine's
         * knowledge. */
        bine_descriptor_trust((all & BINE_PATCH_DESCRIPTOR) && !bine_rules_leaves_out());
    }
    return error;
}

static int change(unsigned add, unsigned remove)
{
    if ((add | remove) & ~(unsigned)(BINE_PATCH_ALL | BINE_PATCH_SEMAPHORE)) {
        errno = EINVAL;
        return -1;
    }
    const char *what;
    int surprise = bine_patch_surprise(add, &what);
    if (surprise) {
        errno = surprise;
        return -1;
    }
    bine_libc_resolve();
    bine_libc_resolve_cxx();
    bine_confine_look();
    bine_engine_lock();
    int saved = errno;
    int error = change_to((atomic_load(&asked) | add) & ~remove, false);
    if (!error)
        error = bine_engine_follow();
    bine_engine_unlock();
    errno = error ? error : saved;
    return error ? -1 : 0;
}

int bine_patch(unsigned families)
{
    return change(families, 0);
}

int bine_patch_keys_always(void)
{
    unsigned before = atomic_exchange(&always, BINE_PATCH_LOCAL_KEYS);
    if (change(0, 0) == 0)
        return 0;
    atomic_store(&always, before);
    return -1;
}

int bine_unpatch(unsigned families)
{
    return change(0, families);
}

unsigned bine_patched(void)
{
    return atomic_load(&asked);
}

int bine_patch_all(void)
{
    return bine_patch(BINE_PATCH_ALL);
}

int bine_unpatch_all(void)
{
    return bine_unpatch(BINE_PATCH_ALL | BINE_PATCH_SEMAPHORE);
}

int bine_patch_socket(void)
{
    return bine_patch(BINE_PATCH_SOCKET);
}

int bine_patch_dns(void)
{
    return bine_patch(BINE_PATCH_DNS);
}

int bine_patch_time(void)
{
    return bine_patch(BINE_PATCH_TIME);
}

int bine_patch_select(void)
{
    return bine_patch(BINE_PATCH_SELECT);
}

int bine_patch_file(void)
{
    return bine_patch(BINE_PATCH_FILE);
}

int bine_patch_stdio(void)
{
    return bine_patch(BINE_PATCH_STDIO);
}

int bine_patch_process(void)
{
    return bine_patch(BINE_PATCH_PROCESS);
}

int bine_patch_thread(void)
{
    return bine_patch(BINE_PATCH_THREAD);
}

int bine_patch_signal(void)
{
    return bine_patch(BINE_PATCH_SIGNAL);
}

static int add_rule(enum bine_rule_kind kind, const char *object, unsigned families)
{
    if (!object) {
        errno = EINVAL;
        return -1;
    }
    bine_libc_resolve();
    bine_engine_lock();
    int saved = errno;
    int error = bine_rules_add(kind, object, families);
    /* The others change nothing while nothing is patched. */
    if (!error && (kind == BINE_RULE_LOCAL_TLS || atomic_load(&asked) || atomic_load(&always))) {
        error = change_to(atomic_load(&asked), true);
        if (error)
            bine_rules_drop_newest();
    }
    bine_engine_unlock();
    errno = error ? error : saved;
    return error ? -1 : 0;
}

int bine_patch_exclude(const char *object)
{
    return add_rule(BINE_RULE_EXCLUDE, object, 0);
}

int bine_patch_include(const char *object)
{
    return add_rule(BINE_RULE_INCLUDE, object, 0);
}

int bine_patch_only(const char *object, unsigned families)
{
    if (families & ~(unsigned)(BINE_PATCH_ALL | BINE_PATCH_SEMAPHORE | BINE_PATCH_INTERPRETER)) {
        errno = EINVAL;
        return -1;
    }
    return add_rule(BINE_RULE_ONLY, object, families);
}

int bine_patch_time_and_locks(const char *object)
{
    return add_rule(BINE_RULE_TIME_AND_LOCKS, object, 0);
}

int bine_patch_local_keys(const char *object)
{
    return add_rule(BINE_RULE_LOCAL_KEYS, object, 0);
}

int bine_patch_local_tls(const char *object)
{
    if (add_rule(BINE_RULE_LOCAL_TLS, object, 0) != 0)
        return -1;
    int saved = errno;
    int error = bine_local_tls_begin(object);
    errno = error ? error : saved;
    return error ? -1 : 0;
}

int bine_patch_patient(const char *object)
{
    return add_rule(BINE_RULE_PATIENT, object, 0);
}

int bine_patch_threads_as_greenlets(const char *object)
{
    return add_rule(BINE_RULE_GREENLETS, object, 0);
}

int bine_patch_own_threads(const char *object)
{
    if (!object) {
        errno = EINVAL;
        return -1;
    }
    if (bine_own_thread_refusal()) {
        errno = ENOTSUP;
        return -1;
    }
    /* Before the rule: what the objects get depends on it. */
    bool first = !atomic_exchange(&bine_threads_own, true);
    if (add_rule(BINE_RULE_GREENLETS, object, 0) != 0) {
        if (first)
            atomic_store(&bine_threads_own, false);
        return -1;
    }
    /* Threads that wait for each other wait for ever, in a program that was written for threads. */
    if (first) {
        bine_thread_own_hub_of_main = bine_hub_here();
        bine_thread_own_hub_of_main->external++;
    }
    return 0;
}

int bine_patch_limit(const char *object, unsigned greenlets)
{
    if (!object) {
        errno = EINVAL;
        return -1;
    }
    bine_libc_resolve();
    bine_engine_lock();
    int saved = errno;
    int error = bine_limit_set(object, greenlets);
    if (!error) {
        error = change_to(atomic_load(&asked), true);
        if (error)
            bine_limit_revert();
    }
    bine_engine_unlock();
    errno = error ? error : saved;
    return error ? -1 : 0;
}

void *bine_original(const char *name)
{
    if (!name) {
        errno = EINVAL;
        return NULL;
    }
    bine_libc_resolve();
    const struct bine_symbol *symbol = bine_symbol_find(name);
    if (!symbol || !*symbol->original) {
        errno = ENOENT;
        return NULL;
    }
    return *symbol->original;
}
