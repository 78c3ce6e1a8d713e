/*
 * For a language runtime whose global lock stays libc's, while the locks that its programs see are
 * greenlets'. The global lock must be taken and given back where no greenlet may park. CPython has
 * semaphores for its programs' locks, and for some of its own that are held for a few instructions.
 *
 * A greenlet that parks is given what it waits for while others run. With one of the runtime's own
 * locks that must not happen: one of the others may wait for the global lock, whose holder waits
 * for that very lock. So for these the thread waits, and takes the lock itself. Neither wait is for
 * ever. It ends now and then for greenlets to run, one of which may be the one that the thread
 * waits for.
 */
#ifndef BINE_PATCH_TABLE_INTERPRETER_H
#define BINE_PATCH_TABLE_INTERPRETER_H

#include <stdatomic.h>
#include <stdbool.h>

struct bine_hub;

/* Makes the keys of the objects that bine_patch_local_keys() named greenlet-local from now on,
 * whatever is patched: an interpreter finds its state by one. Returns 0, or -1 with errno as
 * bine_patch(). */
int bine_patch_keys_always(void);

/* `caller` is the return address of a call of pthread_cond_wait or pthread_cond_timedwait. Is that
 * call a wait of the global lock's? NULL if there is no such runtime.
 *
 * The timed wait is made by a thread that wants the lock. It looks at the lock again whenever the
 * time is up. The wait without a time is made by a thread that gives the lock up on demand: it
 * waits until the thread that asked for the lock has taken it. That may be a greenlet of the same
 * thread, so the hook ends this wait after some time, too. The runtime takes the mutex for these
 * waits only, so the hook may release it while other greenlets run. */
extern bool (*bine_condition_stays_real)(const void *caller);
/* Is a sem_wait at that return address, in the current greenlet, one for a lock of the runtime's
 * own? */
extern bool (*bine_semaphore_stays_real)(const void *caller, const void *semaphore);
/* The semaphore that this thread last tried to take in vain, for functions that judge by it: locks
 * of a program are tried first, with the global lock. */
extern __attribute__((visibility("hidden"),
                      tls_model("initial-exec"))) _Thread_local const void *bine_semaphore_refused;

/*
 * The interpreter runs handlers of signals only in its main thread, and asks pthread_self whether
 * it is that. While `sought`, is_main says whether the main thread's identity is the answer to such
 * a question, in any greenlet. The hook calls it, on the asking greenlet.
 */
extern atomic_bool bine_identity_sought;
extern bool (*bine_identity_is_main)(struct bine_hub *hub);
extern unsigned long bine_identity_of_main;

/*
 * In the matching objects only waits for a time and for locks are patched. These objects wait for
 * no peer, their waits for a disk are the thread's, and the descriptors that they open and close
 * belong to no other object. Errors and scope are as for bine_patch_exclude().
 */
int bine_patch_time_and_locks(const char *object);

/*
 * `original` is a function of the runtime's own. While threads are patched, the objects of this
 * name (a pattern) call `instead` in its place. It is set before the first patching. NULL: there is
 * none.
 */
struct bine_runtime_call {
    const char *object, *name;
    void *original, *instead;
};
extern const struct bine_runtime_call *bine_runtime_call;

/* Called when a handler that the program has installed begins on this thread, or has ended.
 * Async-signal-safe. NULL: nothing is called. */
extern void (*bine_signal_arrives)(struct bine_hub *hub, bool begins);

#endif
