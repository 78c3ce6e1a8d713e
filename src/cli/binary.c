/* Reads ELF files: elf(5). Every offset in the file is checked before it is believed. See binary.h. */
#include "binary.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
enum {
    MACHINE = EM_X86_64
};
#elif defined(__aarch64__)
enum {
    MACHINE = EM_AARCH64
};
#endif

/* `count` things of `size` bytes at `offset`, or NULL if they do not lie in the file. */
static const void *part(const struct binary *binary, uint64_t offset, uint64_t size, uint64_t count)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes) || offset > binary->size || bytes > binary->size - offset)
        return NULL;
    return binary->bytes + offset;
}

static const char *text_at(const struct binary *binary, const Elf64_Shdr *strings, uint64_t at)
{
    if (at >= strings->sh_size)
        return NULL;
    const char *text = part(binary, strings->sh_offset + at, 1, strings->sh_size - at);
    return text && memchr(text, '\0', strings->sh_size - at) ? text : NULL;
}

/* ---- imports -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_symbols(struct binary *binary, const Elf64_Shdr *section, const Elf64_Shdr *strings)
{
    size_t count = section->sh_size / sizeof(Elf64_Sym);
    const Elf64_Sym *symbols = part(binary, section->sh_offset, sizeof *symbols, count);
    if (!symbols)
        return ENOEXEC;
    binary->imports = malloc((count + 1) * sizeof *binary->imports);
    if (!binary->imports)
        return ENOMEM;
    for (size_t i = 1; i < count; i++) {
        unsigned type = ELF64_ST_TYPE(symbols[i].st_info);
        if (symbols[i].st_shndx != SHN_UNDEF || (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC))
            continue;
        const char *name = text_at(binary, strings, symbols[i].st_name);
        if (!name)
            return ENOEXEC;
        if (*name)
            binary->imports[binary->import_count++] = name;
    }
    qsort(binary->imports, binary->import_count, sizeof *binary->imports, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < binary->import_count; i++)
        if (!kept || strcmp(binary->imports[kept - 1], binary->imports[i]) != 0)
            binary->imports[kept++] = binary->imports[i];
    binary->import_count = kept;
    return 0;
}

static int read_sections(struct binary *binary, const Elf64_Ehdr *header)
{
    const Elf64_Shdr *sections = part(binary, header->e_shoff, sizeof *sections, header->e_shnum);
    if (!sections)
        return ENOEXEC;
    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];
        if (section->sh_type != SHT_DYNSYM && section->sh_type != SHT_GNU_verneed)
            continue;
        if (section->sh_link >= header->e_shnum)
            return ENOEXEC;
        const Elf64_Shdr *strings = &sections[section->sh_link];
        if (section->sh_type == SHT_DYNSYM && !binary->imports) {
            int error = read_symbols(binary, section, strings);
            if (error)
                return error;
        } else if (section->sh_type == SHT_GNU_verneed) {
            const char *text = part(binary, strings->sh_offset, 1, strings->sh_size);
            binary->private_imports = text && memmem(text, strings->sh_size, "GLIBC_PRIVATE", sizeof "GLIBC_PRIVATE");
        }
    }
    return 0;
}

/* ---- system calls of its own ------------------------------------------------------------------- */

static void note_call(struct binary *binary, uint32_t number)
{
    if (number >= 1024)
        return;
    for (size_t i = 0; i < binary->call_count; i++)
        if (binary->calls[i] == number)
            return;
    if (binary->call_count < sizeof binary->calls / sizeof *binary->calls)
        binary->calls[binary->call_count++] = (uint16_t)number;
}

