/*
 * What bine stack reads of Python's frames, and what all commands read of the names of greenlets.
 * Whatever the interpreter's memory says, they end, and read no memory of their own that is not
 * theirs.
 *
 * An input becomes 64 KiB of the target's memory. They begin with the interpreter's offsets, which
 * are kept small. Of the other words those that are odd become addresses within the memory, so that
 * lists, frames and line tables lead somewhere.
 *
 * SOURCES: src/core/hub/interpreter.c src/inspect/snapshot/python.c
 * SOURCES: src/inspect/snapshot/python_frames.c src/inspect/target/table.c
 * SOURCES: src/inspect/target/target.c src/inspect/target/text.c
 * LIBRARIES: -Isrc
 * SANITIZE: address,undefined
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/inspect/snapshot/python.h"
#include "../../src/inspect/snapshot/python_frames.h"

enum {
    SIZE = 65536,
    OFFSETS = 96,       /* words */
    INTERPRETER = 61440 /* bytes: where struct bine_interpreter lies */
};
#define BASE UINT64_C(0x7f0000000000)

static uint64_t memory[SIZE / 8];
static struct bine_interpreter *const interpreter =
    (struct bine_interpreter *)((char *)memory + INTERPRETER);

static bool fuzzed_page(struct inspect_target *target, uint64_t address, void *page)
{
    if (address < BASE || address >= BASE + SIZE)
        return false;
    memcpy(page, (char *)memory + (address - BASE), INSPECT_PAGE);
    return true;
}

/* No other source is asked for. */
struct inspect_target *inspect_open_process(pid_t pid)
{
    return NULL;
}

struct inspect_target *inspect_open_core(const char *path)
{
    return NULL;
}

/* Small offsets, and types that objects in the memory have now and then. */
static void fill_interpreter(void)
{
    struct bine_interpreter *in = interpreter;
    uint64_t *types = &in->function_type;
    for (size_t i = 0; i < 4; i++)
        types[i] = memory[OFFSETS + 8 + i % 2];
    for (uint32_t *offset = &in->running; offset <= &in->text_head; offset++)
        *offset %= 128;
}

static void fill_memory(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < SIZE; i++)
        ((uint8_t *)memory)[i] = data[i % size];
    for (size_t i = 2; i < SIZE / 8; i++) {
        if (i < OFFSETS)
            memory[i] %= 256;
        else if (memory[i] & 1)
            memory[i] = BASE + memory[i] % SIZE / 8 * 8;
    }
    memcpy(memory, "xdebugpy", 8);
    memory[1] = data[0] & 1 ? 0x030d00f0 : 0x030e00f0;
    fill_interpreter();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct inspect_source source = {fuzzed_page, NULL};
    if (size < 16)
        return 0;
    fill_memory(data, size);
    struct inspect_target *target = inspect_new(&source);
    struct inspect_table table = {.py_runtime = {true, 0, BASE},
                                  .interpreter = {true, sizeof *interpreter, BASE + INTERPRETER}};
    struct inspect_hub hub = {.table = &table, .tid = (pid_t)memory[OFFSETS + 1]};
    struct inspect_greenlet g = {.root = data[1] % 64 == 1,
                                 .python = memory[OFFSETS + 3],
                                 .python_state = data[1] & 2 ? memory[OFFSETS + 2] : 0};
    struct inspect_snapshot snapshot = {
        .target = target, .hubs = &hub, .hub_count = 1, .greenlets = &g, .greenlet_count = 1};
    struct inspect_python_stack stack;
    struct inspect_python_place place;
    inspect_python_stack(&snapshot, &g, &stack);
    if (stack.count > INSPECT_PYTHON_FRAMES)
        abort();
    for (size_t i = 0; i < stack.count; i++)
        inspect_python_place(&snapshot, &g, &stack.frames[i], &place);
    char name[BINE_FUNCTION_TEXT];
    if (inspect_python_name(&snapshot, &g, name, sizeof name) && strlen(name) >= sizeof name)
        abort();
    inspect_close(target);
    return 0;
}
