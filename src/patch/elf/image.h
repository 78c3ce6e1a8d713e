/*
 * One loaded object (the program, a library) as the loader laid it out in memory: where it lies,
 * its dynamic section, its symbols. It does not know of hooks.
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
    uintptr_t base;     /* the number that is added to the addresses in the file */
    const char *path;   /* as the loader knows it; "" is the program */
    const char *name;   /* without the directory */
    const char *soname; /* "" if it has none */
    const ElfW(Phdr) * headers;
    size_t header_count;
    const ElfW(Dyn) * dynamic;
    uintptr_t start, end; /* all its segments */
    /* whole pages that the loader makes read-only when it has relocated the object */
    uintptr_t relro_start, relro_end;
    bool other_namespace; /* loaded by dlmopen: it has a libc of its own */

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

/* Fills in the view. Returns false if the object has no dynamic symbols (a static program, the vdso
 * of old kernels). */
bool bine_image_read(struct bine_image *object, uintptr_t base, const char *path,
                     const ElfW(Phdr) * headers, size_t header_count);

static inline bool bine_image_contains(const struct bine_image *object, const void *address)
{
    return (uintptr_t)address >= object->start && (uintptr_t)address < object->end;
}

/* Returns the protection of the segment in which `address` lies, as the file asks for it, or -1 if
 * it lies in none. */
int bine_image_protection(const struct bine_image *object, uintptr_t address);

/* Does the object define `name` at `address`, in any version? */
bool bine_image_defines_at(const struct bine_image *object, const char *name, const void *address);

/* Returns the symbol called `name` that the object's hash table lists, or NULL. It is a definition,
 * or the jump stub that a program with fixed addresses uses as a function's address. */
const ElfW(Sym) * bine_image_symbol(const struct bine_image *object, const char *name);

/* Is the symbol with this index wanted in version GLIBC_PRIVATE? Then one part of glibc calls
 * another part. */
bool bine_image_wants_private(const struct bine_image *object, size_t index);

/* Is the object a part of the C library, of a sanitizer, of valgrind, or of Bine itself? libc's
 * functions may live in these, and their own calls are never touched. */
bool bine_image_is_system(const struct bine_image *object);
/* Would an object be one that is called so? */
bool bine_image_name_is_system(const char *name);

/* Is it the C++ runtime? Some functions that are patched live there. Its own calls are patched like
 * a library's. */
bool bine_image_is_cxx_runtime(const struct bine_image *object);

#endif
