/*
 * See python_frames.h. The offsets are those of CPython's struct _Py_DebugOffsets
 * (Include/internal/pycore_debug_offsets.h): a text, the version and then words, whose order each
 * minor version has for itself. How lines follow from instructions is written in CPython's
 * InternalDocs/code_objects.md.
 */
#include "python_frames.h"

#include <string.h>

#include "python.h"

enum {
    MOST_WORDS = 96,      /* of the offsets that are read */
    MOST_STATES = 200000, /* thread states of an interpreter */
    MOST_TABLE = 1 << 20, /* bytes of a line table */
    OFFSET_LIMIT = 1 << 20,
    FIRST_OF_C = 3, /* FRAME_OWNED_BY_CSTACK of 3.13, _BY_INTERPRETER and _BY_CSTACK of 3.14 */
};

/* Which word of the offsets says where. The first word, the text, is word 0. */
struct words {
    unsigned interpreters, threads; /* of the runtime and of an interpreter */
    unsigned next_state, current_frame, native_thread;
    unsigned previous, executable, instruction, owner; /* of a frame */
    unsigned filename, name, lines, first_line, code;  /* of a code object */
    unsigned bytes_size, bytes;
};

static const struct {
    unsigned minor; /* of 3.x */
    struct words words;
} known[] = {
    {13, {5, 9, 21, 23, 25, 29, 30, 31, 33, 35, 37, 38, 39, 43, 65, 66}},
    {14, {5, 9, 24, 26, 28, 32, 33, 34, 36, 40, 42, 43, 44, 48, 75, 76}},
};

/* The offsets of one process. */
struct python {
    struct inspect_target *target;
    const struct words *at;
    uint64_t runtime;
    uint64_t offsets[MOST_WORDS];
};

