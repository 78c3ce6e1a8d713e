/*
 * Choices, each struck at each moment: see ../sync/struck.h. Those that go the short way, and those
 * that are parties (src/sync/party.h), among objects of one's own hub and of another one's. The
 * timer that never comes makes a party of what would go the short way.
 */
#include <bine.h>
#include <unistd.h>

#include "harness.h"
#include "sync/struck.h"

static int64_t never = BINE_FOREVER;
static char ours, theirs;

static bine_queue *empty, *full;
static bine_semaphore *semaphore;
static bine_channel *channel;
static bine_greenlet *sender;
static bool has_sent;
static bine_event *over, *begun;
static bine_workers *owner;

static void make(unsigned flags)
{
    empty = bine_queue_new(1, flags);
    full = bine_queue_new(1, flags);
    semaphore = bine_semaphore_new(0, flags);
    channel = bine_channel_new(0, flags);
    CHECK(empty && full && semaphore && channel);
    CHECK_OK(bine_queue_put(full, &theirs, 0));
}

static void discard(void)
{
    CHECK_OK(bine_queue_free(empty));
    CHECK_OK(bine_queue_free(full));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_channel_free(channel));
}

static void begin_here(void)
{
    make(0);
    sender = NULL;
    has_sent = false;
}

static void end_here(void)
{
    if (sender) {
        CHECK_OK(bine_kill(sender));
        CHECK_OK(bine_join(sender, NULL, BINE_FOREVER));
    }
    discard();
}

/* The objects are another hub's. */
static void *own(void *arg)
{
    over = bine_event_new(BINE_SHARED);
    make(BINE_SHARED);
    CHECK_OK(bine_event_set(begun));
    CHECK_OK(bine_event_wait(over, BINE_FOREVER));
    discard();
    return arg;
}

static void begin_there(void)
{
    begun = bine_event_new(BINE_SHARED);
    owner = bine_workers_start(1, own, NULL);
    CHECK_OK(bine_event_wait(begun, BINE_FOREVER));
}

static void end_there(void)
{
    bine_event *event = over;
    CHECK_OK(bine_event_set(event));
    CHECK_OK(bine_workers_join(owner, BINE_FOREVER));
    CHECK_OK(bine_event_free(event));
    CHECK_OK(bine_event_free(begun));
}

static int64_t choose_among(bool never_too)
{
    bine_choice choices[] = {{.operation = BINE_CHOOSE_GET, .object = empty},
                             {.operation = BINE_CHOOSE_PUT, .object = full, .item = &ours},
                             {.operation = BINE_CHOOSE_ACQUIRE, .object = semaphore},
                             {.operation = BINE_CHOOSE_RECEIVE, .object = channel},
                             {.operation = BINE_CHOOSE_TIMER, .object = &never}};
    return bine_choose(choices, never_too ? 5 : 4, BINE_FOREVER);
}

static int64_t choose(void)
{
    return choose_among(false);
}

static int64_t choose_as_party(void)
{
    return choose_among(true);
}

static void complete_get(void)
{
    CHECK_OK(bine_queue_put_nowait(empty, &theirs));
}

static bool got(void)
{
    void *item;
    return bine_queue_get(empty, &item, 0) != 0;
}

static void complete_put(void)
{
    void *item;
    CHECK_OK(bine_queue_get_nowait(full, &item));
    CHECK_EQ(item, &theirs);
}

static bool put(void)
{
    void *item;
    return bine_queue_get(full, &item, 0) == 0 && item == &ours;
}

static void complete_acquire(void)
{
    CHECK_OK(bine_semaphore_release(semaphore));
}

static bool acquired(void)
{
    return bine_semaphore_try_acquire(semaphore) != 0;
}

static void *send_item(void *arg)
{
    has_sent = bine_channel_send(channel, &theirs, BINE_FOREVER) == 0;
    return arg;
}

static void complete_receive(void)
{
    sender = bine_spawn(send_item, NULL);
    CHECK(sender != NULL);
}

static bool received(void)
{
    if (bine_join(sender, NULL, BINE_MS) == 0)
        sender = NULL;
    return has_sent;
}

