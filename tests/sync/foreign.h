/*
 * The table of test_foreign.c: a row for each public function that takes an object. ROW has what
 * the call may come to: while the owner lives, for an object of one thread and for a shared one,
 * and the same once the owner has ended. LOOKS are calls that only look. ENDS free the member.
 */
#ifndef BINE_TESTS_SYNC_FOREIGN_H
#define BINE_TESTS_SYNC_FOREIGN_H

/* clang-format off */
#define ROWS(ROW, LOOKS, ENDS) \
    LOOKS(bine_event_is_set, bine_event_is_set(w->event)) \
    LOOKS(bine_async_result_ready, bine_async_result_ready(w->result)) \
    LOOKS(bine_async_result_successful, bine_async_result_successful(w->result)) \
    LOOKS(bine_async_result_value, bine_async_result_value(w->result)) \
    LOOKS(bine_async_result_error, bine_async_result_error(w->result)) \
    LOOKS(bine_semaphore_permits, bine_semaphore_permits(w->semaphore)) \
    LOOKS(bine_semaphore_locked, bine_semaphore_locked(w->bounded)) \
    LOOKS(bine_rlock_locked, bine_rlock_locked(w->held)) \
    LOOKS(bine_rlock_owned, bine_rlock_owned(w->held) && (fail_test("it is not its owner"), 0)) \
    LOOKS(bine_rwlock_readers, bine_rwlock_readers(w->rwlock)) \
    LOOKS(bine_rwlock_written, bine_rwlock_written(w->rwlock)) \
    LOOKS(bine_barrier_waiting, bine_barrier_waiting(w->barrier)) \
    LOOKS(bine_barrier_broken, bine_barrier_broken(w->barrier)) \
    LOOKS(bine_condition_lock, bine_condition_lock(w->condition)) \
    LOOKS(bine_queue_size, bine_queue_size(w->queue)) \
    LOOKS(bine_queue_capacity, bine_queue_capacity(w->queue)) \
    LOOKS(bine_queue_full, bine_queue_full(w->queue)) \
    LOOKS(bine_queue_unfinished, bine_queue_unfinished(w->queue)) \
    LOOKS(bine_channel_closed, bine_channel_closed(w->channel)) \
    LOOKS(bine_channel_size, bine_channel_size(w->channel)) \
    LOOKS(bine_channel_has_sender, bine_channel_has_sender(w->channel)) \
    LOOKS(bine_channel_has_receiver, bine_channel_has_receiver(w->channel)) \
    LOOKS(bine_mailbox_closed, bine_mailbox_closed(w->mailbox)) \
    LOOKS(bine_pool_count, bine_pool_count(w->pool)) \
    LOOKS(bine_pool_free_count, bine_pool_free_count(w->pool)) \
    LOOKS(bine_pool_full, bine_pool_full(w->pool)) \
    LOOKS(bine_pool_contains, bine_pool_contains(w->pool, w->greenlet)) \
    LOOKS(bine_pool_list, bine_pool_list(w->pool, NULL, 0)) \
    LOOKS(bine_started, bine_started(w->greenlet)) \
    LOOKS(bine_dead, bine_dead(w->greenlet)) \
    LOOKS(bine_successful, bine_successful(w->greenlet)) \
    LOOKS(bine_value, bine_value(w->greenlet)) \
    LOOKS(bine_error, bine_error(w->greenlet)) \
    LOOKS(bine_killed, bine_killed(w->greenlet)) \
    LOOKS(bine_timeout_expired, bine_timeout_expired(&w->timeout)) \
    LOOKS(bine_name, bine_name(w->greenlet)[0]) \
    LOOKS(bine_stack_high_water, bine_stack_high_water(w->greenlet)) \
    LOOKS(bine_workers_count, bine_workers_count(w->workers)) \
    LOOKS(bine_workers_hub, bine_workers_hub(w->workers, 0)) \
    LOOKS(bine_workers_value, bine_workers_value(w->workers, 0)) \
    LOOKS(bine_server_address, bine_server_address(w->server)) \
    LOOKS(bine_server_port, bine_server_port(w->server)) \
    LOOKS(bine_server_fd, bine_server_fd(w->server)) \
    LOOKS(bine_server_get_figures, bine_server_get_figures(w->server)) \
    LOOKS(bine_server_read_figures, \
          bine_server_read_figures(w->server, &(bine_server_figures){0}, \
                                   sizeof(bine_server_figures))) \
    LOOKS(bine_datagram_server_address, bine_datagram_server_address(w->datagrams)) \
    LOOKS(bine_datagram_server_port, bine_datagram_server_port(w->datagrams)) \
    LOOKS(bine_datagram_server_fd, bine_datagram_server_fd(w->datagrams)) \
    ROW(bine_server_share, share_server(w), OK, OK, OK, OK) \
    ROW(bine_datagram_server_share, share_datagrams(w), OK, OK, OK, OK) \
    ROW(bine_datagram_send, \
        outcome(bine_datagram_send(w->datagrams, (struct sockaddr *)&nobody, sizeof nobody, \
            "x", 1)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_event_set, outcome(bine_event_set(w->event)), PERM, OK, PERM, SRCH) \
    ROW(bine_event_clear, outcome(bine_event_clear(w->event)), PERM, OK, PERM, SRCH) \
    ROW(bine_event_wait, outcome(bine_event_wait(w->event, SHORT)), PERM, TIME, PERM, SRCH) \
    ROW(bine_async_result_set, outcome(bine_async_result_set(w->result, NULL)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_async_result_set_error, outcome(bine_async_result_set_error(w->result, EIO)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_async_result_get, outcome(bine_async_result_get(w->result, &item, SHORT)), \
        PERM, TIME, PERM, SRCH) \
    ROW(bine_async_result_wait, outcome(bine_async_result_wait(w->result, SHORT)), \
        PERM, TIME, PERM, SRCH) \
    ROW(bine_semaphore_acquire, outcome(bine_semaphore_acquire(w->semaphore, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_semaphore_try_acquire, outcome(bine_semaphore_try_acquire(w->semaphore)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_semaphore_release, outcome(bine_semaphore_release(w->semaphore)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_rlock_acquire, outcome(bine_rlock_acquire(w->rlock, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_rlock_release, outcome(bine_rlock_release(w->held)), PERM, PERM, PERM, SRCH) \
    ROW(bine_rwlock_read_acquire, outcome(bine_rwlock_read_acquire(w->rwlock, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_rwlock_read_release, outcome(bine_rwlock_read_release(w->rwlock)), \
        PERM, PERM, PERM, SRCH) \
    ROW(bine_rwlock_write_acquire, outcome(bine_rwlock_write_acquire(w->rwlock, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_rwlock_write_release, outcome(bine_rwlock_write_release(w->rwlock)), \
        PERM, PERM, PERM, SRCH) \
    ROW(bine_barrier_wait, outcome(bine_barrier_wait(w->barrier, SHORT)), PERM, TIME, PERM, SRCH) \
    ROW(bine_barrier_abort, outcome(bine_barrier_abort(w->barrier)), PERM, OK, PERM, SRCH) \
    ROW(bine_barrier_reset, outcome(bine_barrier_reset(w->barrier)), PERM, OK, PERM, SRCH) \
    ROW(bine_condition_wait, outcome(bine_condition_wait(w->condition, SHORT)), \
        PERM, PERM, PERM, SRCH) \
    ROW(bine_condition_wait_for, \
        outcome(bine_condition_wait_for(w->condition, truth, NULL, SHORT)), \
        PERM, PERM | OK, PERM, SRCH | PERM | OK) \
    ROW(bine_condition_notify, outcome(bine_condition_notify(w->condition, 1)), \
        PERM, PERM, PERM, SRCH) \
    ROW(bine_condition_notify_all, outcome(bine_condition_notify_all(w->condition)), \
        PERM, PERM, PERM, SRCH) \
    ROW(bine_queue_put, outcome(bine_queue_put(w->queue, NULL, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_queue_put_nowait, outcome(bine_queue_put_nowait(w->queue, NULL)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_queue_get, outcome(bine_queue_get(w->queue, &item, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_queue_get_nowait, outcome(bine_queue_get_nowait(w->queue, &item)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_queue_peek, outcome(bine_queue_peek(w->queue, &item, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_queue_task_done, outcome(bine_queue_task_done(w->queue)), PERM, OK, PERM, SRCH) \
    ROW(bine_queue_join, outcome(bine_queue_join(w->queue, SHORT)), PERM, TIME, PERM, SRCH) \
    ROW(bine_queue_shutdown, outcome(bine_queue_shutdown(w->queue, true)), PERM, OK, PERM, SRCH) \
    ROW(bine_channel_send, outcome(bine_channel_send(w->channel, NULL, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_channel_receive, outcome(bine_channel_receive(w->channel, &item, SHORT)), \
        PERM, TIME, PERM, SRCH) \
    ROW(bine_channel_close, outcome(bine_channel_close(w->channel)), PERM, OK, PERM, SRCH) \
    ROW(bine_channel_add_producers, outcome(bine_channel_add_producers(w->channel, 1)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_channel_producer_done, outcome(bine_channel_producer_done(w->channel)), \
        PERM, INVAL, PERM, SRCH) \
    ROW(bine_mailbox_send, outcome(bine_mailbox_send(w->mailbox, NULL, BINE_FOREVER)), \
        OK, OK, SRCH, SRCH) \
    ROW(bine_mailbox_send_nowait, outcome(bine_mailbox_send_nowait(w->mailbox, NULL)), \
        OK, OK, SRCH, SRCH) \
    ROW(bine_mailbox_close, outcome(bine_mailbox_close(w->mailbox)), OK, OK, SRCH, SRCH) \
    ROW(bine_mailbox_receive, outcome(bine_mailbox_receive(w->mailbox, &item, SHORT)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_pool_spawn_at, \
        pointer(bine_pool_spawn_at(w->pool, nothing, NULL, BINE_FOREVER, BINE_SITE(nothing))), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_spawn_with_at, \
        pointer(bine_pool_spawn_with_at(w->pool, &(bine_spawn_options){.name = "far"}, \
            nothing, NULL, BINE_FOREVER, BINE_SITE(nothing))), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_add, outcome(bine_pool_add(w->pool, w->greenlet, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_discard, outcome(bine_pool_discard(w->pool, w->greenlet)), \
        PERM, NOENT, PERM, SRCH) \
    ROW(bine_pool_wait_available, outcome(bine_pool_wait_available(w->pool, BINE_FOREVER)), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_join, outcome(bine_pool_join(w->pool, BINE_FOREVER)), PERM, OK, PERM, SRCH) \
    ROW(bine_pool_kill, outcome(bine_pool_kill(w->pool, BINE_FOREVER)), PERM, OK, PERM, SRCH) \
    ROW(bine_pool_apply_at, \
        outcome(bine_pool_apply_at(w->pool, nothing, NULL, &item, BINE_FOREVER, \
            BINE_SITE(nothing))), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_map_at, \
        outcome(bine_pool_map_at(w->pool, nothing, &item, 1, NULL, BINE_FOREVER, \
            BINE_SITE(nothing))), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_map_with_at, \
        outcome(bine_pool_map_with_at(w->pool, NULL, nothing_with, &item, 1, BINE_FOREVER, \
            BINE_SITE(nothing))), \
        PERM, OK, PERM, SRCH) \
    ROW(bine_pool_imap_at, \
        pointer(bine_pool_imap_at(w->pool, nothing, &item, 1, true, BINE_SITE(nothing))), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_imap_limit, outcome(bine_imap_limit(w->imap, 1)), PERM, PERM, PERM, PERM) \
    ROW(bine_imap_next, outcome(bine_imap_next(w->imap, &(bine_imap_result){0}, SHORT)), \
        PERM, PERM, PERM, PERM) \
    ENDS(bine_imap_end, bine_imap_end(w->imap), imap) \
    ROW(bine_iwait_begin, pointer(keep_iteration(bine_iwait_begin((void *[]){w->event}, 1))), \
        PERM, OK, PERM, OK) \
    ROW(bine_iwait_next, pointer(bine_iwait_next(w->iteration, SHORT)), PERM, PERM, PERM, PERM) \
    ENDS(bine_iwait_end, bine_iwait_end(w->iteration), iteration) \
    ROW(bine_wait, outcome(bine_wait((void *[]){w->semaphore}, 1, NULL, 1, BINE_FOREVER)), \
        PERM, OK, PERM, OK) \
    ROW(bine_choose, \
        outcome(bine_choose(&(bine_choice){BINE_CHOOSE_GET, w->queue, NULL, 0}, 1, SHORT)), \
        PERM, OK, PERM, OK) \
    ROW(bine_choose_first, \
        outcome(bine_choose_first(&(bine_choice){BINE_CHOOSE_GET, w->queue, NULL, 0}, 1, SHORT)), \
        PERM, OK, PERM, OK) \
    ROW(bine_condition_new, pointer(bine_condition_new(w->rlock, 0)), PERM, PERM, PERM, PERM) \
    ROW(bine_scope_spawn_at, \
        pointer(bine_scope_spawn_at(w->scope, nothing, NULL, BINE_SITE(nothing))), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_scope_spawn_with_at, \
        pointer(bine_scope_spawn_with_at(w->scope, NULL, nothing, NULL, BINE_SITE(nothing))), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_scope_cancel, outcome(bine_scope_cancel(w->scope, 0)), PERM, PERM, PERM, PERM) \
    ROW(bine_scope_end, outcome(bine_scope_end(w->scope)), PERM, PERM, PERM, PERM) \
    ROW(bine_join, outcome(join_dead(w)), OK, OK, SRCH, SRCH) \
    ROW(bine_get, outcome(get_dead(w)), OK, OK, SRCH, SRCH) \
    ROW(bine_joinall, outcome(bine_joinall(&w->greenlet, 1, SHORT)), INVAL, INVAL, INVAL, INVAL) \
    ROW(bine_joinall_with, outcome(bine_joinall_with(&w->greenlet, 1, SHORT, 0, 0)), \
        INVAL, INVAL, INVAL, INVAL) \
    ROW(bine_kill, outcome(bine_kill(w->greenlet)), OK, OK, OK, OK) \
    ROW(bine_interrupt, outcome(bine_interrupt(w->greenlet, EINTR)), OK, OK, OK, OK) \
    ROW(bine_killall, outcome(bine_killall(&w->greenlet, 1, BINE_FOREVER)), OK, OK, OK, OK) \
    ROW(bine_ref, pointer(bine_ref(w->greenlet)), OK, OK, OK, OK) \
    ENDS(bine_detach, bine_detach(w->dead), dead) \
    ROW(bine_link, outcome(bine_link(w->greenlet, link_function, NULL)), PERM, PERM, PERM, PERM) \
    ROW(bine_unlink, outcome(bine_unlink(w->greenlet, link_function, NULL)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_set_name, outcome(bine_set_name(w->greenlet, "mine")), PERM, PERM, PERM, PERM) \
    ROW(bine_async_result_from, (bine_async_result_from(w->dead, w->result), 0), OK, OK, OK, OK) \
    ROW(bine_timeout_end, outcome(bine_timeout_end(&w->timeout)), INVAL, INVAL, INVAL, INVAL) \
    ROW(bine_post, outcome(bine_post(w->hub, post_function, NULL)), OK, OK, SRCH, SRCH) \
    ROW(bine_spawn_on_at, spawn_on(w), OK, OK, SRCH, SRCH) \
    ROW(bine_call, outcome(bine_call(w->hub, nothing, NULL, &item, BINE_FOREVER)), \
        OK, OK, SRCH, SRCH) \
    ROW(bine_workers_join, join_workers(w), PERM, PERM, OK, OK) \
    ROW(bine_server_set_handler, outcome(bine_server_set_handler(w->server, on_connection, NULL)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_server_start, outcome(bine_server_start(w->server)), PERM, PERM, PERM, PERM) \
    ROW(bine_server_serve, outcome(bine_server_serve(w->server)), PERM, PERM, PERM, PERM) \
    ROW(bine_server_stop, outcome(bine_server_stop(w->server, 0)), OK, OK, SRCH, SRCH) \
    ROW(bine_datagram_server_start, outcome(bine_datagram_server_start(w->datagrams)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_datagram_server_serve, outcome(bine_datagram_server_serve(w->datagrams)), \
        PERM, PERM, PERM, PERM) \
    ROW(bine_datagram_server_stop, outcome(bine_datagram_server_stop(w->datagrams, 0)), \
        OK, OK, SRCH, SRCH) \
    ROW(bine_event_free, freed(bine_event_free(w->event), (void *)&w->event), PERM, PERM, OK, OK) \
    ROW(bine_async_result_free, freed(bine_async_result_free(w->result), (void *)&w->result), \
        PERM, PERM, OK, OK) \
    ROW(bine_semaphore_free, freed(bine_semaphore_free(w->semaphore), (void *)&w->semaphore), \
        PERM, PERM, OK, OK) \
    ROW(bine_rlock_free, freed(bine_rlock_free(w->held), (void *)&w->held), PERM, PERM, OK, OK) \
    ROW(bine_rwlock_free, freed(bine_rwlock_free(w->rwlock), (void *)&w->rwlock), \
        PERM, PERM, OK, OK) \
    ROW(bine_barrier_free, freed(bine_barrier_free(w->barrier), (void *)&w->barrier), \
        PERM, PERM, OK, OK) \
    ROW(bine_condition_free, freed(bine_condition_free(w->condition), (void *)&w->condition), \
        PERM, PERM, OK, OK) \
    ROW(bine_queue_free, freed(bine_queue_free(w->queue), (void *)&w->queue), PERM, PERM, OK, OK) \
    ROW(bine_channel_free, freed(bine_channel_free(w->channel), (void *)&w->channel), \
        PERM, PERM, OK, OK) \
    ROW(bine_mailbox_free, freed(bine_mailbox_free(w->mailbox), (void *)&w->mailbox), \
        PERM, PERM, OK, OK) \
    ROW(bine_server_free, freed(bine_server_free(w->server), (void *)&w->server), \
        PERM, PERM, OK, OK) \
    ROW(bine_datagram_server_free, \
        freed(bine_datagram_server_free(w->datagrams), (void *)&w->datagrams), PERM, PERM, OK, OK) \
    ROW(bine_signal_event_free, \
        freed(bine_signal_event_free(w->signalled), (void *)&w->signalled), PERM, PERM, OK, OK) \
    ROW(bine_pool_free, free_pool(w), PERM, PERM, OK, OK)
/* clang-format on */

#endif
