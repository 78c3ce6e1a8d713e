/* See text.h. */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void inspect_append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

size_t inspect_character(const unsigned char *at)
{
    size_t length = *at < 0x80                  ? 1
                    : *at >= 0xc2 && *at < 0xe0 ? 2
                    : *at >= 0xe0 && *at < 0xf0 ? 3
                    : *at >= 0xf0 && *at < 0xf5 ? 4
                                                : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))
        return 0;
    return length;
}

void inspect_json_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = inspect_character(at);
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ')
            fprintf(out, "\\u%04x", *at);
        else if (length)
            fwrite(at, 1, length, out);
        else
            fputs("\\ufffd", out);
        at += length ? length : 1;
    }
    putc('"', out);
}

void inspect_duration(char *text, size_t size, int64_t ns)
{
    double seconds = (double)ns / 1e9;
    if (ns < 1000000)
        snprintf(text, size, "%.0f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        snprintf(text, size, "%.0f ms", (double)ns / 1e6);
    else if (seconds < 60)
        snprintf(text, size, "%.1f s", seconds);
    else if (seconds < 3600)
        snprintf(text, size, "%d min %d s", (int)(seconds / 60), (int)seconds % 60);
    else if (seconds < 86400)
        snprintf(text, size, "%d h %d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
    else
        snprintf(text, size, "%.0f days", seconds / 86400);
}

void inspect_bytes(char *text, size_t size, uint64_t bytes)
{
    if (bytes < 1024)
        snprintf(text, size, "%" PRIu64 " B", bytes);
    else if (bytes < 1048576)
        snprintf(text, size, "%.1f KiB", (double)bytes / 1024);
    else
        snprintf(text, size, "%.1f MiB", (double)bytes / 1048576);
}
