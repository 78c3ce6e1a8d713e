/*
 * A core file. The kernel leaves out pages of files that were not written to. They are read from
 * the files themselves, if these are still there and begin as the process had them.
 *
 * The file is read by pread and never mapped, so that one which is cut off meanwhile is an error
 * and no SIGBUS. What it says of itself is compared with its size first.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

enum {
    MOST_SEGMENTS = 1 << 20,
    MOST_NOTES = 64 << 20, /* bytes */
    MOST_THREADS = 1 << 20,
    GENERAL_REGISTERS = 112, /* where pr_reg lies in NT_PRSTATUS, on both machines */
};

/* A file of which the process had mapped parts. */
struct file {
    char *path;
    int fd; /* -1: not to be used */
    uint64_t size;
};

struct core {
    int fd;
    uint64_t size;
    Elf64_Phdr *segments; /* PT_LOAD, by address */
    size_t segment_count;
    struct file *files;
    size_t file_count;
};

static bool read_file(int fd, uint64_t offset, void *buffer, size_t size)
{
    while (size) {
        ssize_t n = offset > INT64_MAX ? 0 : pread(fd, buffer, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        buffer = (char *)buffer + n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

static bool in_file(const struct core *core, uint64_t offset, uint64_t size)
{
    return offset <= core->size && size <= core->size - offset;
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Returns how many segments begin at or before the address. */
static size_t segments_before(const struct core *core, uint64_t address)
{
    size_t low = 0, high = core->segment_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (core->segments[middle].p_vaddr <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const Elf64_Phdr *segment_of(const struct core *core, uint64_t address)
{
    size_t before = segments_before(core, address);
    if (before == 0)
        return NULL;
    const Elf64_Phdr *segment = &core->segments[before - 1];
    return address - segment->p_vaddr < segment->p_memsz ? segment : NULL;
}

static bool dumped_page(const struct core *core, uint64_t address, void *page)
{
    const Elf64_Phdr *segment = segment_of(core, address);
    uint64_t within = segment ? address - segment->p_vaddr : 0;
    if (!segment || within >= segment->p_filesz || segment->p_filesz - within < INSPECT_PAGE ||
        segment->p_offset > UINT64_MAX - within)
        return false;
    return in_file(core, segment->p_offset + within, INSPECT_PAGE) &&
           read_file(core->fd, segment->p_offset + within, page, INSPECT_PAGE);
}

/* Was the file the same when the process had it mapped? If the core has its first page, which names
 * the build, that tells. */
static bool same_file(const struct inspect_target *target, const char *path, int fd)
{
    unsigned char dumped[INSPECT_PAGE], now[INSPECT_PAGE];
    for (size_t i = 0; i < target->mapping_count; i++) {
        const struct inspect_mapping *mapping = &target->mappings[i];
        if (mapping->offset == 0 && strcmp(mapping->path, path) == 0 &&
            dumped_page(target->own, mapping->start, dumped))
            return read_file(fd, 0, now, sizeof now) && memcmp(now, dumped, sizeof now) == 0;
    }
    return true;
}

/* Returns NULL if there is not enough memory. */
static const struct file *file_of(const struct inspect_target *target, const char *path)
{
    struct core *core = target->own;
    struct stat status;
    for (size_t i = 0; i < core->file_count; i++)
        if (strcmp(core->files[i].path, path) == 0)
            return &core->files[i];
    struct file *files = realloc(core->files, (core->file_count + 1) * sizeof *files);
    if (!files)
        return NULL;
    core->files = files;
    struct file file = {strdup(path), -1, 0};
    if (!file.path)
        return NULL;
    /* No device, no pipe: opening one may wait or do something. */
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        file.size = (uint64_t)status.st_size;
    }
    if (file.fd >= 0 && !same_file(target, path, file.fd)) {
        fprintf(stderr, "bine: %s has changed since; what only it holds is missing\n", path);
        close(file.fd);
        file.fd = -1;
    }
    files[core->file_count] = file;
    return &files[core->file_count++];
}

/* The file that has the page of this address, and where. NULL: none has, as far as the core and the
 * file say. */
static const struct file *file_with(const struct inspect_target *target,
                                    const struct inspect_mapping *mapping, uint64_t address,
                                    uint64_t *offset)
{
    const struct file *file = *mapping->path ? file_of(target, mapping->path) : NULL;
    *offset = mapping->offset + (address - mapping->start);
    return file && file->fd >= 0 && *offset >= mapping->offset && *offset < file->size ? file
                                                                                       : NULL;
}

static bool core_page(struct inspect_target *target, uint64_t address, void *page)
{
    if (dumped_page(target->own, address, page))
        return true;
    const struct inspect_mapping *mapping = inspect_mapping_of(target, address);
    uint64_t offset;
    const struct file *file = mapping ? file_with(target, mapping, address, &offset) : NULL;
    if (!file)
        return false;
    /* The last page of a file is filled up with zeros. */
    ssize_t n = pread(file->fd, page, INSPECT_PAGE, (off_t)offset);
    if (n <= 0)
        return false;
    memset((char *)page + n, 0, (size_t)(INSPECT_PAGE - n));
    return true;
}

/* How many bytes of the segment the file has. */
static uint64_t dumped_size(const struct core *core, const Elf64_Phdr *segment)
{
    uint64_t left = segment->p_offset < core->size ? core->size - segment->p_offset : 0;
    uint64_t size = segment->p_filesz < segment->p_memsz ? segment->p_filesz : segment->p_memsz;
    return (size < left ? size : left) & ~(uint64_t)(INSPECT_PAGE - 1);
}

/* Of memory that nobody had touched, the core has a hole, or a segment without bytes. Both may be
 * of any size. So may what a damaged core says of the mapping of a file. */
static uint64_t core_next(const struct inspect_target *target, uint64_t address)
{
    const struct core *core = target->own;
    for (;;) {
        const Elf64_Phdr *segment = segment_of(core, address);
        const struct inspect_mapping *mapping = inspect_mapping_of(target, address);
        uint64_t in_mapped_file;
        if (mapping && file_with(target, mapping, address, &in_mapped_file))
            return address;
        if (segment) {
            uint64_t within = address - segment->p_vaddr, size = dumped_size(core, segment);
            if (within < size) {
                off_t offset = (off_t)(segment->p_offset + within);
                off_t data = lseek(core->fd, offset, SEEK_DATA);
                if (data < 0 && errno != ENXIO)
                    return address; /* the file system does not know */
                uint64_t skipped =
                    data < 0 ? size : (uint64_t)(data - offset) & ~(uint64_t)(INSPECT_PAGE - 1);
                if (skipped < size - within)
                    return address + skipped;
            }
        }
        /* Nothing is left in the segment. The next one may begin before its end. */
        size_t next = segments_before(core, address);
        if (next == core->segment_count)
            return UINT64_MAX;
        address = core->segments[next].p_vaddr;
    }
}

static void core_close(struct inspect_target *target)
{
    struct core *core = target->own;
    for (size_t i = 0; i < core->file_count; i++) {
        free(core->files[i].path);
        if (core->files[i].fd >= 0)
            close(core->files[i].fd);
    }
    free(core->files);
    free(core->segments);
    if (core->fd >= 0)
        close(core->fd);
    free(core);
}

static const struct inspect_source core_source = {core_page, core_next, core_close};

/* ---- notes ----------------------------------------------------------------------------------- */

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* NT_FILE: how many, the unit of offsets; start, end, offset of each; then the paths. */
static bool read_mappings(struct inspect_target *target, const unsigned char *note, size_t size)
{
    if (size < 16)
        return true;
    uint64_t count = word_at(note), unit = word_at(note + 8);
    if (count > (size - 16) / 24)
        return true;
    const char *path = (const char *)note + 16 + count * 24, *end = (const char *)note + size;
    for (uint64_t i = 0; i < count && path < end; i++) {
        const unsigned char *entry = note + 16 + i * 24;
        const char *zero = memchr(path, 0, (size_t)(end - path));
        uint64_t offset;
        if (!zero)
            break;
        struct inspect_mapping mapping = {
            word_at(entry), word_at(entry + 8), 0, true, false, false, NULL};
        if (mapping.start < mapping.end &&
            !__builtin_mul_overflow(word_at(entry + 16), unit, &offset)) {
            mapping.offset = offset;
            if (!inspect_add_mapping(target, mapping, path))
                return false;
        }
        path = zero + 1;
    }
    return true;
}

/* The kernel's order of x86-64's registers, by DWARF's numbers. */
static void take_registers(struct inspect_thread *thread, unsigned machine,
                           const unsigned char *words, size_t count)
{
    static const unsigned char x86_64[16] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};
    if (machine == EM_X86_64 && count >= 27) {
        for (unsigned i = 0; i < 16; i++)
            thread->values[i] = word_at(words + (size_t)x86_64[i] * 8);
        thread->pc = word_at(words + (size_t)16 * 8);
        thread->known = 0xffff;
    } else if (machine == EM_AARCH64 && count >= 34) {
        for (unsigned i = 0; i < 32; i++)
            thread->values[i] = word_at(words + (size_t)i * 8);
        thread->pc = word_at(words + (size_t)32 * 8);
        thread->known = 0xffffffff;
    }
}

static bool read_thread(struct inspect_target *target, const unsigned char *note, size_t size)
{
    int32_t tid;
    if (size < GENERAL_REGISTERS || target->thread_count >= MOST_THREADS)
        return true;
    memcpy(&tid, note + 32, sizeof tid);
    struct inspect_thread *thread = inspect_add_thread(target, tid);
    if (!thread)
        return false;
    take_registers(thread, target->machine, note + GENERAL_REGISTERS,
                   (size - GENERAL_REGISTERS) / 8);
    return true;
}

static bool read_note(struct inspect_target *target, unsigned type, const unsigned char *note,
                      size_t size)
{
    if (type == NT_FILE)
        return read_mappings(target, note, size);
    if (type == NT_PRSTATUS)
        return read_thread(target, note, size);
    if (type == NT_PRPSINFO && size >= 28) {
        int32_t pid;
        memcpy(&pid, note + 24, sizeof pid);
        target->pid = pid;
    }
    return true;
}

static bool read_notes(struct inspect_target *target, const unsigned char *notes, size_t size)
{
    size_t at = 0;
    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr header;
        memcpy(&header, notes + at, sizeof header);
        at += sizeof header;
        uint64_t name = ((uint64_t)header.n_namesz + 3) & ~UINT64_C(3);
        uint64_t content = ((uint64_t)header.n_descsz + 3) & ~UINT64_C(3);
        if (name > size - at || header.n_descsz > size - at - name)
            break;
        bool of_core = header.n_namesz == 5 && memcmp(notes + at, "CORE", 5) == 0;
        at += name;
        if (of_core && !read_note(target, header.n_type, notes + at, header.n_descsz))
            return false;
        if (content > size - at)
            break;
        at += content;
    }
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int by_address(const void *one, const void *other)
{
    uint64_t a = ((const Elf64_Phdr *)one)->p_vaddr, b = ((const Elf64_Phdr *)other)->p_vaddr;
    return a < b ? -1 : a > b;
}

/* How many program headers. More than 65534 are counted in the first section header. */
static uint64_t header_count(const struct core *core, const Elf64_Ehdr *header)
{
    Elf64_Shdr section;
    if (header->e_phnum != PN_XNUM)
        return header->e_phnum;
    if (!in_file(core, header->e_shoff, sizeof section) ||
        !read_file(core->fd, header->e_shoff, &section, sizeof section))
        return 0;
    return section.sh_info;
}

static const char *read_segments(struct inspect_target *target, const Elf64_Ehdr *header)
{
    struct core *core = target->own;
    uint64_t count = header_count(core, header);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || !count || count > MOST_SEGMENTS ||
        !in_file(core, header->e_phoff, count * sizeof(Elf64_Phdr)))
        return "its program headers are damaged";
    Elf64_Phdr *all = malloc(count * sizeof *all);
    if (!all)
        return "there is not enough memory";
    core->segments = all;
    if (!read_file(core->fd, header->e_phoff, all, count * sizeof *all))
        return "it cannot be read";
    for (uint64_t i = 0; i < count; i++) {
        if (all[i].p_type != PT_NOTE)
            continue;
        uint64_t size = all[i].p_filesz;
        if (size > MOST_NOTES || !in_file(core, all[i].p_offset, size))
            return "its notes are damaged";
        unsigned char *notes = malloc(size + 1);
        bool right = notes && read_file(core->fd, all[i].p_offset, notes, size) &&
                     read_notes(target, notes, size);
        free(notes);
        if (!right)
            return "its notes cannot be read";
    }
    for (uint64_t i = 0; i < count; i++)
        if (all[i].p_type == PT_LOAD && all[i].p_memsz &&
            all[i].p_vaddr <= UINT64_MAX - all[i].p_memsz)
            all[core->segment_count++] = all[i];
    qsort(all, core->segment_count, sizeof *all, by_address);
    return NULL;
}

/* What has no file is told by the segments only. */
static bool add_anonymous(struct inspect_target *target)
{
    const struct core *core = target->own;
    size_t named = target->mapping_count;
    inspect_settle(target);
    for (size_t i = 0, next = 0; i < core->segment_count; i++) {
        const Elf64_Phdr *segment = &core->segments[i];
        while (next < named && target->mappings[next].end <= segment->p_vaddr)
            next++;
        if (next < named && target->mappings[next].start <= segment->p_vaddr) {
            target->mappings[next].writable |= (segment->p_flags & PF_W) != 0;
            target->mappings[next].executable |= (segment->p_flags & PF_X) != 0;
            continue;
        }
        struct inspect_mapping mapping = {segment->p_vaddr,
                                          segment->p_vaddr + segment->p_memsz,
                                          0,
                                          (segment->p_flags & PF_R) != 0,
                                          (segment->p_flags & PF_W) != 0,
                                          (segment->p_flags & PF_X) != 0,
                                          NULL};
        if (!inspect_add_mapping(target, mapping, ""))
            return false;
    }
    inspect_settle(target);
    return true;
}

static const char *read_core(struct inspect_target *target)
{
    struct core *core = target->own;
    struct stat status;
    Elf64_Ehdr header;
    if (fstat(core->fd, &status) < 0 || !S_ISREG(status.st_mode))
        return "it is not a file";
    core->size = (uint64_t)status.st_size;
    if (!in_file(core, 0, sizeof header) || !read_file(core->fd, 0, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return "it is neither a process's number nor a core file";
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
        return "it is not of a machine of 64 bits";
    if (header.e_type != ET_CORE)
        return "it is a program or a library, not a core file";
    target->machine = header.e_machine;
    const char *why = read_segments(target, &header);
    if (!why && !add_anonymous(target))
        why = "there is not enough memory";
    return why;
}

struct inspect_target *inspect_open_core(const char *path)
{
    struct inspect_target *target = inspect_new(&core_source);
    struct core *core = target ? calloc(1, sizeof *core) : NULL;
    const char *why = "there is not enough memory";
    if (core) {
        target->own = core;
        target->now = -1;
        core->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        why = core->fd < 0 ? strerror(errno) : read_core(target);
    }
    if (!why)
        return target;
    fprintf(stderr, "bine: %s cannot be looked into: %s\n", path, why);
    inspect_close(target);
    return NULL;
}
