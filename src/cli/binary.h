/*
 * A program or library as a file: what it imports from other objects and what it does by itself. Nothing of it is
 * loaded or run.
 */
#ifndef BINE_CLI_BINARY_H
#define BINE_CLI_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binary {
    const char *path;
    const char *fault;          /* after a failure: what is wrong with the file, in words; NULL: errno says it */
    const unsigned char *bytes; /* the file, mapped */
    size_t size;
    bool dynamic;            /* it has a dynamic section; without one nothing can be patched */
    bool static_program;     /* it is linked statically, with a dynamic section (position-independent) or without */
    bool program;            /* it names a loader, or has none and is no library */
    const char *interpreter; /* of a dynamic program, else NULL */
    const char **imports;    /* names of functions that other objects define, each once, sorted */
    size_t import_count;
    bool private_imports; /* it is a part of the C library itself (GLIBC_PRIVATE) */
    /* Numbers of system calls that its own code makes: the constant that is loaded right before the instruction. */
    uint16_t calls[64];
    size_t call_count;
};

/* 0, or -1 with errno: what open says, ENOEXEC (no program or library that can be read: see `fault`), ENOMEM. */
int binary_open(struct binary *binary, const char *path);
void binary_close(struct binary *binary);

#endif
