/*
 * See sockets.h. The link /proc/PID/fd/N names a socket by its inode only. The tables in
 * /proc/PID/net say which addresses belong to the inode. They are read once.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

struct socket_entry {
    uint64_t inode;
    char text[112]; /* two IPv6 addresses with ports */
};

static struct socket_entry *entries;
static size_t entry_count;
static pid_t read_for;

static void add_entry(uint64_t inode, const char *text)
{
    if (!(entry_count & (entry_count - 1))) {
        struct socket_entry *wider =
            realloc(entries, (entry_count ? 2 * entry_count : 1) * sizeof *entries);
        if (!wider)
            return;
        entries = wider;
    }
    struct socket_entry *entry = &entries[entry_count++];
    entry->inode = inode;
    snprintf(entry->text, sizeof entry->text, "%s", text);
    inspect_disarm(entry->text);
}

/* An address as the kernel's tables write it: words in the machine's order, in hexadecimal. */
static void put_address(char *text, size_t size, const char *digits, unsigned port)
{
    uint32_t words[4] = {0};
    char address[INET6_ADDRSTRLEN] = "?";
    size_t count = strlen(digits) / 8;
    for (size_t i = 0; i < count && i < 4; i++) {
        char word[9] = "";
        memcpy(word, digits + i * 8, 8);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    inet_ntop(count == 4 ? AF_INET6 : AF_INET, words, address, sizeof address);
    inspect_append(text, size, count == 4 ? "[%s]:%u" : "%s:%u", address, port);
}

static void read_internet(pid_t pid, const char *protocol)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", pid, protocol);
    FILE *table = fopen(path, "re");
    while (table && fgets(line, sizeof line, table)) {
        char local[33], peer[33], text[112] = "";
        unsigned local_port, peer_port, state;
        uint64_t inode;
        if (sscanf(line, " %*s %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*s %*s %" SCNu64,
                   local, &local_port, peer, &peer_port, &state, &inode) != 6)
            continue;
        inspect_append(text, sizeof text, "%.3s ", protocol);
        put_address(text, sizeof text, local, local_port);
        if (state == 10 && *protocol == 't') /* TCP_LISTEN */
            inspect_append(text, sizeof text, " listening");
        else if (peer_port) {
            inspect_append(text, sizeof text, " to ");
            put_address(text, sizeof text, peer, peer_port);
        }
        add_entry(inode, text);
    }
    if (table)
        fclose(table);
}

static void read_unix(pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/unix", pid);
    FILE *table = fopen(path, "re");
    while (table && fgets(line, sizeof line, table)) {
        uint64_t inode;
        char name[108] = "", text[112];
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %" SCNu64 " %107[^\n]", &inode, name) < 1)
            continue;
        snprintf(text, sizeof text, *name ? "unix %.100s" : "unix", name);
        add_entry(inode, text);
    }
    if (table)
        fclose(table);
}

static int by_inode(const void *one, const void *other)
{
    uint64_t a = ((const struct socket_entry *)one)->inode,
             b = ((const struct socket_entry *)other)->inode;
    return a < b ? -1 : a > b;
}

static void read_sockets(pid_t pid)
{
    static const char *const protocols[] = {"tcp", "tcp6", "udp", "udp6"};
    inspect_descriptors_free();
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        read_internet(pid, protocols[i]);
    read_unix(pid);
    if (entry_count)
        qsort(entries, entry_count, sizeof *entries, by_inode);
    read_for = pid;
}

/* "process 4711": /proc/PID/fdinfo says of a pidfd which process it is. */
static void describe_process(pid_t pid, int fd, char *text, size_t size)
{
    char path[64], line[128];
    int process;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Pid: %d", &process) == 1)
            snprintf(text, size, process > 0 ? "process %d" : "a process that has ended", process);
    if (file)
        fclose(file);
}

void inspect_descriptor(const struct inspect_target *target, uint64_t fd, char *text, size_t size)
{
    char path[64], link[256];
    struct socket_entry key = {0};
    *text = '\0';
    if (!target->live || fd > INT32_MAX)
        return;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", target->pid, (int)fd);
    ssize_t n = readlink(path, link, sizeof link - 1);
    if (n <= 0)
        return;
    link[n] = '\0';
    if (sscanf(link, "socket:[%" SCNu64 "]", &key.inode) == 1) {
        if (read_for != target->pid)
            read_sockets(target->pid);
        const struct socket_entry *found =
            entry_count ? bsearch(&key, entries, entry_count, sizeof *entries, by_inode) : NULL;
        snprintf(text, size, "%s", found ? found->text : "socket");
    } else if (strncmp(link, "pipe:", 5) == 0)
        snprintf(text, size, "pipe");
    else if (strncmp(link, "anon_inode:", 11) == 0)
        snprintf(text, size, "%s", link + 11);
    else
        snprintf(text, size, "%s", link);
    if (strcmp(text, "[pidfd]") == 0)
        describe_process(target->pid, (int)fd, text, size);
    inspect_disarm(text);
}

void inspect_descriptors_free(void)
{
    free(entries);
    entries = NULL;
    entry_count = 0;
    read_for = 0;
}
