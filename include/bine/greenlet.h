/*
 * Greenlets: stackful coroutines, scheduled cooperatively within one OS thread.
 *
 * A greenlet runs until it calls something that switches (bine_sleep, bine_join, a patched recv
 * ...). Each OS thread that uses Bine has a hub of its own. A greenlet stays on the hub that
 * spawned it until it ends. The thread's own stack is the root greenlet, so main() may block like
 * any other greenlet.
 *
 * Other threads: bine_join, bine_get, bine_kill, bine_killall, bine_interrupt, bine_ref and
 * bine_detach accept a greenlet of any thread. The greenlet's own thread does the work between two
 * of its greenlets, so the work waits until that thread next looks at its messages. Calls that only
 * look answer on any thread, and their answer may be out of date there. All other calls are for
 * greenlets of the calling thread, and their comments say what they do with another one. A
 * reference may be handed to another thread, which joins or detaches it. A thread that names a
 * greenlet must know that somebody holds a reference to it.
 *
 * References: every bine_spawn* returns one reference, which the caller owns. bine_join,
 * bine_joinall and bine_get take it when they succeed. bine_detach drops it without waiting. A
 * running greenlet stays alive without any reference: bine_go starts a greenlet that nobody waits
 * for.
 */
#ifndef BINE_GREENLET_H
#define BINE_GREENLET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base.h"

BINE_BEGIN

typedef struct bine_greenlet bine_greenlet;

/* A greenlet runs this function. It has pthread's signature. The pointer that it returns is the
 * greenlet's value. */
typedef void *bine_run(void *arg);

/* ---- spawning ------------------------------------------------------------------------------- */

#define BINE_STRING_(x) #x
#define BINE_STRING(x) BINE_STRING_(x)
/* Makes two strings in one literal: the function's name, then the place that spawned it. */
#define BINE_SITE(run) #run "\0" __FILE__ ":" BINE_STRING(__LINE__)

/*
 * The macros that spawn are variadic, so that a literal in their arguments may have commas:
 *
 *      bine_spawn_with(&(bine_spawn_options){.name = "writer", .delay = BINE_SECOND}, run, arg);
 *
 * The preprocessor makes several arguments of that literal. A site holds the name of `run`. Where
 * options come first, these macros find `run` by the number of arguments that stand behind it: one,
 * two or three. There may be ten arguments.
 */
#define BINE_SITE_BEFORE_1(...) BINE_SITE_OF_(BINE_FIND_(~, ~, __VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_BEFORE_2(...) BINE_SITE_OF_(BINE_FIND_(~, __VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_BEFORE_3(...) BINE_SITE_OF_(BINE_FIND_(__VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_OF_(run) BINE_SITE(run)
#define BINE_FIND_(...)                                                                       \
    BINE_13TH_(__VA_ARGS__, BINE_9TH_, BINE_8TH_, BINE_7TH_, BINE_6TH_, BINE_5TH_, BINE_4TH_, \
               BINE_3RD_, BINE_2ND_, BINE_2ND_, BINE_2ND_, BINE_2ND_, ~)
#define BINE_13TH_(a, b, c, d, e, f, g, h, i, j, k, l, m, ...) m
#define BINE_9TH_(a, b, c, d, e, f, g, h, i, ...) i
#define BINE_8TH_(a, b, c, d, e, f, g, h, ...) h
#define BINE_7TH_(a, b, c, d, e, f, g, ...) g
#define BINE_6TH_(a, b, c, d, e, f, ...) f
#define BINE_5TH_(a, b, c, d, e, ...) e
#define BINE_4TH_(a, b, c, d, ...) d
#define BINE_3RD_(a, b, c, ...) c
#define BINE_2ND_(a, b, ...) b

/*
 * bine_spawn(run, arg): make a greenlet that will call run(arg) once the spawner parks. Greenlets
 * start in the order in which they were spawned. It is a macro, so that dumps can show the
 * function's name and the call site.
 *
 * Returns a new reference, which the program has to take or drop. Compilers warn of one that is not
 * looked at; bine_go returns none. Fails with EINVAL (run is NULL), ENOMEM (there is no memory, or
 * no stack), or EAGAIN (the hub could not be made). Switches: no.
 */
#define bine_spawn(run, ...) bine_spawn_at((run), __VA_ARGS__, BINE_SITE(run))

