/* See trace_memory.h, and bine_trace_find_control of trace_json.h. */
#include "trace_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "core/hub/trace.h"
#include "trace_json.h"

bool bine_trace_read(pid_t pid, uintptr_t from, void *to, size_t size)
{
    while (size) {
        struct iovec local = {to, size}, remote = {(void *)from, size};
        ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        if (got <= 0) {
            errno = got < 0 ? errno : EFAULT;
            return false;
        }
        to = (char *)to + got;
        from += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

void bine_trace_read_text(pid_t pid, uintptr_t from, char *to, size_t size)
{
    memset(to, 0, size);
    /* No part passes the end of a page. */
    for (size_t done = 0, part = 32 - from % 32; done < size - 1 && !memchr(to, 0, done);
         part = 32) {
        if (part > size - 1 - done)
            part = size - 1 - done;
        if (!bine_trace_read(pid, from + done, to + done, part))
            return;
        done += part;
    }
}

enum {
    BLOCK = 65536
};

/* The block knows its own address, so a copy of its words elsewhere is not taken for it. */
static bool is_control(pid_t pid, uintptr_t address)
{
    struct bine_trace_control control;
    return bine_trace_read(pid, address, &control, sizeof control) &&
           (uintptr_t)control.self == address;
}

static bool search(pid_t pid, uintptr_t begin, uintptr_t end, uintptr_t *found)
{
    static const char magic[16] = BINE_TRACE_MAGIC;
    static char block[BLOCK];
    for (uintptr_t at = begin; at < end; at += BLOCK) {
        size_t size = end - at < BLOCK ? end - at : BLOCK;
        if (!bine_trace_read(pid, at, block, size))
            continue;
        for (size_t i = 0; i + sizeof magic <= size; i += 8)
            if (memcmp(block + i, magic, sizeof magic) == 0 && is_control(pid, at + i)) {
                *found = at + i;
                return true;
            }
    }
    return false;
}

int bine_trace_find_control(pid_t pid, uintptr_t *control)
{
    char path[64], *line = NULL;
    size_t room = 0;
    int error = ENOENT;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return errno == ENOENT ? ESRCH : errno;
    while (error && getline(&line, &room, maps) > 0) {
        char *at;
        uintptr_t begin = strtoull(line, &at, 16), end = *at == '-' ? strtoull(at + 1, &at, 16) : 0;
        /* initialised data of an object: private, writable, of a file */
        if (strncmp(at, " rw-p", 5) == 0 && strchr(line, '/') &&
            end - begin <= (uintptr_t)64 << 20 && search(pid, begin, end, control))
            error = 0;
    }
    free(line);
    fclose(maps);
    return error;
}
