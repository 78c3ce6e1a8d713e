/* Loops of calls that would wait, and fail at once because their greenlet was killed or is out of
 * time: if the code does not look at that, the others get on all the same (hazard 52). */
#include <bine.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "loops.h"

static char bytes[65536];
static struct iovec vector = {bytes, sizeof bytes};
static struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
static const struct timespec an_hour = {3600, 0};
static bine_event *unanswered_event;
static int one[2], many[2], nobody, set, file;
static pid_t child;
static sigset_t one_signal;
static sem_t semaphore;
static struct pollfd never;

ASK(blocking_read, read(one[0], bytes, 1))
ASK(blocking_readv, readv(one[0], &vector, 1))
ASK(blocking_write, write(many[0], bytes, sizeof bytes))
ASK(blocking_recv, recv(one[0], bytes, 1, 0))
ASK(blocking_recvmsg, recvmsg(one[0], &message, 0))
ASK(blocking_send, send(many[0], bytes, sizeof bytes, 0))
ASK(blocking_accept, accept(nobody, NULL, NULL))
ASK(blocking_poll, poll(&never, 1, -1))
ASK(blocking_ppoll, ppoll(&never, 1, &an_hour, NULL))
/* As libcurl before 7.84 does, which goes on after a poll that has failed. */
ASK(two_polls, poll(&never, 1, 1000) + poll(&never, 1, 0))
ASK(blocking_select, select(0, NULL, NULL, NULL, &(struct timeval){3600, 0}))
ASK(blocking_epoll_wait, epoll_wait(set, &(struct epoll_event){0}, 1, -1))
ASK(long_sleep, sleep(3600))
ASK(long_nanosleep, nanosleep(&an_hour, NULL))
ASK(blocking_waitpid, waitpid(child, NULL, 0))
ASK(system, system("sleep 3600"))
ASK(blocking_getaddrinfo, getaddrinfo("localhost", NULL, NULL, &(struct addrinfo *){NULL}))
ASK(blocking_fsync, fsync(file))
ASK(blocking_sem_wait, sem_wait(&semaphore))
ASK(blocking_sigwait, sigwaitinfo(&one_signal, NULL))
ASK(blocking_bine_sleep, bine_sleep(BINE_FOREVER))
ASK(blocking_event, bine_event_wait(unanswered_event, BINE_FOREVER))

static const struct question waits[] = {
    {"read", ask_blocking_read},
    {"readv", ask_blocking_readv},
    {"write", ask_blocking_write},
    {"recv", ask_blocking_recv},
    {"recvmsg", ask_blocking_recvmsg},
    {"send", ask_blocking_send},
    {"accept", ask_blocking_accept},
    {"poll", ask_blocking_poll},
    {"ppoll", ask_blocking_ppoll},
    {"poll twice", ask_two_polls},
    {"select", ask_blocking_select},
    {"epoll_wait", ask_blocking_epoll_wait},
    {"sleep", ask_long_sleep},
    {"nanosleep", ask_long_nanosleep},
    {"waitpid", ask_blocking_waitpid},
    {"system", ask_system},
    {"getaddrinfo", ask_blocking_getaddrinfo},
    {"fsync", ask_blocking_fsync},
    {"sem_wait", ask_blocking_sem_wait},
    {"sigwaitinfo", ask_blocking_sigwait},
    {"bine_sleep", ask_blocking_bine_sleep},
    {"bine_event_wait", ask_blocking_event},
};

TEST(hazard_52_waits_that_fail_at_once_let_others_run, .seconds = 60)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, many), 0);
    while (send(many[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    nobody = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    CHECK_EQ(bind(nobody, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    CHECK_EQ(listen(nobody, 1), 0);
    never = (struct pollfd){.fd = one[0], .events = POLLIN};
    set = epoll_create1(0);
    file = memfd_create("file", 0);
    CHECK_EQ(sem_init(&semaphore, 0, 0), 0);
    sigemptyset(&one_signal);
    sigaddset(&one_signal, SIGUSR2);
    unanswered_event = bine_event_new(0);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    CHECK_STRUCK(waits);
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    int all[] = {one[0], one[1], many[0], many[1], nobody, set, file};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
    bine_event_free(unanswered_event);
    CHECK_OK(bine_unpatch_all());
}
