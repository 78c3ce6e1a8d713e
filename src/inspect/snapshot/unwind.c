/* See unwind.h. Elfutils reads call frame information, symbols and lines; the walk is ours. */
#include "unwind.h"

#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules.h"

enum {
    PLACES = 16384, /* of program counters that are remembered; a power of two */
};

struct known_symbol {
    uint64_t pc; /* that of the instruction, + 1 */
    struct inspect_symbol symbol;
};

struct inspect_unwinder {
    struct inspect_target *target;
    Dwfl *dwfl;
    bool *reported;               /* by mapping */
    struct inspect_rules **rules; /* PLACES of them */
    struct known_symbol **symbols;
};

static char *debug_folders;
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_folders,
};

struct inspect_unwinder *inspect_unwinder_new(struct inspect_target *target)
{
    struct inspect_unwinder *unwinder = calloc(1, sizeof *unwinder);
    /* Nothing is asked of servers. */
    unsetenv("DEBUGINFOD_URLS");
    if (unwinder) {
        unwinder->target = target;
        unwinder->dwfl = dwfl_begin(&callbacks);
        unwinder->reported = calloc(target->mapping_count + 1, sizeof *unwinder->reported);
        unwinder->rules = calloc(PLACES, sizeof(struct inspect_rules *));
        unwinder->symbols = calloc(PLACES, sizeof(struct known_symbol *));
        if (unwinder->dwfl && unwinder->reported && unwinder->rules && unwinder->symbols)
            return unwinder;
    }
    fprintf(stderr, "bine: there is not enough memory\n");
    inspect_unwinder_free(unwinder);
    return NULL;
}

void inspect_unwinder_free(struct inspect_unwinder *unwinder)
{
    if (!unwinder)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        if (unwinder->rules)
            free(unwinder->rules[i]);
        if (unwinder->symbols)
            free(unwinder->symbols[i]);
    }
    free(unwinder->rules);
    free(unwinder->symbols);
    free(unwinder->reported);
    if (unwinder->dwfl)
        dwfl_end(unwinder->dwfl);
    free(unwinder);
}

/* ---- objects --------------------------------------------------------------------------------- */

