/* The life of a greenlet with a thread of its own. See own.h. */
#include "own.h"

#include <bine/greenlet.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hub/name.h"
#include "core/schedule/park.h"
#include "core/schedule/schedule.h"
#include "dispatch.h"
#include "libc/carrier.h"
#include "libc/libc.h"
#include "libc/valgrind.h"

static const char *refusal = BINE_ARCH_THREADS ? "the library is built with a sanitizer"
                                               : "Bine knows how to make them on x86-64 only";

void (*bine_own_begins)(struct bine_hub *hub);

#if BINE_OWN_THREADS

#include <linux/futex.h>
#include <sys/syscall.h>

struct own {
    struct bine_own core; /* first: the greenlet's slot points to it */
    struct bine_birth birth;
    struct bine_greenlet *greenlet;
    struct own *next_ended;
    void *(*run)(void *);
    void *arg;
    void (*discard)(void *);
    void *value;
    int error;
    bool born, begun, over;
    struct robust_list_head *robust;
    jmp_buf leave; /* to the frame below that of `run` */
};

/* A pthread_create under way in a greenlet. */
struct making {
    struct making *outer;
    const struct bine_greenlet *maker;
    struct own *own;
};

/* Of a hub. */
struct bine_own_hub {
    struct bine_greenlet *reaper;
    struct own *ended;
    struct making *making;
    uint64_t made;
};

