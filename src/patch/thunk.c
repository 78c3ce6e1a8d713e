/*
 * Makes thunks. See thunk.h. Their memory is mapped twice, once to write and once to execute, so that no page is ever
 * both and threads may run a thunk while its neighbour is being written.
 */
#include "thunk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/libc.h"
#include "limit.h"

enum {
    THUNK_SIZE = 32,
    AREA_SIZE = 64 * 1024
};

static char *writable, *executable; /* the current area's two views */
static size_t used = AREA_SIZE;
static struct bine_gate *gates;

static int new_area(void)
{
    int fd = bine_libc.memfd_create("bine thunks", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    void *write = MAP_FAILED, *execute = MAP_FAILED;
    if (ftruncate(fd, AREA_SIZE) == 0) {
        write = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        execute = mmap(NULL, AREA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    bine_libc.close(fd);
    if (write == MAP_FAILED || execute == MAP_FAILED) {
        if (write != MAP_FAILED)
            munmap(write, AREA_SIZE);
        if (execute != MAP_FAILED)
            munmap(execute, AREA_SIZE);
        return -1;
    }
    writable = write;
    executable = execute;
    used = 0;
    return 0;
}

static void write_code(char *place, const struct bine_gate *gate)
{
#if defined(__x86_64__)
    static const unsigned char code[] = {
        0xf3, 0x0f, 0x1e, 0xfa,                   /* endbr64 */
        0x49, 0xbb, 0,    0,    0, 0, 0, 0, 0, 0, /* mov $gate, %r11 */
        0x41, 0xff, 0x23,                         /* jmp *(%r11) */
    };
    memcpy(place, code, sizeof code);
    memcpy(place + 6, &gate, sizeof gate);
#elif defined(__aarch64__)
    static const unsigned code[] = {
        0xd503245f,             /* bti c */
        0x580000b0,             /* ldr x16, gate (20 bytes on) */
        0xf9400211,             /* ldr x17, [x16] */
        0xd61f0220,             /* br x17 */
        0xd503201f, 0xd503201f, /* nop: the address is aligned */
    };
    memcpy(place, code, sizeof code);
    memcpy(place + 24, &gate, sizeof gate);
    __builtin___clear_cache(place, place + THUNK_SIZE);
#endif
}

void *bine_thunk_make(struct bine_gate *gate)
{
    if (used == AREA_SIZE && new_area() != 0)
        return NULL;
    char *thunk = executable + used;
    write_code(writable + used, gate);
#if defined(__aarch64__)
    __builtin___clear_cache(thunk, thunk + THUNK_SIZE);
#endif
    used += THUNK_SIZE;
    return thunk;
}

void *bine_limit_thunk(struct bine_limit *limit, void *function)
{
    for (const struct bine_gate *gate = gates; gate; gate = gate->next)
        if (gate->function == function && gate->limit == limit)
            return gate->thunk;
    struct bine_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return NULL;
    *gate = (struct bine_gate){.enter = bine_limit_enter, .function = function, .limit = limit, .next = gates};
    gate->thunk = bine_thunk_make(gate);
    if (!gate->thunk) {
        free(gate);
        return NULL;
    }
    gates = gate;
    return gate->thunk;
}

void *bine_limit_function(const void *thunk)
{
    for (const struct bine_gate *gate = gates; gate; gate = gate->next)
        if (gate->thunk == thunk)
            return gate->function;
    return NULL;
}
