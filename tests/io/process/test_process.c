/* Children, system(), System V and POSIX messages: this program's own calls are patched. */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "io/heart.h"
#include "libc/libc.h"

static bine_greenlet *start(void)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *heart = bine_spawn(beat, NULL);
    CHECK_NE(heart, NULL);
    return heart;
}

static void finish(bine_greenlet *heart)
{
    done = true;
    CHECK_OK(bine_join(heart, NULL, BINE_FOREVER));
    siginfo_t info;
    /* No child is left. */
    CHECK_EQ(bine_libc.waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    CHECK_EQ(errno, ECHILD);
}

/* In a child: these milliseconds, or so many more as this machine is slower. */
static void rest(unsigned milliseconds)
{
    milliseconds *= harness_slower();
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * BINE_MS};
    bine_libc.nanosleep(&time, NULL);
}

/* A child that ends with `status` after so many milliseconds. */
static pid_t child_after(unsigned milliseconds, int status)
{
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        rest(milliseconds);
        _exit(status);
    }
    return child;
}

TEST(waitpid_waits_while_others_run)
{
    bine_greenlet *heart = start();
    pid_t child = child_after(100, 7);
    int status;
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQ(beats, 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_GT(beats, 3);
    CHECK_ERROR(waitpid(child, &status, 0), ECHILD);
    finish(heart);
}

TEST(children_are_waited_for_in_the_order_in_which_they_end)
{
    bine_greenlet *heart = start();
    child_after(300, 3);
    child_after(20, 1);
    child_after(150, 2);
    for (int i = 1; i <= 3; i++) {
        int status;
        struct rusage usage;
        memset(&usage, 255, sizeof usage);
        CHECK_OK(i == 1   ? wait(&status)
                 : i == 2 ? wait3(&status, 0, &usage)
                          : wait4(-1, &status, 0, &usage));
        CHECK_EQ(WEXITSTATUS(status), i);
        if (i > 1)
            CHECK_GE(usage.ru_maxrss, 0);
    }
    CHECK_ERROR(wait(NULL), ECHILD);
    CHECK_GT(beats, 3);
    finish(heart);
}

static void *wait_for_any(void *unused)
{
    int status;
    if (wait(&status) < 0)
        bine_fail(errno);
    return (void *)(intptr_t)WEXITSTATUS(status);
}

TEST(several_greenlets_wait_for_any_child)
{
    bine_greenlet *heart = start();
    enum {
        COUNT = 6
    };
    bine_greenlet *all[COUNT];
    for (int i = 0; i < COUNT; i++)
        child_after(30 + (unsigned)i * 10, 1 << i);
    for (int i = 0; i < COUNT; i++)
        all[i] = bine_spawn(wait_for_any, NULL);
    int seen = 0;
    for (int i = 0; i < COUNT; i++) {
        void *value;
        CHECK_OK(bine_join(all[i], &value, BINE_FOREVER));
        seen |= (int)(intptr_t)value;
    }
    CHECK_EQ(seen, (1 << COUNT) - 1);
    finish(heart);
}

TEST(waiting_greenlets_do_not_fill_the_pool)
{
    setenv("BINE_OFFLOAD_THREADS", "2", 1);
    bine_greenlet *heart = start();
    pid_t child = child_after(200 * harness_slower(), 5);
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = bine_spawn(wait_for_any, NULL);
    CHECK_OK(bine_sleep(20 * BINE_MS));
    struct addrinfo *result;
    CHECK_EQ(getaddrinfo("localhost", "80", NULL, &result), 0); /* a thread of the pool was free */
    CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
    freeaddrinfo(result);
    CHECK_OK(bine_joinall_with(all, 5, BINE_FOREVER, 0, 0));
    int reaped = 0;
    for (int i = 0; i < 5; i++) {
        reaped += bine_successful(all[i]);
        if (!bine_successful(all[i]))
            CHECK_EQ(bine_error(all[i]), ECHILD);
        bine_detach(all[i]);
    }
    CHECK_EQ(reaped, 1);
    finish(heart);
}

TEST(stops_and_continues_are_seen)
{
    bine_greenlet *heart = start();
    int ends[2];
    CHECK_OK(pipe(ends));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        rest(50);
        raise(SIGSTOP);
        char byte;
        _exit(bine_libc.read(ends[0], &byte, 1) == 1 ? 4 : 5);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK_GT(beats, 2);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
    CHECK(WIFCONTINUED(status));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 4);
    finish(heart);
}

