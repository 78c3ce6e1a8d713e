/* The layout table (libc/layout.h) of a copy of libbine in the target, as rows
 * that can be used. */
#ifndef BINE_INSPECT_TARGET_TABLE_H
#define BINE_INSPECT_TARGET_TABLE_H

#include "target.h"

struct inspect_row {
    bool there;
    uint32_t size;
    uint64_t value; /* offset, number or address */
};

/* The name of each row that the reader knows, and whether it cannot do without.
 */
#define INSPECT_ROWS(ROW)                                      \
    ROW(hubs, "hubs", true)                                    \
    ROW(version_row, "version", false)                         \
    ROW(hub, "hub", true)                                      \
    ROW(hub_next_record, "hub.next_record", true)              \
    ROW(hub_inbox, "hub.inbox", true)                          \
    ROW(hub_waiting, "hub.inbox_waiting", false)               \
    ROW(inbox_closed, "inbox.closed", true)                    \
    ROW(hub_tid, "hub.tid", true)                              \
    ROW(hub_current, "hub.current", true)                      \
    ROW(hub_root, "hub.root", true)                            \
    ROW(hub_all, "hub.all", true)                              \
    ROW(hub_greenlets, "hub.greenlets", false)                 \
    ROW(hub_records_made, "hub.records_made", true)            \
    ROW(hub_turns, "hub.turns", false)                         \
    ROW(hub_switches, "hub.switches", false)                   \
    ROW(hub_turn_at, "hub.turn_at", false)                     \
    ROW(hub_driver, "hub.driver", false)                       \
    ROW(hub_ready_head, "hub.ready_head", false)               \
    ROW(hub_ready_tail, "hub.ready_tail", false)               \
    ROW(hub_timers_heap, "hub.timers_heap", false)             \
    ROW(hub_timers_places, "hub.timers_places", false)         \
    ROW(hub_timers_count, "hub.timers_count", false)           \
    ROW(hub_timers_room, "hub.timers_room", false)             \
    ROW(hub_park_times, "hub.park_times", false)               \
    ROW(hub_park_times_room, "hub.park_times_room", false)     \
    ROW(timer_entry, "timer_entry", false)                     \
    ROW(timer_entry_deadline, "timer_entry.deadline", false)   \
    ROW(driver_name, "driver.name", false)                     \
    ROW(greenlet, "greenlet", true)                            \
    ROW(greenlet_class, "greenlet.class", true)                \
    ROW(greenlet_sp, "greenlet.sp", true)                      \
    ROW(greenlet_timer, "greenlet.timer", true)                \
    ROW(greenlet_hub, "greenlet.hub", true)                    \
    ROW(greenlet_state, "greenlet.state", true)                \
    ROW(greenlet_flags, "greenlet.flags", true)                \
    ROW(greenlet_park_flags, "greenlet.park_flags", false)     \
    ROW(greenlet_attention, "greenlet.attention", false)       \
    ROW(greenlet_verb, "greenlet.verb", true)                  \
    ROW(greenlet_object, "greenlet.object", true)              \
    ROW(greenlet_arg, "greenlet.arg", false)                   \
    ROW(greenlet_site, "greenlet.site", true)                  \
    ROW(greenlet_next, "greenlet.all_next", true)              \
    ROW(greenlet_previous, "greenlet.all_previous", true)      \
    ROW(greenlet_stack, "greenlet.stack", true)                \
    ROW(greenlet_spawner, "greenlet.spawner", false)           \
    ROW(greenlet_name, "greenlet.name", true)                  \
    ROW(greenlet_slots, "greenlet.slots", false)               \
    ROW(state_new, "state.new", true)                          \
    ROW(state_ready, "state.ready", true)                      \
    ROW(state_parked, "state.parked", true)                    \
    ROW(flag_root, "flag.root", true)                          \
    ROW(flag_named, "flag.named", true)                        \
    ROW(flag_hidden, "flag.hidden", true)                      \
    ROW(attention_killed, "attention.killed", false)           \
    ROW(park_timed, "park.timed", false)                       \
    ROW(slot_python, "slot.python", false)                     \
    ROW(context_pc, "context.pc", false)                       \
    ROW(context_size, "context.size", false)                   \
    ROW(carrier_running, "carrier.running", false)             \
    ROW(carrier_state, "carrier.state", false)                 \
    ROW(py_runtime, "py_runtime", false)                       \
    ROW(descriptor_chunks, "descriptor_chunks", false)         \
    ROW(descriptor_chunk, "descriptor_chunk", false)           \
    ROW(descriptor, "descriptor", false)                       \
    ROW(descriptor_kind, "descriptor.kind", false)             \
    ROW(kind_socket, "descriptor_kind.socket", false)          \
    ROW(kind_file, "descriptor_kind.file", false)              \
    ROW(kind_pipe, "descriptor_kind.pipe", false)              \
    ROW(interpreter, "interpreter", false)                     \
    ROW(hub_timers_users, "hub.timers_users", false)           \
    ROW(hub_ready_slots, "hub.ready_slots", false)             \
    ROW(hub_ready_mask, "hub.ready_mask", false)               \
    ROW(park_external, "park.external", false)                 \
    ROW(object_next, "object.next", false)                     \
    ROW(object_previous, "object.previous", false)             \
    ROW(waitable_class, "waitable.class", false)               \
    ROW(waitable_class_name, "waitable_class.name", false)     \
    ROW(stack_slab, "stack.slab", false)                       \
    ROW(stack_top, "stack.top", false)                         \
    ROW(stack_index, "stack.index", false)                     \
    ROW(slab_base, "slab.base", false)                         \
    ROW(slab_guard, "slab.guard", false)                       \
    ROW(slab_stride, "slab.stride", false)                     \
    ROW(verb_wait, "verb.wait", false)                         \
    ROW(iteration_n, "iteration.n", false)                     \
    ROW(iteration_watches, "iteration.watches", false)         \
    ROW(watch, "watch", false)                                 \
    ROW(watch_queue, "watch.queue", false)                     \
    ROW(watch_object, "watch.object", false)                   \
    ROW(watch_scout, "watch.scout", false)                     \
    ROW(mutex_lock, "mutex.lock", false)                       \
    ROW(mutex_thread, "mutex.thread", false)                   \
    ROW(mutex_greenlet, "mutex.greenlet", false)               \
    ROW(posix_rwlock_thread, "posix_rwlock.thread", false)     \
    ROW(posix_rwlock_greenlet, "posix_rwlock.greenlet", false) \
    ROW(rlock_owner, "rlock.owner", false)                     \
    ROW(rwlock_writer, "rwlock.writer", false)                 \
    ROW(rwlock_readers, "rwlock.readers", false)               \
    ROW(semaphore_permits, "semaphore.permits", false)         \
    ROW(queue_ring_count, "queue.ring_count", false)           \
    ROW(queue_heap_count, "queue.heap_count", false)           \
    ROW(python_lock_owner, "python_lock.owner", false)         \
    ROW(python_lock_permits, "python_lock.permits", false)     \
    ROW(python_queue_ring, "python_queue.ring_count", false)   \
    ROW(python_queue_heap, "python_queue.heap_count", false)   \
    ROW(python_queue_hooks, "python_queue.hooks", false)       \
    ROW(queue_capacity, "queue.capacity", false)               \
    ROW(pool_crews, "pool.crews", false)                       \
    ROW(pool_running, "pool.running", false)                   \
    ROW(running_next, "running.next", false)                   \
    ROW(crew_next, "crew.next", false)                         \
    ROW(crew_jobs, "crew.jobs", false)                         \
    ROW(crew_names, "crew.names", false)                       \
    ROW(crew_threads, "crew.threads", false)

struct inspect_table {
    uint64_t address;
    char path[256];   /* of the object that holds it */
    char version[16]; /* libbine's */
#define INSPECT_MEMBER(member, name, needed) struct inspect_row member;
    INSPECT_ROWS(INSPECT_MEMBER)
#undef INSPECT_MEMBER
    struct inspect_row context[INSPECT_REGISTERS]; /* "context.3": where register 3 is saved */
};

/* Finds the tables in the target. A process may have several: of the library
 * and of the Python extension. Returns an array of *count, to be freed, or NULL
 * after saying why there is none. */
struct inspect_table *inspect_find_tables(struct inspect_target *target, size_t *count);

/* What a row says of a record whose first `size` bytes are here. 0 if the row
 * or the bytes are not there. */
uint64_t inspect_get(const struct inspect_row *row, const void *record, size_t size);
/* Does the same with a record that is still in the target. */
bool inspect_fetch(struct inspect_target *target, const struct inspect_row *row, uint64_t record,
                   uint64_t *value);

#endif
