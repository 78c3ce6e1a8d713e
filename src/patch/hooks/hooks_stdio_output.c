/* Hooks of the stdio family, writing. src/io/stdio does the work. See hook.h for the pattern. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "io/stdio/stdio.h"
#include "patch/table/hook.h"

int(hook_putc)(int byte, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_putc(hub, byte, file, false) : bine_libc.putc(byte, file);
}

int(hook_putchar)(int byte)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_putc(hub, byte, stdout, false) : bine_libc.putchar(byte);
}

int(hook_putc_unlocked)(int byte, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_putc(hub, byte, file, true) : bine_libc.putc_unlocked(byte, file);
}

int(hook_putchar_unlocked)(int byte)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_putc(hub, byte, stdout, true) : bine_libc.putchar_unlocked(byte);
}

int hook___overflow(FILE *file, int byte)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_overflow(hub, file, byte) : bine_libc.__overflow(file, byte);
}

int hook_fputs(const char *text, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fputs(hub, text, file, false) : bine_libc.fputs(text, file);
}

int hook_fputs_unlocked(const char *text, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fputs(hub, text, file, true) : bine_libc.fputs_unlocked(text, file);
}

int hook_puts(const char *text)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_puts(hub, text) : bine_libc.puts(text);
}

size_t hook_fwrite(const void *data, size_t size, size_t count, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fwrite(hub, data, size, count, file, false)
               : bine_libc.fwrite(data, size, count, file);
}

size_t hook_fwrite_unlocked(const void *data, size_t size, size_t count, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fwrite(hub, data, size, count, file, true)
               : bine_libc.fwrite_unlocked(data, size, count, file);
}

int hook_putw(int word, FILE *file)
{
    return hook_fwrite(&word, sizeof word, 1, file) == 1 ? 0 : EOF;
}

/* ---- printf ---------------------------------------------------------------------------------- */

int hook_vfprintf(FILE *file, const char *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vfprintf(hub, file, -1, format, arguments)
               : bine_libc.vfprintf(file, format, arguments);
}

int(hook_vprintf)(const char *format, va_list arguments)
{
    return hook_vfprintf(stdout, format, arguments);
}

int hook_fprintf(FILE *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook_vfprintf(file, format, arguments);
    va_end(arguments);
    return result;
}

int hook_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook_vfprintf(stdout, format, arguments);
    va_end(arguments);
    return result;
}

int hook___vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vfprintf(hub, file, flag, format, arguments)
               : bine_libc.__vfprintf_chk(file, flag, format, arguments);
}

int hook___vprintf_chk(int flag, const char *format, va_list arguments)
{
    return hook___vfprintf_chk(stdout, flag, format, arguments);
}

int hook___fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook___vfprintf_chk(file, flag, format, arguments);
    va_end(arguments);
    return result;
}

int hook___printf_chk(int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook___vfprintf_chk(stdout, flag, format, arguments);
    va_end(arguments);
    return result;
}

int hook_vdprintf(int fd, const char *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vdprintf(hub, fd, -1, format, arguments)
               : bine_libc.vdprintf(fd, format, arguments);
}

int hook_dprintf(int fd, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook_vdprintf(fd, format, arguments);
    va_end(arguments);
    return result;
}

int hook___vdprintf_chk(int fd, int flag, const char *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vdprintf(hub, fd, flag, format, arguments)
               : bine_libc.__vdprintf_chk(fd, flag, format, arguments);
}

int hook___dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook___vdprintf_chk(fd, flag, format, arguments);
    va_end(arguments);
    return result;
}

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