TEST(process_groups)
{
    bine_greenlet *heart = start();
    pid_t other = child_after(10, 1), grouped = child_after(100, 2);
    CHECK_OK(setpgid(grouped, grouped));
    int status;
    CHECK_EQ(waitpid(-grouped, &status, 0), grouped);
    CHECK_EQ(WEXITSTATUS(status), 2);
    CHECK_EQ(waitpid(0, &status, 0), other);
    CHECK_EQ(WEXITSTATUS(status), 1);
    CHECK_ERROR(waitpid(0, &status, 0), ECHILD);
    finish(heart);
}

TEST(waitid_in_its_forms)
{
    bine_greenlet *heart = start();
    siginfo_t info;
    pid_t child = child_after(50, 9);
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_status, 9);
    CHECK_GT(beats, 2);
    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
    CHECK_EQ(info.si_pid, child);
    CHECK_ERROR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    CHECK_ERROR(waitid(P_ALL, 0, &info, 0), EINVAL);

    child = child_after(50, 3);
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    if (fd >= 0) {
        unsigned before = beats;
        CHECK_EQ(waitid((idtype_t)3, (id_t)fd, &info, WEXITED), 0);
        CHECK_EQ(info.si_status, 3);
        CHECK_GT(beats, before + 2);
        close(fd);
    } else {
        CHECK_EQ(waitid(P_ALL, 0, NULL, WEXITED), 0);
    }
    finish(heart);
}

static void *wait_for_one(void *child)
{
    if (waitpid((pid_t)(intptr_t)child, NULL, 0) < 0)
        bine_fail(errno);
    return NULL;
}

TEST(killed_while_waiting_the_child_is_left_to_others)
{
    bine_greenlet *heart = start();
    pid_t child = child_after(200, 6);
    bine_greenlet *victims[] = {bine_spawn(wait_for_one, (void *)(intptr_t)child),
                                bine_spawn(wait_for_any, NULL)};
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_OK(bine_killall(victims, 2, BINE_FOREVER));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(bine_error(victims[i]), ECANCELED);
        bine_detach(victims[i]);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 6);
    finish(heart);
}

TEST(a_scope_ends_the_wait)
{
    bine_greenlet *heart = start();
    pid_t child = child_after(200, 0);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 20 * BINE_MS));
    CHECK_ERROR(wait(NULL), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    finish(heart);
}

/* ---- system ---------------------------------------------------------------------------------- */

static unsigned shells, most_shells; /* running now, and at most at the same time */

static void *run_shell(void *command)
{
    if (++shells > most_shells)
        most_shells = shells;
    int status = system(command);
    shells--;
    if (status == -1)
        bine_fail(errno);
    return (void *)(intptr_t)status;
}