/* bine_spawn_later(delay, run, arg): the same, but the greenlet starts `delay` nanoseconds from
 * now. A bine_kill before then cancels it: run is never called. Fails with EINVAL for a negative
 * delay, too. Switches: no. */
#define bine_spawn_later(delay, run, ...) \
    bine_spawn_later_at((delay), (run), __VA_ARGS__, BINE_SITE(run))

typedef struct bine_spawn_options {
    /* bine_name and dumps show it. It is copied. NULL gives "function(argument)". */
    const char *name;
    /* Bytes of usable stack, rounded up to a power of two of at least 16 KiB. The guard is not
     * counted. 0 means the default (256 KiB, or BINE_STACK_SIZE). */
    size_t stack_size;
    int64_t delay; /* ns, as for bine_spawn_later */
    /* Called once, with `arg`, if run will never be called: because the greenlet was killed before
     * it began, or because its thread ended. It frees what run would have freed. NULL does nothing.
     * It runs on the greenlet's own thread, after its links, and may not wait (EDEADLK). It may
     * spawn. At the end of the thread the greenlets that it spawns are discarded in turn, for 16
     * generations; after these such a spawn fails (EAGAIN). It is not called if the spawn itself
     * failed: `arg` stays the caller's. It is not called in the child of a fork either, where
     * greenlets are left as threads are. */
    void (*discard)(void *arg);
    /* 1 gives the greenlet a thread of its own: see below. */
    uintptr_t own_thread;
    uintptr_t reserved[3]; /* 0; more fields may be added here */
} bine_spawn_options;

/*
 * A greenlet with a thread of its own is a thread to everything that it calls, although it runs on
 * the OS thread of its hub like any other greenlet. libc makes the thread: the greenlet has
 * thread-local variables, errno, pthread keys, cleanup handlers and a pthread_self of its own. It
 * is for libraries that keep state per thread and would mix up greenlets. The kernel knows nothing
 * of the thread, so gettid answers for the OS thread.
 *
 * It is switched, killed, timed out, joined and dumped like any other greenlet. What differs:
 *
 *  - Making it takes some 10 times as long as another spawn, and a switch to it longer.
 *  - `stack_size` is that of a stack made by libc, with libc's guard of one page.
 *  - One that is killed before it began ends when it would have begun, and run is not called.
 *  - bine_exit and pthread_exit both end it. pthread_exit runs cleanup handlers. Its value is the
 *    greenlet's only if the calling object is patched by bine_patch_own_threads.
 *  - libc's calls that ask the kernel about a pthread_t fail with ESRCH for it: pthread_kill,
 *    pthread_getattr_np, affinity and scheduling. They work in objects that are patched so.
 *  - Destructors of keys and thread-local variables may wait. They cannot make a child by vfork.
 *
 * bine_spawn_with fails with EINVAL for a `delay`. It fails with ENOTSUP where own threads cannot
 * be had, and bine_own_thread_refusal says why.
 */

/* Returns NULL if greenlets of the calling thread can have threads of their own. Otherwise returns
 * why not, as a text that is never freed: the kernel is older than Linux 5.11, a seccomp filter
 * forbids it, the processor is no x86-64, the calling thread is not the main one, or a sanitizer is
 * at work. It prepares the thread as the first such spawn would. Switches: no. */
BINE_API const char *bine_own_thread_refusal(void);

/* bine_spawn_with(options, run, arg): the same with options (NULL means all defaults). Fails as
 * bine_spawn and bine_spawn_later do, and with EINVAL for a stack over 1 GiB. Switches: no. */
#define bine_spawn_with(...) bine_spawn_with_at(__VA_ARGS__, BINE_SITE_BEFORE_1(__VA_ARGS__))

/* bine_go(run, arg): spawn a greenlet and forget it. It does what bine_spawn does, but returns no
 * reference, so that there is none to drop. The greenlet frees itself when it ends, and its value
 * and its error are lost. Returns 0, or -1 with bine_spawn's errors. If it fails, run will not be
 * called, and `arg` stays the caller's. Switches: no. */
#define bine_go(run, ...) bine_go_at((run), __VA_ARGS__, BINE_SITE(run))

