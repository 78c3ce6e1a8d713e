/* Reads relocation tables. See relocation.h. */
#include "relocation.h"

#if defined(__x86_64__)
enum {
    JUMP_SLOT = R_X86_64_JUMP_SLOT,
    GLOB_DAT = R_X86_64_GLOB_DAT,
    ABSOLUTE = R_X86_64_64
};
#elif defined(__aarch64__)
enum {
    JUMP_SLOT = R_AARCH64_JUMP_SLOT,
    GLOB_DAT = R_AARCH64_GLOB_DAT,
    ABSOLUTE = R_AARCH64_ABS64
};
#else
#error "this architecture has no relocation numbers here yet"
#endif

typedef int visitor(const struct bine_relocation *relocation, void *arg);

static int relocation_look_at(const struct bine_image *object, ElfW(Addr) offset, ElfW(Xword) info,
                              ElfW(Sxword) addend, visitor *visit, void *arg)
{
    struct bine_relocation relocation;
    switch (ELF64_R_TYPE(info)) {
    case JUMP_SLOT:
        relocation.kind = BINE_RELOCATION_JUMP;
        break;
    case GLOB_DAT:
        relocation.kind = BINE_RELOCATION_LOAD;
        break;
    case ABSOLUTE:
        /* An address in the middle of a function is no way to call it. */
        if (addend != 0)
            return 0;
        relocation.kind = BINE_RELOCATION_DATA;
        break;
    default:
        return 0;
    }
    size_t index = ELF64_R_SYM(info);
    if (index == 0)
        return 0;
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC)
        return 0;
    relocation.slot = (void **)(object->base + offset);
    relocation.name = object->strings + symbol->st_name;
    relocation.symbol = index;
    relocation.defined_here = symbol->st_shndx != SHN_UNDEF;
    if ((uintptr_t)relocation.slot % sizeof(void *) != 0) /* could not be replaced in one store */
        return 0;
    return visit(&relocation, arg);
}

static int walk_long(const struct bine_image *object, struct bine_table table, visitor *visit,
                     void *arg)
{
    const ElfW(Rela) *entry = (const ElfW(Rela) *)table.start;
    for (size_t i = 0; i < table.size / sizeof *entry; i++) {
        int result = relocation_look_at(object, entry[i].r_offset, entry[i].r_info,
                                        entry[i].r_addend, visit, arg);
        if (result)
            return result;
    }
    return 0;
}

static int walk_short(const struct bine_image *object, struct bine_table table, visitor *visit,
                      void *arg)
{
    const ElfW(Rel) *entry = (const ElfW(Rel) *)table.start;
    for (size_t i = 0; i < table.size / sizeof *entry; i++) {
        /* The addend stood in the slot and is gone: those in data are judged by the value that the
         * slot has now. */
        int result = relocation_look_at(object, entry[i].r_offset, entry[i].r_info, 0, visit, arg);
        if (result)
            return result;
    }
    return 0;
}

int bine_relocations_walk(const struct bine_image *object, visitor *visit, void *arg)
{
    int result = 0;
    /* DT_RELA may be said to cover DT_JMPREL too; seeing a slot twice does no harm. */
    if (object->relocations.start)
        result = walk_long(object, object->relocations, visit, arg);
    if (!result && object->short_relocations.start)
        result = walk_short(object, object->short_relocations, visit, arg);
    if (!result && object->jumps.start)
        result = object->jumps_are_short ? walk_short(object, object->jumps, visit, arg)
                                         : walk_long(object, object->jumps, visit, arg);
    return result;
}
