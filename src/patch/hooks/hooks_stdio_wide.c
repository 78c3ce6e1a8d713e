/* Hooks of the stdio family, wide characters. src/io/stdio/stdio_wide.c does the work. */
#include "hooks_stdio.h"
#include "io/stdio/stdio_wide.h"

/* clang-format would take FILE *file for a product. */
/* clang-format off */
/* ---- input ----------------------------------------------------------------------------------- */

STDIO_HOOK(wint_t, fgetwc, (FILE *file), bine_wide_getwc(hub, file, false), (file))

wint_t hook_getwchar(void)
{
    return hook_fgetwc(stdin);
}

STDIO_HOOK(wint_t, fgetwc_unlocked, (FILE *file), bine_wide_getwc(hub, file, true), (file))

wint_t hook_getwchar_unlocked(void)
{
    return hook_fgetwc_unlocked(stdin);
}

STDIO_HOOK(wint_t, __wunderflow, (FILE *file), bine_wide_underflow(hub, file), (file))
STDIO_HOOK(wchar_t *, fgetws, (wchar_t *line, int size, FILE *file),
           bine_wide_fgetws(hub, line, size, file, false), (line, size, file))
STDIO_HOOK(wchar_t *, fgetws_unlocked, (wchar_t *line, int size, FILE *file),
           bine_wide_fgetws(hub, line, size, file, true), (line, size, file))

STDIO_HOOK_CHECKED(wchar_t *, __fgetws_chk,
                   (wchar_t *line, size_t buffer_size, int size, FILE *file),
                   size > 0 && (size_t)size <= buffer_size,
                   bine_wide_fgetws(hub, line, size, file, false), (line, buffer_size, size, file))
STDIO_HOOK_CHECKED(wchar_t *, __fgetws_unlocked_chk,
                   (wchar_t *line, size_t buffer_size, int size, FILE *file),
                   size > 0 && (size_t)size <= buffer_size,
                   bine_wide_fgetws(hub, line, size, file, true), (line, buffer_size, size, file))

typedef int scan_function(FILE *file, const wchar_t *format, va_list arguments);

static int hooks_stdio_wide_scan(scan_function *function, FILE *file, const wchar_t *format,
                                 va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_vfwscanf(hub, file, function, format, arguments)
               : function(file, format, arguments);
}

STDIO_HOOKS_SCAN(vfwscanf, vwscanf, fwscanf, wscanf, wchar_t, hooks_stdio_wide_scan)
STDIO_HOOKS_SCAN(__isoc99_vfwscanf, __isoc99_vwscanf, __isoc99_fwscanf, __isoc99_wscanf,
                 wchar_t, hooks_stdio_wide_scan)
STDIO_HOOKS_SCAN(__isoc23_vfwscanf, __isoc23_vwscanf, __isoc23_fwscanf, __isoc23_wscanf,
                 wchar_t, hooks_stdio_wide_scan)

/* ---- output ---------------------------------------------------------------------------------- */

STDIO_HOOK(wint_t, fputwc, (wchar_t character, FILE *file),
           bine_wide_putwc(hub, character, file, false), (character, file))

wint_t hook_putwchar(wchar_t character)
{
    return hook_fputwc(character, stdout);
}

STDIO_HOOK(wint_t, fputwc_unlocked, (wchar_t character, FILE *file),
           bine_wide_putwc(hub, character, file, true), (character, file))

wint_t hook_putwchar_unlocked(wchar_t character)
{
    return hook_fputwc_unlocked(character, stdout);
}

STDIO_HOOK(wint_t, __woverflow, (FILE *file, wint_t character),
           bine_wide_overflow(hub, file, character), (file, character))
STDIO_HOOK(int, fputws, (const wchar_t *text, FILE *file),
           bine_wide_fputws(hub, text, file, false), (text, file))
STDIO_HOOK(int, fputws_unlocked, (const wchar_t *text, FILE *file),
           bine_wide_fputws(hub, text, file, true), (text, file))
STDIO_HOOK(int, vfwprintf, (FILE *file, const wchar_t *format, va_list arguments),
           bine_wide_vfwprintf(hub, file, -1, format, arguments), (file, format, arguments))

int hook_vwprintf(const wchar_t *format, va_list arguments)
{
    return hook_vfwprintf(stdout, format, arguments);
}

STDIO_HOOK_DOTS(fwprintf, (FILE *file, const wchar_t *format, ...),
                hook_vfwprintf(file, format, arguments))
STDIO_HOOK_DOTS(wprintf, (const wchar_t *format, ...), hook_vfwprintf(stdout, format, arguments))
STDIO_HOOK(int, __vfwprintf_chk, (FILE *file, int flag, const wchar_t *format, va_list arguments),
           bine_wide_vfwprintf(hub, file, flag, format, arguments), (file, flag, format, arguments))

int hook___vwprintf_chk(int flag, const wchar_t *format, va_list arguments)
{
    return hook___vfwprintf_chk(stdout, flag, format, arguments);
}

STDIO_HOOK_DOTS(__fwprintf_chk, (FILE *file, int flag, const wchar_t *format, ...),
                hook___vfwprintf_chk(file, flag, format, arguments))
STDIO_HOOK_DOTS(__wprintf_chk, (int flag, const wchar_t *format, ...),
                hook___vfwprintf_chk(stdout, flag, format, arguments))
/* clang-format on */