/* The macros call these functions. `site` must live as long as the process and have the form of
 * BINE_SITE. Switches: no. */
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_at(bine_run *run, void *arg, const char *site);
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_later_at(int64_t delay, bine_run *run, void *arg,
                                                          const char *site);
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_with_at(const bine_spawn_options *options,
                                                         bine_run *run, void *arg,
                                                         const char *site);
BINE_API int bine_go_at(bine_run *run, void *arg, const char *site);

/* ---- references ----------------------------------------------------------------------------- */

/* Add a reference to g. Returns g; returns NULL if g is NULL. Any thread may call it. For a
 * greenlet of another thread it may fail with ENOMEM. Switches: no. */
BINE_API bine_greenlet *bine_ref(bine_greenlet *g);

/* Drop the caller's reference. A greenlet that has not ended runs on and frees itself when it ends.
 * NULL is ignored. Any thread may call it. Switches: no. */
BINE_API void bine_detach(bine_greenlet *g);

/* ---- the current greenlet ------------------------------------------------------------------- */

/* Returns the greenlet that runs now, as a borrowed reference. On a thread that has no hub yet the
 * call makes the hub. It fails with ENOMEM or EAGAIN if that fails. Switches: no. */
BINE_API bine_greenlet *bine_getcurrent(void);

/* Park the current greenlet for at least `duration` ns. With 0 the greenlet yields: every greenlet
 * that is ready runs once before the call returns. Returns 0, or -1 with EINVAL, ECANCELED,
 * ETIMEDOUT, or EDEADLK (in the root, with BINE_FOREVER). Switches: yes. */
BINE_API int bine_sleep(int64_t duration);

/* Wait until this thread has nothing else to do: no greenlet is ready, and a look at the poller
 * brought none. Returns 0, or -1 with ECANCELED or ETIMEDOUT. Switches: yes. */
BINE_API int bine_idle(void);

/* End the current greenlet as if its function returned `value`. In the root greenlet of the main
 * thread this ends the process as exit(0) does. The C++ destructors of the frames in between do not
 * run. On a thread without a hub it ends the thread as pthread_exit(3) does. */
BINE_API BINE_NORETURN void bine_exit(void *value);

/* End the current greenlet as failed. Its bine_error() is `error` (an errno value, not 0) and its
 * value is NULL. This is how C raises an error: bine_joinall_with(BINE_RAISE_ERROR) reports it. An
 * error of 0 counts as EINVAL. On a thread without a hub it ends the thread as pthread_exit(3)
 * does. */
BINE_API BINE_NORETURN void bine_fail(int error);

/* ---- waiting for greenlets ------------------------------------------------------------------ */

/*
 * Wait until g has ended. On success the call takes the caller's reference and stores the
 * greenlet's value in *value (if value is not NULL). `timeout` is in ns. Any thread may call it.
 *
 * Returns 0. Otherwise returns -1 and keeps the reference, with:
 *
 *  - EINVAL: g is NULL, or the timeout is negative
 *  - ESRCH: g is of another thread, which has ended, and g with it
 *  - EDEADLK: g is the caller, or nothing can wake the root any more
 *  - ETIMEDOUT: the timeout has passed
 *  - ECANCELED
 *
 * A greenlet that failed is joined all the same, and its value is NULL; bine_get says why it
 * failed. Switches: maybe (not if g has ended); yes if g is of another thread, also with timeout 0.
 */
BINE_API int bine_join(bine_greenlet *g, void **value, int64_t timeout);

/*
 * Does the same, but a greenlet that failed makes the call fail. If g returned, the call returns 0,
 * stores the value in *value, and takes the caller's reference. Otherwise it returns -1, and the
 * caller keeps the reference, whatever the reason was. errno is then the error of g (that of
 * bine_fail, or ECANCELED if g was killed before it ran), or one of bine_join's. g itself may have
 * failed with ETIMEDOUT or ECANCELED: bine_dead(g) tells this from a wait that was cut short. After
 * a failure, therefore:
 *
 *      if (bine_get(g, &value, 5 * BINE_SECOND) != 0) {
 *          fprintf(stderr, "%s: %s\n", bine_name(g), strerror(errno));
 *          bine_kill(g);       // does nothing if it has ended
 *          bine_detach(g);
 *      }
 *
 * Any thread may call it. Switches: as bine_join.
 */
