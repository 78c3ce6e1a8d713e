/*
 * NULL and impossible arguments are EINVAL everywhere: every public function of libbine is called
 * with them, or is excepted for the reason that is given. The end compares the table with the
 * headers. libbine-tls and libbine-http have tables of their own.
 */
#include <bine.h>
#include <bine/backdoor.h>
#include <bine/cpp/runtime.h>
#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arguments.h"

#define UNKNOWN (1u << 30) /* a flag that does not exist */
#define SITE "test\0test.c:1"

static void *item;
static void *items[2];

static void *run(void *arg)
{
    return arg;
}

static void *run_with(void *arg, void *context)
{
    (void)context;
    return arg;
}

static bool predicate(void *arg)
{
    (void)arg;
    return true;
}

static void link_function(bine_greenlet *g, void *arg)
{
    (void)g, (void)arg;
}

static void on_connection(bine_connection *connection, void *arg)
{
    (void)connection, (void)arg;
}

static void on_datagram(bine_datagram *datagram, void *arg)
{
    (void)datagram, (void)arg;
}

static void greenlets(void)
{
    bine_greenlet *g = bine_spawn(run, NULL);
    bine_spawn_options huge = {.stack_size = (size_t)1 << 40}, early = {.delay = -1};
    bine_timeout outer, inner;
    NOTHING(bine_spawn_at, NULL, NULL, SITE);
    NOTHING(bine_spawn_later_at, 0, NULL, NULL, SITE);
    NOTHING(bine_spawn_later_at, -1, run, NULL, SITE);
    NOTHING(bine_spawn_with_at, NULL, NULL, NULL, SITE);
    NOTHING(bine_spawn_with_at, &huge, run, NULL, SITE);
    NOTHING(bine_spawn_with_at, &early, run, NULL, SITE);
    REFUSED(bine_go_at, NULL, NULL, SITE);
    HARMLESS(bine_ref, NULL, NULL);
    IGNORED(bine_detach, NULL);
    REFUSED(bine_sleep, -1);
    REFUSED(bine_join, NULL, NULL, 0);
    REFUSED(bine_join, g, NULL, -1);
    REFUSED(bine_get, NULL, NULL, 0);
    REFUSED(bine_get, g, NULL, -1);
    REFUSED(bine_joinall, NULL, 1, 0);
    REFUSED(bine_joinall, &g, 1, -1);
    REFUSED(bine_joinall_with, NULL, 1, 0, 0, 0);
    REFUSED(bine_joinall_with, &g, 1, -1, 0, 0);
    REFUSED(bine_joinall_with, &g, 1, 0, 0, UNKNOWN);
    HARMLESS(bine_started, false, NULL);
    HARMLESS(bine_dead, false, NULL);
    HARMLESS(bine_successful, false, NULL);
    HARMLESS(bine_value, NULL, NULL);
    HARMLESS(bine_error, EINVAL, NULL);
    REFUSED(bine_kill, NULL);
    REFUSED(bine_killall, NULL, 1, 0);
    REFUSED(bine_killall, &g, 1, -1);
    REFUSED(bine_interrupt, NULL, EINTR);
    HARMLESS(bine_error_passes, false, EIO, bine_interruptions());
    EXCEPTED(bine_interruptions, "has no arguments");
    REFUSED(bine_interrupt, g, -1);
    REFUSED(bine_interrupt, g, 256);
    REFUSED(bine_interrupt, g, ETIME);
    HARMLESS(bine_killed, false, NULL);
    REFUSED(bine_timeout_begin, NULL, 0);
    REFUSED(bine_timeout_begin, &outer, -1);
    REFUSED(bine_timeout_end, NULL);
    CHECK_OK(bine_timeout_begin(&outer, BINE_SECOND));
    CHECK_OK(bine_timeout_begin(&inner, BINE_SECOND));
    REFUSED(bine_timeout_end, &outer);
    CHECK_OK(bine_timeout_end(&inner));
    CHECK_OK(bine_timeout_end(&outer));
    HARMLESS(bine_timeout_expired, false, NULL);
    EXCEPTED(bine_within_end, "called by BINE_WITHIN only");
    REFUSED(bine_link, NULL, link_function, NULL);
    REFUSED(bine_link, g, NULL, NULL);
    REFUSED(bine_unlink, NULL, link_function, NULL);
    REFUSED(bine_unlink, g, NULL, NULL);
    REFUSED(bine_key_create, NULL, NULL);
    REFUSED(bine_key_delete, 12345);
    HARMLESS(bine_getspecific, NULL, 12345);
    REFUSED(bine_setspecific, 12345, item);
    CHECK(bine_name(NULL) != NULL);
    EXCEPTED(bine_name, "never NULL");
    REFUSED(bine_set_name, NULL, "name");
    REFUSED(bine_set_name, g, NULL);
    HARMLESS(bine_stack_high_water, 0, NULL);
    EXCEPTED(bine_dump, "errno of write(2)");
    EXCEPTED(bine_getcurrent, "has no arguments");
    EXCEPTED(bine_idle, "has no arguments");
    EXCEPTED(bine_check, "has no arguments");
    EXCEPTED(bine_shield_begin, "has no arguments");
    EXCEPTED(bine_shield_end, "has no arguments");
    EXCEPTED(bine_exit, "ends the caller, with any value");
    EXCEPTED(bine_fail, "ends the caller, with any error");
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

static void hubs(void)
{
    bine_hub *hub = bine_hub_get();
    REFUSED(bine_post, NULL, free, NULL);
    REFUSED(bine_post, hub, NULL, NULL);
    NOTHING(bine_spawn_on_at, NULL, run, NULL, SITE);
    NOTHING(bine_spawn_on_at, hub, NULL, NULL, SITE);
    REFUSED(bine_call, NULL, run, NULL, NULL, 0);
    REFUSED(bine_call, hub, NULL, NULL, NULL, 0);
    REFUSED(bine_call, hub, run, NULL, NULL, -1);
    CHECK(bine_strerror(-1) != NULL && bine_strerror(123456) != NULL);
    EXCEPTED(bine_strerror, "has words for every number");
    EXCEPTED(bine_hub_get, "has no arguments");
    EXCEPTED(bine_hub_exists, "has no arguments");
    EXCEPTED(bine_hub_count_parks, "has no arguments");
    EXCEPTED(bine_hub_read_park_counts, "NULL with no room is allowed");
    EXCEPTED(bine_hub_greenlets, "has no arguments");
    EXCEPTED(bine_poller_name, "has no arguments");
    EXCEPTED(bine_simulate, "takes any seed");
    EXCEPTED(bine_guard_name, "has no arguments");
    EXCEPTED(bine_version, "has no arguments");
    REFUSED(bine_watchdog_start, BINE_MS - 1, NULL, NULL);
    REFUSED(bine_watchdog_start, -1, NULL, NULL);
    EXCEPTED(bine_watchdog_stop, "has no arguments");
    REFUSED(bine_preempt_start, BINE_MS - 1);
    EXCEPTED(bine_preempt_stop, "has no arguments");
    REFUSED(bine_trace_start, SIZE_MAX);
    EXCEPTED(bine_trace_stop, "has no arguments");
    EXCEPTED(bine_trace_write, "errno of write(2)");
    EXCEPTED(bine_metrics, "has no arguments");
    EXCEPTED(bine_own_thread_refusal, "has no arguments");
    REFUSED(bine_hub_read_figures, NULL, sizeof(bine_hub_figures));
    EXCEPTED(bine_now, "has no arguments");
    REFUSED(bine_deadline, -1);
    HARMLESS(bine_left, 0, -1);
    NOTHING(bine_workers_start, 1, NULL, NULL);
    NOTHING(bine_workers_start, 4097, run, NULL);
    HARMLESS(bine_workers_count, 0, NULL);
    EXCEPTED(bine_worker, "has no arguments");
    NOTHING(bine_workers_hub, NULL, 0);
    HARMLESS(bine_workers_value, NULL, NULL, 0);
    bine_workers *workers = bine_workers_start(1, run, NULL);
    NOTHING(bine_workers_hub, workers, 1);
    HARMLESS(bine_workers_value, NULL, workers, 1);
    REFUSED(bine_workers_join, NULL, 0);
    REFUSED(bine_workers_join, workers, -1);
    CHECK_OK(bine_workers_join(workers, BINE_FOREVER));
    REFUSED(bine_workers_run, 1, NULL, NULL);
    REFUSED(bine_workers_run, 4097, run, NULL);
    REFUSED(bine_offload, NULL, NULL, NULL);
    EXCEPTED(bine_offload_confine, "has no arguments");
    EXCEPTED(bine_offload_renew, "has no arguments");
    EXCEPTED(bine_offload_threads, "has no arguments");
}

static void events_and_waits(void)
{
    bine_event *event = bine_event_new(0);
    bine_async_result *result = bine_async_result_new(0);
    void *ready[1], *objects[] = {event};
    NOTHING(bine_event_new, UNKNOWN);
    HARMLESS(bine_event_free, 0, NULL);
    REFUSED(bine_event_set, NULL);
    REFUSED(bine_event_clear, NULL);
    HARMLESS(bine_event_is_set, false, NULL);
    REFUSED(bine_event_wait, NULL, 0);
    REFUSED(bine_event_wait, event, -1);
    NOTHING(bine_signal_event_new, 0);
    NOTHING(bine_signal_event_new, SIGKILL);
    NOTHING(bine_signal_event_new, 1000);
    HARMLESS(bine_signal_event_free, 0, NULL);
    REFUSED(bine_signal_event_free, event);
    NOTHING(bine_async_result_new, UNKNOWN);
    HARMLESS(bine_async_result_free, 0, NULL);
    REFUSED(bine_async_result_set, NULL, NULL);
    REFUSED(bine_async_result_set_error, NULL, EIO);
    REFUSED(bine_async_result_set_error, result, 0);
    REFUSED(bine_async_result_get, NULL, NULL, 0);
    REFUSED(bine_async_result_get, result, NULL, -1);
    REFUSED(bine_async_result_wait, NULL, 0);
    REFUSED(bine_async_result_wait, result, -1);
    HARMLESS(bine_async_result_ready, false, NULL);
    HARMLESS(bine_async_result_successful, false, NULL);
    HARMLESS(bine_async_result_value, NULL, NULL);
    HARMLESS(bine_async_result_error, 0, NULL);
    EXCEPTED(bine_async_result_from, "a link: Bine calls it");
    REFUSED(bine_wait, NULL, 1, ready, 1, 0);
    REFUSED(bine_wait, objects, 1, ready, 1, -1);
    NOTHING(bine_iwait_begin, NULL, 1);
    NOTHING(bine_iwait_next, NULL, 0);
    bine_iwait *iteration = bine_iwait_begin(objects, 1);
    NOTHING(bine_iwait_next, iteration, -1);
    IGNORED(bine_iwait_end, NULL);
    bine_iwait_end(iteration);
    bine_choice choices[] = {{.operation = (enum bine_choice_operation)77, .object = event},
                             {.operation = BINE_CHOOSE_SEND, .object = event},
                             {.operation = BINE_CHOOSE_READY, .object = event}};
    REFUSED(bine_choose, NULL, 1, 0);
    REFUSED(bine_choose, &choices[0], 1, 0);
    REFUSED(bine_choose, &choices[1], 1, 0);
    REFUSED(bine_choose, &choices[2], 1, -1);
    REFUSED(bine_choose_first, NULL, 1, 0);
    REFUSED(bine_choose_first, &choices[0], 1, 0);
    REFUSED(bine_choose_first, &choices[1], 1, 0);
    REFUSED(bine_choose_first, &choices[2], 1, -1);
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_async_result_free(result));
}

