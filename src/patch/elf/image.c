/* Reads one loaded object. See image.h. elf(5) and the ELF gABI describe the format. */
#include "image.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc replaces the addresses in the dynamic section by absolute ones; the vdso's and some other
 * loaders' stay relative. */
static uintptr_t absolute(const struct bine_image *object, ElfW(Addr) address)
{
    return address < object->base ? address + object->base : address;
}

static void read_segments(struct bine_image *object)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    object->start = UINTPTR_MAX;
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        uintptr_t start = object->base + header->p_vaddr;
        if (header->p_type == PT_LOAD) {
            if (start < object->start)
                object->start = start;
            if (start + header->p_memsz > object->end)
                object->end = start + header->p_memsz;
        } else if (header->p_type == PT_DYNAMIC) {
            object->dynamic = (const ElfW(Dyn) *)start;
        } else if (header->p_type == PT_GNU_RELRO) {
            /* As the loader rounds: only whole pages are closed. */
            object->relro_start = start & ~(page - 1);
            object->relro_end = (start + header->p_memsz) & ~(page - 1);
        }
    }
}

static void read_dynamic(struct bine_image *object)
{
    const ElfW(Dyn) *soname = NULL;
    for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++) {
        uintptr_t address = absolute(object, entry->d_un.d_ptr);
        switch (entry->d_tag) {
        case DT_SYMTAB:
            object->symbols = (const ElfW(Sym) *)address;
            break;
        case DT_STRTAB:
            object->strings = (const char *)address;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = (const uint32_t *)address;
            break;
        case DT_HASH:
            object->sysv_hash = (const uint32_t *)address;
            break;
        case DT_VERSYM:
            object->versions = (const ElfW(Half) *)address;
            break;
        case DT_VERNEED:
            object->needed_versions = (const char *)address;
            break;
        case DT_VERNEEDNUM:
            object->needed_version_count = entry->d_un.d_val;
            break;
        case DT_RELA:
            object->relocations.start = (const char *)address;
            break;
        case DT_RELASZ:
            object->relocations.size = entry->d_un.d_val;
            break;
        case DT_REL:
            object->short_relocations.start = (const char *)address;
            break;
        case DT_RELSZ:
            object->short_relocations.size = entry->d_un.d_val;
            break;
        case DT_JMPREL:
            object->jumps.start = (const char *)address;
            break;
        case DT_PLTRELSZ:
            object->jumps.size = entry->d_un.d_val;
            break;
        case DT_PLTREL:
            object->jumps_are_short = entry->d_un.d_val == DT_REL;
            break;
        case DT_SONAME:
            soname = entry;
            break;
        }
    }
    if (soname && object->strings)
        object->soname = object->strings + soname->d_un.d_val;
}

bool bine_image_read(struct bine_image *object, uintptr_t base, const char *path,
                     const ElfW(Phdr) * headers, size_t header_count)
{
    memset(object, 0, sizeof *object);
    object->base = base;
    object->path = path ? path : "";
    const char *slash = strrchr(object->path, '/');
    object->name = slash ? slash + 1 : object->path;
    object->soname = "";
    object->headers = headers;
    object->header_count = header_count;
    read_segments(object);
    if (!object->dynamic)
        return false;
    read_dynamic(object);
    return object->symbols && object->strings;
}

int bine_image_protection(const struct bine_image *object, uintptr_t address)
{
    if (address >= object->relro_start && address < object->relro_end)
        return PROT_READ;
    for (size_t i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        uintptr_t start = object->base + header->p_vaddr;
        if (header->p_type != PT_LOAD || address < start || address >= start + header->p_memsz)
            continue;
        return (header->p_flags & PF_R ? PROT_READ : 0) |
               (header->p_flags & PF_W ? PROT_WRITE : 0) | (header->p_flags & PF_X ? PROT_EXEC : 0);
    }
    return -1;
}

/* ---- symbols by name ------------------------------------------------------------------------ */

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static uint32_t sysv_hash_of(const char *name)
{
    uint32_t hash = 0;
    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        uint32_t high = hash & 0xf0000000;
        hash ^= high >> 24;
        hash &= ~high;
    }
    return hash;
}

/* Each symbol called `name`, one per version: the one after `previous` (0: the first). Returns its
 * index, or 0. */
