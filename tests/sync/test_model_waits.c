/*
 * A kill or an interrupt at each moment of each wait: exactly one of "the wait succeeded" and "it was cut short" is true. A wait that succeeded
 * has had its effect (the child is reaped, the message taken, the lock held), and one that was cut short has had none.
 *
 * What the wait is for comes about and the blow is dealt at every distance from each other, begun at every distance from the begin of the wait. On the
 * simulator the greenlets run in any order besides. Queues, channels and semaphores have a model of their own (test_model.c), so have
 * locks (test_model_locks.c).
 */
#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/greenlet.h"
#include "core/libc.h"
#include "core/park.h"
#include "harness.h"
#include "io/poller.h"

struct wait {
    const char *name;
    void (*begin)(void);
    int64_t (*call)(void);  /* below zero: failed, with errno */
    void (*complete)(void); /* let what the call waits for come about */
    bool (*taken)(void);    /* has the call had its effect? Undoes it */
    void (*end)(void);
};

/* ---- children ---------------------------------------------------------------------------------- */

static pid_t child;

static void begin_child(void)
{
    child = fork();
    CHECK_OK(child);
    if (child == 0) {
        bine_libc.pause();
        _exit(0);
    }
}

static int64_t call_waitpid(void)
{
    return bine_wait4(child, NULL, 0, NULL);
}

static int64_t call_wait(void)
{
    return bine_wait4(-1, NULL, 0, NULL);
}

static int64_t call_waitid(void)
{
    siginfo_t info;
    return bine_waitid(P_PID, (id_t)child, &info, WEXITED);
}

static void end_of_child(void)
{
    siginfo_t info;
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK(bine_libc.waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0 || errno == ECHILD);
}

static bool reaped(void)
{
    pid_t left = bine_libc.wait4(child, NULL, WNOHANG, NULL);
    CHECK(left == child || errno == ECHILD);
    return left != child;
}

static void nothing(void)
{
}

/* ---- file locks -------------------------------------------------------------------------------- */

static char path[64];
static int held, wanted;

static void open_file(void)
{
    strcpy(path, "/tmp/bine-test-XXXXXX");
    held = mkstemp(path);
    CHECK_OK(held);
    wanted = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(wanted);
}

static void close_file(void)
{
    close(held);
    close(wanted);
    unlink(path);
}

static bool locked_by(int (*lock)(int fd, bool wait))
{
    int third = open(path, O_RDWR | O_CLOEXEC);
    bool locked = lock(third, false) < 0;
    close(third);
    return locked;
}

static int flock_it(int fd, bool wait)
{
    return wait ? bine_flock(fd, LOCK_EX) : bine_libc.flock(fd, LOCK_EX | LOCK_NB);
}

static int ofd_lock_it(int fd, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return wait ? bine_fcntl_lock(fd, F_OFD_SETLKW, &lock) : bine_libc.fcntl(fd, F_OFD_SETLK, &lock);
}

static void begin_flock(void)
{
    open_file();
    CHECK_OK(flock_it(held, false));
}

static int64_t call_flock(void)
{
    return flock_it(wanted, true);
}

static void complete_flock(void)
{
    CHECK_OK(bine_libc.flock(held, LOCK_UN));
}

static bool flocked(void)
{
    return locked_by(flock_it);
}

static void begin_ofd(void)
{
    open_file();
    CHECK_OK(ofd_lock_it(held, false));
}

static int64_t call_ofd(void)
{
    return ofd_lock_it(wanted, true);
}

static void complete_ofd(void)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK_OK(bine_libc.fcntl(held, F_OFD_SETLK, &lock));
}

static bool ofd_locked(void)
{
    return locked_by(ofd_lock_it);
}

/* ---- messages and semaphores of System V --------------------------------------------------------- */

static int ipc;
static struct message {
    long type;
    char bytes[4096];
} message;

static void begin_queue(void)
{
    ipc = msgget(IPC_PRIVATE, 0600);
    CHECK_OK(ipc);
}

static void end_queue(void)
{
    CHECK_OK(msgctl(ipc, IPC_RMID, NULL));
}

static int64_t call_msgrcv(void)
{
    return bine_msgrcv(ipc, &message, sizeof message.bytes, 0, 0);
}

static void complete_msgrcv(void)
{
    CHECK_OK(bine_libc.msgsnd(ipc, &(struct message){.type = 1}, 1, IPC_NOWAIT));
}

static bool received(void)
{
    return bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 0, IPC_NOWAIT) < 0;
}

static void begin_full_queue(void)
{
    begin_queue();
    while (bine_libc.msgsnd(ipc, &(struct message){.type = 1}, sizeof message.bytes, IPC_NOWAIT) == 0)
        continue;
}

