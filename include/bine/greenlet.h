/*
 * Greenlets: stackful coroutines, scheduled cooperatively within one OS thread.
 *
 * A greenlet runs until it calls something that switches (bine_sleep, bine_join, a patched recv ...).
 * Each OS thread that uses Bine has a hub of its own; a greenlet stays on the hub that spawned it for
 * life. The thread's own stack is the root greenlet, so main() may block like any other greenlet.
 *
 * Other threads: bine_join, bine_kill, bine_killall, bine_ref and bine_detach take a greenlet of any thread;
 * what they do is done by its own, between two greenlets, so it takes until that next looks at its messages.
 * Calls that only look answer on any thread, and may be out of date there. All other calls are for greenlets of
 * the calling thread, and say what they do with another one. A reference may be handed to another thread, to be
 * joined or detached there; whoever names a greenlet must know that a reference to it is held.
 *
 * References: every bine_spawn* returns one reference, owned by the caller. bine_join, bine_joinall and bine_get take it
 * when they succeed; bine_detach drops it without waiting. A running greenlet stays alive without any: bine_go starts one
 * that nobody waits for.
 */
#ifndef BINE_GREENLET_H
#define BINE_GREENLET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base.h"

BINE_BEGIN

typedef struct bine_greenlet bine_greenlet;

/* What a greenlet runs: pthread's signature. The returned pointer is the greenlet's value. */
typedef void *bine_run(void *arg);

/* ---- spawning ------------------------------------------------------------------------------- */

#define BINE_STRING_(x) #x
#define BINE_STRING(x) BINE_STRING_(x)
/* Two strings in one literal: the function's name, then where it was spawned. */
#define BINE_SITE(run) #run "\0" __FILE__ ":" BINE_STRING(__LINE__)

/*
 * The macros that spawn are variadic, so that a literal in their arguments may have commas:
 *
 *      bine_spawn_with(&(bine_spawn_options){.name = "writer", .delay = BINE_SECOND}, run, arg);
 *
 * The preprocessor makes several arguments of that literal. So where options come first these macros find `run`, whose
 * name a site has, by the number of arguments that stand behind it: one, two or three. There may be ten arguments.
 */
#define BINE_SITE_BEFORE_1(...) BINE_SITE_OF_(BINE_FIND_(~, ~, __VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_BEFORE_2(...) BINE_SITE_OF_(BINE_FIND_(~, __VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_BEFORE_3(...) BINE_SITE_OF_(BINE_FIND_(__VA_ARGS__)(__VA_ARGS__))
#define BINE_SITE_OF_(run) BINE_SITE(run)
#define BINE_FIND_(...)                                                                                             \
    BINE_13TH_(__VA_ARGS__, BINE_9TH_, BINE_8TH_, BINE_7TH_, BINE_6TH_, BINE_5TH_, BINE_4TH_, BINE_3RD_, BINE_2ND_, \
               BINE_2ND_, BINE_2ND_, BINE_2ND_, ~)
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
 * bine_spawn(run, arg): make a greenlet that will call run(arg) once the spawner parks; greenlets start
 * in the order in which they were spawned. A macro, so that dumps can show the function's name and the
 * call site. Returns a new reference, which somebody has to take or drop (compilers warn of one that is not looked at;
 * see bine_go), or NULL: EINVAL (run is NULL), ENOMEM (no memory, or no stack), EAGAIN (the hub could not be made).
 * Switches: no.
 */
#define bine_spawn(run, ...) bine_spawn_at((run), __VA_ARGS__, BINE_SITE(run))

/* bine_spawn_later(delay, run, arg): the same, but it starts `delay` nanoseconds from now. bine_kill before then
 * cancels it: run is never called. EINVAL also for a negative delay. Switches: no. */
#define bine_spawn_later(delay, run, ...) bine_spawn_later_at((delay), (run), __VA_ARGS__, BINE_SITE(run))

