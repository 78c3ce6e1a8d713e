/*
 * How a greenlet that is a thread leaves its frames: cleanup handlers and destructors run on the
 * way. See cancellation.h.
 *
 * There are two kinds of handlers. C++, and C compiled with -fexceptions, have theirs in the tables
 * of the frames, and a forced unwind runs them. In other C pthread_cleanup_push registers a buffer
 * that it has filled by setjmp. When the unwind passes the frame in which the buffer lies, it jumps
 * there. The code there runs its handler, and asks to continue the unwind.
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cancellation.h"
#include "libc/libc.h"

/* libc's field for the buffer around this one. */
static __pthread_unwind_buf_t **outer_of(const __pthread_unwind_buf_t *buffer)
{
    return (__pthread_unwind_buf_t **)&buffer->__pad[0];
}

void bine_cleanup_push(struct bine_hub *hub, __pthread_unwind_buf_t *buffer)
{
    struct bine_thread_state *state = bine_thread_state_of(hub->current, true);
    if (!state)
        return; /* no memory: the handler runs only if it is popped */
    *outer_of(buffer) = state->cleanup;
    state->cleanup = buffer;
}

void bine_cleanup_pop(struct bine_hub *hub, const __pthread_unwind_buf_t *buffer)
{
    struct bine_thread_state *state = bine_thread_state_of(hub->current, false);
    if (state && state->cleanup == buffer)
        state->cleanup = *outer_of(buffer);
}

static _Noreturn void jump(struct bine_thread_state *state)
{
    /* The beginning of a jmp_buf; the mask that is missing was not saved. */
    struct __jmp_buf_tag *where = (struct __jmp_buf_tag *)state->cleanup->__cancel_jmp_buf;
    __asm__("" : "+r"(where));
    longjmp(where, 1);
}

static _Unwind_Reason_Code cleanup_look(int version, _Unwind_Action actions,
                                        _Unwind_Exception_Class class,
                                        struct _Unwind_Exception *exception,
                                        struct _Unwind_Context *context, void *arg)
{
    struct bine_thread_state *state = arg;
    bool end = actions & _UA_END_OF_STACK;
    (void)version, (void)class, (void)exception;
    if (state->cleanup && (end || _Unwind_GetCFA(context) > (uintptr_t)state->cleanup))
        jump(state);
    if (end)
        bine_exit(state->value);
    return _URC_NO_REASON;
}

/* A handler of C++ has ended the unwind, as `catch (...)` without `throw` does. Libc ends the
 * program. */
static void swallowed(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception)
{
    static const char text[] = "FATAL: exception not rethrown\n";
    (void)reason, (void)exception;
    (void)!bine_libc.write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

static _Noreturn void unwind(struct bine_thread_state *state)
{
    memset(&state->exception, 0, sizeof state->exception);
    state->exception.exception_cleanup = swallowed;
    _Unwind_ForcedUnwind(&state->exception, cleanup_look, state);
    /* A frame without tables is in the way. */
    if (state->cleanup)
        jump(state);
    bine_exit(state->value);
}

void bine_cleanup_leave(struct bine_hub *hub, void *value)
{
    struct bine_thread_state *state = bine_thread_state_of(hub->current, true);
    if (!state)
        bine_exit(value);
    state->leaving = true;
    state->value = value;
    unwind(state);
}

void bine_cleanup_next(struct bine_hub *hub, const __pthread_unwind_buf_t *buffer)
{
    struct bine_thread_state *state = bine_thread_state_of(hub->current, false);
    state->cleanup = *outer_of(buffer);
    unwind(state);
}