static int64_t call_msgsnd(void)
{
    return bine_msgsnd(ipc, &(struct message){.type = 2}, sizeof message.bytes, 0);
}

static void complete_msgsnd(void)
{
    CHECK_OK(bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 1, 0));
}

static bool sent(void)
{
    return bine_libc.msgrcv(ipc, &message, sizeof message.bytes, 2, IPC_NOWAIT) >= 0;
}

static void begin_set(void)
{
    ipc = semget(IPC_PRIVATE, 2, 0600);
    CHECK_OK(ipc);
    CHECK_OK(semctl(ipc, 1, SETVAL, 1));
}

static void end_set(void)
{
    CHECK_OK(semctl(ipc, 0, IPC_RMID));
}

static int64_t call_semop(void)
{
    return bine_semop(ipc, &(struct sembuf){.sem_num = 0, .sem_op = -1}, 1);
}

/* The kernel makes it, on a thread of the pool. */
static int64_t call_mixed_semop(void)
{
    struct sembuf both[] = {{.sem_num = 0, .sem_op = -1}, {.sem_num = 1, .sem_op = -1, .sem_flg = IPC_NOWAIT}};
    return bine_semop(ipc, both, 2);
}

static void complete_semop(void)
{
    CHECK_OK(semctl(ipc, 0, SETVAL, 1));
}

static bool decremented(void)
{
    return semctl(ipc, 0, GETVAL) == 0;
}

/* ---- mailboxes ----------------------------------------------------------------------------------- */

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

/* ---- choose -------------------------------------------------------------------------------------- */

static bine_queue *empty, *full;
static bine_semaphore *semaphore;
static bine_channel *channel;
static bine_greenlet *sender;
static bool has_sent;

static void begin_choose(void)
{
    empty = bine_queue_new(1, 0);
    full = bine_queue_new(1, 0);
    semaphore = bine_semaphore_new(0, 0);
    channel = bine_channel_new(0, 0);
    CHECK(empty && full && semaphore && channel);
    CHECK_OK(bine_queue_put(full, &theirs, 0));
    sender = NULL;
    has_sent = false;
}

static void end_choose(void)
{
    if (sender) {
        CHECK_OK(bine_kill(sender));
        CHECK_OK(bine_join(sender, NULL, BINE_FOREVER));
    }
    CHECK_OK(bine_queue_free(empty));
    CHECK_OK(bine_queue_free(full));
    CHECK_OK(bine_semaphore_free(semaphore));
    CHECK_OK(bine_channel_free(channel));
}

static int64_t call_choose(void)
{
    bine_choice choices[] = {{.operation = BINE_CHOOSE_GET, .object = empty},
                             {.operation = BINE_CHOOSE_PUT, .object = full, .item = &ours},
                             {.operation = BINE_CHOOSE_ACQUIRE, .object = semaphore},
                             {.operation = BINE_CHOOSE_RECEIVE, .object = channel}};
    return bine_choose(choices, 4, BINE_FOREVER);
}

static void complete_get(void)
{
    CHECK_OK(bine_queue_put(empty, &theirs, 0));
}

static bool got(void)
{
    void *item;
    return bine_queue_get(empty, &item, 0) != 0;
}