BINE_API int bine_get(bine_greenlet *g, void **value, int64_t timeout);

/* Wait until all n have ended, then take all n references. NULL entries are skipped. Returns 0.
 * Otherwise returns -1 with errno as above, or with EINVAL for a greenlet of another thread, and
 * takes no reference. Switches: maybe. */
BINE_API int bine_joinall(bine_greenlet *const *all, size_t n, int64_t timeout);

#define BINE_RAISE_ERROR 1u /* Stop at the first greenlet that failed and return its error. */

/* Wait until `count` of the n have ended. A count of 0, or one greater than n, means all of them.
 * With BINE_RAISE_ERROR the first greenlet that failed ends the wait, and the call returns -1 with
 * errno its bine_error. The call takes no references, so that the caller can look at each greenlet.
 * Returns the number of those that have ended (at least count), or -1 with EINVAL, EDEADLK (the
 * caller is one of them), ETIMEDOUT, ECANCELED or ENOMEM. Switches: maybe. */
BINE_API ssize_t bine_joinall_with(bine_greenlet *const *all, size_t n, int64_t timeout,
                                   size_t count, unsigned flags);

/* These say what has become of g. They never fail with EINVAL and never switch. Any thread may call
 * them. */
BINE_API bool bine_started(const bine_greenlet *g);    /* has begun and not ended */
BINE_API bool bine_dead(const bine_greenlet *g);       /* has ended (gevent: dead, ready) */
BINE_API bool bine_successful(const bine_greenlet *g); /* has ended without an error */
/* its value; NULL before its end, or if it failed */
BINE_API void *bine_value(const bine_greenlet *g);
/* Returns 0, or why g failed: bine_fail's error, or ECANCELED if g was killed before it ran. */
BINE_API int bine_error(const bine_greenlet *g);

/* ---- ending greenlets ----------------------------------------------------------------------- */

/* Cancel g. The call in which it is parked, or else its next call that would park, fails with
 * ECANCELED. So does every later one, so that retry loops inside libraries end. If g has not
 * started, it never runs and ends with ECANCELED. The call does not wait. Any thread may call it.
 * From another thread the kill strikes when g's thread next looks at its messages. Returns 0, also
 * if g has ended already, or -1 with EINVAL, or from another thread with ENOMEM. Switches: no. */
BINE_API int bine_kill(bine_greenlet *g);

/* Kill all n, then wait at most `timeout` for their end. NULL entries are skipped. The call takes
 * no references. Any thread may call it. Returns 0, or -1 with EINVAL, ETIMEDOUT or ECANCELED. The
 * caller may be among the n: it is killed, and the call does not wait for it. Switches: maybe. */
BINE_API int bine_killall(bine_greenlet *const *all, size_t n, int64_t timeout);

/*
 * Interrupt g once. The call in which it is parked, or else its next call that would park, fails
 * with `error` (an errno value, 1 to 255, but not ETIME, which waits use). Later calls are not
 * affected. g decides what the error means, as with a signal's EINTR.
 *
 * If a wake came first, that call succeeds, and the next one fails. A later interrupt replaces one
 * that has not struck yet, and the error 0 takes it back. Shields hold an interrupt back. A kill
 * hides it. A greenlet that has ended is left alone. Readers, TLS and HTTP do not keep its error:
 * their next call resumes where the interrupted one stopped.
 *
 * Any thread may call it. From another thread the interrupt strikes when g's thread next looks at
 * its messages. Returns 0, or -1 with EINVAL, or from another thread with ENOMEM. Switches: no.
 */
BINE_API int bine_interrupt(bine_greenlet *g, int error);

/* Returns true if g has been killed. It may still be running towards its end. Switches: no. */
BINE_API bool bine_killed(const bine_greenlet *g);

/* Ask whether a wait of the current greenlet would fail at once, because the greenlet was killed,
 * was interrupted or is out of time. Returns 0, or -1 with the error that the wait would fail with
 * (ECANCELED, ETIMEDOUT, or the interrupt's). The wait will still fail with it. Call it in long
 * work that does not wait, and before a step that cannot be undone. It obeys shields. Returns 0 on
 * a thread without a hub. Switches: no. */
BINE_API int bine_check(void);

