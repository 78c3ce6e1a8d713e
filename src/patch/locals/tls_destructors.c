/*
 * Destructors of thread-local variables, in objects whose variables are greenlet-local. See
 * local_tls.h.
 *
 * A greenlet's destructors are kept under a greenlet-local key of Bine's, the newest first. The
 * root's stay with libc, which runs them when the thread ends, or when the thread calls exit. It
 * does not run the root's if another greenlet calls exit, nor in a child that another greenlet
 * forked, because what they would destroy is not there. Then that greenlet's own run.
 */
#include <errno.h>
#include <stdlib.h>

#include "exchange.h"
#include "libc/carrier.h"
#include "libc/free.h"
#include "local_tls.h"
#include "patch/table/hook.h"

struct destructor {
    struct destructor *next;
    void (*run)(void *object);
    void *object;
};

static bine_key key;
static atomic_int key_state; /* 0 not made, 1 being made, 2 made, 3 could not be made */
static atomic_uint forks;

/* What exit runs for the greenlet that calls it is registered with libc once a thread. */
static BINE_CARRIED bool exit_registered_;
#define exit_registered BINE_OF_CARRIER(exit_registered_)

/* ---- a greenlet's ---------------------------------------------------------------------------- */

static void run_all(void *first)
{
    bine_setspecific(key, first);
    /* A destructor may register others. */
    for (struct destructor *destructor; (destructor = bine_getspecific(key));) {
        bine_setspecific(key, destructor->next);
        destructor->run(destructor->object);
        free(destructor);
    }
}

void bine_local_tls_destroy(void)
{
    if (atomic_load_explicit(&key_state, memory_order_acquire) == 2)
        run_all(bine_getspecific(key));
}

void bine_local_tls_renew(void)
{
    struct bine_hub *hub = bine_hub_here();
    if (!hub || !hub->exchange)
        return;
    bine_local_tls_destroy();
    bine_exchange_renew(hub);
}

static bool have_key(void)
{
    int state = atomic_load_explicit(&key_state, memory_order_acquire);
    if (state == 0 && atomic_compare_exchange_strong(&key_state, &state, 1)) {
        state = bine_key_create(&key, run_all) == 0 ? 2 : 3;
        atomic_store(&key_state, state);
    }
    while (state == 1)
        state = atomic_load(&key_state);
    return state == 2;
}

/* ---- the root's ------------------------------------------------------------------------------ */

struct root_destructor {
    void (*run)(void *object);
    void *object;
    unsigned forks; /* before it was registered */
};

static void run_root(void *arg)
{
    struct root_destructor destructor = *(struct root_destructor *)arg;
    struct bine_hub *hub = bine_hub_here();
    free(arg);
    if (!hub || (hub->current == hub->root && destructor.forks == atomic_load(&forks)))
        destructor.run(destructor.object);
}

static int register_root(void (*run)(void *), void *object, void *library)
{
    struct root_destructor *destructor = malloc(sizeof *destructor);
    if (!destructor)
        return -1;
    *destructor = (struct root_destructor){run, object, atomic_load(&forks)};
    return bine_libc.__cxa_thread_atexit_impl(run_root, destructor, library);
}

/* The thread ends, or a greenlet calls exit. */
static void run_current(void *arg)
{
    (void)arg;
    exit_registered = false;
    if (bine_hub_here())
        bine_local_tls_destroy();
}

/* In the child the greenlet that forked is the root: its own still hang on its key, and exit runs
 * them there. */
static void tls_destructors_hub_forked(struct bine_hub *hub)
{
    (void)hub;
    atomic_fetch_add(&forks, 1);
}

__attribute__((constructor)) static void tls_destructors_register_hooks(void)
{
    bine_hub_on_fork(tls_destructors_hub_forked);
}

/* ---- registering ----------------------------------------------------------------------------- */

static int register_here(void (*run)(void *), void *object)
{
    struct destructor *destructor = have_key() ? malloc(sizeof *destructor) : NULL;
    if (!destructor)
        return -1;
    *destructor = (struct destructor){bine_getspecific(key), run, object};
    if (bine_setspecific(key, destructor) != 0) {
        bine_free(destructor);
        return -1;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the list hangs on the key */
    if (!exit_registered) {
        exit_registered = true;
        bine_libc.__cxa_thread_atexit_impl(run_current, NULL, &key);
    }
    return 0;
}

int hook___cxa_thread_atexit_impl(void (*run)(void *), void *object, void *library)
{
    if (!bine_hook_active(BINE_PATCH_LOCAL_TLS) || !bine_local_tls_owns(library))
        return bine_libc.__cxa_thread_atexit_impl(run, object, library);
    /* A thread that has no hub may make one before it ends. */
    struct bine_hub *hub = bine_hub_here();
    bool root = !hub || hub->current == hub->root;
    int saved = errno;
    int failed = root ? register_root(run, object, library) : register_here(run, object);
    errno = saved;
    return failed;
}
