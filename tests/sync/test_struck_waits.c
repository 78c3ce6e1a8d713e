/*
 * Waits for objects that have no model of their own, each struck at each moment: see struck.h.
 * Queues, channels and semaphores are in test_model.c, locks in test_model_locks.c, choices in
 * ../choose/test_struck.c.
 */
#include <bine.h>
#include <semaphore.h>
#include <stdlib.h>

#include "core/hub/greenlet.h"
#include "harness.h"
#include "libc/libc.h"
#include "struck.h"

/* ---- mailboxes ------------------------------------------------------------------------------- */

static bine_mailbox *mailbox;
static char ours, theirs;

static void begin_mailbox(void)
{
    mailbox = bine_mailbox_new(2);
    CHECK(mailbox != NULL);
}

static void end_mailbox(void)
{
    CHECK_OK(bine_mailbox_free(mailbox));
}

static int64_t call_mailbox_receive(void)
{
    void *item;
    return bine_mailbox_receive(mailbox, &item, BINE_FOREVER);
}

static void complete_mailbox_receive(void)
{
    CHECK_OK(bine_mailbox_send_nowait(mailbox, &theirs));
}

static bool item_is_gone(void)
{
    void *item;
    return bine_mailbox_receive(mailbox, &item, 0) != 0;
}

static void begin_full_mailbox(void)
{
    begin_mailbox();
    while (bine_mailbox_send_nowait(mailbox, &theirs) == 0)
        continue;
}

static int64_t call_mailbox_send(void)
{
    return bine_mailbox_send(mailbox, &ours, BINE_FOREVER);
}

static void complete_mailbox_send(void)
{
    void *item;
    CHECK_OK(bine_mailbox_receive(mailbox, &item, 0));
    CHECK_EQ(item, &theirs);
}

static bool item_is_there(void)
{
    int found = 0;
    for (void *item; bine_mailbox_receive(mailbox, &item, 0) == 0;)
        found += item == &ours;
    CHECK_LE(found, 1);
    return found == 1;
}

/* ---- conditions ------------------------------------------------------------------------------ */

static bine_condition *condition;
static bine_greenlet *second;
static bool second_was_woken;

static int64_t await_condition(void)
{
    CHECK_OK(bine_rlock_acquire(bine_condition_lock(condition), BINE_FOREVER));
    int result = bine_condition_wait(condition, BINE_FOREVER), error = errno;
    CHECK(bine_rlock_owned(bine_condition_lock(condition)));
    CHECK_OK(bine_rlock_release(bine_condition_lock(condition)));
    errno = error;
    return result;
}

static void *await_as_second(void *arg)
{
    second_was_woken = await_condition() == 0;
    return arg;
}

static void begin_condition(void)
{
    condition = bine_condition_new(NULL, 0);
    CHECK(condition != NULL);
    second = NULL;
    second_was_woken = false;
}

/* One notification for two of whom one is struck: it is spent on one that returns with it. */
static int64_t call_condition(void)
{
    second = bine_spawn(await_as_second, NULL);
    CHECK(second != NULL);
    return await_condition();
}

static void complete_condition(void)
{
    while (second->state != BINE_PARKED)
        CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_rlock_acquire(bine_condition_lock(condition), BINE_FOREVER));
    CHECK_OK(bine_condition_notify(condition, 1));
    CHECK_OK(bine_rlock_release(bine_condition_lock(condition)));
}

static bool notified(void)
{
    if (bine_join(second, NULL, BINE_MS) == 0)
        second = NULL;
    return !second_was_woken;
}

static void end_condition(void)
{
    if (second) {
        CHECK_OK(bine_kill(second));
        CHECK_OK(bine_join(second, NULL, BINE_FOREVER));
    }
    CHECK_OK(bine_condition_free(condition));
}

/* ---- jobs of the pool ------------------------------------------------------------------------ */

static sem_t gate;
static bine_greenlet *blocker;
static bool ran;

static void *pass_gate(void *arg)
{
    while (bine_libc.sem_wait(&gate) != 0)
        continue;
    return arg;
}

static void *block_pool(void *arg)
{
    CHECK_OK(bine_offload(pass_gate, NULL, NULL));
    return arg;
}

static void *run(void *arg)
{
    ran = true;
    return arg;
}

/* The pool has one thread, which is at work. */
static void begin_offload(void)
{
    sem_init(&gate, 0, 0);
    ran = false;
    blocker = bine_spawn(block_pool, NULL);
    CHECK(blocker != NULL);
    while (blocker->state != BINE_PARKED)
        CHECK_OK(bine_sleep(0));
}

static int64_t call_offload(void)
{
    return bine_offload(run, NULL, NULL);
}

static void complete_offload(void)
{
    sem_post(&gate);
}

static bool has_run(void)
{
    CHECK_OK(bine_join(blocker, NULL, BINE_FOREVER));
    return ran;
}

static void end_offload(void)
{
    sem_destroy(&gate);
}

TEST(hazard_46_a_wait_for_a_mailbox_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {{"receive", begin_mailbox, call_mailbox_receive,
                                       complete_mailbox_receive, item_is_gone, end_mailbox},
                                      {"send", begin_full_mailbox, call_mailbox_send,
                                       complete_mailbox_send, item_is_there, end_mailbox}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_notification_is_spent_on_a_wait_that_succeeds, .seconds = 60)
{
    static const struct wait all[] = {{"condition", begin_condition, call_condition,
                                       complete_condition, notified, end_condition}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_queued_job_runs_or_its_wait_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"offload", begin_offload, call_offload, complete_offload, has_run, end_offload}};
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    CHECK_WAITS(all);
}