typedef struct bine_spawn_options {
    const char *name;  /* shown by bine_name and dumps; copied; NULL: "function(argument)" */
    size_t stack_size; /* bytes of usable stack, rounded up to a power of two of at least 16 KiB, the
                          guard not counted; 0: the default (256 KiB, or BINE_STACK_SIZE) */
    int64_t delay;     /* as for bine_spawn_later */
    /* Called with `arg`, once, if run never will be: since the greenlet was killed before it began, or its thread ended.
       Frees what run would have freed. NULL: nothing. It runs on the greenlet's own thread, after its links, and may not
       wait (EDEADLK). It may spawn; at the end of the thread what it spawns is discarded in turn, for 16 generations,
       after which such a spawn fails (EAGAIN). Not called if the spawn itself failed: `arg` is the caller's still. Nor in the child of a fork, where
       greenlets are left as threads are. */
    void (*discard)(void *arg);
} bine_spawn_options;

/* bine_spawn_with(options, run, arg): the same with options (NULL: all defaults). Errors as above; EINVAL also for a
 * stack over 1 GiB. */
#define bine_spawn_with(...) bine_spawn_with_at(__VA_ARGS__, BINE_SITE_BEFORE_1(__VA_ARGS__))

/* bine_go(run, arg): spawn and forget. As bine_spawn, but no reference is returned that somebody would have to drop:
 * the greenlet frees itself when it ends, and its value and its error are lost. Returns 0, or -1 with bine_spawn's
 * errors; then run will not be called, and `arg` is the caller's still. Switches: no. */
#define bine_go(run, ...) bine_go_at((run), __VA_ARGS__, BINE_SITE(run))

/* What the macros call. `site` must live as long as the process and have the form of BINE_SITE. */
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_at(bine_run *run, void *arg, const char *site);
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_later_at(int64_t delay, bine_run *run, void *arg, const char *site);
BINE_API BINE_MUST_USE bine_greenlet *bine_spawn_with_at(const bine_spawn_options *options, bine_run *run, void *arg,
                                                         const char *site);
BINE_API int bine_go_at(bine_run *run, void *arg, const char *site);

/* ---- references ----------------------------------------------------------------------------- */

/* One more reference to g; returns g. NULL is passed through. Any thread; from another one NULL also with
 * ENOMEM. Switches: no. */
BINE_API bine_greenlet *bine_ref(bine_greenlet *g);

/* Drop the caller's reference. A greenlet that has not ended runs on and frees itself when it ends.
 * NULL is ignored. Any thread. Switches: no. */
BINE_API void bine_detach(bine_greenlet *g);

/* ---- the current greenlet ------------------------------------------------------------------- */

/* The greenlet that runs now: a borrowed reference. On a thread that has no hub yet this makes the hub;
 * NULL with ENOMEM or EAGAIN if that fails. Switches: no. */
BINE_API bine_greenlet *bine_getcurrent(void);

/* Step aside for at least `duration` ns. 0 lets every greenlet that is ready run once, then comes back.
 * Returns 0, or -1: EINVAL, ECANCELED, ETIMEDOUT, EDEADLK (root, BINE_FOREVER). Switches: yes. */
BINE_API int bine_sleep(int64_t duration);

/* Wait until this thread has nothing else to do: no greenlet is ready and a look at the poller brought
 * none. Returns 0, or -1: ECANCELED, ETIMEDOUT. Switches: yes. */
BINE_API int bine_idle(void);

/* End the current greenlet as if its function returned `value`. In the root greenlet of the main thread
 * this ends the process as exit(0) does. No C++ destructors of the frames in between run. */
BINE_API BINE_NORETURN void bine_exit(void *value);

/* End the current greenlet as failed: bine_error() of it will be `error` (an errno value, not 0), its
 * value NULL. This is C's way to raise: bine_joinall_with(BINE_RAISE_ERROR) reports it. */
BINE_API BINE_NORETURN void bine_fail(int error);

/* ---- waiting for greenlets ------------------------------------------------------------------ */

