/* The console inside a running program: one line, one command. */
#include <bine/backdoor.h>

#include <bine/dial.h>
#include <bine/greenlet.h>
#include <bine/hub.h>
#include <bine/metrics.h>
#include <bine/reader.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/hub/hub.h"
#include "libc/libc.h"
#include "listen.h"

enum {
    LINE = 256
};

static __attribute__((format(printf, 2, 3))) bool say(int fd, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return bine_send_all(fd, text, size < (int)sizeof text ? (size_t)size : sizeof text - 1) == 0;
}

/* bine_dump blocks the thread while it writes, and a reader may be slow: dump to memory, then
 * send. */
static bool list_greenlets(int fd)
{
    int memory = memfd_create("bine dump", MFD_CLOEXEC);
    if (memory < 0 || bine_dump(memory) != 0) {
        int error = errno;
        if (memory >= 0)
            bine_libc.close(memory);
        return say(fd, "dump: %s\n", bine_strerror(error));
    }
    char block[4096];
    ssize_t got;
    off_t at = 0;
    bool sent = true;
    while (sent && (got = pread(memory, block, sizeof block, at)) > 0) {
        sent = bine_send_all(fd, block, (size_t)got) == 0;
        at += got;
    }
    bine_libc.close(memory);
    return sent;
}

static bool show_figures(int fd)
{
    struct bine_hub *hub = bine_hub_here();
    return say(
        fd,
        "greenlets %zu\npoller %s\nguards %s\nswitches %llu\nturns %llu\ntimers %zu\nversion %s\n",
        bine_hub_greenlets(), bine_poller_name(), bine_guard_name(),
        (unsigned long long)bine_hub_switches(hub), (unsigned long long)hub->turns,
        hub->timers.count, bine_version());
}

static bool show_metrics(int fd)
{
    char *text = bine_metrics();
    bool sent =
        text ? bine_send_all(fd, text, strlen(text)) == 0 : say(fd, "%s\n", bine_strerror(errno));
    free(text);
    return sent;
}

/* By address as the list shows it; only what is in the hub's list of living greenlets is
 * touched. */
static bool kill_greenlet(int fd, const char *address)
{
    char *end;
    uintptr_t wanted = (uintptr_t)strtoull(address, &end, 16);
    if (end == address || *end)
        return say(fd, "kill: which? its address, as the list shows it\n");
    struct bine_hub *hub = bine_hub_here();
    for (struct bine_greenlet *g = hub->all; g; g = g->all_next)
        if ((uintptr_t)g == wanted && g != hub->root) {
            bine_kill(g);
            return say(fd, "killed %s\n", bine_name(g));
        }
    return say(fd, "kill: no such greenlet\n");
}

/* False: the conversation is over. */
static bool obey(int fd, const char *line)
{
    if (!*line)
        return true;
    if (strcmp(line, "greenlets") == 0 || strcmp(line, "list") == 0)
        return list_greenlets(fd);
    if (strcmp(line, "figures") == 0)
        return show_figures(fd);
    if (strcmp(line, "metrics") == 0)
        return show_metrics(fd);
    if (strncmp(line, "kill ", 5) == 0)
        return kill_greenlet(fd, line + 5);
    if (strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0)
        return false;
    if (strcmp(line, "help") != 0 && !say(fd, "unknown command: %s\n", line))
        return false;
    return say(fd, "commands:\n"
                   "  greenlets       who is there and what each waits for\n"
                   "  figures         of this thread's hub\n"
                   "  metrics         of all hubs, for Prometheus\n"
                   "  kill ADDRESS    cancel a greenlet\n"
                   "  help\n"
                   "  quit\n");
}

static void converse(bine_connection *connection, void *arg)
{
    bine_reader *reader = bine_reader_new(connection->fd, LINE);
    int fd = connection->fd, got = 0;
    char *line;
    while (reader && say(fd, "bine> ") && (got = bine_reader_line(reader, &line, NULL)) == 1 &&
           obey(fd, line))
        ;
    if (got < 0 && errno == EMSGSIZE)
        say(fd, "line too long\n");
    bine_reader_free(reader);
}

bine_server *bine_backdoor_start(const char *path)
{
    char address[BINE_ADDRESS_TEXT];
    if (!path || path[0] != '/' || strlen(path) > sizeof address - sizeof "unix:") {
        errno = EINVAL;
        return NULL;
    }
    snprintf(address, sizeof address, "unix:%s", path);
    bine_server *server = bine_server_new(
        &(bine_server_options){
            .address = address, .limit = 8, .mode = 0600, .flags = BINE_SERVER_SIGPIPE},
        converse, NULL);
    if (!server)
        return NULL;
    if (bine_server_start(server) != 0) {
        int error = errno;
        bine_server_free(server);
        errno = error;
        return NULL;
    }
    return server;
}
