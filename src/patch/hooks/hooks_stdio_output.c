/* Hooks of the stdio family, writing. src/io/stdio does the work. */
#include "hooks_stdio.h"

#include <errno.h>
#include <string.h>

#include "io/stdio/stdio.h"

/* clang-format would take FILE *file for a product. */
/* clang-format off */
STDIO_HOOK(int, putc, (int byte, FILE *file), bine_stdio_putc(hub, byte, file, false), (byte, file))
STDIO_HOOK(int, putchar, (int byte), bine_stdio_putc(hub, byte, stdout, false), (byte))
STDIO_HOOK(int, putc_unlocked, (int byte, FILE *file),
           bine_stdio_putc(hub, byte, file, true), (byte, file))
STDIO_HOOK(int, putchar_unlocked, (int byte), bine_stdio_putc(hub, byte, stdout, true), (byte))
STDIO_HOOK(int, __overflow, (FILE *file, int byte),
           bine_stdio_overflow(hub, file, byte), (file, byte))
STDIO_HOOK(int, fputs, (const char *text, FILE *file),
           bine_stdio_fputs(hub, text, file, false), (text, file))
STDIO_HOOK(int, fputs_unlocked, (const char *text, FILE *file),
           bine_stdio_fputs(hub, text, file, true), (text, file))
STDIO_HOOK(int, puts, (const char *text), bine_stdio_puts(hub, text), (text))
STDIO_HOOK(size_t, fwrite, (const void *data, size_t size, size_t count, FILE *file),
           bine_stdio_fwrite(hub, data, size, count, file, false), (data, size, count, file))
STDIO_HOOK(size_t, fwrite_unlocked, (const void *data, size_t size, size_t count, FILE *file),
           bine_stdio_fwrite(hub, data, size, count, file, true), (data, size, count, file))

int hook_putw(int word, FILE *file)
{
    return hook_fwrite(&word, sizeof word, 1, file) == 1 ? 0 : EOF;
}

/* ---- printf ---------------------------------------------------------------------------------- */

STDIO_HOOK(int, vfprintf, (FILE *file, const char *format, va_list arguments),
           bine_stdio_vfprintf(hub, file, -1, format, arguments), (file, format, arguments))

int(hook_vprintf)(const char *format, va_list arguments)
{
    return hook_vfprintf(stdout, format, arguments);
}

STDIO_HOOK_DOTS(fprintf, (FILE *file, const char *format, ...),
                hook_vfprintf(file, format, arguments))
STDIO_HOOK_DOTS(printf, (const char *format, ...), hook_vfprintf(stdout, format, arguments))
STDIO_HOOK(int, __vfprintf_chk, (FILE *file, int flag, const char *format, va_list arguments),
           bine_stdio_vfprintf(hub, file, flag, format, arguments), (file, flag, format, arguments))

int hook___vprintf_chk(int flag, const char *format, va_list arguments)
{
    return hook___vfprintf_chk(stdout, flag, format, arguments);
}

STDIO_HOOK_DOTS(__fprintf_chk, (FILE *file, int flag, const char *format, ...),
                hook___vfprintf_chk(file, flag, format, arguments))
STDIO_HOOK_DOTS(__printf_chk, (int flag, const char *format, ...),
                hook___vfprintf_chk(stdout, flag, format, arguments))
STDIO_HOOK(int, vdprintf, (int fd, const char *format, va_list arguments),
           bine_stdio_vdprintf(hub, fd, -1, format, arguments), (fd, format, arguments))
STDIO_HOOK_DOTS(dprintf, (int fd, const char *format, ...), hook_vdprintf(fd, format, arguments))
STDIO_HOOK(int, __vdprintf_chk, (int fd, int flag, const char *format, va_list arguments),
           bine_stdio_vdprintf(hub, fd, flag, format, arguments), (fd, flag, format, arguments))
STDIO_HOOK_DOTS(__dprintf_chk, (int fd, int flag, const char *format, ...),
                hook___vdprintf_chk(fd, flag, format, arguments))
/* clang-format on */

void hook_perror(const char *prefix)
{
    int error = errno;
    if (!bine_hook_here(BINE_PATCH_STDIO)) {
        bine_libc.perror(prefix);
        return;
    }
    char reason[128];
    const char *text = strerror_r(error, reason, sizeof reason);
    bool named = prefix && *prefix;
    hook_fprintf(stderr, "%s%s%s\n", named ? prefix : "", named ? ": " : "", text);
    errno = error;
}
