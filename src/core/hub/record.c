/* Greenlets' records. See record.h and greenlet.h. */
#include "record.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libc/layout.h"
#include "own.h"

/* Records are carved from chunks and recycled, never given back: a stale pointer finds a dead
 * record, not foreign memory, and spawning costs no malloc. */
enum {
    CHUNK_RECORDS = 64
};

BINE_LAYOUT(greenlet_rows) = {
    BINE_SIZE("greenlet", struct bine_greenlet),
    BINE_ADDRESS("greenlet.class", bine_greenlet_class),
    BINE_FIELD_AS("greenlet", "sp", struct bine_greenlet, context.sp),
    BINE_FIELD("greenlet", struct bine_greenlet, timer),
    BINE_FIELD("greenlet", struct bine_greenlet, hub),
    BINE_FIELD("greenlet", struct bine_greenlet, state),
    BINE_FIELD("greenlet", struct bine_greenlet, flags),
    BINE_FIELD("greenlet", struct bine_greenlet, park_flags),
    BINE_FIELD("greenlet", struct bine_greenlet, attention),
    BINE_FIELD("greenlet", struct bine_greenlet, run),
    BINE_FIELD("greenlet", struct bine_greenlet, verb),
    BINE_FIELD("greenlet", struct bine_greenlet, object),
    BINE_FIELD("greenlet", struct bine_greenlet, arg),
    BINE_FIELD("greenlet", struct bine_greenlet, site),
    BINE_FIELD("greenlet", struct bine_greenlet, all_next),
    BINE_FIELD("greenlet", struct bine_greenlet, all_previous),
    BINE_FIELD("greenlet", struct bine_greenlet, stack),
    BINE_FIELD("greenlet", struct bine_greenlet, spawner),
    BINE_FIELD("greenlet", struct bine_greenlet, name),
    BINE_FIELD("greenlet", struct bine_greenlet, slots),
    BINE_NUMBER("state.new", BINE_NEW),
    BINE_NUMBER("state.ready", BINE_READY),
    BINE_NUMBER("state.parked", BINE_PARKED),
    BINE_NUMBER("flag.root", BINE_G_ROOT),
    BINE_NUMBER("flag.named", BINE_G_NAMED),
    BINE_NUMBER("flag.hidden", BINE_G_HIDDEN),
    BINE_NUMBER("attention.killed", BINE_A_KILLED),
    BINE_NUMBER("slot.python", BINE_SLOT_PYTHON),
    BINE_NUMBER("context.pc", BINE_CONTEXT_PC),
    BINE_NUMBER("context.size", BINE_CONTEXT_SIZE),
#define CONTEXT_ROW(number, offset) BINE_NUMBER("context." #number, offset),
    BINE_CONTEXT_REGISTERS(CONTEXT_ROW)
#undef CONTEXT_ROW
        BINE_FIELD("waitable", struct bine_waitable, class),
    BINE_FIELD("waitable_class", struct bine_waitable_class, name),
};

static bool greenlet_ready(const struct bine_waitable *object)
{
    return ((const struct bine_greenlet *)object)->state == BINE_DEAD;
}

static struct bine_hub *greenlet_hub(const struct bine_waitable *object)
{
    return ((const struct bine_greenlet *)object)->hub;
}

const struct bine_waitable_class bine_greenlet_class = {"greenlet", greenlet_ready, NULL,
                                                        greenlet_hub};

/* Each greenlet can be ready once and can have one timer of its own running: the room for both is
 * made with its record, so that neither can fail later. Timers of other layers have their room
 * beside it. */