TEST(system_runs_shells_side_by_side)
{
    bine_greenlet *heart = start();
    CHECK_NE(system(NULL), 0);
    CHECK_EQ(WEXITSTATUS(system("exit 5")), 5);
    CHECK_EQ(WEXITSTATUS(system("/nonexistent/program 2>/dev/null")), 127);
    CHECK_EQ(WTERMSIG(system("kill -9 $$")), SIGKILL);
    signal(SIGINT, SIG_DFL); /* ignored where the tests run in the background */
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(run_shell, "sleep 0.6");
    CHECK_OK(bine_sleep(100 * BINE_MS));
    struct sigaction action;
    CHECK_OK(bine_libc.sigaction(SIGINT, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_IGN);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_EQ(most_shells, 4);
    CHECK_OK(bine_libc.sigaction(SIGINT, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_DFL);
    CHECK_GT(beats, 5);
    finish(heart);
}

TEST(killing_the_caller_of_system_kills_the_shell)
{
    bine_greenlet *heart = start();
    bine_greenlet *victim = bine_spawn(run_shell, "exec sleep 1000");
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    finish(heart);
}

/* ---- messages -------------------------------------------------------------------------------- */

struct message {
    long type;
    char text[100];
};

static int queue;

static void *send_later(void *unused)
{
    while (beats < 5)
        CHECK_OK(bine_sleep(BINE_MS));
    struct message message = {.type = 3, .text = "hello"};
    CHECK_OK(msgsnd(queue, &message, 6, 0));
    return NULL;
}

static void *receive(void *unused)
{
    struct message message;
    if (msgrcv(queue, &message, sizeof message.text, 0, 0) < 0)
        bine_fail(errno);
    return NULL;
}

TEST(hazard_05_msgrcv_and_msgsnd_wait_while_others_run)
{
    bine_greenlet *heart = start();
    CHECK_OK(queue = msgget(IPC_PRIVATE, 0600));
    struct message message = {0};
    CHECK_ERROR(msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT), ENOMSG);
    bine_greenlet *sender = bine_spawn(send_later, NULL);
    CHECK_EQ(msgrcv(queue, &message, sizeof message.text, 3, 0), 6);
    CHECK_STRING(message.text, "hello");
    CHECK_OK(bine_join(sender, NULL, BINE_FOREVER));

    struct msqid_ds state;
    CHECK_OK(msgctl(queue, IPC_STAT, &state));
    state.msg_qbytes = 6;
    CHECK_OK(msgctl(queue, IPC_SET, &state));
    message = (struct message){.type = 1, .text = "fills"};
    CHECK_OK(msgsnd(queue, &message, 6, 0));
    bine_greenlet *receiver = bine_spawn_later(20 * BINE_MS, receive, NULL);
    unsigned before = beats;
    CHECK_OK(msgsnd(queue, &message, 6, 0)); /* waits for room */
    CHECK_GT(beats, before);
    CHECK_OK(bine_join(receiver, NULL, BINE_FOREVER));
    CHECK_OK(msgrcv(queue, &message, sizeof message.text, 0, 0));

    bine_greenlet *victim = bine_spawn(receive, NULL), *orphan = bine_spawn(receive, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    CHECK_OK(msgctl(queue, IPC_RMID, NULL));
    CHECK_OK(bine_joinall_with(&orphan, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(orphan), EIDRM); /* as who waits in the kernel is told */
    CHECK_ERROR(msgrcv(queue, &message, sizeof message.text, 0, 0), EINVAL);
    bine_detach(victim);
    bine_detach(orphan);
    finish(heart);
}

static int set;

static void *post(void *unused)
{
    while (beats < 5)
        CHECK_OK(bine_sleep(BINE_MS));
    struct sembuf up = {.sem_op = 2};
    CHECK_OK(semop(set, &up, 1));
    return NULL;
}

static void *take(void *unused)
{
    struct sembuf down = {.sem_op = -1};
    if (semop(set, &down, 1) < 0)
        bine_fail(errno);
    return NULL;
}

TEST(a_semaphore_that_is_removed_ends_the_wait)
{
    bine_greenlet *heart = start();
    CHECK_OK(set = semget(IPC_PRIVATE, 1, 0600));
    bine_greenlet *taker = bine_spawn(take, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(semctl(set, 0, IPC_RMID));
    CHECK_OK(bine_joinall_with(&taker, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(taker), EIDRM);
    bine_detach(taker);
    struct sembuf down = {.sem_op = -1};
    CHECK_ERROR(semop(set, &down, 1), EINVAL);
    finish(heart);
}

TEST(semop_waits_while_others_run)
{
    bine_greenlet *heart = start();
    CHECK_OK(set = semget(IPC_PRIVATE, 2, 0600));
    bine_greenlet *poster = bine_spawn(post, NULL);
    struct sembuf down = {.sem_op = -1};
    CHECK_OK(semop(set, &down, 1));
    CHECK_GE(beats, 5);
    CHECK_OK(semop(set, &down, 1));
    down.sem_flg = IPC_NOWAIT;
    CHECK_ERROR(semop(set, &down, 1), EAGAIN);
    down.sem_flg = 0;
    struct timespec moment = {.tv_nsec = 20 * BINE_MS};
    unsigned before = beats;
    CHECK_ERROR(semtimedop(set, &down, 1, &moment), EAGAIN);
    CHECK_GT(beats, before);
    struct sembuf mixed[] = {{.sem_num = 0, .sem_op = 1},
                             {.sem_num = 1, .sem_op = -1, .sem_flg = IPC_NOWAIT}};
    CHECK_ERROR(semop(set, mixed, 2), EAGAIN);
    CHECK_ERROR(semop(set, &down, 0), EINVAL);
    CHECK_OK(bine_join(poster, NULL, BINE_FOREVER));
    CHECK_OK(semctl(set, 0, IPC_RMID));
    CHECK_ERROR(semop(set, &down, 1), EINVAL);
    finish(heart);
}

static mqd_t mailbox;

static void *mail(void *unused)
{
    while (beats < 5)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(mq_send(mailbox, "letter", 7, 4));
    return NULL;
}

static void *fetch_mail(void *unused)
{
    char letter[64];
    if (mq_receive(mailbox, letter, sizeof letter, NULL) < 0)
        bine_fail(errno);
    return NULL;
}

TEST(posix_message_queues_wait_while_others_run)
{
    bine_greenlet *heart = start();
    char name[64], letter[64];
    snprintf(name, sizeof name, "/bine-test-%d", (int)getpid());
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 64};
    mailbox = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (mailbox < 0)
        SKIP("no message queues here: %s", strerror(errno));
    mq_unlink(name);
    bine_greenlet *sender = bine_spawn(mail, NULL);
    unsigned priority = 0;
    CHECK_EQ(mq_receive(mailbox, letter, sizeof letter, &priority), 7);
    CHECK_EQ(priority, 4);
    CHECK_STRING(letter, "letter");
    CHECK_OK(bine_join(sender, NULL, BINE_FOREVER));

    CHECK_OK(mq_send(mailbox, "1", 1, 0));
    bine_greenlet *receiver = bine_spawn_later(20 * BINE_MS, fetch_mail, NULL);
    unsigned before = beats;
    CHECK_OK(mq_send(mailbox, "2", 1, 0)); /* waits for room */
    CHECK_GT(beats, before);
    CHECK_OK(bine_join(receiver, NULL, BINE_FOREVER));
    CHECK_EQ(mq_receive(mailbox, letter, sizeof letter, NULL), 1);

    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    CHECK_ERROR(mq_timedreceive(mailbox, letter, sizeof letter, NULL, &soon), ETIMEDOUT);
    soon.tv_nsec = -1;
    CHECK_ERROR(mq_timedreceive(mailbox, letter, sizeof letter, NULL, &soon), EINVAL);
    CHECK_ERROR(mq_receive(mailbox, letter, 1, NULL), EMSGSIZE);
    bine_greenlet *victim = bine_spawn(fetch_mail, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    struct mq_attr nonblocking = {.mq_flags = O_NONBLOCK};
    CHECK_OK(mq_setattr(mailbox, &nonblocking, NULL));
    CHECK_ERROR(mq_receive(mailbox, letter, sizeof letter, NULL), EAGAIN);
    CHECK_OK(mq_close(mailbox));
    finish(heart);
}