static void channels_and_queues(void)
{
    bine_channel *channel = bine_channel_new(1, 0);
    bine_queue *queue = bine_queue_new(1, 0);
    bine_mailbox *mailbox = bine_mailbox_new(1);
    bine_queue_options order = {.order = (enum bine_queue_order)77}, flags = {.flags = UNKNOWN};
    bine_channel_options channel_flags = {.flags = UNKNOWN};
    NOTHING(bine_channel_new, 0, UNKNOWN);
    NOTHING(bine_channel_new_with, &channel_flags);
    HARMLESS(bine_channel_free, 0, NULL);
    REFUSED(bine_channel_send, NULL, NULL, 0);
    REFUSED(bine_channel_send, channel, NULL, -1);
    REFUSED(bine_channel_receive, NULL, &item, 0);
    REFUSED(bine_channel_receive, channel, NULL, 0);
    REFUSED(bine_channel_receive, channel, &item, -1);
    REFUSED(bine_channel_close, NULL);
    REFUSED(bine_channel_add_producers, NULL, 1);
    REFUSED(bine_channel_producer_done, NULL);
    REFUSED(bine_channel_producer_done, channel);
    HARMLESS(bine_channel_closed, true, NULL);
    HARMLESS(bine_channel_size, 0, NULL);
    HARMLESS(bine_channel_has_sender, false, NULL);
    HARMLESS(bine_channel_has_receiver, false, NULL);
    NOTHING(bine_queue_new, 0, UNKNOWN);
    NOTHING(bine_queue_new_with, &order);
    NOTHING(bine_queue_new_with, &flags);
    HARMLESS(bine_queue_free, 0, NULL);
    REFUSED(bine_queue_put, NULL, NULL, 0);
    REFUSED(bine_queue_put, queue, NULL, -1);
    REFUSED(bine_queue_put_nowait, NULL, NULL);
    REFUSED(bine_queue_get, NULL, &item, 0);
    REFUSED(bine_queue_get, queue, NULL, 0);
    REFUSED(bine_queue_get, queue, &item, -1);
    REFUSED(bine_queue_get_nowait, NULL, &item);
    REFUSED(bine_queue_get_nowait, queue, NULL);
    REFUSED(bine_queue_peek, NULL, &item, 0);
    REFUSED(bine_queue_peek, queue, NULL, 0);
    REFUSED(bine_queue_peek, queue, &item, -1);
    HARMLESS(bine_queue_size, 0, NULL);
    HARMLESS(bine_queue_capacity, 0, NULL);
    HARMLESS(bine_queue_full, false, NULL);
    REFUSED(bine_queue_task_done, NULL);
    REFUSED(bine_queue_task_done, queue);
    HARMLESS(bine_queue_unfinished, 0, NULL);
    REFUSED(bine_queue_join, NULL, 0);
    REFUSED(bine_queue_join, queue, -1);
    REFUSED(bine_queue_shutdown, NULL, false);
    NOTHING(bine_mailbox_new, 0);
    NOTHING(bine_mailbox_new, SIZE_MAX);
    NOTHING(bine_mailbox_new_with, NULL);
    HARMLESS(bine_mailbox_free, 0, NULL);
    REFUSED(bine_mailbox_send, NULL, NULL, 0);
    REFUSED(bine_mailbox_send, mailbox, NULL, -1);
    REFUSED(bine_mailbox_send_nowait, NULL, NULL);
    REFUSED(bine_mailbox_receive, NULL, &item, 0);
    REFUSED(bine_mailbox_receive, mailbox, NULL, 0);
    REFUSED(bine_mailbox_receive, mailbox, &item, -1);
    REFUSED(bine_mailbox_close, NULL);
    HARMLESS(bine_mailbox_closed, true, NULL);
    CHECK_OK(bine_channel_free(channel));
    CHECK_OK(bine_queue_free(queue));
    CHECK_OK(bine_mailbox_free(mailbox));
}

