/* Reads /proc/self/maps. See protection.h and proc(5). */
#include "protection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libc/libc.h"

static int add(struct bine_protections *protections, struct bine_mapping mapping)
{
    /* Neighbours with equal protection are one to us. */
    if (protections->count) {
        struct bine_mapping *last = &protections->list[protections->count - 1];
        if (last->end == mapping.start && last->protection == mapping.protection) {
            last->end = mapping.end;
            return 0;
        }
    }
    if (protections->count == protections->room) {
        size_t room = protections->room ? 2 * protections->room : 128;
        struct bine_mapping *list = realloc(protections->list, room * sizeof *list);
        if (!list)
            return ENOMEM;
        protections->list = list;
        protections->room = room;
    }
    protections->list[protections->count++] = mapping;
    return 0;
}

/* "7f12000-7f14000 rw-p ...": the rest of the line does not matter. */
static int read_line(struct bine_protections *protections, char *line)
{
    char *place;
    struct bine_mapping mapping;
    mapping.start = strtoul(line, &place, 16);
    if (*place != '-')
        return 0;
    mapping.end = strtoul(place + 1, &place, 16);
    if (*place != ' ' || strlen(place) < 5)
        return 0;
    mapping.protection = (place[1] == 'r' ? PROT_READ : 0) | (place[2] == 'w' ? PROT_WRITE : 0) |
                         (place[3] == 'x' ? PROT_EXEC : 0);
    return add(protections, mapping);
}

/* Split what was read into lines; returns where the unfinished last one begins. */
static char *read_lines(struct bine_protections *protections, char *text, int *error)
{
    for (char *end; !*error && (end = strchr(text, '\n')); text = end + 1) {
        *end = '\0';
        *error = read_line(protections, text);
    }
    return text;
}

int bine_protections_read(struct bine_protections *protections)
{
    *protections = (struct bine_protections){0};
    int saved = errno;
    int fd = bine_libc.open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        errno = saved;
        return 0;
    }
    /* A line holds a path of at most PATH_MAX; the kernel hands out whole lines, a page at a
     * time. */
    char text[8192];
    size_t kept = 0;
    int error = 0;
    for (;;) {
        ssize_t size = bine_libc.read(fd, text + kept, sizeof text - 1 - kept);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        text[kept + size] = '\0';
        char *rest = read_lines(protections, text, &error);
        if (error)
            break;
        kept = strlen(rest);
        memmove(text, rest, kept + 1);
        if (kept == sizeof text - 1)
            kept = 0;
    }
    bine_libc.close(fd);
    errno = saved;
    if (error)
        bine_protections_free(protections);
    return error;
}

void bine_protections_free(struct bine_protections *protections)
{
    free(protections->list);
    *protections = (struct bine_protections){0};
}

int bine_protection_of(const struct bine_protections *protections, uintptr_t address)
{
    size_t low = 0, high = protections->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (protections->list[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == protections->count || protections->list[low].start > address)
        return -1;
    return protections->list[low].protection;
}
