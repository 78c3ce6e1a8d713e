/*
 * A program or library as a file: what it imports from other objects and what it loads. Nothing of
 * it is loaded or run.
 *
 * The functions read what the loader reads (program headers, the dynamic section), so that a file
 * without section headers can be judged. The file may hold any bytes: every offset is checked, and
 * the work is bounded by the size of the file.
 */
#ifndef BINE_CLI_BINARY_H
#define BINE_CLI_BINARY_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binary_import {
    const char *name;
    /* Some of its calls are relocated where no slot can be rewritten: in code, or by an unknown
     * kind. */
    bool without_slot;
};

struct binary {
    const char *path;
    /* after a failure what is wrong with the file, in words; NULL: errno says it */
    const char *fault;
    const unsigned char *bytes; /* the file, mapped */
    size_t size;
    bool mapped;          /* binary_open mapped it, and binary_close unmaps it */
    Elf64_Phdr *segments; /* a copy, because the file's may lie at any address */
    size_t segment_count;
    bool dynamic; /* it has a dynamic section; without one nothing can be patched */
    /* It is linked statically, with a dynamic section (position-independent) or without. */
    bool static_program;
    const char *interpreter; /* the loader that a dynamic program names, else NULL */
    /* the functions that other objects define, each once, sorted by name */
    struct binary_import *imports;
    size_t import_count;
    const char **needed; /* the names of the libraries it asks for (DT_NEEDED), in order */
    size_t needed_count;
    const char *soname, *rpath, *runpath; /* NULL if there is none */
};

/* Returns 0, or -1 with errno: what open says, ENOEXEC (no program or library that can be read: see
 * `fault`), ENOMEM. Never waits. */
int binary_open(struct binary *binary, const char *path);
void binary_close(struct binary *binary);

/* Does the same for `size` bytes in memory, which stay the caller's and must outlive the binary. */
int binary_read(struct binary *binary, const char *path, const void *bytes, size_t size);

/* Returns `size` bytes at this offset of the file, or NULL if they do not lie in it. They may lie
 * at an odd address. */
const void *binary_part(const struct binary *binary, uint64_t offset, uint64_t size);

/* Returns the offset in the file of an address, if the file has at least `size` bytes there.
 * Returns UINT64_MAX if there is none. */
uint64_t binary_offset(const struct binary *binary, uint64_t address, uint64_t size);

#endif