static uint32_t next_in_gnu_hash(const struct bine_image *object, const char *name,
                                 uint32_t previous)
{
    uint32_t bucket_count = object->gnu_hash[0], offset = object->gnu_hash[1],
             filter_count = object->gnu_hash[2], shift = object->gnu_hash[3];
    const ElfW(Addr) *filter = (const ElfW(Addr) *)(object->gnu_hash + 4);
    const uint32_t *buckets = (const uint32_t *)(filter + filter_count);
    const uint32_t *chain = buckets + bucket_count;
    if (bucket_count == 0 || filter_count == 0)
        return 0;
    uint32_t hash = gnu_hash_of(name), bits = 8 * sizeof(ElfW(Addr));
    ElfW(Addr) word = filter[hash / bits % filter_count];
    if (!(word >> hash % bits & word >> (hash >> shift) % bits & 1))
        return 0;
    uint32_t index = buckets[hash % bucket_count];
    if (index < offset)
        return 0;
    for (;; index++) {
        uint32_t entry = chain[index - offset];
        if ((entry | 1) == (hash | 1) && index > previous &&
            strcmp(object->strings + object->symbols[index].st_name, name) == 0)
            return index;
        if (entry & 1)
            return 0;
    }
}

static uint32_t next_in_sysv_hash(const struct bine_image *object, const char *name,
                                  uint32_t previous)
{
    uint32_t bucket_count = object->sysv_hash[0];
    const uint32_t *buckets = object->sysv_hash + 2, *chain = buckets + bucket_count;
    if (bucket_count == 0)
        return 0;
    bool found = previous == 0;
    for (uint32_t index = buckets[sysv_hash_of(name) % bucket_count]; index; index = chain[index]) {
        if (found && strcmp(object->strings + object->symbols[index].st_name, name) == 0)
            return index;
        if (index == previous)
            found = true;
    }
    return 0;
}

static uint32_t next_symbol(const struct bine_image *object, const char *name, uint32_t previous)
{
    if (object->gnu_hash)
        return next_in_gnu_hash(object, name, previous);
    if (object->sysv_hash)
        return next_in_sysv_hash(object, name, previous);
    return 0;
}

bool bine_image_defines_at(const struct bine_image *object, const char *name, const void *address)
{
    for (uint32_t index = 0; (index = next_symbol(object, name, index)) != 0;) {
        const ElfW(Sym) *symbol = &object->symbols[index];
        if (symbol->st_shndx != SHN_UNDEF && object->base + symbol->st_value == (uintptr_t)address)
            return true;
    }
    return false;
}

const ElfW(Sym) * bine_image_symbol(const struct bine_image *object, const char *name)
{
    uint32_t index = next_symbol(object, name, 0);
    return index ? &object->symbols[index] : NULL;
}

bool bine_image_wants_private(const struct bine_image *object, size_t index)
{
    if (!object->versions || !object->needed_versions)
        return false;
    unsigned version = object->versions[index] & 0x7fff;
    const char *place = object->needed_versions;
    for (size_t i = 0; i < object->needed_version_count; i++) {
        const ElfW(Verneed) *needed = (const ElfW(Verneed) *)place;
        const char *auxiliary = place + needed->vn_aux;
        for (size_t j = 0; j < needed->vn_cnt; j++) {
            const ElfW(Vernaux) *entry = (const ElfW(Vernaux) *)auxiliary;
            if ((entry->vna_other & 0x7fff) == version)
                return strcmp(object->strings + entry->vna_name, "GLIBC_PRIVATE") == 0;
            auxiliary += entry->vna_next;
        }
        if (needed->vn_next == 0)
            break;
        place += needed->vn_next;
    }
    return false;
}

static bool begins_with_one(const char *name, const char *const *beginnings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

bool bine_image_is_cxx_runtime(const struct bine_image *object)
{
    static const char *const beginnings[] = {"libstdc++.so", "libc++.so", "libc++abi.so"};
    size_t count = sizeof beginnings / sizeof *beginnings;
    return begins_with_one(object->name, beginnings, count) ||
           begins_with_one(object->soname, beginnings, count);
}

bool bine_image_name_is_system(const char *name)
{
    static const char *const beginnings[] = {
        "libc.so",
        "libc-2",
        "ld-linux",
        "ld-2",
        "ld64.so",
        "ld.so",
        "libpthread.so",
        "libpthread-2",
        "libdl.so",
        "libdl-2",
        "librt.so",
        "librt-2",
        "linux-vdso",
        "linux-gate",
        /* run-time systems that watch the calls of others and must not be watched by us */
        "libasan.so",
        "libtsan.so",
        "libubsan.so",
        "liblsan.so",
        "libhwasan.so",
        "libclang_rt.",
        "vgpreload_",
        /* Bine, and what it stands on */
        "libbine.so",
        "liburing.so",
    };
    return begins_with_one(name, beginnings, sizeof beginnings / sizeof *beginnings);
}

bool bine_image_is_system(const struct bine_image *object)
{
    return bine_image_name_is_system(object->name) || bine_image_name_is_system(object->soname);
}
