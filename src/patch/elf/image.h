/*
 * One loaded object (the program, a library) as the loader laid it out in memory: where it lies, its dynamic section,
 * its symbols. Knows nothing of hooks.
 */
#ifndef BINE_PATCH_ELF_IMAGE_H
#define BINE_PATCH_ELF_IMAGE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bine_table {
    const char *start;
    size_t size;
};

/* A view: it points into the object and is valid only while the object cannot be unloaded. */
struct bine_image {
    uintptr_t base;     /* what is added to the addresses in the file */
    const char *path;   /* as the loader knows it; "" is the program */
    const char *name;   /* without the directory */
    const char *soname; /* "" if it has none */
    const ElfW(Phdr) * headers;
    size_t header_count;
    const ElfW(Dyn) * dynamic;
    uintptr_t start, end;             /* all its segments */
    uintptr_t relro_start, relro_end; /* whole pages that the loader closes when it has relocated the object */
    bool other_namespace;             /* loaded by dlmopen: it has a libc of its own */

    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash; /* used where there is no gnu_hash */
    const ElfW(Half) * versions;
    const char *needed_versions;
    size_t needed_version_count;
    struct bine_table relocations;       /* DT_RELA */
    struct bine_table short_relocations; /* DT_REL */
    struct bine_table jumps;             /* DT_JMPREL */
    bool jumps_are_short;                /* ... in the form of DT_REL */
};

/* Fill in the view. False if the object has no dynamic symbols (a static program, the vdso of old kernels). */
bool bine_image_read(struct bine_image *object, uintptr_t base, const char *path, const ElfW(Phdr) * headers,
                     size_t header_count);

static inline bool bine_image_contains(const struct bine_image *object, const void *address)
{
    return (uintptr_t)address >= object->start && (uintptr_t)address < object->end;
}

/* The protection of the segment that `address` lies in, as the file asks for it; -1 if in none. */
int bine_image_protection(const struct bine_image *object, uintptr_t address);

/* Does the object define `name` at `address`, in whichever version? */
bool bine_image_defines_at(const struct bine_image *object, const char *name, const void *address);

/* The symbol called `name` that the object's hash table lists (a definition, or the jump stub that a program with
 * fixed addresses lends out as a function's address), or NULL. */
const ElfW(Sym) * bine_image_symbol(const struct bine_image *object, const char *name);

/* Is the symbol with this index wanted in version GLIBC_PRIVATE: a part of glibc talking to another part? */
bool bine_image_wants_private(const struct bine_image *object, size_t index);

/* Parts of the C library, of a sanitizer, of valgrind, of Bine itself: where libc's functions may live, and whose own
 * calls are never touched. */
bool bine_image_is_system(const struct bine_image *object);

/* The C++ runtime: some functions that are patched live there; its own calls are patched like a library's. */
bool bine_image_is_cxx_runtime(const struct bine_image *object);

#endif