static void locks(void)
{
    bine_rlock *rlock = bine_rlock_new(0);
    bine_rwlock *rwlock = bine_rwlock_new(0);
    bine_barrier *barrier = bine_barrier_new(2, 0);
    bine_semaphore *semaphore = bine_semaphore_new(1, 0);
    bine_condition *condition = bine_condition_new(NULL, 0);
    NOTHING(bine_rlock_new, UNKNOWN);
    HARMLESS(bine_rlock_free, 0, NULL);
    REFUSED(bine_rlock_acquire, NULL, 0);
    REFUSED(bine_rlock_acquire, rlock, -1);
    REFUSED(bine_rlock_release, NULL);
    HARMLESS(bine_rlock_locked, false, NULL);
    HARMLESS(bine_rlock_owned, false, NULL);
    NOTHING(bine_rwlock_new, UNKNOWN);
    HARMLESS(bine_rwlock_free, 0, NULL);
    REFUSED(bine_rwlock_read_acquire, NULL, 0);
    REFUSED(bine_rwlock_read_acquire, rwlock, -1);
    REFUSED(bine_rwlock_read_release, NULL);
    REFUSED(bine_rwlock_write_acquire, NULL, 0);
    REFUSED(bine_rwlock_write_acquire, rwlock, -1);
    REFUSED(bine_rwlock_write_release, NULL);
    HARMLESS(bine_rwlock_readers, 0, NULL);
    HARMLESS(bine_rwlock_written, false, NULL);
    NOTHING(bine_barrier_new, 0, 0);
    NOTHING(bine_barrier_new, 2, UNKNOWN);
    HARMLESS(bine_barrier_free, 0, NULL);
    REFUSED(bine_barrier_wait, NULL, 0);
    REFUSED(bine_barrier_wait, barrier, -1);
    REFUSED(bine_barrier_abort, NULL);
    REFUSED(bine_barrier_reset, NULL);
    HARMLESS(bine_barrier_waiting, 0, NULL);
    HARMLESS(bine_barrier_broken, false, NULL);
    NOTHING(bine_semaphore_new, 1, UNKNOWN);
    NOTHING(bine_semaphore_new_bounded, 1, UNKNOWN);
    HARMLESS(bine_semaphore_free, 0, NULL);
    REFUSED(bine_semaphore_acquire, NULL, 0);
    REFUSED(bine_semaphore_acquire, semaphore, -1);
    REFUSED(bine_semaphore_try_acquire, NULL);
    REFUSED(bine_semaphore_release, NULL);
    HARMLESS(bine_semaphore_permits, 0, NULL);
    HARMLESS(bine_semaphore_locked, true, NULL);
    NOTHING(bine_condition_new, NULL, UNKNOWN);
    HARMLESS(bine_condition_free, 0, NULL);
    NOTHING(bine_condition_lock, NULL);
    REFUSED(bine_condition_wait, NULL, 0);
    REFUSED(bine_condition_wait, condition, -1);
    REFUSED(bine_condition_wait_for, NULL, predicate, NULL, 0);
    REFUSED(bine_condition_wait_for, condition, NULL, NULL, 0);
    REFUSED(bine_condition_wait_for, condition, predicate, NULL, -1);
    REFUSED(bine_condition_notify, NULL, 1);
    REFUSED(bine_condition_notify_all, NULL);
    CHECK_OK(bine_rlock_free(rlock));
    CHECK_OK(bine_rwlock_free(rwlock));
    CHECK_OK(bine_barrier_free(barrier));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_condition_free(condition));
}

