/* See visit.h. */
#include "visit.h"

#include <stdint.h>

#include "dispatch.h"
#include "libc/libc.h"

#if BINE_OWN_THREADS

struct visit {
    struct bine_hub *hub;
    struct bine_greenlet *from, *to;
    void (*function)(void *arg);
    void *arg;
    struct bine_arch_context kept; /* where `to` goes on */
};

/* The one that begins. Only the main thread's hub has greenlets that can be visited. */
static struct visit *beginning;

/* Returns where the thread goes on, to the code that started it (bine_arch_start). */
static struct bine_arch_context *visit_entry(void)
{
    struct visit *visit = beginning;
    struct bine_hub *hub = visit->hub;
    visit->function(visit->arg);
    visit->to->context = visit->kept;
    hub->current = visit->from;
    bine_arch_set_thread_pointer(bine_own_pointer(hub, visit->from));
    return &visit->from->context;
}

void bine_own_visit(struct bine_hub *hub, struct bine_greenlet *g, void (*function)(void *arg),
                    void *arg)
{
    struct bine_greenlet *from = hub->current;
    struct visit visit = {hub, from, g, function, arg, g->context};
    /* The one that is left may be in a call of libc that is caught. */
    uint8_t dispatch = bine_arch_dispatch;
    bine_arch_dispatch = 0;
    beginning = &visit;
    hub->current = g;
    void *top = (void *)(((uintptr_t)g->context.sp - 256) & ~(uintptr_t)15);
    bine_arch_start_thread(&from->context, top, visit_entry, bine_own_pointer(hub, g));
    bine_arch_dispatch = dispatch;
}

#else

void bine_own_visit(struct bine_hub *hub, struct bine_greenlet *g, void (*function)(void *arg),
                    void *arg)
{
    (void)hub, (void)g, (void)function, (void)arg;
    __builtin_unreachable();
}

#endif
