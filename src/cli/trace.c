/*
 * bine trace PID: what the hubs of a running process do, as a file for Perfetto.
 *
 * The process is asked by one word of its memory (bine_trace_control.wanted), which
 * process_vm_writev changes, and its rings are read by process_vm_readv. The kernel allows both to
 * a user who may trace the process by ptrace(2), and to nobody else. So there is no socket to guard
 * and no signal to choose, and the process need not have prepared anything. A hub looks at the word
 * in each turn.
 */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/hub/trace.h"
#include "core/watch/trace_json.h"
#include "core/watch/trace_memory.h"

struct wish {
    pid_t pid;
    const char *file;
    double seconds; /* negative: not given */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static const char usage[] = "usage: bine trace PID [-o FILE] [-t SECONDS]\n";

static const char help[] =
    "\n"
    "Records what the greenlets of a process do, and writes it as a trace for\n"
    "https://ui.perfetto.dev or chrome://tracing: each greenlet on a line of its own, when\n"
    "it ran, was ready or waited and for what, with arrows from wakers to woken.\n"
    "\n"
    "  -o FILE     the file: bine-trace-PID.json if not given\n"
    "  -t SECONDS  records for so long: 5 if not given\n"
    "\n"
    "A process with BINE_TRACE=ring records always. What it has recorded is written at\n"
    "once, or after -t SECONDS, and it records on.\n";

static int trace_usage(void)
{
    fputs(usage, stderr);
    return 2;
}

static bool parse(int count, char **arguments, struct wish *wish)
{
    char *end;
    *wish = (struct wish){.seconds = -1};
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "-o") == 0 && i + 1 < count) {
            wish->file = arguments[++i];
        } else if (strcmp(arguments[i], "-t") == 0 && i + 1 < count) {
            wish->seconds = strtod(arguments[++i], &end);
            if (*end || end == arguments[i] || !(wish->seconds >= 0 && wish->seconds < 1e6))
                return false;
        } else {
            long pid = strtol(arguments[i], &end, 10);
            if (*end || end == arguments[i] || pid <= 0 || pid > INT32_MAX || wish->pid)
                return false;
            wish->pid = (pid_t)pid;
        }
    }
    return wish->pid != 0;
}

static int complain(pid_t pid, int error)
{
    const char *what = error == EPERM || error == EACCES
                           ? "this user may not trace it (ptrace(2), Yama's ptrace_scope)"
                       : error == ESRCH  ? "there is no such process"
                       : error == ENOENT ? "it has no libbine with a trace"
                       : error == EPROTO ? "the trace of its libbine has another version"
                                         : strerror(error);
    fprintf(stderr, "bine trace: process %d: %s\n", (int)pid, what);
    return 1;
}

static int set_wanted(pid_t pid, uintptr_t control, uint32_t wanted)
{
    struct iovec local = {&wanted, sizeof wanted},
                 remote = {(void *)(control + offsetof(struct bine_trace_control, wanted)),
                           sizeof wanted};
    return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof wanted ? 0 : errno;
}

static void wait_for(double seconds)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!interrupted && nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* Lets the process record for a while, until `until`. One that records already goes on afterwards,
 * and `until` stays 0. */
static int record(const struct wish *wish, uintptr_t control, int64_t *until)
{
    struct timespec end;
    struct bine_trace_control now;
    if (!bine_trace_read(wish->pid, control, &now, sizeof now))
        return errno;
    if (now.version != BINE_TRACE_VERSION)
        return EPROTO;
    uint32_t wanted = (uint32_t)atomic_load(&now.wanted);
    if (wanted & 1) {
        if (wish->seconds > 0)
            wait_for(wish->seconds);
        return 0;
    }
    int error = set_wanted(wish->pid, control, wanted + 1);
    if (error)
        return error;
    wait_for(wish->seconds < 0 ? 5 : wish->seconds);
    clock_gettime(CLOCK_MONOTONIC, &end);
    *until = end.tv_sec * BINE_SECOND + end.tv_nsec;
    return set_wanted(wish->pid, control, wanted + 2);
}

int trace(int count, char **arguments)
{
    struct wish wish;
    char name[64];
    uintptr_t control;
    int64_t until = 0;
    if (count == 1 && strcmp(arguments[0], "--help") == 0)
        return fputs(usage, stdout) < 0 || fputs(help, stdout) < 0;
    if (!parse(count, arguments, &wish))
        return trace_usage();
    int error = bine_trace_find_control(wish.pid, &control);
    if (!error)
        error = record(&wish, control, &until);
    if (error)
        return complain(wish.pid, error);
    snprintf(name, sizeof name, "bine-trace-%d.json", (int)wish.pid);
    if (!wish.file)
        wish.file = name;
    FILE *out = fopen(wish.file, "we");
    if (!out) {
        fprintf(stderr, "bine trace: %s: %s\n", wish.file, strerror(errno));
        return 1;
    }
    error = bine_trace_write_json(wish.pid, control, until, out);
    if (error) {
        fclose(out);
        return complain(wish.pid, error);
    }
    if (fclose(out) != 0) {
        fprintf(stderr, "bine trace: %s: %s\n", wish.file, strerror(errno));
        return 1;
    }
    fprintf(stderr, "written to %s: open it with https://ui.perfetto.dev\n", wish.file);
    return 0;
}
