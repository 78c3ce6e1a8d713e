/*
 * Where Python's frames lie. From CPython 3.11 on every thread state has a stack of its own for
 * them, in a chunk of 16 KiB that it asks of the arena allocator at the first frame. A carrier's C
 * stack has that much room above its top (core/stack/stack.h): there the first chunk goes, so that
 * a shallow greenlet's C frames, growing down, and its Python frames, growing up, share a page. It
 * also saves a mapping per thread state (hazard 31).
 *
 * The arena allocator is public API (PyObject_SetArenaAllocator, 3.4). Its chunks come from mmap
 * and begin at a page; ours never do: that tells them apart in `give_back`, which may be called
 * from anywhere (a forked child, the interpreter's end).
 */
#include "state.h"

#if PY_VERSION_HEX >= 0x030B0000

static PyObjectArenaAllocator underlying;
static bool installed;

static bool begins_at_a_page(const void *chunk)
{
    return ((uintptr_t)chunk & 4095) == 0;
}

static void *frames_take(void *context, size_t size)
{
    struct bine_hub *hub = size == BINE_STACK_ROOM ? bine_hub_here() : NULL;
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    (void)context;
    if (carrier && carrier->has_room && !carrier->room_taken) {
        carrier->room_taken = true;
        return hub->current->stack->top;
    }
    return underlying.alloc(underlying.ctx, size);
}

static void frames_give_back(void *context, void *chunk, size_t size)
{
    (void)context;
    if (begins_at_a_page(chunk)) {
        underlying.free(underlying.ctx, chunk, size);
        return;
    }
    /* The room goes with the stack. Who frees another greenlet's chunk is about to forget that
     * greenlet for good. */
    struct bine_hub *hub = bine_hub_here();
    struct bine_carrier *carrier = hub ? bine_carrier_of(hub->current) : NULL;
    if (carrier && carrier->room_taken && chunk == hub->current->stack->top)
        carrier->room_taken = false;
}

void bine_frames_init(void)
{
    PyObject_GetArenaAllocator(&underlying);
    /* Somebody else's allocator may not know pages: then things stay as they are. */
    void *chunk = underlying.alloc(underlying.ctx, BINE_STACK_ROOM);
    if (!chunk)
        return;
    installed = begins_at_a_page(chunk);
    underlying.free(underlying.ctx, chunk, BINE_STACK_ROOM);
    if (!installed)
        return;
    PyObjectArenaAllocator ours = {NULL, frames_take, frames_give_back};
    PyObject_SetArenaAllocator(&ours);
}

/* Only where the stacks live as long as the process: a thread's end unmaps its greenlets' stacks,
 * but the interpreter still looks at the frames of those that never ended. */
bool bine_frames_wanted(const struct bine_hub *hub)
{
    return installed && hub->main_thread;
}

#else

void bine_frames_init(void)
{
}

bool bine_frames_wanted(const struct bine_hub *hub)
{
    (void)hub;
    return false;
}

#endif
