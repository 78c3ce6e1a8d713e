/*
 * Makes thunks. See thunk.h. An area of them is written at once. Each thunk loads its gate from a
 * table of its own. The area is no longer mapped writable when the first thunk is used. So no page
 * of code is ever writable and executable, nor writable for longer than it takes to fill it.
 */
#include "thunk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc/free.h"
#include "libc/libc.h"
#include "limit.h"

enum {
    THUNK_SIZE = 32,
    AREA_SIZE = 64 * 1024,
    THUNKS = AREA_SIZE / THUNK_SIZE,
};

/* The current area: its code, and the gates that the code loads, which lie right behind it. */
static char *code;
static struct bine_gate **table;
static size_t used = THUNKS;
static struct bine_gate *gates;

/* `distance`: from this thunk to its place in the table, in bytes. */
static void write_code(char *place, uint32_t distance)
{
#if defined(__x86_64__)
    static const unsigned char instructions[] = {
        0xf3, 0x0f, 0x1e, 0xfa,          /* endbr64 */
        0x4c, 0x8b, 0x1d, 0,    0, 0, 0, /* mov gate(%rip), %r11 */
        0x41, 0xff, 0x23,                /* jmp *(%r11) */
    };
    uint32_t from_here = distance - 11;
    memcpy(place, instructions, sizeof instructions);
    memcpy(place + 7, &from_here, sizeof from_here);
#elif defined(__aarch64__)
    const uint32_t instructions[] = {
        0xd503245f,                           /* bti c */
        0x58000010 | (distance - 4) / 4 << 5, /* ldr x16, gate */
        0xf9400211,                           /* ldr x17, [x16] */
        0xd61f0220,                           /* br x17 */
    };
    memcpy(place, instructions, sizeof instructions);
#endif
}

static void fill(char *writable)
{
    for (uint32_t i = 0; i < THUNKS; i++)
        write_code(writable + i * THUNK_SIZE,
                   AREA_SIZE - i * THUNK_SIZE + i * (uint32_t)sizeof *table);
    __builtin___clear_cache(writable, writable + AREA_SIZE);
}

/* The file's pages, written and unmapped, then executable at `place`. */
static int map_code(int fd, char *place)
{
    if (ftruncate(fd, AREA_SIZE) != 0)
        return -1;
    char *writable = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (writable == MAP_FAILED)
        return -1;
    fill(writable);
    munmap(writable, AREA_SIZE);
    if (mmap(place, AREA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        return -1;
    __builtin___clear_cache(place, place + AREA_SIZE);
    return 0;
}

static int new_area(void)
{
    size_t size = AREA_SIZE + THUNKS * sizeof *table;
    int fd = bine_libc.memfd_create("bine thunks", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failed = area == MAP_FAILED ? -1 : map_code(fd, area);
    bine_libc.close(fd);
    if (failed) {
        if (area != MAP_FAILED)
            munmap(area, size);
        return -1;
    }
    code = area;
    table = (struct bine_gate **)(void *)(area + AREA_SIZE);
    used = 0;
    return 0;
}

void *bine_thunk_make(struct bine_gate *gate)
{
    if (used == THUNKS && new_area() != 0)
        return NULL;
    table[used] = gate;
    return code + used++ * THUNK_SIZE;
}

void *bine_limit_thunk(struct bine_limit *limit, void *function)
{
    for (const struct bine_gate *gate = gates; gate; gate = gate->next)
        if (gate->function == function && gate->limit == limit)
            return gate->thunk;
    struct bine_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return NULL;
    *gate = (struct bine_gate){
        .enter = bine_limit_enter, .function = function, .limit = limit, .next = gates};
    gate->thunk = bine_thunk_make(gate);
    if (!gate->thunk) {
        bine_free(gate);
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
