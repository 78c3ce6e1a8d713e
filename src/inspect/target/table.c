/* Finding and reading layout tables. See table.h. */
#include "table.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libc/layout.h"

enum {
    MOST_HEADERS = 256,
    MOST_NOTES = 65536, /* bytes */
    MOST_ROWS = 4096,
    MOST_ROW = 1024, /* bytes */
    MOST_TABLES = 16,
};

static const struct known {
    const char *name;
    size_t member; /* its place in struct inspect_table */
    bool needed;
} known[] = {
#define INSPECT_KNOWN(member, name, needed) {name, offsetof(struct inspect_table, member), needed},
    INSPECT_ROWS(INSPECT_KNOWN)
#undef INSPECT_KNOWN
};

static struct inspect_row *member_of(struct inspect_table *table, const struct known *row)
{
    return (struct inspect_row *)(void *)((char *)table + row->member);
}

static void take_row(struct inspect_table *table, const struct bine_layout_row *row)
{
    unsigned number;
    char after;
    if (strnlen(row->name, sizeof row->name) < sizeof row->name &&
        sscanf(row->name, "context.%u%c", &number, &after) == 1 && number < INSPECT_REGISTERS)
        table->context[number] = (struct inspect_row){true, row->size, row->value};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(known[i].name, row->name, sizeof row->name) == 0) {
            *member_of(table, &known[i]) = (struct inspect_row){true, row->size, row->value};
            return;
        }
}

/* Returns why the table cannot be used, or NULL. */
static const char *read_rows(struct inspect_target *target, struct inspect_table *table, char *why,
                             size_t size)
{
    struct bine_layout head;
    if (!inspect_read(target, table->address, &head, sizeof head) ||
        memcmp(head.magic, BINE_LAYOUT_MAGIC, sizeof head.magic) != 0)
        return "its layout table is damaged";
    if (head.version > BINE_LAYOUT_VERSION) {
        snprintf(why, size,
                 "its layout table has the version %u and this command knows %d: "
                 "it takes a newer "
                 "command",
                 head.version, BINE_LAYOUT_VERSION);
        return why;
    }
    uint64_t first = (uintptr_t)head.rows, bytes = (uintptr_t)head.end - first;
    if (head.row_size < sizeof(struct bine_layout_row) || head.row_size > MOST_ROW ||
        head.word_size != 8 || bytes / head.row_size > MOST_ROWS)
        return "its layout table is damaged";
    for (uint64_t i = 0; i < bytes / head.row_size; i++) {
        struct bine_layout_row row;
        if (!inspect_read(target, first + i * head.row_size, &row, sizeof row))
            return "its layout table is damaged";
        if (row.kind)
            take_row(table, &row);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].needed && !member_of(table, &known[i])->there) {
            snprintf(why, size,
                     "its layout table has no row %s: libbine and this command do not fit",
                     known[i].name);
            return why;
        }
    if (table->version_row.there)
        inspect_text(target, table->version_row.value, table->version, sizeof table->version);
    return NULL;
}

/* The address that the note in these bytes leads to, or 0. `address` is where
 * the bytes are. */
static uint64_t leads_to(const unsigned char *notes, size_t size, uint64_t address)
{
    size_t at = 0;
    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr header;
        memcpy(&header, notes + at, sizeof header);
        at += sizeof header;
        uint64_t name = ((uint64_t)header.n_namesz + 3) & ~UINT64_C(3);
        uint64_t content = ((uint64_t)header.n_descsz + 3) & ~UINT64_C(3);
        if (name > size - at || content > size - at - name)
            break;
        if (header.n_type == BINE_LAYOUT_NOTE && header.n_namesz == 5 && header.n_descsz == 4 &&
            memcmp(notes + at, "Bine", 5) == 0) {
            int32_t distance;
            memcpy(&distance, notes + at + name, sizeof distance);
            return address + at + name + (uint64_t)(int64_t)distance;
        }
        at += name + content;
    }
    return 0;
}

/* Does an ELF object that is mapped from here on have a table? Its address, or
 * 0. */
static uint64_t table_of_object(struct inspect_target *target, uint64_t base)
{
    Elf64_Ehdr header;
    Elf64_Phdr programs[MOST_HEADERS];
    if (!inspect_read(target, base, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof *programs || !header.e_phnum ||
        header.e_phnum > MOST_HEADERS || header.e_phoff > UINT32_MAX ||
        !inspect_read(target, base + header.e_phoff, programs, header.e_phnum * sizeof *programs))
        return 0;
    /* What is added to the addresses in the file. */
    uint64_t bias = base;
    for (unsigned i = 0; i < header.e_phnum; i++)
        if (programs[i].p_type == PT_LOAD) {
            bias = base - (programs[i].p_vaddr - programs[i].p_offset);
            break;
        }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (programs[i].p_type != PT_NOTE || programs[i].p_memsz > MOST_NOTES)
            continue;
        unsigned char *notes = malloc(programs[i].p_memsz + 1);
        uint64_t address = bias + programs[i].p_vaddr, found = 0;
        if (notes && inspect_read(target, address, notes, programs[i].p_memsz))
            found = leads_to(notes, programs[i].p_memsz, address);
        free(notes);
        if (found)
            return found;
    }
    return 0;
}

struct inspect_table *inspect_find_tables(struct inspect_target *target, size_t *count)
{
    struct inspect_table *tables = calloc(MOST_TABLES, sizeof *tables);
    char room[200];
    const char *why = NULL, *where = "";
    *count = 0;
    for (size_t i = 0; tables && i < target->mapping_count && *count < MOST_TABLES; i++) {
        const struct inspect_mapping *mapping = &target->mappings[i];
        /* Only files: to read a page that was never touched would give it memory.
     */
        bool object = *mapping->path && mapping->offset == 0 && mapping->readable;
        uint64_t address = object ? table_of_object(target, mapping->start) : 0;
        if (!address)
            continue;
        struct inspect_table *table = &tables[*count];
        *table = (struct inspect_table){.address = address};
        snprintf(table->path, sizeof table->path, "%s", mapping->path);
        inspect_disarm(table->path);
        const char *wrong = read_rows(target, table, room, sizeof room);
        if (!wrong)
            ++*count;
        else {
            why = wrong;
            where = mapping->path;
        }
    }
    if (tables && *count)
        return tables;
    free(tables);
    if (why)
        fprintf(stderr, "bine: the libbine in %s cannot be looked into: %s\n", where, why);
    else
        fprintf(stderr, "bine: %s has no libbine in it that can be looked into\n",
                target->live ? "the process" : "the core");
    return NULL;
}

uint64_t inspect_get(const struct inspect_row *row, const void *record, size_t size)
{
    uint64_t value = 0;
    uint32_t bytes = row->size > sizeof value ? sizeof value : row->size;
    if (!row->there || row->value > size || size - row->value < bytes)
        return 0;
    memcpy(&value, (const char *)record + row->value, bytes);
    return value;
}

bool inspect_fetch(struct inspect_target *target, const struct inspect_row *row, uint64_t record,
                   uint64_t *value)
{
    *value = 0;
    if (!row->there || !record || record > UINT64_MAX - row->value)
        return false;
    uint32_t bytes = row->size > sizeof *value ? sizeof *value
                     : row->size               ? row->size
                                               : sizeof *value;
    return inspect_read(target, record + row->value, value, bytes);
}
