/* Hooks of the stdio family, wide characters. src/io/stdio/stdio_wide.c does the work. See hook.h
 * for the pattern. */
#include <stdarg.h>

#include "io/stdio/stdio_wide.h"
#include "patch/table/hook.h"

/* ---- input ----------------------------------------------------------------------------------- */

wint_t hook_fgetwc(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_getwc(hub, file, false) : bine_libc.fgetwc(file);
}

wint_t hook_getwchar(void)
{
    return hook_fgetwc(stdin);
}

wint_t hook_fgetwc_unlocked(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_getwc(hub, file, true) : bine_libc.fgetwc_unlocked(file);
}

wint_t hook_getwchar_unlocked(void)
{
    return hook_fgetwc_unlocked(stdin);
}

wint_t hook___wunderflow(FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_underflow(hub, file) : bine_libc.__wunderflow(file);
}

wchar_t *hook_fgetws(wchar_t *line, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_fgetws(hub, line, size, file, false)
               : bine_libc.fgetws(line, size, file);
}

wchar_t *hook_fgetws_unlocked(wchar_t *line, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_fgetws(hub, line, size, file, true)
               : bine_libc.fgetws_unlocked(line, size, file);
}

/* The fortified calls leave the check to libc where it would fail. */
wchar_t *hook___fgetws_chk(wchar_t *line, size_t buffer_size, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || size <= 0 || (size_t)size > buffer_size)
        return bine_libc.__fgetws_chk(line, buffer_size, size, file);
    return bine_wide_fgetws(hub, line, size, file, false);
}

wchar_t *hook___fgetws_unlocked_chk(wchar_t *line, size_t buffer_size, int size, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    if (!hub || size <= 0 || (size_t)size > buffer_size)
        return bine_libc.__fgetws_unlocked_chk(line, buffer_size, size, file);
    return bine_wide_fgetws(hub, line, size, file, true);
}

typedef int scan_function(FILE *file, const wchar_t *format, va_list arguments);

static int hooks_stdio_wide_scan(scan_function *function, FILE *file, const wchar_t *format,
                                 va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_vfwscanf(hub, file, function, format, arguments)
               : function(file, format, arguments);
}

int hook_vfwscanf(FILE *file, const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.vfwscanf, file, format, arguments);
}

int hook_vwscanf(const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.vfwscanf, stdin, format, arguments);
}

int hook_fwscanf(FILE *file, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.vfwscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook_wscanf(const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.vfwscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc99_vfwscanf(FILE *file, const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.__isoc99_vfwscanf, file, format, arguments);
}

int hook___isoc99_vwscanf(const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.__isoc99_vfwscanf, stdin, format, arguments);
}

int hook___isoc99_fwscanf(FILE *file, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.__isoc99_vfwscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc99_wscanf(const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.__isoc99_vfwscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc23_vfwscanf(FILE *file, const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.__isoc23_vfwscanf, file, format, arguments);
}

int hook___isoc23_vwscanf(const wchar_t *format, va_list arguments)
{
    return hooks_stdio_wide_scan(bine_libc.__isoc23_vfwscanf, stdin, format, arguments);
}

int hook___isoc23_fwscanf(FILE *file, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.__isoc23_vfwscanf, file, format, arguments);
    va_end(arguments);
    return result;
}

int hook___isoc23_wscanf(const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hooks_stdio_wide_scan(bine_libc.__isoc23_vfwscanf, stdin, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- output ---------------------------------------------------------------------------------- */

wint_t hook_fputwc(wchar_t character, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_putwc(hub, character, file, false) : bine_libc.fputwc(character, file);
}

wint_t hook_putwchar(wchar_t character)
{
    return hook_fputwc(character, stdout);
}

wint_t hook_fputwc_unlocked(wchar_t character, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_putwc(hub, character, file, true)
               : bine_libc.fputwc_unlocked(character, file);
}

wint_t hook_putwchar_unlocked(wchar_t character)
{
    return hook_fputwc_unlocked(character, stdout);
}

wint_t hook___woverflow(FILE *file, wint_t character)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_overflow(hub, file, character) : bine_libc.__woverflow(file, character);
}

int hook_fputws(const wchar_t *text, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_fputws(hub, text, file, false) : bine_libc.fputws(text, file);
}

int hook_fputws_unlocked(const wchar_t *text, FILE *file)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_fputws(hub, text, file, true) : bine_libc.fputws_unlocked(text, file);
}

int hook_vfwprintf(FILE *file, const wchar_t *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_vfwprintf(hub, file, -1, format, arguments)
               : bine_libc.vfwprintf(file, format, arguments);
}

int hook_vwprintf(const wchar_t *format, va_list arguments)
{
    return hook_vfwprintf(stdout, format, arguments);
}

int hook_fwprintf(FILE *file, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook_vfwprintf(file, format, arguments);
    va_end(arguments);
    return result;
}

int hook_wprintf(const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook_vfwprintf(stdout, format, arguments);
    va_end(arguments);
    return result;
}

int hook___vfwprintf_chk(FILE *file, int flag, const wchar_t *format, va_list arguments)
{
    struct bine_hub *hub = bine_hook_here(BINE_PATCH_STDIO);
    return hub ? bine_wide_vfwprintf(hub, file, flag, format, arguments)
               : bine_libc.__vfwprintf_chk(file, flag, format, arguments);
}

int hook___vwprintf_chk(int flag, const wchar_t *format, va_list arguments)
{
    return hook___vfwprintf_chk(stdout, flag, format, arguments);
}

int hook___fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook___vfwprintf_chk(file, flag, format, arguments);
    va_end(arguments);
    return result;
}

int hook___wprintf_chk(int flag, const wchar_t *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = hook___vfwprintf_chk(stdout, flag, format, arguments);
    va_end(arguments);
    return result;
}
