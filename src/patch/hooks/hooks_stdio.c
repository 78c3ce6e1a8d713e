/*
 * Hooks of the stdio family, reading and streams. src/io/stdio does the work. See hook.h for the
 * pattern.
 *
 * By the standard getc and its relatives may be macros. Here the functions are meant, so their
 * names are in parentheses.
 */
#include <stdarg.h>

#include "io/stdio/stdio.h"
#include "io/stdio/stdio_lock.h"
#include "patch/table/hook.h"

/* ---- one byte -------------------------------------------------------------------------------- */

int(hook_getc)(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_getc(hub, file, false) : bine_libc.getc(file);
}

int(hook_getchar)(void)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_getc(hub, stdin, false) : bine_libc.getchar();
}

int(hook_getc_unlocked)(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_getc(hub, file, true) : bine_libc.getc_unlocked(file);
}

int(hook_getchar_unlocked)(void)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_getc(hub, stdin, true) : bine_libc.getchar_unlocked();
}

int hook___uflow(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_uflow(hub, file) : bine_libc.__uflow(file);
}

int hook___underflow(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_underflow(hub, file) : bine_libc.__underflow(file);
}

/* ---- lines and blocks ------------------------------------------------------------------------ */

char *hook_fgets(char *line, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fgets(hub, line, size, file, false) : bine_libc.fgets(line, size, file);
}

char *hook_fgets_unlocked(char *line, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fgets(hub, line, size, file, true)
               : bine_libc.fgets_unlocked(line, size, file);
}

/* The fortified calls leave the check to libc where it would fail. */
char *hook___fgets_chk(char *line, size_t buffer_size, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || size <= 0 || (size_t)size > buffer_size)
        return bine_libc.__fgets_chk(line, buffer_size, size, file);
    return bine_stdio_fgets(hub, line, size, file, false);
}

char *hook___fgets_unlocked_chk(char *line, size_t buffer_size, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || size <= 0 || (size_t)size > buffer_size)
        return bine_libc.__fgets_unlocked_chk(line, buffer_size, size, file);
    return bine_stdio_fgets(hub, line, size, file, true);
}

ssize_t hook_getdelim(char **line, size_t *room, int delimiter, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_getdelim(hub, line, room, delimiter, file)
               : bine_libc.getdelim(line, room, delimiter, file);
}

ssize_t hook_getline(char **line, size_t *room, FILE *file)
{
    return hook_getdelim(line, room, '\n', file);
}

size_t hook_fread(void *buffer, size_t size, size_t count, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fread(hub, buffer, size, count, file, false)
               : bine_libc.fread(buffer, size, count, file);
}

size_t hook_fread_unlocked(void *buffer, size_t size, size_t count, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fread(hub, buffer, size, count, file, true)
               : bine_libc.fread_unlocked(buffer, size, count, file);
}

int hook_getw(FILE *file)
{
    int word;
    return hook_fread(&word, sizeof word, 1, file) == 1 ? word : EOF;
}

static bool fits(size_t size, size_t count, size_t buffer_size)
{
    size_t bytes;
    return !__builtin_mul_overflow(size, count, &bytes) && bytes <= buffer_size;
}

size_t hook___fread_chk(void *buffer, size_t buffer_size, size_t size, size_t count, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || !fits(size, count, buffer_size))
        return bine_libc.__fread_chk(buffer, buffer_size, size, count, file);
    return bine_stdio_fread(hub, buffer, size, count, file, false);
}

size_t hook___fread_unlocked_chk(void *buffer, size_t buffer_size, size_t size, size_t count,
                                 FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || !fits(size, count, buffer_size))
        return bine_libc.__fread_unlocked_chk(buffer, buffer_size, size, count, file);
    return bine_stdio_fread(hub, buffer, size, count, file, true);
}

/* ---- scanf ----------------------------------------------------------------------------------- */

/* What %s, %a and the like mean differs by the standard that the caller was compiled for: each has
 * a function of its own. */
typedef int scan_function(FILE *file, const char *format, va_list arguments);

static int hooks_stdio_scan(scan_function *function, FILE *file, const char *format,
                            va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vfscanf(hub, file, function, format, arguments)
               : function(file, format, arguments);
}

int hook_vfscanf(FILE *file, const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.vfscanf, file, format, arguments);
}

int hook_vscanf(const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.vfscanf, stdin, format, arguments);
}

int hook_fscanf(FILE *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.vfscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook_scanf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.vfscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc99_vfscanf(FILE *file, const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.__isoc99_vfscanf, file, format, arguments);
}

int hook___isoc99_vscanf(const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.__isoc99_vfscanf, stdin, format, arguments);
}

int hook___isoc99_fscanf(FILE *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.__isoc99_vfscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc99_scanf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.__isoc99_vfscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc23_vfscanf(FILE *file, const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.__isoc23_vfscanf, file, format, arguments);
}

int hook___isoc23_vscanf(const char *format, va_list arguments)
{
    return hooks_stdio_scan(bine_libc.__isoc23_vfscanf, stdin, format, arguments);
}

int hook___isoc23_fscanf(FILE *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.__isoc23_vfscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc23_scanf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_scan(bine_libc.__isoc23_vfscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- streams --------------------------------------------------------------------------------- */

int hook_fflush(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fflush(hub, file, false) : bine_libc.fflush(file);
}

int hook_fflush_unlocked(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fflush(hub, file, true) : bine_libc.fflush_unlocked(file);
}

int hook_fclose(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fclose(hub, file) : bine_libc.fclose(file);
}

FILE *hook_fopen(const char *path, const char *mode)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_fopen(hub, path, mode) : bine_libc.fopen(path, mode);
}

FILE *hook_freopen(const char *path, const char *mode, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_freopen(hub, path, mode, file) : bine_libc.freopen(path, mode, file);
}

FILE *hook_popen(const char *command, const char *mode)
{
    return bine_hook_here(BINE_PATCH_STDIO) ? bine_stdio_popen(command, mode)
                                            : bine_libc.popen(command, mode);
}

int hook_pclose(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_pclose(hub, file) : bine_libc.pclose(file);
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* It cannot fail, so neither kill nor timeout ends it; without memory for a greenlet's lock it is
 * the thread's. */
void hook_flockfile(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || bine_stdio_lock(hub, file, true) != 0)
        bine_libc.flockfile(file);
}

int hook_ftrylockfile(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub)
        return bine_libc.ftrylockfile(file);
    bool taken = bine_stdio_trylock(hub, file);
    if (!taken)
        bine_hook_counts(BINE_PATCH_STDIO);
    return taken ? 0 : -1;
}

/* Also where no greenlet can park: a lock that a greenlet took must be given back. */
void hook_funlockfile(FILE *file)
{
    struct bine_hub *hub = bine_hook_active(BINE_PATCH_STDIO) ? bine_hub_here() : NULL;
    if (hub)
        bine_stdio_unlock(hub, file);
    else
        bine_libc.funlockfile(file);
}