static void pools_and_scopes(void)
{
    bine_pool *pool = bine_pool_new(1, 0);
    bine_greenlet *g = bine_spawn(run, NULL);
    bine_spawn_options early = {.delay = -1};
    bine_imap_result result;
    NOTHING(bine_pool_new, 1, UNKNOWN);
    EXCEPTED(bine_group_new, "has no arguments");
    HARMLESS(bine_pool_free, 0, NULL);
    NOTHING(bine_pool_spawn_at, NULL, run, NULL, 0, SITE);
    NOTHING(bine_pool_spawn_at, pool, NULL, NULL, 0, SITE);
    NOTHING(bine_pool_spawn_at, pool, run, NULL, -1, SITE);
    NOTHING(bine_pool_spawn_with_at, NULL, NULL, run, NULL, 0, SITE);
    NOTHING(bine_pool_spawn_with_at, pool, NULL, NULL, NULL, 0, SITE);
    NOTHING(bine_pool_spawn_with_at, pool, NULL, run, NULL, -1, SITE);
    NOTHING(bine_pool_spawn_with_at, pool, &early, run, NULL, 0, SITE);
    REFUSED(bine_pool_add, NULL, g, 0);
    REFUSED(bine_pool_add, pool, NULL, 0);
    REFUSED(bine_pool_add, pool, g, -1);
    REFUSED(bine_pool_discard, NULL, g);
    REFUSED(bine_pool_discard, pool, NULL);
    HARMLESS(bine_pool_count, 0, NULL);
    HARMLESS(bine_pool_free_count, 0, NULL);
    HARMLESS(bine_pool_full, true, NULL);
    HARMLESS(bine_pool_contains, false, NULL, g);
    HARMLESS(bine_pool_contains, false, pool, NULL);
    HARMLESS(bine_pool_list, 0, NULL, NULL, 0);
    REFUSED(bine_pool_wait_available, NULL, 0);
    REFUSED(bine_pool_wait_available, pool, -1);
    REFUSED(bine_pool_join, NULL, 0);
    REFUSED(bine_pool_join, pool, -1);
    REFUSED(bine_pool_kill, NULL, 0);
    REFUSED(bine_pool_kill, pool, -1);
    REFUSED(bine_pool_apply_at, NULL, run, NULL, NULL, 0, SITE);
    REFUSED(bine_pool_apply_at, pool, NULL, NULL, NULL, 0, SITE);
    REFUSED(bine_pool_apply_at, pool, run, NULL, NULL, -1, SITE);
    REFUSED(bine_pool_map_at, NULL, run, items, 1, NULL, 0, SITE);
    REFUSED(bine_pool_map_at, pool, NULL, items, 1, NULL, 0, SITE);
    REFUSED(bine_pool_map_at, pool, run, NULL, 1, NULL, 0, SITE);
    REFUSED(bine_pool_map_at, pool, run, items, 1, NULL, -1, SITE);
    REFUSED(bine_pool_map_with_at, NULL, NULL, run_with, items, 1, 0, SITE);
    REFUSED(bine_pool_map_with_at, pool, NULL, NULL, items, 1, 0, SITE);
    REFUSED(bine_pool_map_with_at, pool, NULL, run_with, NULL, 1, 0, SITE);
    REFUSED(bine_pool_map_with_at, pool, NULL, run_with, items, 1, -1, SITE);
    NOTHING(bine_pool_imap_at, NULL, run, items, 1, true, SITE);
    NOTHING(bine_pool_imap_at, pool, NULL, items, 1, true, SITE);
    NOTHING(bine_pool_imap_at, pool, run, NULL, 1, true, SITE);
    bine_imap *imap = bine_pool_imap(pool, run, items, 1);
    REFUSED(bine_imap_limit, NULL, 1);
    REFUSED(bine_imap_next, NULL, &result, 0);
    REFUSED(bine_imap_next, imap, NULL, 0);
    REFUSED(bine_imap_next, imap, &result, -1);
    IGNORED(bine_imap_end, NULL);
    bine_imap_end(imap);
    NOTHING(bine_scope_begin, -1);
    bine_scope *scope = bine_scope_begin(BINE_SECOND);
    NOTHING(bine_scope_spawn_at, NULL, run, NULL, SITE);
    NOTHING(bine_scope_spawn_at, scope, NULL, NULL, SITE);
    NOTHING(bine_scope_spawn_with_at, NULL, NULL, run, NULL, SITE);
    NOTHING(bine_scope_spawn_with_at, scope, NULL, NULL, NULL, SITE);
    NOTHING(bine_scope_spawn_with_at, scope, &early, run, NULL, SITE);
    REFUSED(bine_scope_cancel, NULL, 0);
    REFUSED(bine_scope_cancel, scope, -1);
    REFUSED(bine_scope_end, NULL);
    CHECK_OK(bine_scope_end(scope));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(bine_pool_free(pool));
}

