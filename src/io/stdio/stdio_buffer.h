/*
 * The parts of glibc's FILE that its headers show (bits/types/struct_FILE.h) but do not name: flags
 * of _flags, unchanged since glibc 2.0 because inlined getc and putc of old programs depend on
 * them.
 */
#ifndef BINE_IO_STDIO_STDIO_BUFFER_H
#define BINE_IO_STDIO_STDIO_BUFFER_H

#include <stdio.h>

#ifdef __GLIBC__
#define BINE_STDIO_KNOWN 1
enum {
    FILE_UNBUFFERED = 0x0002,
    FILE_NO_READS = 0x0004,
    FILE_NO_WRITES = 0x0008,
    FILE_EOF_SEEN = 0x0010,
    FILE_ERR_SEEN = 0x0020,
    FILE_LINKED = 0x0080,
    FILE_IN_BACKUP = 0x0100,
    FILE_LINE_BUFFERED = 0x0200,
    FILE_PUTTING = 0x0800,
    FILE_OVER_DESCRIPTOR = 0x2000, /* in other streams (open_memstream) _fileno was never set */
    FILE_USER_LOCK = 0x8000,
};
#else
#define BINE_STDIO_KNOWN 0
#endif

#endif
