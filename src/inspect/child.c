/* See child.h. */
#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/target.h"
#include "window.h"

enum {
    MOST = 1 << 20 /* bytes; the rest is not read */
};

static pid_t begin(const char *const *arguments, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char *const *)arguments, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static size_t read_all(int in, char *text, bool (*stop)(void))
{
    int64_t end = inspect_now() + INT64_C(10000000000);
    size_t used = 0;
    while (used < MOST && !stop() && inspect_now() < end) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got = read(in, text + used, MOST - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    return used;
}

static void disarm_lines(char *text)
{
    for (char *line = text, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        inspect_disarm(line);
        if (end)
            *end++ = '\n';
    }
}

char *inspect_child_output(const char *const *arguments, bool (*stop)(void))
{
    int ends[2];
    char *text = malloc(MOST + 1);
    if (!text || pipe2(ends, O_CLOEXEC) < 0) {
        free(text);
        return NULL;
    }
    pid_t pid = begin(arguments, ends[1]);
    close(ends[1]);
    size_t used = pid > 0 ? read_all(ends[0], text, stop) : 0;
    close(ends[0]);
    if (pid > 0) {
        kill(pid, SIGKILL); /* it has ended, or takes too long */
        waitpid(pid, NULL, 0);
    }
    text[used] = '\0';
    disarm_lines(text);
    if (used)
        return text;
    free(text);
    return NULL;
}