static void dialling_and_reading(void)
{
    int ends[2];
    char buffer[4], *piece;
    size_t size;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    bine_reader *reader = bine_reader_new(ends[0], 16);
    CHECK(bine_address_error(NULL) != NULL);
    EXCEPTED(bine_address_error, "has words for each, and NULL for those that are right");
    REFUSED(bine_dial, NULL, 0);
    REFUSED(bine_dial, "nonsense", 0);
    REFUSED(bine_dial, "127.0.0.1:1", -1);
    REFUSED(bine_send_all, ends[0], NULL, 1);
    NOTHING(bine_reader_new, -1, 0);
    NOTHING(bine_reader_new_from, NULL, NULL, 0);
    HARMLESS(bine_reader_free, 0, NULL);
    REFUSED(bine_reader_line, NULL, &piece, &size);
    REFUSED(bine_reader_line, reader, NULL, &size);
    REFUSED(bine_reader_until, NULL, "x", 1, &piece, &size);
    REFUSED(bine_reader_until, reader, NULL, 1, &piece, &size);
    REFUSED(bine_reader_until, reader, "x", 0, &piece, &size);
    REFUSED(bine_reader_until, reader, "xxxxxxxxxxxxxxxxx", 17, &piece, &size);
    REFUSED(bine_reader_until, reader, "x", 1, NULL, &size);
    REFUSED(bine_reader_count, NULL, 1, &piece);
    REFUSED(bine_reader_count, reader, 1, NULL);
    REFUSED(bine_reader_read, NULL, buffer, 1);
    REFUSED(bine_reader_read, reader, NULL, 1);
    REFUSED(bine_reader_read_all, NULL, buffer, 1);
    REFUSED(bine_reader_read_all, reader, NULL, 1);
    REFUSED(bine_reader_peek, NULL, 1, &piece);
    REFUSED(bine_reader_peek, reader, 0, &piece);
    REFUSED(bine_reader_peek, reader, 17, &piece);
    REFUSED(bine_reader_peek, reader, 1, NULL);
    REFUSED(bine_reader_skip, NULL, 0);
    REFUSED(bine_reader_skip, reader, 1);
    HARMLESS(bine_reader_buffered, 0, NULL);
    CHECK_OK(bine_reader_free(reader));
    close(ends[0]);
    close(ends[1]);
}