/*
 * Wait until g has ended. On success takes the caller's reference and stores the greenlet's value in *value (if
 * value is not NULL). Any thread. Returns 0, or -1 and keeps the reference: EINVAL (g NULL, timeout negative),
 * ESRCH (g is of another thread, which has ended, and g with it), EDEADLK (g is the caller, or nothing can wake
 * the root any more), ETIMEDOUT (timeout passed), ECANCELED. A greenlet that failed is joined all the same, and its
 * value is NULL: bine_get tells why. Switches: maybe (not if g has ended); yes if g is of another thread, also with
 * timeout 0.
 */
BINE_API int bine_join(bine_greenlet *g, void **value, int64_t timeout);

/*
 * The same, but a greenlet that failed is a failure here. If g returned: 0, *value, and the caller's reference is taken.
 * Else -1, and the caller keeps the reference, whatever the reason was: the error of g (bine_fail's; ECANCELED if it was
 * killed before it ran), or one of bine_join's. g may have failed with ETIMEDOUT or ECANCELED itself: bine_dead(g) tells
 * these from a wait that was cut short. After a failure, therefore:
 *
 *      if (bine_get(g, &value, 5 * BINE_SECOND) != 0) {
 *          fprintf(stderr, "%s: %s\n", bine_name(g), strerror(errno));
 *          bine_kill(g);       // does nothing if it has ended
 *          bine_detach(g);
 *      }
 *
 * Any thread. Switches: as bine_join.
 */
BINE_API int bine_get(bine_greenlet *g, void **value, int64_t timeout);

/* Wait until all n have ended, then take all n references (NULL entries are skipped). Returns 0, or -1
 * with errno as above, EINVAL also for one of another thread, and no reference taken. Switches: maybe. */
BINE_API int bine_joinall(bine_greenlet *const *all, size_t n, int64_t timeout);

#define BINE_RAISE_ERROR 1u /* stop at the first greenlet that failed and return its error */

/*
 * Wait until `count` of the n have ended (count 0 or > n: all of them). With BINE_RAISE_ERROR the first
 * that failed ends the wait: -1 with errno its bine_error. Takes no references, so that the caller can
 * look at each. Returns the number that have ended (at least count), or -1: EINVAL, EDEADLK (one of
 * them is the caller), ETIMEDOUT, ECANCELED, ENOMEM. Switches: maybe.
 */
BINE_API ssize_t bine_joinall_with(bine_greenlet *const *all, size_t n, int64_t timeout, size_t count, unsigned flags);

/* What has become of g. All of these: EINVAL-free, never switch, any thread. */
BINE_API bool bine_started(const bine_greenlet *g);    /* has begun and not ended */
BINE_API bool bine_dead(const bine_greenlet *g);       /* has ended (gevent: dead, ready) */
BINE_API bool bine_successful(const bine_greenlet *g); /* has ended without an error */
BINE_API void *bine_value(const bine_greenlet *g);     /* what it returned; NULL until then or if it failed */
BINE_API int bine_error(const bine_greenlet *g);       /* 0, or why it failed: bine_fail's error, ECANCELED
                                                          if it was killed before it ran */

/* ---- ending greenlets ----------------------------------------------------------------------- */

/*
 * Cancel g: its current or next call that would park fails with ECANCELED, and so does every later one, so that
 * retry loops inside libraries end. If g has not started it never runs and ends with ECANCELED. Does not wait.
 * Any thread; from another it strikes when g's thread next looks at its messages. Returns 0 (also if g has
 * ended already), or -1: EINVAL; ENOMEM from another thread. Switches: no.
 */
BINE_API int bine_kill(bine_greenlet *g);

/* Kill all n (NULL entries are skipped), then wait at most `timeout` for their end. Takes no references. Any thread.
 * Returns 0, or -1: EINVAL, ETIMEDOUT, ECANCELED. The caller may be among them: it is killed, not waited
 * for. Switches: maybe. */
BINE_API int bine_killall(bine_greenlet *const *all, size_t n, int64_t timeout);

/*
 * Interrupt g once: its current call that parks, or else its next that would, fails with `error` (an errno value, 1 to
 * 255, not ETIME, which waits use), and later ones are as ever. g decides what that means, as with a signal's EINTR. If
 * a wake came first, the call succeeds, and the next one fails. An interrupt that has not struck yet is replaced by a later
 * one, and taken back by 0. Shields hold it back, a kill hides it, and a greenlet that
 * has ended is left alone. Readers, TLS and HTTP do not keep it: the next call goes on.
 * Any thread; from another it strikes when g's thread next looks at its messages.
 * Returns 0, or -1: EINVAL; ENOMEM from another thread. Switches: no.
 */
