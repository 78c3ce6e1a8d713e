/* Reads ELF files: elf(5). See binary.h. */
#include "binary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
enum {
    MACHINE = EM_X86_64,
    JUMP_SLOT = R_X86_64_JUMP_SLOT,
    GLOB_DAT = R_X86_64_GLOB_DAT,
    ABSOLUTE = R_X86_64_64
};
#elif defined(__aarch64__)
enum {
    MACHINE = EM_AARCH64,
    JUMP_SLOT = R_AARCH64_JUMP_SLOT,
    GLOB_DAT = R_AARCH64_GLOB_DAT,
    ABSOLUTE = R_AARCH64_ABS64
};
#endif

enum {
    SEGMENTS_MOST = 256,  /* linkers make about a dozen */
    NAME_MOST = 255,      /* no symbol of the table is nearly as long */
    LIBRARIES_MOST = 4096 /* names in the dynamic section */
};

/* The dynamic section's tables: addresses and sizes as the file says. */
struct tables {
    uint64_t strings, strings_size, symbols;
    struct {
        uint64_t address, size;
    } relocations[2];
};

static int fault(struct binary *binary, const char *what)
{
    binary->fault = what;
    return ENOEXEC;
}

static int damaged(struct binary *binary)
{
    return fault(binary, "cut short or damaged");
}

const void *binary_part(const struct binary *binary, uint64_t offset, uint64_t size)
{
    return offset <= binary->size && size <= binary->size - offset ? binary->bytes + offset : NULL;
}

/* Copy what lies there, which may be at an odd address. */
static bool copy(const struct binary *binary, uint64_t offset, void *into, size_t size)
{
    const void *bytes = binary_part(binary, offset, size);
    if (bytes)
        memcpy(into, bytes, size);
    return bytes;
}

static const Elf64_Phdr *segment_of(const struct binary *binary, uint64_t address)
{
    for (size_t i = 0; i < binary->segment_count; i++) {
        const Elf64_Phdr *segment = &binary->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_memsz)
            return segment;
    }
    return NULL;
}

uint64_t binary_offset(const struct binary *binary, uint64_t address, uint64_t size)
{
    const Elf64_Phdr *segment = segment_of(binary, address);
    if (!segment)
        return UINT64_MAX;
    uint64_t inside = address - segment->p_vaddr, offset;
    if (inside > segment->p_filesz || size > segment->p_filesz - inside ||
        __builtin_add_overflow(segment->p_offset, inside, &offset) ||
        !binary_part(binary, offset, size))
        return UINT64_MAX;
    return offset;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The text at this place of the string table: NULL if it lies outside or has no end within `most`
 * bytes. */
static const char *text_at(const struct binary *binary, const struct tables *tables, uint64_t at,
                           size_t most)
{
    if (at >= tables->strings_size)
        return NULL;
    uint64_t left = tables->strings_size - at;
    size_t room = left < most + 1 ? (size_t)left : most + 1;
    uint64_t offset = binary_offset(binary, tables->strings + at, room);
    const char *text = offset == UINT64_MAX ? NULL : binary_part(binary, offset, room);
    return text && memchr(text, '\0', room) ? text : NULL;
}

/* ---- imports --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct binary_import *)a)->name, ((const struct binary_import *)b)->name);
}

static bool is_slot(const struct binary *binary, const Elf64_Rela *relocation)
{
    const Elf64_Phdr *segment = segment_of(binary, relocation->r_offset);
    unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
    if (!segment || !(segment->p_flags & PF_W) || relocation->r_offset % sizeof(void *) != 0)
        return false;
    return type == JUMP_SLOT || type == GLOB_DAT || (type == ABSOLUTE && relocation->r_addend == 0);
}

/* The name of the function that another object defines, or NULL. A name too long to be one of
 * libc's is of no interest. */
static const char *imported(const struct binary *binary, const struct tables *tables,
                            uint64_t index)
{
    uint64_t address;
    Elf64_Sym symbol;
    if (index == 0 || __builtin_add_overflow(tables->symbols, index * sizeof symbol, &address))
        return NULL;
    uint64_t offset = binary_offset(binary, address, sizeof symbol);
    if (offset == UINT64_MAX || !copy(binary, offset, &symbol, sizeof symbol) ||
        symbol.st_shndx != SHN_UNDEF)
        return NULL;
    unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC)
        return NULL;
    const char *name = text_at(binary, tables, symbol.st_name, NAME_MOST);
    return name && *name ? name : NULL;
}