static void complete_put(void)
{
    void *item;
    CHECK_OK(bine_queue_get(full, &item, 0));
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
    return bine_semaphore_acquire(semaphore, 0) != 0;
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

static bool received_from_channel(void)
{
    if (bine_join(sender, NULL, BINE_MS) == 0)
        sender = NULL;
    return has_sent;
}

/* ---- conditions ---------------------------------------------------------------------------------- */

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

/* ---- jobs of the pool ---------------------------------------------------------------------------- */

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

/* ---- the blows ----------------------------------------------------------------------------------- */

enum blow {
    KILL,
    INTERRUPT,
    BLOWS
};
enum {
    STARTS = 5,
    GAPS = 6
};

static const struct wait *wait_now;
static struct {
    bool begun;
    int error, after; /* of the wait, and of the next one; 0: none */
} seen;

static void *wait_and_look(void *arg)
{
    seen.begun = true;
    seen.error = wait_now->call() < 0 ? errno : 0;
    seen.after = bine_sleep(0) < 0 ? errno : 0;
    return arg;
}

/* Turns at first, then pauses: calls that ask the kernel again and again park in these. */
static void let_pass(int distance)
{
    static const int64_t pauses[] = {0, 0, 0, 300 * BINE_US, 3 * BINE_MS, 60 * BINE_MS};
    for (int i = 0; i < distance && i < 3; i++)
        CHECK_OK(bine_sleep(0));
    if (pauses[distance] > 0)
        CHECK_OK(bine_sleep(pauses[distance]));
}

static void strike(bine_greenlet *g, enum blow blow)
{
    if (bine_dead(g))
        return;
    if (blow == KILL)
        CHECK_OK(bine_kill(g));
    else
        bine_interrupt(g, EINTR);
}

/* Returns whether the wait succeeded. */
static bool wait_struck(const struct wait *wait, enum blow blow, int start, int gap, bool blow_first)
{
    wait_now = wait;
    memset(&seen, 0, sizeof seen);
    wait->begin();
    bine_greenlet *g = bine_spawn(wait_and_look, NULL);
    CHECK(g != NULL);
    while (!seen.begun)
        CHECK_OK(bine_sleep(0));
    let_pass(start);
    if (blow_first)
        strike(g, blow);
    else
        wait->complete();
    let_pass(gap);
    if (blow_first)
        wait->complete();
    else
        strike(g, blow);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    int expected = blow == KILL ? ECANCELED : EINTR;
    bool taken = wait->taken();
    if (taken != (seen.error == 0) || (seen.error && seen.error != expected))
        FAIL("%s, %s %d after begin, %d %s: the wait says %s, and has %s effect", wait->name,
             blow == KILL ? "killed" : "interrupted", start, gap, blow_first ? "before" : "after",
             seen.error ? strerror(seen.error) : "success", taken ? "had its" : "had no");
    if (blow == INTERRUPT && seen.error)
        CHECK_EQ(seen.after, 0); /* it strikes once */
    if (blow == KILL && seen.error)
        CHECK_EQ(seen.after, ECANCELED);
    wait->end();
    return seen.error == 0;
}

static void check_wait(const struct wait *wait)
{
    /* Pauses take no time on the simulator only. */
    const char *poller = bine_poller_name();
    int step = poller && strncmp(poller, "sim", 3) == 0 ? 1 : 2;
    for (enum blow blow = KILL; blow < BLOWS; blow++) {
        unsigned outcomes[2] = {0, 0};
        for (int start = 0; start < STARTS; start += step)
            for (int gap = 0; gap < GAPS; gap++)
                for (int first = 0; first < 2; first++)
                    outcomes[wait_struck(wait, blow, start, gap, first)]++;
        if (!outcomes[false] || !outcomes[true])
            FAIL("%s, %s: %u succeeded, %u were cut short", wait->name, blow == KILL ? "killed" : "interrupted",
                 outcomes[true], outcomes[false]);
    }
}

static void check_waits(const struct wait *all, size_t count)
{
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    for (size_t i = 0; i < count; i++)
        check_wait(&all[i]);
}
#define CHECK_WAITS(all) check_waits(all, sizeof(all) / sizeof *(all))

TEST(hazard_46_a_wait_for_children_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {{"waitpid", begin_child, call_waitpid, end_of_child, reaped, nothing},
                                      {"wait", begin_child, call_wait, end_of_child, reaped, nothing},
                                      {"waitid", begin_child, call_waitid, end_of_child, reaped, nothing}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_wait_for_file_locks_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {{"flock", begin_flock, call_flock, complete_flock, flocked, close_file},
                                      {"F_OFD_SETLKW", begin_ofd, call_ofd, complete_ofd, ofd_locked, close_file}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_wait_for_messages_and_semaphores_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"msgrcv", begin_queue, call_msgrcv, complete_msgrcv, received, end_queue},
        {"msgsnd", begin_full_queue, call_msgsnd, complete_msgsnd, sent, end_queue},
        {"semop", begin_set, call_semop, complete_semop, decremented, end_set},
        {"semop of two kinds", begin_set, call_mixed_semop, complete_semop, decremented, end_set}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_wait_for_a_mailbox_succeeds_or_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"receive", begin_mailbox, call_mailbox_receive, complete_mailbox_receive, item_is_gone, end_mailbox},
        {"send", begin_full_mailbox, call_mailbox_send, complete_mailbox_send, item_is_there, end_mailbox}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_choice_is_made_or_cut_short, .seconds = 60)
{
    static const struct wait all[] = {
        {"choose, get", begin_choose, call_choose, complete_get, got, end_choose},
        {"choose, put", begin_choose, call_choose, complete_put, put, end_choose},
        {"choose, acquire", begin_choose, call_choose, complete_acquire, acquired, end_choose},
        {"choose, receive", begin_choose, call_choose, complete_receive, received_from_channel, end_choose}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_notification_is_spent_on_a_wait_that_succeeds, .seconds = 60)
{
    static const struct wait all[] = {
        {"condition", begin_condition, call_condition, complete_condition, notified, end_condition}};
    CHECK_WAITS(all);
}

TEST(hazard_46_a_queued_job_runs_or_its_wait_is_cut_short, .seconds = 60)
{
    static const struct wait all[] = {{"offload", begin_offload, call_offload, complete_offload, has_run, end_offload}};
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    CHECK_WAITS(all);
}