/*
 * These calls are for code that keeps the errors of a stream, so that no caller takes the stream's
 * end for a good one. It has to know whose error a failed call reports: the caller's own, or the
 * stream's.
 *
 *      unsigned interruptions = bine_interruptions();
 *      ssize_t got = bine_recv(fd, buffer, size, 0);
 *      if (got < 0 && !bine_error_passes(errno, interruptions))
 *          stream->error = errno;
 *
 * bine_interruptions returns how many waits of the current greenlet a kill, a timeout scope,
 * bine_interrupt or a signal has ended. It returns 0 on a thread without a hub.
 *
 * bine_error_passes returns true if `error` was the caller's own: an interruption has happened
 * since, or the error is EINTR, EAGAIN, EDEADLK or ENOMEM. The same call may then be made again. It
 * returns false if the error was the stream's, as ECONNRESET, or ETIMEDOUT of a TCP that gave up.
 *
 * Any thread may call them. Switches: no.
 */
BINE_API unsigned bine_interruptions(void);
BINE_API bool bine_error_passes(int error, unsigned interruptions);

/* Between these two calls the current greenlet's parks obey neither kill nor timeout scopes, so
 * that cleanup code can block. Shields nest. If one is open when the greenlet's function returns,
 * Bine reports it on standard error by the greenlet's name, and closes it. Switches: no. */
BINE_API void bine_shield_begin(void);
BINE_API void bine_shield_end(void);

/* ---- timeout scopes ------------------------------------------------------------------------- */

/* The scope lies on the caller's stack. The fields are Bine's own. */
typedef struct bine_timeout {
    int64_t deadline;           /* absolute, CLOCK_MONOTONIC ns */
    int64_t earliest;           /* the earliest of this and all scopes around it */
    struct bine_timeout *outer; /* the scope around this one */
    bool expired;               /* a park failed because of this scope */
    uintptr_t reserved[2];
} bine_timeout;

/* Open a scope. Every park of the current greenlet that would last beyond now + duration (ns) fails
 * with ETIMEDOUT, and so does every later one until the scope is ended. Scopes nest; the one that
 * ends earliest wins. If one is open when the greenlet's function returns, Bine reports it on
 * standard error by the greenlet's name, and closes it. Returns 0, or -1 with EINVAL, or ENOMEM
 * (the hub could not be made). Switches: no. */
BINE_API int bine_timeout_begin(bine_timeout *scope, int64_t duration);

/* Close the innermost scope, which must be `scope`. Returns 1 if a park failed because of this
 * scope, 0 if not, or -1 with EINVAL if another scope is the innermost one. Switches: no. */
BINE_API int bine_timeout_end(bine_timeout *scope);

/* Returns true if a park failed because of this scope, which is open or has been ended. Returns
 * false if the ETIMEDOUT came from the call's own timeout, from a scope around this one, or from
 * the peer. Returns false for NULL. Switches: no. */
BINE_API bool bine_timeout_expired(const bine_timeout *scope);

/*
 * BINE_WITHIN(duration) { ... }: a scope over the block that follows. It is closed on every way out
 * of the block: the block's end, return, goto, break and continue (both leave the block, not a loop
 * around it), and C++ exceptions. bine_exit and bine_fail are ways out, too; longjmp is not. A
 * second argument, a pointer to a bool, receives whether a park failed because of the scope.
 *
 *      bool late;
 *      BINE_WITHIN(2 * BINE_SECOND, &late) {
 *          if (ask(server) != 0)
 *              return -1;
 *      }
 *
 * The duration is evaluated once. A negative one has passed already, as 0 has. On a thread without
 * a hub, where there is no memory to make one, the block runs without a limit; bine_timeout_begin
 * reports that case. A scope that was opened in the block and is open at its end is reported, as at
 * a greenlet's end. errno stays as it was. It works in C11 and C++, with the GNU attribute
 * `cleanup`. In C, -fexceptions makes it hold for pthread_exit and for exceptions that pass
 * through.
 */
#define BINE_WITHIN(...) BINE_WITHIN_(__VA_ARGS__, NULL, )
#define BINE_WITHIN_(duration, told, ...) \
    BINE_WITHIN_NAMED_(BINE_JOIN_(bine_within_, __LINE__), duration, told)
#define BINE_WITHIN_NAMED_(name, duration, told)                                                   \
    for (bine_within name __attribute__((__cleanup__(                                              \
             bine_within_end))) = {{0, 0, NULL, false, {0, 0}}, (duration), (told), false, false}; \
         bine_within_begin(&name);)