static int read_relocations(struct binary *binary, const struct tables *tables, uint64_t address,
                            uint64_t size)
{
    uint64_t offset = size ? binary_offset(binary, address, size) : 0;
    if (offset == UINT64_MAX)
        return damaged(binary);
    size_t count = size / sizeof(Elf64_Rela);
    struct binary_import *longer =
        realloc(binary->imports, (binary->import_count + count + 1) * sizeof *longer);
    if (!longer)
        return ENOMEM;
    binary->imports = longer;
    for (size_t i = 0; i < count; i++) {
        Elf64_Rela relocation;
        if (!copy(binary, offset + i * sizeof relocation, &relocation, sizeof relocation))
            return damaged(binary);
        const char *name = imported(binary, tables, ELF64_R_SYM(relocation.r_info));
        if (name)
            binary->imports[binary->import_count++] =
                (struct binary_import){name, !is_slot(binary, &relocation)};
    }
    return 0;
}

/* Each name once, sorted. */
static void merge_imports(struct binary *binary)
{
    if (!binary->import_count)
        return;
    qsort(binary->imports, binary->import_count, sizeof *binary->imports, by_name);
    size_t kept = 0;
    for (size_t i = 1; i < binary->import_count; i++) {
        if (strcmp(binary->imports[kept].name, binary->imports[i].name) == 0)
            binary->imports[kept].without_slot |= binary->imports[i].without_slot;
        else
            binary->imports[++kept] = binary->imports[i];
    }
    binary->import_count = kept + 1;
}

/* ---- the dynamic section --------------------------------------------------------------------- */

