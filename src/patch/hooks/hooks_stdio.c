/* Hooks of the stdio family, reading and streams. src/io/stdio does the work. */
#include "hooks_stdio.h"
#include "io/stdio/stdio.h"
#include "io/stdio/stdio_lock.h"

/* clang-format would take FILE *file for a product. */
/* clang-format off */
/* ---- one byte -------------------------------------------------------------------------------- */

STDIO_HOOK(int, getc, (FILE *file), bine_stdio_getc(hub, file, false), (file))
STDIO_HOOK(int, getchar, (void), bine_stdio_getc(hub, stdin, false), ())
STDIO_HOOK(int, getc_unlocked, (FILE *file), bine_stdio_getc(hub, file, true), (file))
STDIO_HOOK(int, getchar_unlocked, (void), bine_stdio_getc(hub, stdin, true), ())
STDIO_HOOK(int, __uflow, (FILE *file), bine_stdio_uflow(hub, file), (file))
STDIO_HOOK(int, __underflow, (FILE *file), bine_stdio_underflow(hub, file), (file))

/* ---- lines and blocks ------------------------------------------------------------------------ */

STDIO_HOOK(char *, fgets, (char *line, int size, FILE *file),
           bine_stdio_fgets(hub, line, size, file, false), (line, size, file))
STDIO_HOOK(char *, fgets_unlocked, (char *line, int size, FILE *file),
           bine_stdio_fgets(hub, line, size, file, true), (line, size, file))

STDIO_HOOK_CHECKED(char *, __fgets_chk, (char *line, size_t buffer_size, int size, FILE *file),
                   size > 0 && (size_t)size <= buffer_size,
                   bine_stdio_fgets(hub, line, size, file, false), (line, buffer_size, size, file))
STDIO_HOOK_CHECKED(char *, __fgets_unlocked_chk,
                   (char *line, size_t buffer_size, int size, FILE *file),
                   size > 0 && (size_t)size <= buffer_size,
                   bine_stdio_fgets(hub, line, size, file, true), (line, buffer_size, size, file))
STDIO_HOOK(ssize_t, getdelim, (char **line, size_t *room, int delimiter, FILE *file),
           bine_stdio_getdelim(hub, line, room, delimiter, file), (line, room, delimiter, file))

ssize_t hook_getline(char **line, size_t *room, FILE *file)
{
    return hook_getdelim(line, room, '\n', file);
}

STDIO_HOOK(size_t, fread, (void *buffer, size_t size, size_t count, FILE *file),
           bine_stdio_fread(hub, buffer, size, count, file, false), (buffer, size, count, file))
STDIO_HOOK(size_t, fread_unlocked, (void *buffer, size_t size, size_t count, FILE *file),
           bine_stdio_fread(hub, buffer, size, count, file, true), (buffer, size, count, file))

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

STDIO_HOOK_CHECKED(size_t, __fread_chk,
                   (void *buffer, size_t buffer_size, size_t size, size_t count, FILE *file),
                   fits(size, count, buffer_size),
                   bine_stdio_fread(hub, buffer, size, count, file, false),
                   (buffer, buffer_size, size, count, file))
STDIO_HOOK_CHECKED(size_t, __fread_unlocked_chk,
                   (void *buffer, size_t buffer_size, size_t size, size_t count, FILE *file),
                   fits(size, count, buffer_size),
                   bine_stdio_fread(hub, buffer, size, count, file, true),
                   (buffer, buffer_size, size, count, file))

/* ---- scanf ----------------------------------------------------------------------------------- */

typedef int scan_function(FILE *file, const char *format, va_list arguments);

static int hooks_stdio_scan(scan_function *function, FILE *file, const char *format,
                            va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_stdio_vfscanf(hub, file, function, format, arguments)
               : function(file, format, arguments);
}

STDIO_HOOKS_SCAN(vfscanf, vscanf, fscanf, scanf, char, hooks_stdio_scan)
STDIO_HOOKS_SCAN(__isoc99_vfscanf, __isoc99_vscanf, __isoc99_fscanf, __isoc99_scanf,
                 char, hooks_stdio_scan)
STDIO_HOOKS_SCAN(__isoc23_vfscanf, __isoc23_vscanf, __isoc23_fscanf, __isoc23_scanf,
                 char, hooks_stdio_scan)

/* ---- streams --------------------------------------------------------------------------------- */

STDIO_HOOK(int, fflush, (FILE *file), bine_stdio_fflush(hub, file, false), (file))
STDIO_HOOK(int, fflush_unlocked, (FILE *file), bine_stdio_fflush(hub, file, true), (file))
STDIO_HOOK(int, fclose, (FILE *file), bine_stdio_fclose(hub, file), (file))
STDIO_HOOK(FILE *, fopen, (const char *path, const char *mode),
           bine_stdio_fopen(hub, path, mode), (path, mode))
STDIO_HOOK(FILE *, freopen, (const char *path, const char *mode, FILE *file),
           bine_stdio_freopen(hub, path, mode, file), (path, mode, file))
STDIO_HOOK(FILE *, popen, (const char *command, const char *mode),
           bine_stdio_popen(command, mode), (command, mode))
STDIO_HOOK(int, pclose, (FILE *file), bine_stdio_pclose(hub, file), (file))
/* clang-format on */

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