TEST(hazard_46_a_choice_is_made_or_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"get", begin_here, choose, complete_get, got, end_here},
        {"put", begin_here, choose, complete_put, put, end_here},
        {"acquire", begin_here, choose, complete_acquire, acquired, end_here},
        {"receive", begin_here, choose, complete_receive, received, end_here}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_party_of_ones_own_hub_is_served_or_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"get", begin_here, choose_as_party, complete_get, got, end_here},
        {"put", begin_here, choose_as_party, complete_put, put, end_here},
        {"acquire", begin_here, choose_as_party, complete_acquire, acquired, end_here},
        {"receive", begin_here, choose_as_party, complete_receive, received, end_here}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_party_at_another_hub_is_served_or_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"get", begin_there, choose_as_party, complete_get, got, end_there},
        {"put", begin_there, choose_as_party, complete_put, put, end_there},
        {"acquire", begin_there, choose_as_party, complete_acquire, acquired, end_there}};
    CHECK_WAITS(all);
}

/* ---- others ---------------------------------------------------------------------------------- */

static bine_mailbox *mailbox;
static bine_rlock *lock;
static bine_greenlet *ended, *keeper;
static bool kept;

static void begin_mailbox(void)
{
    mailbox = bine_mailbox_new(2);
    CHECK(mailbox != NULL);
}

static void end_mailbox(void)
{
    CHECK_OK(bine_mailbox_free(mailbox));
}

static int64_t choose_mailbox(void)
{
    return bine_choose(&(bine_choice){.operation = BINE_CHOOSE_RECEIVE, .object = mailbox}, 1,
                       BINE_FOREVER);
}

static void complete_mailbox(void)
{
    CHECK_OK(bine_mailbox_send_nowait(mailbox, &theirs));
}

static bool mailbox_is_empty(void)
{
    void *item;
    return bine_mailbox_receive(mailbox, &item, 0) != 0;
}

static void *keep_lock(void *arg)
{
    CHECK_OK(bine_rlock_acquire(lock, BINE_FOREVER));
    kept = true;
    while (kept)
        CHECK_OK(bine_sleep(0));
    CHECK_OK(bine_rlock_release(lock));
    return arg;
}

static void begin_lock(void)
{
    lock = bine_rlock_new(0);
    keeper = bine_spawn(keep_lock, NULL);
    CHECK_OK(bine_sleep(0));
    while (!kept)
        CHECK_OK(bine_sleep(0));
}

static bool released;

static int64_t choose_lock(void)
{
    released = false;
    int64_t taken = bine_choose(&(bine_choice){.operation = BINE_CHOOSE_ACQUIRE, .object = lock}, 1,
                                BINE_FOREVER);
    int error = errno;
    CHECK_EQ(bine_rlock_owned(lock), taken == 0);
    if (taken == 0) {
        CHECK_OK(bine_rlock_release(lock));
        released = true;
    }
    errno = error;
    return taken;
}

static void complete_lock(void)
{
    kept = false;
    CHECK_OK(bine_join(keeper, NULL, BINE_FOREVER));
}

static bool lock_was_had(void)
{
    CHECK(!bine_rlock_locked(lock));
    return released;
}

static void end_lock(void)
{
    CHECK_OK(bine_rlock_free(lock));
}

static void *wait_for_kill(void *arg)
{
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    return arg;
}

static void begin_join(void)
{
    ended = bine_spawn(wait_for_kill, NULL);
    CHECK_OK(bine_sleep(0));
    while (!bine_started(ended))
        CHECK_OK(bine_sleep(0));
    bine_ref(ended); /* ours, so that the other one can be counted */
}

static bool reference_taken;

static int64_t choose_join(void)
{
    int64_t taken = bine_choose(&(bine_choice){.operation = BINE_CHOOSE_JOIN, .object = ended}, 1,
                                BINE_FOREVER);
    reference_taken = taken == 0;
    return taken;
}

static void complete_join(void)
{
    CHECK_OK(bine_kill(ended));
    while (!bine_dead(ended))
        CHECK_OK(bine_sleep(0));
}

static bool is_joined(void)
{
    return reference_taken;
}

static void end_join(void)
{
    if (!reference_taken)
        CHECK_OK(bine_join(ended, NULL, BINE_FOREVER));
    CHECK_OK(bine_join(ended, NULL, BINE_FOREVER));
}

TEST(hazard_46_a_choice_of_mail_a_lock_or_an_end_is_made_or_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"mailbox", begin_mailbox, choose_mailbox, complete_mailbox, mailbox_is_empty, end_mailbox},
        {"lock", begin_lock, choose_lock, complete_lock, lock_was_had, end_lock},
        {"join", begin_join, choose_join, complete_join, is_joined, end_join}};
    CHECK_WAITS(all);
}
