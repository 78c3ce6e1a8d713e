/* Is libc's FILE as this room expects? See stdio_surprise.h. */
#include "stdio_surprise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "libc/libc.h"
#include "stdio_buffer.h"
#include "stdio_wide.h"

#if BINE_STDIO_KNOWN

static bool has(const FILE *file, int set, int clear)
{
    return (file->_flags & set) == set && !(file->_flags & clear);
}

static bool flags_are_known(const FILE *in, const FILE *out)
{
    int both = FILE_OVER_DESCRIPTOR | FILE_LINKED;
    int none = FILE_UNBUFFERED | FILE_LINE_BUFFERED | FILE_EOF_SEEN | FILE_ERR_SEEN |
               FILE_IN_BACKUP | FILE_USER_LOCK;
    return has(in, both | FILE_NO_WRITES, none | FILE_NO_READS | FILE_PUTTING) &&
           has(out, both | FILE_NO_READS, none | FILE_NO_WRITES | FILE_PUTTING);
}

static bool settings_are_known(FILE *in, FILE *out)
{
    setvbuf(out, NULL, _IONBF, 0);
    bool known = has(out, FILE_UNBUFFERED, FILE_LINE_BUFFERED);
    setvbuf(out, NULL, _IOLBF, 0);
    known = known && has(out, FILE_LINE_BUFFERED, FILE_UNBUFFERED);
    __fsetlocking(in, FSETLOCKING_BYCALLER);
    return known && has(in, FILE_USER_LOCK, 0);
}

static bool writing_is_known(FILE *out)
{
    return bine_libc.fwrite("abc", 1, 3, out) == 3 && has(out, FILE_PUTTING, FILE_ERR_SEEN) &&
           out->_IO_write_ptr - out->_IO_write_base == 3 &&
           memcmp(out->_IO_write_base, "abc", 3) == 0 && out->_IO_buf_base <= out->_IO_write_base &&
           out->_IO_write_ptr < out->_IO_buf_end && bine_libc.fflush(out) == 0 &&
           out->_IO_write_ptr == out->_IO_write_base;
}

/* "abc" is there to be read. A byte that is put back and is another one than was read goes to a
 * buffer of its own. */
static bool reading_is_known(FILE *in)
{
    bool known = bine_libc.getc(in) == 'a' && in->_IO_read_end - in->_IO_read_ptr == 2 &&
                 in->_IO_read_ptr == in->_IO_read_base + 1 &&
                 in->_IO_read_base == in->_IO_buf_base && memcmp(in->_IO_read_ptr, "bc", 2) == 0;
    const char *next = in->_IO_read_ptr;
    known = known && ungetc('z', in) == 'z' && has(in, FILE_IN_BACKUP, 0) &&
            *in->_IO_read_ptr == 'z' && in->_IO_save_end > in->_IO_save_base;
    return known && bine_libc.getc(in) == 'z' && bine_libc.getc(in) == 'b' &&
           has(in, 0, FILE_IN_BACKUP) && in->_IO_read_ptr == next + 1;
}

static bool ends_are_known(FILE *in, FILE *out)
{
    return bine_libc.putc('x', in) == EOF && has(in, FILE_ERR_SEEN, FILE_EOF_SEEN) &&
           bine_libc.fclose(out) == 0 && bine_libc.getc(in) == 'c' && bine_libc.getc(in) == EOF &&
           has(in, FILE_EOF_SEEN, 0);
}

/* Two streams over a new pipe. 0 or an error number. */
static int open_streams(FILE **in, FILE **out)
{
    int ends[2];
    if (bine_libc.pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *in = fdopen(ends[0], "r");
    *out = fdopen(ends[1], "w");
    if (*in && *out)
        return 0;
    int error = errno;
    if (*in)
        bine_libc.fclose(*in);
    else
        bine_libc.close(ends[0]);
    if (*out)
        bine_libc.fclose(*out);
    else
        bine_libc.close(ends[1]);
    return error;
}

static const char *bytes_surprise(FILE *in, FILE *out)
{
    bool known = in->_mode == 0 && !in->_markers && in->_fileno >= 0 && in->_fileno != out->_fileno;
    const char *what = known && flags_are_known(in, out) ? NULL : "the flags of a FILE";
    if (!what)
        what = writing_is_known(out) ? NULL : "the buffer of a FILE that writes";
    if (!what)
        what = reading_is_known(in) ? NULL : "the buffer of a FILE that reads";
    if (!what)
        what = settings_are_known(in, out) ? NULL : "the settings of a FILE";
    if (what)
        bine_libc.fclose(out);
    else
        what = ends_are_known(in, out) ? NULL : "the end of a FILE";
    bine_libc.fclose(in);
    return what;
}

static const char *wide_surprise(FILE *in, FILE *out)
{
    bool known = bine_libc.fputwc(L'a', out) == L'a' && bine_libc.fputwc(L'b', out) == L'b' &&
                 out->_mode > 0 && has(out, FILE_PUTTING, 0) &&
                 bine_wide_holds(out, L"ab", 2, true);
    known = bine_libc.fclose(out) == 0 && known;
    known = known && bine_libc.fgetwc(in) == L'a' && in->_mode > 0 &&
            bine_wide_holds(in, L"b", 1, false);
    bine_libc.fclose(in);
    return known ? NULL : "the buffer of a wide FILE";
}

int bine_stdio_surprise(const char **what)
{
    FILE *in = NULL, *out = NULL;
    int error = open_streams(&in, &out);
    if (error || !in || !out)
        return error;
    *what = bytes_surprise(in, out);
    if (*what)
        return ENOTSUP;
    error = open_streams(&in, &out);
    if (error)
        return error;
    *what = wide_surprise(in, out);
    return *what ? ENOTSUP : 0;
}

#else /* another libc: its FILE is its own affair, and is not touched */

int bine_stdio_surprise(const char **what)
{
    *what = NULL;
    return 0;
}

#endif
