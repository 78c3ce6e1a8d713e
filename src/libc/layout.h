/*
 * The layout table: where readers from outside find what a process's greenlets do. `bine ps` and
 * the script for gdb read it in a live process and in a core file, and need no symbols.
 *
 * Each file declares the rows of its own structures, beside them:
 *
 *     BINE_LAYOUT(rows) = {BINE_FIELD("hub", struct bine_hub, current), ...};
 *
 * The linker gathers the rows in one section. An ELF note of the type BINE_LAYOUT_NOTE says where
 * the table lies. The loader maps notes, and strip keeps them, so a reader finds the table in a
 * shared library, in a static program and in the Python extension alike.
 *
 * A reader looks rows up by name. It does without those that it does not find, so rows may come and
 * go. `version` changes when a row that stays changes its meaning.
 */
#ifndef BINE_LIBC_LAYOUT_H
#define BINE_LIBC_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum {
    BINE_LAYOUT_VERSION = 1,
    BINE_LAYOUT_NOTE = 1, /* the type of the note, whose name is "Bine" */
};

enum bine_layout_kind {
    BINE_LAYOUT_FIELD = 1,   /* `value` is an offset in a structure, `size` the bytes there */
    BINE_LAYOUT_NUMBER = 2,  /* `value` is a constant; `size` is 0 */
    BINE_LAYOUT_ADDRESS = 3, /* `value` is an address in the process, `size` the bytes there */
    BINE_LAYOUT_SIZE = 4,    /* `size` is that of a structure; `value` is 0 */
};

/* The alignment keeps the rows of all files next to each other. */
struct bine_layout_row {
    _Alignas(64) char name[48]; /* "hub.current" */
    uintptr_t value;
    uint32_t size;
    uint32_t kind; /* enum bine_layout_kind; 0: not a row */
};

struct bine_layout {
    char magic[8];      /* BINE_LAYOUT_MAGIC, without its zero byte */
    uint32_t version;   /* BINE_LAYOUT_VERSION */
    uint32_t size;      /* of this structure */
    uint32_t row_size;  /* of a row */
    uint32_t word_size; /* of a pointer */
    const struct bine_layout_row *rows, *end;
};

#define BINE_LAYOUT_MAGIC "BineLook"

#define BINE_LAYOUT(rows) \
    __attribute__((section("bine_rows"), used)) static struct bine_layout_row rows[]
#define BINE_FIELD_AS(structure, name, type, member)                                       \
    {                                                                                      \
        structure "." name, offsetof(type, member), (uint32_t)sizeof(((type *)0)->member), \
            BINE_LAYOUT_FIELD                                                              \
    }
#define BINE_FIELD(structure, type, member) BINE_FIELD_AS(structure, #member, type, member)
/* An array at the end of a structure that says elsewhere how long it is. */
#define BINE_START(name, type, member)                     \
    {                                                      \
        name, offsetof(type, member), 0, BINE_LAYOUT_FIELD \
    }
#define BINE_NUMBER(name, number)                        \
    {                                                    \
        name, (uintptr_t)(number), 0, BINE_LAYOUT_NUMBER \
    }
#define BINE_ADDRESS(name, variable)                                                    \
    {                                                                                   \
        name, (uintptr_t) & (variable), (uint32_t)sizeof(variable), BINE_LAYOUT_ADDRESS \
    }
#define BINE_SIZE(name, type)                             \
    {                                                     \
        name, 0, (uint32_t)sizeof(type), BINE_LAYOUT_SIZE \
    }

/* A reference to it makes a program that links the static library contain the table. */
extern struct bine_layout bine_layout;

#endif