static bool open_python(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                        struct python *python)
{
    const struct inspect_table *table = inspect_table_of(snapshot, g);
    python->target = snapshot->target;
    python->runtime = table->py_runtime.there ? table->py_runtime.value : 0;
    python->at = NULL;
    if (!python->runtime ||
        !inspect_read(python->target, python->runtime, python->offsets, sizeof python->offsets) ||
        memcmp(python->offsets, "xdebugpy", 8) != 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (python->offsets[1] >> 16 == (0x300 | known[i].minor))
            python->at = &known[i].words;
    return python->at != NULL;
}

/* Reads what the structure at `address` keeps where this word says. */
static bool member(const struct python *python, uint64_t address, unsigned word, void *value,
                   size_t size)
{
    uint64_t offset = python->offsets[word];
    return address && offset < OFFSET_LIMIT && address < UINT64_MAX - offset &&
           inspect_read(python->target, address + offset, value, size);
}

/* ---- the frames ------------------------------------------------------------------------------ */

/* The state of a greenlet that has none of its own is its thread's: the oldest of that thread,
 * since those of other greenlets are younger. The list is newest first. */
static uint64_t state_of_thread(const struct python *python, pid_t tid)
{
    uint64_t interpreter, state, found = 0;
    if (!member(python, python->runtime, python->at->interpreters, &interpreter, 8) ||
        !member(python, interpreter, python->at->threads, &state, 8))
        return 0;
    for (int i = 0; state && i < MOST_STATES; i++) {
        uint64_t native;
        if (!member(python, state, python->at->native_thread, &native, 8))
            break;
        if (native == (uint64_t)tid)
            found = state;
        if (!member(python, state, python->at->next_state, &state, 8))
            break;
    }
    return found;
}

void inspect_python_stack(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                          struct inspect_python_stack *stack)
{
    struct python python;
    uint64_t state = g->python_state, frame = 0;
    stack->count = 0;
    if (!open_python(snapshot, g, &python))
        return;
    if (!state && g->root)
        state = state_of_thread(&python, snapshot->hubs[g->hub].tid);
    member(&python, state, python.at->current_frame, &frame, 8);
    while (frame && stack->count < INSPECT_PYTHON_FRAMES) {
        struct inspect_python_frame *entry = &stack->frames[stack->count];
        unsigned char owner;
        if (!member(&python, frame, python.at->owner, &owner, 1) ||
            !member(&python, frame, python.at->executable, &entry->code, 8) ||
            !member(&python, frame, python.at->instruction, &entry->instruction, 8))
            break;
        entry->code &= ~UINT64_C(7); /* 3.14 keeps a tag there */
        if (owner >= FIRST_OF_C)
            *entry = (struct inspect_python_frame){0, 0};
        stack->count++;
        if (!member(&python, frame, python.at->previous, &frame, 8))
            break;
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct line_table {
    struct inspect_target *target;
    uint64_t at, end;
    bool failed;
};

static unsigned next_byte(struct line_table *table)
{
    unsigned char byte = 0;
    if (table->at >= table->end || !inspect_read(table->target, table->at++, &byte, 1))
        table->failed = true;
    return byte;
}

/* Six bits in each byte, the lowest first. The seventh says that another one follows. */
static uint64_t next_number(struct line_table *table)
{
    uint64_t number = 0;
    for (unsigned shift = 0; !table->failed && shift < 60; shift += 6) {
        unsigned byte = next_byte(table);
        number |= (uint64_t)(byte & 63) << shift;
        if (!(byte & 64))
            break;
    }
    return number;
}

static int64_t next_signed(struct line_table *table)
{
    uint64_t number = next_number(table);
    return number & 1 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

enum {
    ONE_LINE = 10, /* and the two after it: that many lines on */
    WITHOUT_COLUMNS = 13,
    LONG = 14,
    NOWHERE = 15,
};

/* By how many lines an entry of this kind goes on. Skips the columns. */
static int64_t lines_of(struct line_table *table, unsigned kind)
{
    int64_t lines = 0;
    if (kind == NOWHERE)
        return 0;
    if (kind < ONE_LINE)
        next_byte(table);
    else if (kind < WITHOUT_COLUMNS) {
        lines = kind - ONE_LINE;
        next_byte(table);
        next_byte(table);
    } else
        lines = next_signed(table);
    for (int i = 0; kind == LONG && i < 3; i++)
        next_number(table);
    return lines;
}

/* The line of the code unit with this number, or 0. */
static int find_line(struct line_table *table, int64_t line, uint64_t unit)
{
    for (uint64_t units = 0; table->at < table->end && !table->failed;) {
        unsigned head = next_byte(table), kind = head >> 3 & 15;
        /* Damaged tables have steps of any size, so this may wrap around. */
        line = (int64_t)((uint64_t)line + (uint64_t)lines_of(table, kind));
        units += (head & 7) + 1;
        if (units > unit)
            return kind == NOWHERE || table->failed || line < 0 || line > INT32_MAX ? 0 : (int)line;
    }
    return 0;
}

static int line_of(const struct python *python, const struct inspect_python_frame *frame)
{
    int32_t first;
    uint64_t lines, size, start = frame->code + python->offsets[python->at->code];
    if (frame->instruction < start ||
        !member(python, frame->code, python->at->first_line, &first, sizeof first) ||
        !member(python, frame->code, python->at->lines, &lines, 8) ||
        !member(python, lines, python->at->bytes_size, &size, 8) || size > MOST_TABLE)
        return 0;
    uint64_t at = lines + python->offsets[python->at->bytes];
    struct line_table table = {python->target, at, at + size, false};
    return find_line(&table, first, (frame->instruction - start) / 2);
}

void inspect_python_place(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                          const struct inspect_python_frame *frame,
                          struct inspect_python_place *place)
{
    struct python python;
    const struct inspect_table *table = inspect_table_of(snapshot, g);
    uint64_t text;
    *place = (struct inspect_python_place){.line = 0};
    if (!open_python(snapshot, g, &python))
        return;
    if (member(&python, frame->code, python.at->name, &text, 8))
        inspect_python_text(python.target, table, text, place->function, sizeof place->function);
    if (member(&python, frame->code, python.at->filename, &text, 8))
        inspect_python_text(python.target, table, text, place->file, sizeof place->file);
    place->line = line_of(&python, frame);
}