static struct own *own_of(const struct bine_greenlet *g)
{
    return (struct own *)bine_own_of(g);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void conclude(struct own *own)
{
    int *end_word = own->birth.end_word;
    struct bine_greenlet *g = own->greenlet;
    bine_greenlet_conclude(g, own->value, own->error);
    free(own);
    if (!end_word)
        return;
    /* The descriptor may be another thread's from here on. */
    __atomic_store_n(end_word, 0, __ATOMIC_RELEASE);
    bine_libc.syscall(SYS_futex, end_word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void *reap(void *arg)
{
    struct bine_hub *hub = arg;
    for (;;) {
        struct own *own = hub->own->ended;
        if (!own) {
            bine_park(hub, "own threads' ends", 0, INT64_MAX, BINE_PARK_FIRM);
            continue;
        }
        hub->own->ended = own->next_ended;
        conclude(own);
    }
    return NULL;
}

/* What the kernel does with locks whose owner ends (set_robust_list(2)): the next one that takes
 * them is told. */
static void give_up_robust(struct robust_list_head *head, const struct robust_list *entry, pid_t id)
{
    unsigned *word =
        (unsigned *)(((uintptr_t)entry & ~(uintptr_t)1) + (uintptr_t)head->futex_offset);
    unsigned was = __atomic_load_n(word, __ATOMIC_RELAXED);
    do {
        if ((was & FUTEX_TID_MASK) != (unsigned)id)
            return;
    } while (!__atomic_compare_exchange_n(word, &was, (was & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
                                          false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (was & FUTEX_WAITERS)
        bine_libc.syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void end_robust(struct robust_list_head *head, pid_t id)
{
    const struct robust_list *pending = head ? head->list_op_pending : NULL;
    const struct robust_list *entry = head ? head->list.next : NULL;
    for (int i = 0; entry && entry != &head->list && i < ROBUST_LIST_LIMIT; i++) {
        const struct robust_list *next = entry->next; /* the lock may be another's from here on */
        if (entry != pending)
            give_up_robust(head, entry, id);
        entry = (const struct robust_list *)((uintptr_t)next & ~(uintptr_t)1);
    }
    if (pending)
        give_up_robust(head, pending, id);
}

void bine_dispatch_robust(void *head)
{
    struct bine_hub *hub = bine_hub_here();
    if (bine_own_here(hub))
        own_of(hub->current)->robust = head;
}

/* On the stack that is given up: nothing may be done with it before another greenlet runs. */
void bine_dispatch_exit(void)
{
    struct bine_hub *hub = bine_hub_here();
    struct bine_greenlet *g = hub->current;
    struct own *own = own_of(g);
    end_robust(own->robust, own->birth.id);
    /* What destructors have made anew. */
    bine_greenlet_begin_end(hub, g, false);
    g->attention = 0;
    own->next_ended = hub->own->ended;
    hub->own->ended = own;
    bine_unpark(hub->own->reaper);
    for (;;)
        bine_park(hub, "ended", 0, INT64_MAX, BINE_PARK_FIRM);
}

/* `run` has returned, or was left by pthread_exit. Destructors follow, and then libc's end of the
 * thread. */
static void run_is_over(void *arg)
{
    struct own *own = arg;
    struct bine_greenlet *g = own->greenlet;
    /* In the child of its fork it is the thread. */
    if (g->flags & BINE_G_ROOT)
        return;
    own->over = true;
    bine_greenlet_begin_end(g->hub, g, true);
    bine_dispatch_catch();
}

static void *begin(void *arg)
{
    struct own *own = arg;
    struct bine_greenlet *g = own->greenlet;
    bine_dispatch_pass();
    own->begun = true;
    pthread_cleanup_push(run_is_over, own);
    if (bine_own_begins)
        bine_own_begins(g->hub);
    if (g->attention & BINE_A_KILLED) {
        own->error = ECANCELED;
        if (own->discard)
            own->discard(own->arg);
    } else if (_setjmp(own->leave) == 0) {
        own->value = own->run(own->arg);
    }
    pthread_cleanup_pop(1);
    return own->value;
}

void bine_own_exits(struct bine_hub *hub, void *value)
{
    own_of(hub->current)->value = value;
}

static __attribute__((noreturn)) void own_leave(struct bine_greenlet *g, void *value, int error)
{
    struct own *own = own_of(g);
    own->value = error ? NULL : value;
    own->error = error;
    longjmp(own->leave, 1);
}

/* ---- the beginning --------------------------------------------------------------------------- */

struct bine_birth *bine_dispatch_birth(void)
{
    struct bine_hub *hub = bine_hub_here();
    for (struct making *making = hub->own->making; making; making = making->outer)
        if (making->maker == hub->current && !making->own->born) {
            making->own->born = true;
            return &making->own->birth;
        }
    return NULL;
}

/* The library's variables of the new thread: its hub, the way to the carrier's, its number. */
static void plant(struct bine_hub *hub, char *pointer, pid_t id)
{
    char *here = bine_arch_thread_pointer();
    *(struct bine_hub **)(pointer + ((char *)&bine_hub_of_thread - here)) = hub;
    *(ptrdiff_t *)(pointer + ((char *)&bine_carrier_distance - here)) =
        here + bine_carrier_distance - pointer;
    *(pid_t *)(pointer + ((char *)&bine_thread_number - here)) = id;
}

/* Prepares what the first switch to it finds. */
static void prepare(struct bine_hub *hub, struct own *own)
{
    plant(hub, own->birth.thread_pointer, own->birth.id);
    struct bine_arch_frame *frame =
        (struct bine_arch_frame *)(uintptr_t)(own->birth.registers.rsp & ~(uint64_t)15) - 1;
    *frame = (struct bine_arch_frame){
        .mxcsr = own->birth.mxcsr,
        .x87_control = own->birth.x87_control,
        .rbx = (uintptr_t)&own->birth.registers,
        .return_address = (void *)bine_arch_born,
    };
    own->core.thread_pointer = own->birth.thread_pointer;
    own->greenlet->context = (struct bine_arch_context){.sp = frame};
}

static void note_stack(struct own *own, pthread_t thread)
{
    own->core.bottom = own->birth.stack_bottom;
    own->core.size = own->birth.stack_size;
    pthread_attr_t attributes;
    if (own->core.bottom || pthread_getattr_np(thread, &attributes) != 0)
        return;
    void *bottom;
    if (pthread_attr_getstack(&attributes, &bottom, &own->core.size) == 0)
        own->core.bottom = bottom;
    pthread_attr_destroy(&attributes);
}

static int make_thread(struct bine_hub *hub, struct own *own, pthread_t *thread,
                       const pthread_attr_t *attributes)
{
    struct making making = {hub->own->making, hub->current, own};
    hub->own->making = &making;
    bine_dispatch_catch();
    int error = bine_libc.pthread_create(thread, attributes, begin, own);
    bine_dispatch_pass();
    struct making **link = &hub->own->making;
    while (*link != &making)
        link = &(*link)->outer;
    *link = making.outer;
    return error ? error : own->born ? 0 : EAGAIN;
}

int bine_own_create(struct bine_hub *hub, pthread_t *thread, const pthread_attr_t *attributes,
                    void *(*run)(void *), void *arg, const char *site,
                    struct bine_greenlet **greenlet)
{
    int error = bine_own_ready(hub);
    if (error)
        return error;
    struct own *own = calloc(1, sizeof *own);
    struct bine_greenlet *g = own ? bine_greenlet_new_own(hub, site, &own->core) : NULL;
    if (!g) {
        free(own);
        return EAGAIN;
    }
    own->greenlet = g;
    own->core.leave = own_leave;
    own->run = run;
    own->arg = g->arg = arg;
    error = make_thread(hub, own, thread, attributes);
    if (error) {
        free(own);
        bine_greenlet_conclude(g, NULL, error);
        bine_greenlet_release(g);
        return error;
    }
    prepare(hub, own);
    note_stack(own, *thread);
    bine_ready_push(&hub->ready, g);
    hub->own->made++;
    *greenlet = g;
    return 0;
}

/* ---- what a hub needs ------------------------------------------------------------------------ */

static void own_hub_forked(struct bine_hub *hub)
{
    if (!hub->own)
        return;
    bine_dispatch_forked();
    bine_arch_dispatch = 0;
    hub->own->reaper = NULL;
    hub->own->ended = NULL;
    hub->own->making = NULL;
    hub->thread_pointer = bine_arch_thread_pointer();
    /* Its id is the process's now. */
    if (bine_own_here(hub))
        own_of(hub->current)->birth.id = 0;
}

static void own_hub_ended(struct bine_hub *hub)
{
    free(hub->own);
    hub->own = NULL;
}

int bine_own_ready(struct bine_hub *hub)
{
    if (hub->own && hub->own->reaper)
        return 0;
    if (!hub->main_thread) {
        refusal = "only the main thread's greenlets can have them";
        return ENOTSUP;
    }
    if (hub->fibers) {
        refusal = "the program is built with AddressSanitizer";
        return ENOTSUP;
    }
    if (bine_under_valgrind()) {
        refusal = "valgrind does not know Syscall User Dispatch";
        return ENOTSUP;
    }
    const char *missing = bine_dispatch_begin();
    if (missing) {
        refusal = missing;
        return ENOTSUP;
    }
    bine_hub_on_fork(own_hub_forked);
    bine_hub_on_end(own_hub_ended);
    if (!hub->own && !(hub->own = calloc(1, sizeof *hub->own)))
        return ENOMEM;
    if (!hub->owns)
        bine_own_begin(hub);
    hub->own->reaper = bine_spawn_at(reap, hub, BINE_SITE(reaper));
    if (!hub->own->reaper)
        return ENOMEM;
    bine_greenlet_hide(hub->own->reaper);
    refusal = NULL;
    return 0;
}

bool bine_own_lives(const struct bine_greenlet *g)
{
    return g->stack_class == BINE_CLASS_OWN && !own_of(g)->over;
}

bool bine_own_takes_signals(const struct bine_greenlet *g)
{
    return g->flags & BINE_G_ROOT || (bine_own_lives(g) && own_of(g)->begun);
}

uint64_t bine_own_made(const struct bine_hub *hub)
{
    return hub->own ? hub->own->made : 0;
}

pid_t bine_own_id(const struct bine_hub *hub)
{
    return bine_own_here(hub) ? own_of(hub->current)->birth.id : 0;
}

void bine_own_lend_id(struct bine_greenlet *g)
{
    struct own *own = own_of(g);
    if (own->birth.id_word && own->birth.id)
        __atomic_store_n(own->birth.id_word, (int)bine_libc.syscall(SYS_gettid), __ATOMIC_RELAXED);
}

void bine_own_return_id(struct bine_greenlet *g)
{
    struct own *own = own_of(g);
    if (own->birth.id_word && own->birth.id)
        __atomic_store_n(own->birth.id_word, own->birth.id, __ATOMIC_RELAXED);
}

/* ---- as an option of a spawn ----------------------------------------------------------------- */

static int own_attributes(pthread_attr_t *attributes, size_t size)
{
    int class = bine_stacks_class(size, false);
    if (class < 0)
        return errno;
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size = ((size_t)16384 << class) + (least > 0 ? (size_t)least : 0);
    int error = pthread_attr_init(attributes);
    if (error)
        return error;
    pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED);
    return pthread_attr_setstacksize(attributes, size);
}

struct bine_greenlet *bine_own_spawn(const bine_spawn_options *options, bine_run *run, void *arg,
                                     const char *site)
{
    struct bine_hub *hub = bine_hub_get();
    int saved = errno, error = !run || !site || options->delay ? EINVAL : 0;
    if (!hub)
        return NULL;
    pthread_attr_t attributes;
    struct bine_greenlet *g = NULL;
    char *name = NULL;
    if (!error)
        error = own_attributes(&attributes, options->stack_size);
    bool have_attributes = !error;
    if (!error && options->name && !(name = strdup(options->name)))
        error = ENOMEM;
    pthread_t thread;
    if (!error)
        error = bine_own_create(hub, &thread, &attributes, run, arg, site, &g);
    if (have_attributes)
        pthread_attr_destroy(&attributes);
    if (error) {
        free(name);
        errno = error == EAGAIN ? ENOMEM : error;
        return NULL;
    }
    if (name)
        bine_greenlet_take_name(g, name);
    own_of(g)->discard = options->discard;
    errno = saved;
    return g;
}

#else

int bine_own_ready(struct bine_hub *hub)
{
    (void)hub;
    return ENOTSUP;
}

int bine_own_create(struct bine_hub *hub, pthread_t *thread, const pthread_attr_t *attributes,
                    void *(*run)(void *), void *arg, const char *site,
                    struct bine_greenlet **greenlet)
{
    (void)hub, (void)thread, (void)attributes, (void)run, (void)arg, (void)site, (void)greenlet;
    return ENOTSUP;
}

pid_t bine_own_id(const struct bine_hub *hub)
{
    (void)hub;
    return 0;
}

bool bine_own_lives(const struct bine_greenlet *g)
{
    (void)g;
    return false;
}

bool bine_own_takes_signals(const struct bine_greenlet *g)
{
    return g->flags & BINE_G_ROOT;
}

uint64_t bine_own_made(const struct bine_hub *hub)
{
    (void)hub;
    return 0;
}

void bine_own_exits(struct bine_hub *hub, void *value)
{
    (void)hub, (void)value;
}

void bine_own_lend_id(struct bine_greenlet *g)
{
    (void)g;
}

void bine_own_return_id(struct bine_greenlet *g)
{
    (void)g;
}

struct bine_greenlet *bine_own_spawn(const bine_spawn_options *options, bine_run *run, void *arg,
                                     const char *site)
{
    (void)options, (void)run, (void)arg, (void)site;
    errno = ENOTSUP;
    return NULL;
}

#endif

const char *bine_own_thread_refusal(void)
{
    struct bine_hub *hub = bine_hub_get();
    if (!hub)
        return "there is no memory";
    int error = bine_own_ready(hub);
    return error == ENOTSUP ? refusal : error ? "there is no memory" : NULL;
}
