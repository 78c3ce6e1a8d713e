/* Addresses to objects and functions. See place.h. */
#include "place.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc/libc.h"

void bine_maps_read(struct bine_maps *maps)
{
    size_t room = 1 << 16, size = 0;
    char *text = malloc(room);
    int fd = text ? bine_libc.open("/proc/self/maps", O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = -1;
    while (fd >= 0 && (got = bine_libc.read(fd, text + size, room - size - 1)) > 0) {
        size += (size_t)got;
        if (room - size > 4096)
            continue;
        char *larger = realloc(text, room * 2);
        if (!larger)
            break;
        text = larger;
        room *= 2;
    }
    if (fd >= 0)
        bine_libc.close(fd);
    if (got == 0) {
        text[size] = 0;
    } else {
        free(text);
        text = NULL;
    }
    maps->text = text;
}

void bine_maps_free(struct bine_maps *maps)
{
    free(maps->text);
    maps->text = NULL;
}

struct mapping {
    uintptr_t begin, end, offset;
    const char *path;
    int path_size;
};

/* The executable mapping that holds the address. */
static bool find_mapping(const struct bine_maps *maps, uintptr_t address, struct mapping *found)
{
    for (const char *line = maps->text, *next; line && *line; line = next) {
        const char *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        char *at;
        found->begin = strtoull(line, &at, 16);
        if (*at != '-')
            continue;
        found->end = strtoull(at + 1, &at, 16);
        if (address < found->begin || address >= found->end)
            continue;
        if (at + 6 > next || at[3] != 'x')
            return false;
        found->offset = strtoull(at + 6, NULL, 16);
        const char *path = memchr(line, '/', (size_t)(next - line));
        const char *special = memchr(line, '[', (size_t)(next - line));
        found->path = path ? path : special ? special : "";
        found->path_size = path || special ? (int)((end ? end : next) - found->path) : 0;
        return true;
    }
    return false;
}

bool bine_place_is_code(const struct bine_maps *maps, uintptr_t address)
{
    struct mapping mapping;
    return find_mapping(maps, address, &mapping);
}

/* ---- the symbols of a file ------------------------------------------------------------------- */

struct file {
    const char *bytes;
    size_t size;
};

static const void *part(const struct file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

/* Of two names for one place the one with fewer leading underscores is the better. */
static bool better_name(const char *name, const char *than)
{
    return strspn(name, "_") < strspn(than, "_");
}

static void look_through(const struct file *file, const Elf64_Shdr *symbols,
                         const Elf64_Shdr *strings, uintptr_t address, struct bine_place *place,
                         uintptr_t *best)
{
    const char *text = part(file, strings->sh_offset, strings->sh_size);
    uint64_t count = symbols->sh_size / sizeof(Elf64_Sym);
    const char *table = part(file, symbols->sh_offset, count * sizeof(Elf64_Sym));
    if (!text || !table || !strings->sh_size || text[strings->sh_size - 1])
        return;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, table + i * sizeof symbol, sizeof symbol);
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !symbol.st_value ||
            symbol.st_value > address || symbol.st_name >= strings->sh_size)
            continue;
        if (symbol.st_size ? address - symbol.st_value >= symbol.st_size
                           : address - symbol.st_value > 65536)
            continue;
        const char *name = text + symbol.st_name;
        if (!*name || (place->function[0] &&
                       (symbol.st_value < *best ||
                        (symbol.st_value == *best && !better_name(name, place->function)))))
            continue;
        *best = symbol.st_value;
        snprintf(place->function, sizeof place->function, "%s", name);
        place->offset = address - symbol.st_value;
    }
}

/* `offset`: of the code in the file. */
static void name_function(const struct file *file, uintptr_t offset, struct bine_place *place)
{
    Elf64_Ehdr header;
    const void *start = part(file, 0, sizeof header);
    if (!start)
        return;
    memcpy(&header, start, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shentsize != sizeof(Elf64_Shdr))
        return;
    const char *segments =
        part(file, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr));
    const char *sections =
        part(file, header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr));
    uintptr_t address = UINTPTR_MAX, best = 0;
    for (unsigned i = 0; segments && i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, segments + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_LOAD && offset >= segment.p_offset &&
            offset - segment.p_offset < segment.p_filesz)
            address = offset - segment.p_offset + segment.p_vaddr;
    }
    for (unsigned i = 0; sections && address != UINTPTR_MAX && i < header.e_shnum; i++) {
        Elf64_Shdr section, strings;
        memcpy(&section, sections + i * sizeof section, sizeof section);
        if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) ||
            section.sh_link >= header.e_shnum)
            continue;
        memcpy(&strings, sections + section.sh_link * sizeof strings, sizeof strings);
        look_through(file, &section, &strings, address, place, &best);
    }
}

bool bine_place_find(const struct bine_maps *maps, uintptr_t address, struct bine_place *place)
{
    struct mapping mapping;
    if (!find_mapping(maps, address, &mapping))
        return false;
    *place = (struct bine_place){.offset = address - mapping.begin + mapping.offset};
    snprintf(place->object, sizeof place->object, "%.*s", mapping.path_size, mapping.path);
    int fd = place->object[0] == '/' ? bine_libc.open(place->object, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return true;
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        struct file file = {.size = (size_t)status.st_size};
        void *bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            file.bytes = bytes;
            name_function(&file, place->offset, place);
            munmap(bytes, file.size);
        }
    }
    bine_libc.close(fd);
    return true;
}

const char *bine_place_base(const char *object)
{
    const char *slash = strrchr(object, '/');
    return slash ? slash + 1 : object;
}