static void look_for_calls(struct binary *binary, const unsigned char *code, size_t size)
{
#if defined(__x86_64__)
    /* mov $number, %eax; up to three other short instructions; syscall */
    for (const unsigned char *at = code; (at = memmem(at, (size_t)(code + size - at), "\x0f\x05", 2)); at += 2)
        for (const unsigned char *load = at - 5; load >= code && load >= at - 16; load--)
            if (*load == 0xb8 && load[3] == 0 && load[4] == 0) {
                note_call(binary, (uint32_t)(load[1] | load[2] << 8));
                break;
            }
#elif defined(__aarch64__)
    /* mov x8 or w8, #number; up to three other instructions; svc #0 */
    const uint32_t *words = (const uint32_t *)(const void *)code;
    for (size_t i = 0; i < size / 4; i++)
        for (size_t back = 1; words[i] == 0xd4000001 && back <= 4 && back <= i; back++)
            if ((words[i - back] & 0x7fe0001f) == 0x52800008) {
                note_call(binary, words[i - back] >> 5 & 0xffff);
                break;
            }
#else
    (void)binary, (void)code, (void)size;
#endif
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int read_segments(struct binary *binary, const Elf64_Ehdr *header)
{
    const Elf64_Phdr *segments = part(binary, header->e_phoff, sizeof *segments, header->e_phnum);
    if (!segments || (header->e_phnum && header->e_phentsize != sizeof *segments))
        return ENOEXEC;
    bool pie = false, needs = false;
    for (size_t i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        const void *bytes = part(binary, segment->p_offset, 1, segment->p_filesz);
        if (segment->p_type == PT_DYNAMIC) {
            binary->dynamic = true;
            for (size_t entry = 0; bytes && entry < segment->p_filesz / sizeof(Elf64_Dyn); entry++) {
                const Elf64_Dyn *dynamic = (const Elf64_Dyn *)bytes + entry;
                pie |= dynamic->d_tag == DT_FLAGS_1 && dynamic->d_un.d_val & DF_1_PIE;
                needs |= dynamic->d_tag == DT_NEEDED;
            }
        } else if (segment->p_type == PT_INTERP) {
            if (!bytes || !memchr(bytes, '\0', segment->p_filesz))
                return ENOEXEC;
            binary->interpreter = bytes;
        } else if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X)) {
            if (!bytes)
                return ENOEXEC;
            look_for_calls(binary, bytes, segment->p_filesz);
        }
    }
    binary->static_program = !binary->dynamic || (pie && !needs && !binary->interpreter);
    binary->program = binary->interpreter || header->e_type == ET_EXEC || !binary->dynamic;
    return 0;
}

static int fault(struct binary *binary, const char *what)
{
    binary->fault = what;
    return ENOEXEC;
}

static int read_file(struct binary *binary)
{
    const Elf64_Ehdr *header = part(binary, 0, sizeof *header, 1);
    const unsigned char *identity = part(binary, 0, EI_NIDENT, 1);
    if (binary->size >= 2 && memcmp(binary->bytes, "#!", 2) == 0)
        return fault(binary, "a script: look at the program that runs it");
    if (!identity || memcmp(identity, ELFMAG, SELFMAG) != 0)
        return fault(binary, "not a program or library (no ELF file)");
    if (identity[EI_CLASS] == ELFCLASS32)
        return fault(binary, "a 32-bit file");
    if (!header)
        return fault(binary, "cut short or damaged");
    if (header->e_machine != MACHINE)
        return fault(binary, "for another kind of processor");
    if (header->e_type == ET_REL)
        return fault(binary, "an object file that has not been linked");
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return fault(binary, "neither a program nor a library");
    int error = read_segments(binary, header);
    if (!error)
        error = read_sections(binary, header);
    if (!error && !binary->static_program && !binary->imports)
        return fault(binary, "its section headers were removed, so its imports cannot be read");
    return error == ENOEXEC ? fault(binary, "cut short or damaged") : error;
}

int binary_open(struct binary *binary, const char *path)
{
    *binary = (struct binary){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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
    if (!error) {
        binary->size = (size_t)status.st_size;
        void *bytes = mmap(NULL, binary->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            error = errno;
        else
            binary->bytes = bytes;
    }
    close(fd);
    if (!error)
        error = read_file(binary);
    if (!error)
        return 0;
    const char *what = binary->fault;
    binary_close(binary);
    binary->fault = what;
    errno = error;
    return -1;
}

void binary_close(struct binary *binary)
{
    if (binary->bytes)
        munmap((void *)binary->bytes, binary->size);
    free(binary->imports);
    *binary = (struct binary){0};
}