/* What only needs the tables' places; sets *flags to DT_FLAGS_1. */
static void find_tables(const struct binary *binary, const Elf64_Phdr *section,
                        struct tables *tables, uint64_t *flags)
{
    Elf64_Dyn entry;
    for (uint64_t at = 0; at + sizeof entry <= section->p_filesz; at += sizeof entry) {
        if (!copy(binary, section->p_offset + at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
            return;
        uint64_t value = entry.d_un.d_val;
        switch (entry.d_tag) {
        case DT_STRTAB:
            tables->strings = value;
            break;
        case DT_STRSZ:
            tables->strings_size = value;
            break;
        case DT_SYMTAB:
            tables->symbols = value;
            break;
        case DT_RELA:
            tables->relocations[0].address = value;
            break;
        case DT_RELASZ:
            tables->relocations[0].size = value;
            break;
        case DT_JMPREL:
            tables->relocations[1].address = value;
            break;
        case DT_PLTRELSZ:
            tables->relocations[1].size = value;
            break;
        case DT_FLAGS_1:
            *flags = value;
            break;
        default:
            break;
        }
    }
}

static int find_names(struct binary *binary, const Elf64_Phdr *section, const struct tables *tables)
{
    size_t room = section->p_filesz / sizeof(Elf64_Dyn);
    room = room < LIBRARIES_MOST ? room : LIBRARIES_MOST;
    binary->needed = malloc((room + 1) * sizeof *binary->needed);
    if (!binary->needed)
        return ENOMEM;
    Elf64_Dyn entry;
    for (uint64_t at = 0; at + sizeof entry <= section->p_filesz; at += sizeof entry) {
        if (!copy(binary, section->p_offset + at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
            return 0;
        if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME && entry.d_tag != DT_RPATH &&
            entry.d_tag != DT_RUNPATH)
            continue;
        const char *text = text_at(binary, tables, entry.d_un.d_val, 65535);
        if (!text)
            return damaged(binary);
        if (entry.d_tag == DT_SONAME)
            binary->soname = text;
        else if (entry.d_tag == DT_RPATH)
            binary->rpath = text;
        else if (entry.d_tag == DT_RUNPATH)
            binary->runpath = text;
        else if (binary->needed_count < room)
            binary->needed[binary->needed_count++] = text;
    }
    return 0;
}

static int read_dynamic(struct binary *binary, const Elf64_Phdr *section)
{
    struct tables tables = {0};
    uint64_t flags = 0;
    if (!binary_part(binary, section->p_offset, section->p_filesz))
        return damaged(binary);
    find_tables(binary, section, &tables, &flags);
    int error = find_names(binary, section, &tables);
    for (size_t i = 0; i < 2 && !error; i++)
        error = read_relocations(binary, &tables, tables.relocations[i].address,
                                 tables.relocations[i].size);
    merge_imports(binary);
    binary->static_program = flags & DF_1_PIE && !binary->needed_count && !binary->interpreter;
    return error;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int read_segments(struct binary *binary, const Elf64_Ehdr *header)
{
    size_t count = header->e_phnum, size = count * sizeof(Elf64_Phdr);
    if (count > SEGMENTS_MOST)
        return fault(binary, "more segments than a program or library has");
    if (count && header->e_phentsize != sizeof(Elf64_Phdr))
        return damaged(binary);
    binary->segments = malloc(size + 1);
    if (!binary->segments)
        return ENOMEM;
    if (!copy(binary, header->e_phoff, binary->segments, size))
        return damaged(binary);
    binary->segment_count = count;
    const Elf64_Phdr *dynamic = NULL;
    for (size_t i = 0; i < count; i++) {
        const Elf64_Phdr *segment = &binary->segments[i];
        const void *bytes = binary_part(binary, segment->p_offset, segment->p_filesz);
        if (segment->p_type == PT_DYNAMIC)
            dynamic = segment;
        if (segment->p_type == PT_INTERP) {
            if (!bytes || !memchr(bytes, '\0', segment->p_filesz))
                return damaged(binary);
            binary->interpreter = bytes;
        } else if (segment->p_type == PT_LOAD && !bytes) {
            return damaged(binary);
        }
    }
    binary->dynamic = dynamic;
    binary->static_program = !dynamic;
    return dynamic ? read_dynamic(binary, dynamic) : 0;
}

static int read_file(struct binary *binary)
{
    Elf64_Ehdr header;
    const unsigned char *identity = binary_part(binary, 0, EI_NIDENT);
    if (binary->size == 0)
        return fault(binary, "an empty file");
    if (binary->size >= 2 && memcmp(binary->bytes, "#!", 2) == 0)
        return fault(binary, "a script: look at the program that runs it");
    if (!identity || memcmp(identity, ELFMAG, SELFMAG) != 0)
        return fault(binary, "not a program or library (no ELF file)");
    if (identity[EI_CLASS] == ELFCLASS32)
        return fault(binary, "a 32-bit file");
    if (!copy(binary, 0, &header, sizeof header))
        return damaged(binary);
    if (header.e_machine != MACHINE)
        return fault(binary, "for another kind of processor");
    if (header.e_type == ET_REL)
        return fault(binary, "an object file that has not been linked");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return fault(binary, "neither a program nor a library");
    return read_segments(binary, &header);
}

static void free_tables(struct binary *binary)
{
    free(binary->segments);
    free(binary->imports);
    free(binary->needed);
}

int binary_read(struct binary *binary, const char *path, const void *bytes, size_t size)
{
    *binary = (struct binary){.path = path, .bytes = bytes, .size = size};
    int error = read_file(binary);
    if (!error)
        return 0;
    free_tables(binary);
    *binary = (struct binary){.path = path, .fault = error == ENOEXEC ? binary->fault : NULL};
    errno = error;
    return -1;
}

int binary_open(struct binary *binary, const char *path)
{
    *binary = (struct binary){.path = path};
    /* Without waiting for the other end, if it is a FIFO, nor becoming the owner of a terminal. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    struct stat status;
    int error = fstat(fd, &status) < 0 ? errno : 0;
    if (!error && S_ISDIR(status.st_mode))
        error = fault(binary, "a directory");
    else if (!error && !S_ISREG(status.st_mode))
        error = fault(binary, "not a regular file");
    else if (!error && status.st_size == 0)
        error = fault(binary, "an empty file");
    void *bytes = error ? NULL : mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        error = errno;
    close(fd);
    if (error) {
        errno = error;
        return -1;
    }
    if (binary_read(binary, path, bytes, (size_t)status.st_size) == 0) {
        binary->mapped = true;
        return 0;
    }
    error = errno;
    munmap(bytes, (size_t)status.st_size);
    errno = error;
    return -1;
}

void binary_close(struct binary *binary)
{
    free_tables(binary);
    if (binary->mapped)
        munmap((void *)binary->bytes, binary->size);
    *binary = (struct binary){0};
}
