/* Writing to streams. See stdio.h. */
#include "stdio.h"

#include <bine/io.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libc/free.h"
#include "libc/libc.h"

int bine_stdio_putc(struct bine_hub *hub, int byte, FILE *file, bool unlocked)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0  ? EOF
               : unlocked ? bine_libc.putc_unlocked(byte, file)
                          : bine_libc.putc(byte, file);
    char character = (char)byte;
    size_t put = bine_stdio_put(&call, &character, 1);
    bine_stdio_end(&call);
    return put ? (unsigned char)character : EOF;
}

int bine_stdio_overflow(struct bine_hub *hub, FILE *file, int byte)
{
    struct bine_stdio call;
    if (bine_stdio_begin(&call, hub, file, true) <= 0)
        return bine_libc.__overflow(file, byte);
    if (byte == EOF)
        return bine_stdio_flush(&call) ? 0 : EOF;
    char character = (char)byte;
    return bine_stdio_put(&call, &character, 1) ? (unsigned char)character : EOF;
}

int bine_stdio_fputs(struct bine_hub *hub, const char *text, FILE *file, bool unlocked)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0  ? EOF
               : unlocked ? bine_libc.fputs_unlocked(text, file)
                          : bine_libc.fputs(text, file);
    size_t size = strlen(text);
    size_t put = bine_stdio_put(&call, text, size);
    bine_stdio_end(&call);
    return put == size ? 1 : EOF;
}

int bine_stdio_puts(struct bine_hub *hub, const char *text)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, stdout, false);
    if (begun <= 0)
        return begun < 0 ? EOF : bine_libc.puts(text);
    size_t size = strlen(text);
    bool well = bine_stdio_put(&call, text, size) == size && bine_stdio_put(&call, "\n", 1) == 1;
    bine_stdio_end(&call);
    return well ? (int)size + 1 : EOF;
}

size_t bine_stdio_fwrite(struct bine_hub *hub, const void *data, size_t size, size_t count,
                         FILE *file, bool unlocked)
{
    struct bine_stdio call;
    size_t bytes = size * count;
    int begun = bytes == 0 ? 0 : bine_stdio_begin(&call, hub, file, unlocked);
    if (begun <= 0)
        return begun < 0  ? 0
               : unlocked ? bine_libc.fwrite_unlocked(data, size, count, file)
                          : bine_libc.fwrite(data, size, count, file);
    size_t put = bine_stdio_put(&call, data, bytes);
    bine_stdio_end(&call);
    return put == bytes ? count : put / size;
}

/* ---- printf ---------------------------------------------------------------------------------- */

/* A formatted text: in `small` if it fits, else on the heap. */
struct formatted {
    char *text;
    int size;
    char small[512];
};

static int format_into(char *text, size_t size, int check, const char *format, va_list arguments)
{
    return check < 0 ? vsnprintf(text, size, format, arguments)
                     : bine_libc.__vsnprintf_chk(text, size, check, size, format, arguments);
}

static bool format_text(struct formatted *formatted, int check, const char *format,
                        va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    formatted->text = formatted->small;
    formatted->size =
        format_into(formatted->small, sizeof formatted->small, check, format, arguments);
    if (formatted->size >= (int)sizeof formatted->small) {
        size_t size = (size_t)formatted->size + 1;
        formatted->text = malloc(size);
        if (formatted->text)
            formatted->size = format_into(formatted->text, size, check, format, again);
    }
    va_end(again);
    return formatted->text && formatted->size >= 0;
}

static void free_text(struct formatted *formatted)
{
    if (formatted->text != formatted->small)
        bine_free(formatted->text);
}

int bine_stdio_vfprintf(struct bine_hub *hub, FILE *file, int check, const char *format,
                        va_list arguments)
{
    struct bine_stdio call;
    int begun = bine_stdio_begin(&call, hub, file, false);
    if (begun < 0)
        return -1;
    int result;
    if (begun == 0 || !call.waits) {
        result = check < 0 ? bine_libc.vfprintf(file, format, arguments)
                           : bine_libc.__vfprintf_chk(file, check, format, arguments);
    } else {
        struct formatted formatted;
        bool well = format_text(&formatted, check, format, arguments);
        well = well && bine_stdio_put(&call, formatted.text, (size_t)formatted.size) ==
                           (size_t)formatted.size;
        result = well ? formatted.size : -1;
        free_text(&formatted);
    }
    if (begun)
        bine_stdio_end(&call);
    return result;
}

int bine_stdio_vdprintf(struct bine_hub *hub, int fd, int check, const char *format,
                        va_list arguments)
{
    (void)hub;
    struct formatted formatted;
    bool well = format_text(&formatted, check, format, arguments);
    for (int done = 0; well && done < formatted.size;) {
        ssize_t written = bine_write(fd, formatted.text + done, (size_t)(formatted.size - done));
        if (written < 0)
            well = false;
        else
            done += (int)written;
    }
    int result = well ? formatted.size : -1;
    free_text(&formatted);
    return result;
}