#define BINE_JOIN_(a, b) BINE_JOIN__(a, b)
#define BINE_JOIN__(a, b) a##b

/* The macro keeps this record. */
typedef struct bine_within {
    bine_timeout timeout;
    int64_t duration;
    bool *expired;
    bool begun, open;
} bine_within;

BINE_API void bine_within_end(bine_within *within);
static inline bool bine_within_begin(bine_within *within)
{
    if (within->begun)
        return false;
    within->begun = true;
    within->open =
        bine_timeout_begin(&within->timeout, within->duration < 0 ? 0 : within->duration) == 0;
    return true;
}

/* ---- links ---------------------------------------------------------------------------------- */

/* Have `function` called once when g ends. Links are called in the order of linking. A link must
 * not block: a call that would park fails with EDEADLK. It may spawn instead. If g has ended
 * already, the link is called at once. When a thread ends, the links of the greenlets that are left
 * are called; those of greenlets that are spawned from there are not. Returns 0, or -1 with EINVAL,
 * EPERM (g is a greenlet of another thread) or ENOMEM. Switches: no. */
typedef void bine_link_function(bine_greenlet *g, void *arg);
BINE_API int bine_link(bine_greenlet *g, bine_link_function *function, void *arg);

/* Remove the first link that was made with this function and argument. Returns 0, or -1 with
 * EINVAL, EPERM (g is a greenlet of another thread), or ENOENT (there is no such link).
 * Switches: no. */
BINE_API int bine_unlink(bine_greenlet *g, bine_link_function *function, void *arg);

/* ---- greenlet-local storage ----------------------------------------------------------------- */

typedef unsigned bine_key;

/* Make a key. When a greenlet ends, `destructor` (may be NULL) is called with each value of it that
 * is not NULL, as for pthread keys, in up to four rounds. Any thread may call it. Returns 0, or -1
 * with EINVAL (key is NULL), or EAGAIN (128 keys exist). Switches: no. */
BINE_API int bine_key_create(bine_key *key, void (*destructor)(void *));
/* Give the key back. Destructors are not called. Any thread may call it. Returns 0, or -1 with
 * EINVAL. Switches: no. */
BINE_API int bine_key_delete(bine_key key);
/* Returns the current greenlet's value, or NULL if none was set. Returns NULL also on a thread
 * without a hub. Any thread may call it. Switches: no. */
BINE_API void *bine_getspecific(bine_key key);
/* Set the current greenlet's value. Returns 0, or -1 with EINVAL (there is no such key), ENOMEM, or
 * EAGAIN (the hub could not be made). Any thread may call it. Switches: no. */
BINE_API int bine_setspecific(bine_key key, const void *value);

/* ---- names and figures ---------------------------------------------------------------------- */

/* Returns "<Greenlet at 0x7f..: f(5)>", or with the name it was given "<Greenlet at 0x7f..:
 * fetch-7>". Small integers are shown in decimal, other arguments as addresses. g owns the text,
 * which is valid until g is freed or renamed. For a greenlet of another thread it returns
 * "<Greenlet of another thread>", a constant. It never returns NULL. Switches: no. */
BINE_API const char *bine_name(bine_greenlet *g);
/* Give g a name, which is copied. Control characters become "?", since names are shown on
 * terminals. Returns 0, or -1 with EINVAL, EPERM (g is a greenlet of another thread) or ENOMEM.
 * Switches: no. */
BINE_API int bine_set_name(bine_greenlet *g, const char *name);

/* Returns how many bytes of its stack g has touched at most, to the page. Returns 0 if g has no
 * stack of its own now (it is the root, has not started, or has ended) or is another thread's. A
 * stack that is used again may still count pages of its previous owner, unless the environment has
 * BINE_STACK_WATERMARK=1. Switches: no. */
BINE_API size_t bine_stack_high_water(const bine_greenlet *g);

/* Write which greenlet waits for what to a file descriptor, one line a greenlet. It writes the
 * greenlets of the calling thread, and nothing on a thread without a hub. Returns 0, or -1 with
 * errno of write(2). It blocks the thread and does not switch. */
BINE_API int bine_dump(int fd);

BINE_END

#endif