int bine_records_refill(struct bine_hub *hub)
{
    size_t records = hub->records_made + CHUNK_RECORDS;
    if (bine_ready_reserve(&hub->ready, records) < 0 ||
        bine_timers_reserve(&hub->timers, 2 * records) < 0)
        return -1;
    struct bine_greenlet *chunk = aligned_alloc(64, CHUNK_RECORDS * sizeof *chunk);
    if (!chunk)
        return -1;
    memset(chunk, 0, CHUNK_RECORDS * sizeof *chunk);
    for (int i = CHUNK_RECORDS - 1; i >= 0; i--) {
        chunk[i].timer = 2 * ((uint32_t)hub->records_made + (uint32_t)i);
        chunk[i].next_free = hub->records;
        hub->records = &chunk[i];
    }
    hub->records_made = records;
    return 0;
}

void bine_greenlet_free(struct bine_greenlet *g)
{
    struct bine_hub *hub = g->hub;
    if (__builtin_expect(g->flags || g->attention, 0)) {
        free(g->name);
        bine_links_free(g);
        g->name = NULL;
        /* of a root, or one that was left at its thread's end: their destructors did not run */
        free(g->locals);
        g->locals = NULL;
        memset(g->slots, 0, sizeof g->slots);
        g->interrupt = 0;
    }
    g->next_free = hub->records;
    hub->records = g;
}

static void ref_here(void *g)
{
    ((struct bine_greenlet *)g)->references++;
}

/* References are counted by its own thread. One that is dropped later is dropped by a later
 * message. */
static __attribute__((noinline, cold)) struct bine_greenlet *ref_elsewhere(struct bine_greenlet *g)
{
    int saved = errno;
    if (bine_post(g->hub, ref_here, g) < 0 && errno != ESRCH)
        return NULL;
    errno = saved;
    return g;
}

bine_greenlet *bine_ref(bine_greenlet *g)
{
    if (__builtin_expect(!g, 0))
        return NULL;
    if (__builtin_expect(g->hub != bine_hub_of_thread, 0))
        return ref_elsewhere(g);
    g->references++;
    return g;
}

static void detach_here(void *g)
{
    bine_greenlet_release(g);
}

/* References are counted by its own thread. If that has ended its record stays where it is, and so
 * it does for lack of memory. */
static __attribute__((noinline, cold)) void detach_elsewhere(struct bine_greenlet *g)
{
    int saved = errno;
    bine_post(g->hub, detach_here, g);
    errno = saved;
}

void bine_detach(bine_greenlet *g)
{
    if (__builtin_expect(!g, 0))
        return;
    if (__builtin_expect(g->hub != bine_hub_of_thread, 0))
        detach_elsewhere(g);
    else
        bine_greenlet_release(g);
}

struct bine_greenlet *bine_greenlet_new_root(struct bine_hub *hub)
{
    /* The record of a hub that has ended has its greenlets' records still, but no room for them. */
    if (bine_ready_reserve(&hub->ready, hub->records_made) < 0 ||
        bine_timers_reserve(&hub->timers, 2 * hub->records_made) < 0)
        return NULL;
    struct bine_greenlet *root = bine_record_new(hub);
    if (!root)
        return NULL;
    root->state = BINE_READY;
    root->stack_class = 0; /* the record may have been that of a greenlet with its own thread */
    root->flags = BINE_G_ROOT;
    root->site = "main\0";
    root->spawner = UINT32_MAX;
    root->references = 1;
#ifdef BINE_ASAN
    pthread_attr_t attributes;
    void *bottom = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &bottom, &size);
        pthread_attr_destroy(&attributes);
    }
    root->sanitizer.bottom = bottom;
    root->sanitizer.size = size;
#endif
#ifdef BINE_TSAN
    root->sanitizer.fiber = __tsan_get_current_fiber();
#endif
    return root;
}

struct bine_greenlet *bine_greenlet_new_own(struct bine_hub *hub, const char *site,
                                            struct bine_own *own)
{
    struct bine_greenlet *g = bine_record_new(hub);
    if (!g) {
        errno = ENOMEM;
        return NULL;
    }
    g->stack_class = BINE_CLASS_OWN;
    g->state = BINE_READY;
    g->site = site;
    g->references = 2;
    hub->greenlets++;
    bine_greenlet_keep(g, BINE_SLOT_APART, own);
    return g;
}