static void servers(void)
{
    bine_server_options here = {.address = "127.0.0.1:0"},
                        flags = {.address = "127.0.0.1:0", .flags = UNKNOWN},
                        nowhere = {.address = "nonsense"};
    bine_server *server = bine_server_new(&here, on_connection, NULL);
    bine_datagram_server *datagrams = bine_datagram_server_new(&here, on_datagram, NULL);
    struct sockaddr peer = {.sa_family = AF_INET};
    NOTHING(bine_server_new, NULL, on_connection, NULL);
    NOTHING(bine_server_new, &here, NULL, NULL);
    NOTHING(bine_server_new, &flags, on_connection, NULL);
    NOTHING(bine_server_new, &nowhere, on_connection, NULL);
    NOTHING(bine_server_share, NULL);
    REFUSED(bine_server_set_handler, NULL, on_connection, NULL);
    REFUSED(bine_server_set_handler, server, NULL, NULL);
    REFUSED(bine_server_start, NULL);
    REFUSED(bine_server_serve, NULL);
    REFUSED(bine_server_stop, NULL, 0);
    REFUSED(bine_server_stop, server, -1);
    HARMLESS(bine_server_free, 0, NULL);
    NOTHING(bine_server_address, NULL);
    REFUSED(bine_server_port, NULL);
    REFUSED(bine_server_fd, NULL);
    bine_server_figures figures;
    REFUSED(bine_server_read_figures, NULL, &figures, sizeof figures);
    REFUSED(bine_server_read_figures, server, NULL, sizeof figures);
    REFUSED(bine_server_read_figures, server, &figures, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    CHECK_EQ(bine_server_get_figures(NULL).accepted, 0);
    EXCEPTED(bine_server_get_figures, "figures of nothing are 0");
#pragma GCC diagnostic pop
    NOTHING(bine_datagram_server_new, NULL, on_datagram, NULL);
    NOTHING(bine_datagram_server_new, &here, NULL, NULL);
    NOTHING(bine_datagram_server_new, &flags, on_datagram, NULL);
    NOTHING(bine_datagram_server_new, &nowhere, on_datagram, NULL);
    REFUSED(bine_datagram_server_start, NULL);
    REFUSED(bine_datagram_server_serve, NULL);
    REFUSED(bine_datagram_server_stop, NULL, 0);
    REFUSED(bine_datagram_server_stop, datagrams, -1);
    HARMLESS(bine_datagram_server_free, 0, NULL);
    NOTHING(bine_datagram_server_address, NULL);
    REFUSED(bine_datagram_server_port, NULL);
    REFUSED(bine_datagram_server_fd, NULL);
    NOTHING(bine_datagram_server_share, NULL);
    REFUSED(bine_datagram_send, NULL, &peer, sizeof peer, "x", 1);
    REFUSED(bine_datagram_send, datagrams, NULL, sizeof peer, "x", 1);
    REFUSED(bine_datagram_send, datagrams, &peer, sizeof peer, NULL, 1);
    REFUSED(bine_datagram_reply, NULL, "x", 1);
    NOTHING(bine_backdoor_start, NULL);
    CHECK_OK(bine_server_free(server));
    CHECK_OK(bine_datagram_server_free(datagrams));
}

static void patching(void)
{
    REFUSED(bine_patch, UNKNOWN);
    REFUSED(bine_unpatch, UNKNOWN);
    REFUSED(bine_patch_exclude, NULL);
    REFUSED(bine_patch_include, NULL);
    REFUSED(bine_patch_only, NULL, 0);
    REFUSED(bine_patch_only, "libx.so", UNKNOWN);
    REFUSED(bine_patch_local_keys, NULL);
    REFUSED(bine_patch_local_tls, NULL);
    REFUSED(bine_patch_threads_as_greenlets, NULL);
    REFUSED(bine_patch_own_threads, NULL);
    REFUSED(bine_patch_limit, NULL, 1);
    REFUSED(bine_patch_patient, NULL);
    REFUSED(bine_cxx_runtime_add, NULL);
    NOTHING(bine_original, NULL);
    EXCEPTED(bine_patch_all, "has no arguments");
    EXCEPTED(bine_unpatch_all, "has no arguments");
    EXCEPTED(bine_patch_socket, "has no arguments");
    EXCEPTED(bine_patch_dns, "has no arguments");
    EXCEPTED(bine_patch_time, "has no arguments");
    EXCEPTED(bine_patch_select, "has no arguments");
    EXCEPTED(bine_patch_file, "has no arguments");
    EXCEPTED(bine_patch_stdio, "has no arguments");
    EXCEPTED(bine_patch_process, "has no arguments");
    EXCEPTED(bine_patch_thread, "has no arguments");
    EXCEPTED(bine_patch_signal, "has no arguments");
    EXCEPTED(bine_patched, "has no arguments");
}

/* Whose functions have libc's signatures and libc's answers, EFAULT and EBADF among them:
 * tests/io/test_differential.c. Then the headers of other libraries. */
static const char *const other_headers[] = {"io.h",      "file.h", "names.h",
                                            "process.h", "tls.h",  "http.h"};

TEST(null_and_impossible_arguments_are_einval_everywhere, .seconds = 60)
{
    greenlets();
    hubs();
    events_and_waits();
    channels_and_queues();
    locks();
    pools_and_scopes();
    dialling_and_reading();
    servers();
    patching();
    DIR *folder = opendir(BINE_HEADERS);
    size_t functions = 0;
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        bool skip = strlen(entry->d_name) < 3 ||
                    strcmp(entry->d_name + strlen(entry->d_name) - 2, ".h") != 0;
        for (size_t i = 0; i < sizeof other_headers / sizeof *other_headers; i++)
            skip |= strcmp(other_headers[i], entry->d_name) == 0;
        functions += skip ? 0 : arguments_of_header(entry->d_name);
    }
    closedir(folder);
    CHECK_EQ(arguments_of_header("cpp/runtime.h"), 1);
    CHECK_GT(functions, 200);
    CHECK_EQ(arguments_wrong, 0);
}