static int open_object(const struct inspect_target *target, const struct inspect_mapping *mapping)
{
    char path[4200];
    if (!target->live)
        return open(mapping->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    /* The kernel has the very file, even if it was deleted, but only root may open it so. */
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", target->pid,
             (unsigned long)mapping->start, (unsigned long)mapping->end);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(path, sizeof path, "/proc/%d/root%s", target->pid, mapping->path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    return fd;
}

/* Is this what the process has? The first page names the build. */
static bool same_object(struct inspect_target *target, const struct inspect_mapping *mapping,
                        int fd)
{
    unsigned char here[INSPECT_PAGE], there[INSPECT_PAGE];
    return pread(fd, here, sizeof here, 0) == sizeof here &&
           inspect_read(target, mapping->start, there, sizeof there) &&
           memcmp(here, there, sizeof here) == 0;
}

/* Where the object begins that the mapping at this place belongs to. */
static size_t first_mapping(const struct inspect_target *target, size_t at)
{
    const char *path = target->mappings[at].path;
    while (at > 0 && target->mappings[at].offset &&
           strcmp(target->mappings[at - 1].path, path) == 0)
        at--;
    return at;
}

/* Tells elfutils of the object that holds the address. */
static Dwfl_Module *module_of(struct inspect_unwinder *unwinder, uint64_t pc)
{
    struct inspect_target *target = unwinder->target;
    const struct inspect_mapping *mapping = inspect_mapping_of(target, pc);
    if (!mapping || !*mapping->path)
        return NULL;
    size_t first = first_mapping(target, (size_t)(mapping - target->mappings));
    if (!unwinder->reported[first]) {
        unwinder->reported[first] = true;
        const struct inspect_mapping *begin = &target->mappings[first];
        int fd = begin->offset ? -1 : open_object(target, begin);
        if (fd < 0)
            return NULL;
        dwfl_report_begin_add(unwinder->dwfl);
        if (!same_object(target, begin, fd) ||
            !dwfl_report_elf(unwinder->dwfl, begin->path, begin->path, fd, begin->start, false))
            close(fd);
        dwfl_report_end(unwinder->dwfl, NULL, NULL);
    }
    return dwfl_addrmodule(unwinder->dwfl, pc);
}

/* ---- walking --------------------------------------------------------------------------------- */

/* The address in the object, in the terms of its CFI. Returns false if no CFI covers it. */
static void look_up(struct inspect_unwinder *unwinder, struct inspect_rules *rules)
{
    Dwarf_Addr bias;
    Dwfl_Module *module = module_of(unwinder, rules->pc);
    Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    if (cfi)
        inspect_read_rules(cfi, rules->pc - bias, rules);
    if (!rules->there && module && (cfi = dwfl_module_dwarf_cfi(module, &bias)))
        inspect_read_rules(cfi, rules->pc - bias, rules);
}

static size_t place_of(uint64_t pc)
{
    return (size_t)(pc * UINT64_C(0x9E3779B97F4A7C15) >> 50);
}

static const struct inspect_rules *rules_of(struct inspect_unwinder *unwinder, uint64_t pc)
{
    struct inspect_rules **place = &unwinder->rules[place_of(pc)], *known = *place;
    if (known && known->pc == pc)
        return known;
    if (!known && !(known = malloc(sizeof *known)))
        return NULL;
    *place = known;
    *known = (struct inspect_rules){.pc = pc};
    look_up(unwinder, known);
    return known;
}

/* Code without call frame information may keep frame pointers. */
static bool leave_by_pointer(struct inspect_target *target, struct inspect_registers *registers)
{
    bool intel = target->machine == EM_X86_64;
    unsigned frame = intel ? 6 : 29, stack = intel ? 7 : 31;
    uint64_t pointer = registers->values[frame], words[2];
    const struct inspect_mapping *mapping;
    if (!(registers->known >> frame & 1) || pointer < registers->values[stack] || pointer % 8 ||
        !inspect_read(target, pointer, words, sizeof words) || words[0] <= pointer ||
        !(mapping = inspect_mapping_of(target, words[1])) || (target->live && !mapping->executable))
        return false;
    *registers = (struct inspect_registers){.known = UINT64_C(1) << frame | UINT64_C(1) << stack,
                                            .pc = words[1]};
    registers->values[frame] = words[0];
    registers->values[stack] = pointer + 16;
    return true;
}

void inspect_unwind(struct inspect_unwinder *unwinder, struct inspect_registers registers,
                    struct inspect_trace *trace)
{
    bool exact = true;
    trace->count = 0;
    trace->whole = false;
    while (trace->count < INSPECT_FRAMES && registers.pc) {
        trace->exact[trace->count] = exact;
        trace->pcs[trace->count++] = registers.pc;
        const struct inspect_rules *rules = rules_of(unwinder, registers.pc - !exact);
        if (rules && rules->there) {
            exact = rules->signal;
            if (!inspect_leave_frame(unwinder->target, rules, &registers, &trace->whole))
                return;
        } else if (leave_by_pointer(unwinder->target, &registers))
            exact = false;
        else
            return;
    }
}

/* Makes the registers those of the caller. `exact` as in struct inspect_trace. */
static bool leave(struct inspect_unwinder *unwinder, struct inspect_registers *registers,
                  bool *exact, bool *whole)
{
    const struct inspect_rules *rules = rules_of(unwinder, registers->pc - !*exact);
    if (rules && rules->there) {
        *exact = rules->signal;
        return inspect_leave_frame(unwinder->target, rules, registers, whole);
    }
    *exact = false;
    return leave_by_pointer(unwinder->target, registers);
}

bool inspect_program_frames(struct inspect_unwinder *unwinder, const char *object,
                            struct inspect_registers *registers, uint64_t *end)
{
    struct inspect_registers at = *registers;
    bool exact = true, whole = false, entered = false, found = false;
    unsigned stack = unwinder->target->machine == EM_X86_64 ? 7 : 31;
    *end = 0;
    for (int i = 0; i < INSPECT_FRAMES && at.pc; i++) {
        const struct inspect_mapping *mapping = inspect_mapping_of(unwinder->target, at.pc);
        bool inside = mapping && strcmp(mapping->path, object) == 0;
        if (entered && !inside) {
            if (!found)
                *registers = at;
            found = true;
            *end = 0;
        } else if (found && !*end)
            *end = at.values[stack];
        entered |= inside;
        if (!leave(unwinder, &at, &exact, &whole))
            break;
    }
    if (!whole)
        *end = 0;
    return found;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* clang leaves out the index by address (.debug_aranges). Then the units are asked one by one. */
static const char *file_by_units(Dwfl_Module *module, uint64_t pc, int *number)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = NULL;
    while ((unit = dwfl_module_nextcu(module, unit, &bias))) {
        Dwarf_Line *line =
            dwarf_haspc(unit, pc - bias) > 0 ? dwarf_getsrc_die(unit, pc - bias) : NULL;
        if (line && dwarf_lineno(line, number) == 0)
            return dwarf_linesrc(line, NULL, NULL);
    }
    return NULL;
}

/* The source file and the number of the line, or NULL. */
static const char *file_of(Dwfl_Module *module, uint64_t pc, int *number)
{
    Dwfl_Line *line = dwfl_module_getsrc(module, pc);
    return line ? dwfl_lineinfo(line, NULL, number, NULL, NULL, NULL)
                : file_by_units(module, pc, number);
}

static void name_symbol(struct inspect_unwinder *unwinder, uint64_t pc,
                        struct inspect_symbol *symbol)
{
    const struct inspect_mapping *mapping = inspect_mapping_of(unwinder->target, pc);
    Dwfl_Module *module = module_of(unwinder, pc);
    GElf_Off offset = 0;
    GElf_Sym entry;
    symbol->offset = mapping ? pc - mapping->start + mapping->offset : 0;
    if (mapping) {
        snprintf(symbol->object, sizeof symbol->object, "%s", mapping->path);
        inspect_disarm(symbol->object);
    }
    const char *name =
        module ? dwfl_module_addrinfo(module, pc, &offset, &entry, NULL, NULL, NULL) : NULL;
    if (name) {
        snprintf(symbol->function, sizeof symbol->function, "%s", name);
        inspect_disarm(symbol->function);
        symbol->offset = offset;
    }
    const char *file = module ? file_of(module, pc, &symbol->line) : NULL;
    if (file) {
        snprintf(symbol->file, sizeof symbol->file, "%s", file);
        inspect_disarm(symbol->file);
    }
}

const struct inspect_symbol *inspect_symbol(struct inspect_unwinder *unwinder, uint64_t pc,
                                            bool exact)
{
    static const struct inspect_symbol unknown;
    uint64_t at = pc - !exact;
    struct known_symbol **place = &unwinder->symbols[place_of(at)];
    if (*place && (*place)->pc == at + 1)
        return &(*place)->symbol;
    if (!*place && !(*place = malloc(sizeof **place)))
        return &unknown;
    **place = (struct known_symbol){.pc = at + 1};
    name_symbol(unwinder, at, &(*place)->symbol);
    return &(*place)->symbol;
}
