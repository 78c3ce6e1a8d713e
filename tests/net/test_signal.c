/* Signals as events, and the backdoor. */
#include <bine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "figures.h"
#include "harness.h"

static void *raise_later(void *number)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(raise((int)(intptr_t)number));
    return NULL;
}

TEST(signals_set_their_events)
{
    bine_event *ends[] = {bine_signal_event_new(SIGINT), bine_signal_event_new(SIGTERM)};
    void *ready[2];
    CHECK_ERROR(bine_signal_event_new(SIGINT), EBUSY);
    for (int i = 0; i < 4; i++) {
        bine_greenlet *g = bine_spawn(raise_later, (void *)(intptr_t)(i % 2 ? SIGTERM : SIGINT));
        CHECK_EQ(bine_wait((void **)ends, 2, ready, 1, BINE_FOREVER), 1);
        CHECK_EQ(ready[0], (void *)ends[i % 2]);
        CHECK_OK(bine_event_clear(ready[0]));
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    }
    CHECK_OK(bine_signal_event_free(ends[0]));
    CHECK_OK(bine_signal_event_free(ends[1]));
    CHECK_OK(bine_signal_event_free(NULL));
}

TEST(signal_from_outside_wakes_a_thread_that_waits)
{
    bine_event *event = bine_signal_event_new(SIGUSR1);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(20000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
#ifdef __SANITIZE_THREAD__
    /* It calls handlers late, when the thread next calls something that it intercepts: see that it
     * does. */
    while (bine_event_wait(event, 10 * BINE_MS) != 0)
        CHECK_EQ(errno, ETIMEDOUT);
#endif
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK_OK(bine_signal_event_free(event));
}

static int handled_before;

static void count_signal(int number)
{
    handled_before++;
}

TEST(signal_event_puts_the_earlier_handler_back)
{
    signal(SIGUSR2, count_signal);
    bine_event *event = bine_signal_event_new(SIGUSR2);
    raise(SIGUSR2);
    CHECK_OK(bine_event_wait(event, BINE_FOREVER));
    CHECK_EQ(handled_before, 0);
    CHECK_OK(bine_signal_event_free(event));
    raise(SIGUSR2);
    CHECK_EQ(handled_before, 1);
    CHECK_ERROR(bine_signal_event_new(0), EINVAL);
    CHECK_ERROR(bine_signal_event_new(SIGKILL), EINVAL);
    CHECK_ERROR(bine_signal_event_new(10000), EINVAL);
    event = bine_event_new(0);
    CHECK_ERROR(bine_signal_event_free(event), EINVAL);
    CHECK_OK(bine_event_free(event));
}

/* ---- backdoor -------------------------------------------------------------------------------- */

static void *sleep_forever(void *arg)
{
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ECANCELED);
    return NULL;
}

static char answer[8192];

/* Send a line, read up to the next prompt. */
static void ask(int fd, const char *line)
{
    size_t got = 0;
    CHECK_EQ(bine_send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
    do {
        ssize_t more = bine_recv(fd, answer + got, sizeof answer - 1 - got, 0);
        CHECK_GT(more, 0);
        got += (size_t)more;
        answer[got] = '\0';
    } while (got < 6 || strcmp(answer + got - 6, "bine> ") != 0);
}

TEST(backdoor_lists_and_kills_greenlets)
{
    char path[64], line[64];
    struct stat status;
    snprintf(path, sizeof path, "/tmp/bine-backdoor-%d.sock", (int)getpid());
    bine_server *server = bine_backdoor_start(path);
    CHECK(server != NULL);
    CHECK_OK(stat(path, &status));
    CHECK_EQ(status.st_mode & 0777, 0600u);
    bine_greenlet *g = bine_spawn(sleep_forever, (void *)77);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(bine_connect(fd, (struct sockaddr *)&to, sizeof to));
    ask(fd, "");
    ask(fd, "greenlets\n");
    CHECK(strstr(answer, "sleep_forever(77)") != NULL);
    CHECK(strstr(answer, "accept") != NULL);
    ask(fd, "figures\r\n");
    CHECK(strstr(answer, "greenlets 3") != NULL);
    ask(fd, "what?\n");
    CHECK(strstr(answer, "unknown command: what?\n") != NULL);
    CHECK(strstr(answer, "commands") != NULL);
    ask(fd, "help\n");
    CHECK(strstr(answer, "unknown") == NULL);
    CHECK(strstr(answer, "commands") != NULL);
    ask(fd, "kill 1234\n");
    CHECK(strstr(answer, "no such") != NULL);
    snprintf(line, sizeof line, "kill %p\n", (void *)g);
    ask(fd, line);
    CHECK(strstr(answer, "killed") != NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(bine_send(fd, "quit\n", 5, 0), 5);
    CHECK_EQ(bine_recv(fd, answer, 1, 0), 0);
    bine_close(fd);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
    CHECK_ERROR(bine_backdoor_start(NULL), EINVAL);
    CHECK_ERROR(bine_backdoor_start("/nowhere/at/all"), ENOENT);
    CHECK_ERROR(bine_backdoor_start("relative"), EINVAL);
}

TEST(backdoor_hangs_up_on_who_sends_no_end_of_line_and_takes_eight_at_a_time)
{
    char path[64], flood[1000];
    snprintf(path, sizeof path, "/tmp/bine-backdoor-%d.sock", (int)getpid());
    memset(flood, 'x', sizeof flood);
    bine_server *server = bine_backdoor_start(path);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fds[9];
    for (int i = 0; i < 9; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_OK(bine_connect(fds[i], (struct sockaddr *)&to, sizeof to));
        if (i < 8)
            ask(fds[i], "");
    }
    CHECK_EQ(figures_of(server).connections, 8u);
    CHECK_GT(bine_send(fds[0], flood, sizeof flood, MSG_NOSIGNAL), 0);
    size_t got = 0;
    ssize_t more;
    while ((more = bine_recv(fds[0], answer + got, sizeof answer - 1 - got, 0)) > 0)
        got += (size_t)more;
    answer[got] = '\0';
    CHECK(strstr(answer, "too long") != NULL || errno == ECONNRESET);
    ask(fds[8], ""); /* its turn has come */
    for (int i = 0; i < 9; i++)
        bine_close(fds[i]);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}