BINE_API int bine_interrupt(bine_greenlet *g, int error);

/* True if g has been killed (it may still be running towards its end). Switches: no. */
BINE_API bool bine_killed(const bine_greenlet *g);

/* Would a wait of the current greenlet fail at once, since it was killed, interrupted or is out of time?
 * Returns 0, or -1: what the wait would fail with (ECANCELED, ETIMEDOUT), and it still will. For long work that
 * does not wait, and before what cannot be undone. Obeys shields. 0 on a thread without a hub. Switches: no. */
BINE_API int bine_check(void);

/*
 * For code that keeps the errors of a stream, so that nobody takes its end for a good one: whose was the error that a call has just failed with?
 *
 *      unsigned interruptions = bine_interruptions();
 *      ssize_t got = bine_recv(fd, buffer, size, 0);
 *      if (got < 0 && !bine_error_passes(errno, interruptions))
 *          stream->error = errno;
 *
 * bine_interruptions: how many waits of the current greenlet have been ended by a kill, a timeout scope, bine_interrupt or a signal. 0 on a thread
 * without a hub.
 * bine_error_passes: true if `error` was the caller's own: there has been an interruption since, or it is EINTR, EAGAIN, EDEADLK or ENOMEM. The same
 * call may be made again. False: it was the stream's, as ECONNRESET, or ETIMEDOUT of a TCP that gave up. Any thread. Switches: no.
 */
BINE_API unsigned bine_interruptions(void);
BINE_API bool bine_error_passes(int error, unsigned interruptions);

/* Between these two the current greenlet's parks obey neither kill nor timeout scopes, so that cleanup
 * code can block. They nest. One that is open when the greenlet's function returns is reported on standard error, by the
 * greenlet's name, and closed. Switches: no. */
BINE_API void bine_shield_begin(void);
BINE_API void bine_shield_end(void);

/* ---- timeout scopes ------------------------------------------------------------------------- */

/* A scope on the caller's stack; the fields are Bine's own. */
typedef struct bine_timeout {
    int64_t deadline;           /* absolute, CLOCK_MONOTONIC ns */
    int64_t earliest;           /* the earliest of this and all scopes around it */
    struct bine_timeout *outer; /* the scope around this one */
    bool expired;               /* a park failed because of this scope */
} bine_timeout;

/* Open a scope: every park of the current greenlet that would last beyond now + duration fails with
 * ETIMEDOUT, and so does every later one until the scope is ended. Scopes nest, the earliest wins. One that is open
 * when the greenlet's function returns is reported on standard error, by the greenlet's name, and closed.
 * Returns 0, or -1: EINVAL, ENOMEM (no hub). Switches: no. */
BINE_API int bine_timeout_begin(bine_timeout *scope, int64_t duration);

/* Close the innermost scope, which must be `scope` (else -1, EINVAL). Returns 1 if a park failed because
 * of this scope, 0 if not. Switches: no. */
BINE_API int bine_timeout_end(bine_timeout *scope);

/* Whose time was it? True if a park failed because of this scope, which is open or has been ended: false if the ETIMEDOUT
 * came of the call's own timeout, of a scope around this one, or of the peer. False for NULL. Switches: no. */
BINE_API bool bine_timeout_expired(const bine_timeout *scope);

/*
 * BINE_WITHIN(duration) { ... }: a scope over the block that follows, closed on every way out of it: its end, return,
 * goto, break and continue (both leave the block, not a loop around it), and C++ exceptions. bine_exit and bine_fail in it
 * are ways out, too; longjmp is not. A second argument, a pointer to a bool, is told whether a park failed because of it.
 *
 *      bool late;
 *      BINE_WITHIN(2 * BINE_SECOND, &late) {
 *          if (ask(server) != 0)
 *              return -1;
 *      }
 *
 * The duration is evaluated once; one that is negative has passed already, as 0. Without a hub, and no memory for one, the
 * block runs without a limit: bine_timeout_begin tells. A scope that was opened in the block and is open at its end is
 * reported, as at a greenlet's end. errno is left alone. For C11 and C++, with the GNU attribute `cleanup`; in C
 * -fexceptions makes it hold for pthread_exit and exceptions that pass through.
 */
