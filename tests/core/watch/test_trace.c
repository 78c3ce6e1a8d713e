/* The trace as the hub sees it, and its reader on memory that lies. tests/core/watch/trace.py
 * reads whole traces. */
#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/hub/hub.h"
#include "core/hub/trace.h"
#include "core/watch/trace_json.h"
#include "harness.h"

static void *yields(void *arg)
{
    for (int i = 0; i < 1000; i++)
        bine_sleep(0);
    return arg;
}

static void run(void)
{
    bine_greenlet *all[2] = {bine_spawn(yields, NULL), bine_spawn(yields, NULL)};
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
}

TEST(a_hub_that_does_not_record_takes_the_short_path)
{
    struct bine_hub *hub = bine_hub_get();
    bool before = hub->exchanging;
    CHECK(!hub->trace);
    CHECK_OK(bine_trace_start(1024));
    CHECK(hub->trace);
    CHECK(hub->exchanging);
    run();
    uint64_t written = atomic_load(&hub->trace->written);
    CHECK_GE(written, 2000);
    struct bine_trace *ring = hub->trace;
    bine_trace_stop();
    CHECK(!hub->trace);
    CHECK_EQ(hub->exchanging, before);
    run();
    CHECK_EQ(atomic_load(&ring->written), written);
    CHECK_OK(bine_trace_start(0));
    CHECK(hub->trace == ring);
    CHECK_LT(atomic_load(&ring->written), 10);
    bine_trace_stop();
}

static int write_all(uintptr_t control)
{
    FILE *out = fopen("/dev/null", "w");
    int error = bine_trace_write_json(getpid(), control, 0, out);
    fclose(out);
    return error;
}

static void *spawns(void *arg)
{
    for (int i = 0; i < 3000; i++)
        CHECK_OK(bine_join(bine_spawn(yields, NULL), NULL, BINE_FOREVER));
    return arg;
}

TEST(a_ring_that_is_full_is_read, .seconds = 60)
{
    harness_not_under_emulator("it has no process_vm_readv");
    CHECK_OK(bine_trace_start(1024));
    CHECK_OK(bine_join(bine_spawn(spawns, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(write_all((uintptr_t)&bine_trace_control), 0);
    bine_trace_stop();
}

TEST(too_many_events_are_refused)
{
    CHECK_EQ(bine_trace_start(((size_t)1 << 24) + 1), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK(!bine_hub_get()->trace);
    CHECK_EQ(bine_trace_write(-1), -1);
    CHECK_EQ(errno, EBADF);
}

static uint64_t any(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Numbers that are wrong in all ways that matter: addresses that exist or not, kinds, small
 * ones. */
static uint64_t lie(const void *there)
{
    switch (any() % 5) {
    case 0:
        return any();
    case 1:
        return any() % 16;
    case 2:
        return (uintptr_t)there + any() % 64;
    case 3:
        return 0;
    default:
        return any() % 8 * 4096 + 65536;
    }
}

TEST(memory_that_lies_ends_the_reader_in_order)
{
    harness_not_under_emulator("it has no process_vm_readv");
    enum {
        ROOM = 256
    };
    static struct bine_trace_event events[ROOM];
    static struct bine_trace rings[3];
    for (int round = 0; round < 300; round++) {
        struct bine_trace_control control = bine_trace_control;
        control.greenlet_name = (uint32_t)lie(events);
        for (int i = 0; i < ROOM; i++)
            events[i] = (struct bine_trace_event){lie(events) << 8 | any() % 12, lie(events),
                                                  lie(rings), lie(events)};
        for (int i = 0; i < 3; i++) {
            rings[i].events = any() % 8 ? events : (struct bine_trace_event *)lie(events);
            rings[i].room = any() % 8 ? ROOM : lie(events);
            atomic_store(&rings[i].written, any() % 4 ? any() % (2 * ROOM) : lie(events));
            rings[i].next = i < 2       ? &rings[i + 1]
                            : any() % 4 ? NULL
                                        : (struct bine_trace *)lie(rings);
        }
        atomic_store(&control.rings, &rings[0]);
        write_all((uintptr_t)&control); /* whatever it returns */
    }
    struct bine_trace_control control = bine_trace_control;
    control.version++;
    CHECK_EQ(write_all((uintptr_t)&control), EPROTO);
    CHECK_EQ(write_all(8), EFAULT);
}

TEST(a_tracer_at_a_probe_lets_hubs_leave_the_short_path)
{
    struct bine_hub *hub = bine_hub_get();
    CHECK(!hub->trace);
    bine_probes++; /* as the kernel does it */
    CHECK_OK(bine_sleep(1));
    CHECK(hub->trace);
    bine_probes--;
    CHECK_OK(bine_sleep(1));
    CHECK(!hub->trace);
}