#define BINE_WITHIN(...) BINE_WITHIN_(__VA_ARGS__, NULL, )
#define BINE_WITHIN_(duration, told, ...) BINE_WITHIN_NAMED_(BINE_JOIN_(bine_within_, __LINE__), duration, told)
#define BINE_WITHIN_NAMED_(name, duration, told)                                                                  \
    for (bine_within name                                                                                         \
         __attribute__((__cleanup__(bine_within_end))) = {{0, 0, NULL, false}, (duration), (told), false, false}; \
         bine_within_begin(&name);)
#define BINE_JOIN_(a, b) BINE_JOIN__(a, b)
#define BINE_JOIN__(a, b) a##b

/* What the macro is made of. */
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
    within->open = bine_timeout_begin(&within->timeout, within->duration < 0 ? 0 : within->duration) == 0;
    return true;
}

/* ---- links ---------------------------------------------------------------------------------- */

/* Called once when g ends, in the order of linking; it must not block (a call that would park fails with
 * EDEADLK), spawn from it instead. If g has ended already it is called at once. When a thread ends, the links
 * of the greenlets that are left are called; those of greenlets that are spawned from there are not. Returns 0,
 * or -1: EINVAL, EPERM (a greenlet of another thread), ENOMEM. Switches: no. */
typedef void bine_link_function(bine_greenlet *g, void *arg);
BINE_API int bine_link(bine_greenlet *g, bine_link_function *function, void *arg);

/* Remove the first link made with this function and argument. Returns 0, or -1: EINVAL, EPERM, ENOENT. */
BINE_API int bine_unlink(bine_greenlet *g, bine_link_function *function, void *arg);

/* ---- greenlet-local storage ----------------------------------------------------------------- */

typedef unsigned bine_key;

/* Make a key; `destructor` (may be NULL) is called with each non-NULL value when its greenlet ends, as
 * for pthread keys, up to four rounds. Any thread. -1: EINVAL (key NULL), EAGAIN (128 keys exist). */
BINE_API int bine_key_create(bine_key *key, void (*destructor)(void *));
/* Give the key back; destructors are not called. Any thread. -1: EINVAL. */
BINE_API int bine_key_delete(bine_key key);
/* The current greenlet's value, NULL if none was set. */
BINE_API void *bine_getspecific(bine_key key);
/* -1: EINVAL (no such key), ENOMEM. */
BINE_API int bine_setspecific(bine_key key, const void *value);

/* ---- names and figures ---------------------------------------------------------------------- */

/* "<Greenlet at 0x7f..: f(5)>", or with the name it was given: "<Greenlet at 0x7f..: fetch-7>". Small
 * integers are shown in decimal, other arguments as addresses. Owned by g, valid until g is freed or
 * renamed. Of another thread's greenlet: "<Greenlet of another thread>", a constant. Never NULL. Switches: no. */
BINE_API const char *bine_name(bine_greenlet *g);
/* Give it a name (copied). Control characters become "?": names are shown on terminals. -1: EINVAL, EPERM (a
 * greenlet of another thread), ENOMEM. */
BINE_API int bine_set_name(bine_greenlet *g, const char *name);

/* Bytes of stack that g has touched at most, to the page; 0 if it has no stack of its own now (root, not
 * started, ended) or is another thread's. A recycled stack may still count pages of its previous owner, unless
 * the environment has BINE_STACK_WATERMARK=1. */
BINE_API size_t bine_stack_high_water(const bine_greenlet *g);

/* Write who waits for what, one line a greenlet, to a file descriptor. -1 with errno of write(2). Blocks
 * the thread, does not switch. */
BINE_API int bine_dump(int fd);

BINE_END

#endif
