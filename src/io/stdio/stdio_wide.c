/* Wide-character stdio. See stdio_wide.h. */
#include "stdio_wide.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "core/schedule/park.h"
#include "io/descriptor/descriptor.h"
#include "io/offload/offload.h"
#include "libc/free.h"
#include "libc/libc.h"
#include "stdio.h"
#include "stdio_buffer.h"
#include "stdio_lock.h"

#if BINE_STDIO_KNOWN

/* How glibc's struct _IO_wide_data begins. Its macros for getwc_unlocked and putwc_unlocked were
 * compiled into programs until 2.28, so this stays. */
struct wide_buffer {
    wchar_t *read_next, *read_end, *read_base;
    wchar_t *write_base, *write_next, *write_end;
    wchar_t *base, *end;
};

static const struct wide_buffer *buffer_of(const FILE *file)
{
    return (const struct wide_buffer *)file->_wide_data;
}

static bool stdio_wide_waits(const FILE *file)
{
    if (!(file->_flags & FILE_OVER_DESCRIPTOR) || file->_fileno < 0 || file->_mode < 0)
        return false;
    struct bine_descriptor *record = bine_descriptor_of(file->_fileno);
    switch (bine_descriptor_kind(file->_fileno, record)) {
    case BINE_FD_PIPE:
    case BINE_FD_SOCKET:
    case BINE_FD_STREAM:
        /* With O_NONBLOCK libc's own call does not wait. */
        return !bine_descriptor_nonblocking(file->_fileno, record);
    default:
        return false;
    }
}

/* So many characters, or a line, are there to be read. */
static bool has(const FILE *file, size_t count, bool line)
{
    if (file->_mode <= 0)
        return false;
    const struct wide_buffer *buffer = buffer_of(file);
    size_t held = (size_t)(buffer->read_end - buffer->read_next);
    return held >= count || (line && held && wmemchr(buffer->read_next, L'\n', held));
}

/* The buffer takes them all, and libc would not write any of them yet. */
static bool takes(const FILE *file, const wchar_t *text, size_t count)
{
    if (file->_mode <= 0 || !(file->_flags & FILE_PUTTING) || file->_flags & FILE_UNBUFFERED)
        return false;
    const struct wide_buffer *buffer = buffer_of(file);
    if (!buffer->base || (size_t)(buffer->end - buffer->write_next) <= count)
        return false;
    return !(file->_flags & FILE_LINE_BUFFERED) || !wmemchr(text, L'\n', count);
}

bool bine_wide_pending(const FILE *file)
{
    return file && file->_mode > 0 && file->_flags & FILE_PUTTING && stdio_wide_waits(file);
}

bool bine_wide_holds(const FILE *file, const wchar_t *text, size_t count, bool to_be_written)
{
    const struct wide_buffer *buffer = buffer_of(file);
    const wchar_t *begin = to_be_written ? buffer->write_base : buffer->read_next;
    const wchar_t *end = to_be_written ? buffer->write_next : buffer->read_end;
    return begin >= buffer->base && end <= buffer->end && (size_t)(end - begin) == count &&
           wmemcmp(begin, text, count) == 0;
}

#else /* another libc: its FILE is its own affair */

static bool stdio_wide_waits(const FILE *file)
{
    return false;
}

static bool has(const FILE *file, size_t count, bool line)
{
    return true;
}

static bool takes(const FILE *file, const wchar_t *text, size_t count)
{
    return true;
}

bool bine_wide_pending(const FILE *file)
{
    return false;
}

#endif

/* ---- one call -------------------------------------------------------------------------------- */

/* Arguments and result of any of them. */
struct call {
    struct bine_offload_job job; /* first */
    void (*make)(struct call *call);
    FILE *file;
    bool unlocked; /* made on this thread, which keeps others out */
    locale_t locale;

    wchar_t *line;
    const wchar_t *text;
    wchar_t character;
    int size;
    int (*scan)(FILE *, const wchar_t *, va_list);
    va_list *arguments;
    long result;
    void *pointer;
};

static void stdio_wide_run_call(struct bine_offload_job *job)
{
    struct call *call = (struct call *)job;
    locale_t own = uselocale(call->locale);
    call->make(call);
    uselocale(own);
}

/* libc would write out a line-buffered stdout before it reads from something interactive, and wait
 * for its lock. */
static int lend_prompt(struct bine_hub *hub, const FILE *file)
{
    return file != stdout && bine_stdio_locked_by_me(hub, stdout) ? bine_stdio_lend(hub, stdout)
                                                                  : -1;
}

/* On a thread of the pool. The stream's lock is that thread's meanwhile, and this greenlet's among
 * greenlets. */
static void make_on_pool(struct bine_hub *hub, struct call *call, const char *verb)
{
    FILE *file = call->file;
    fwide(file, 1); /* here, with this thread's locale */
    int times = bine_stdio_lend(hub, file);
    if (times < 0)
        return;
    int prompt = lend_prompt(hub, file);
    call->job.run = stdio_wide_run_call;
    call->job.lingers = true;
    call->job.any_rights = true;
    call->job.interruptible = true;
    call->job.park_flags = BINE_PARK_SIGNALS | BINE_PARK_RESTARTS;
    call->job.error = errno;
    call->locale = uselocale(NULL);
    call->unlocked = false;
    int error = bine_offload_firm(hub, &call->job, verb, (uintptr_t)fileno(file));
    if (prompt >= 0)
        bine_stdio_take_back(hub, stdout, prompt);
    bine_stdio_take_back(hub, file, times);
    errno = error ? error : call->job.error;
}

/* Make the call. `quick`: it will neither read nor write. The result of a call that was never made
 * is what `call` holds. */
static void stdio_wide_make(struct bine_hub *hub, struct call *call, const char *verb, bool quick,
                            bool unlocked)
{
    call->unlocked = unlocked;
    if (!quick && stdio_wide_waits(call->file)) {
        make_on_pool(hub, call, verb);
        return;
    }
    struct bine_stdio turn;
    int begun = unlocked ? 0 : bine_stdio_begin(&turn, hub, call->file, false);
    if (begun < 0)
        return;
    call->make(call);
    if (begun)
        bine_stdio_end(&turn);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void make_getwc(struct call *call)
{
    call->result = (long)(call->unlocked ? bine_libc.fgetwc_unlocked(call->file)
                                         : bine_libc.fgetwc(call->file));
}

wint_t bine_wide_getwc(struct bine_hub *hub, FILE *file, bool unlocked)
{
    struct call call = {.make = make_getwc, .file = file, .result = (long)WEOF};
    stdio_wide_make(hub, &call, "fgetwc fd", has(file, 1, false), unlocked);
    return (wint_t)call.result;
}

static void make_underflow(struct call *call)
{
    call->result = (long)bine_libc.__wunderflow(call->file);
}

wint_t bine_wide_underflow(struct bine_hub *hub, FILE *file)
{
    struct call call = {.make = make_underflow, .file = file, .result = (long)WEOF};
    stdio_wide_make(hub, &call, "fgetwc fd", has(file, 1, false), true);
    return (wint_t)call.result;
}

static void make_fgetws(struct call *call)
{
    call->pointer = call->unlocked ? bine_libc.fgetws_unlocked(call->line, call->size, call->file)
                                   : bine_libc.fgetws(call->line, call->size, call->file);
}

wchar_t *bine_wide_fgetws(struct bine_hub *hub, wchar_t *line, int size, FILE *file, bool unlocked)
{
    struct call call = {.make = make_fgetws, .file = file, .line = line, .size = size};
    stdio_wide_make(hub, &call, "fgetws fd", size <= 1 || has(file, (size_t)size - 1, true),
                    unlocked);
    return call.pointer;
}

static void make_scan(struct call *call)
{
    call->result = call->scan(call->file, call->text, *call->arguments);
}

int bine_wide_vfwscanf(struct bine_hub *hub, FILE *file,
                       int (*scan)(FILE *, const wchar_t *, va_list), const wchar_t *format,
                       va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    struct call call = {.make = make_scan,
                        .file = file,
                        .scan = scan,
                        .text = format,
                        .arguments = &copy,
                        .result = EOF};
    stdio_wide_make(hub, &call, "fwscanf fd", false, false);
    va_end(copy);
    return (int)call.result;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void make_putwc(struct call *call)
{
    call->result = (long)(call->unlocked ? bine_libc.fputwc_unlocked(call->character, call->file)
                                         : bine_libc.fputwc(call->character, call->file));
}

wint_t bine_wide_putwc(struct bine_hub *hub, wchar_t character, FILE *file, bool unlocked)
{
    struct call call = {
        .make = make_putwc, .file = file, .character = character, .result = (long)WEOF};
    stdio_wide_make(hub, &call, "fputwc fd", takes(file, &character, 1), unlocked);
    return (wint_t)call.result;
}

static void make_overflow(struct call *call)
{
    call->result = (long)bine_libc.__woverflow(call->file, (wint_t)call->character);
}

wint_t bine_wide_overflow(struct bine_hub *hub, FILE *file, wint_t character)
{
    struct call call = {
        .make = make_overflow, .file = file, .character = (wchar_t)character, .result = (long)WEOF};
    stdio_wide_make(hub, &call, "fputwc fd", false, true);
    return (wint_t)call.result;
}

static void make_fputws(struct call *call)
{
    call->result = call->unlocked ? bine_libc.fputws_unlocked(call->text, call->file)
                                  : bine_libc.fputws(call->text, call->file);
}

int bine_wide_fputws(struct bine_hub *hub, const wchar_t *text, FILE *file, bool unlocked)
{
    struct call call = {.make = make_fputws, .file = file, .text = text, .result = EOF};
    stdio_wide_make(hub, &call, "fputws fd", takes(file, text, wcslen(text)), unlocked);
    return (int)call.result;
}

static int format_into(wchar_t *text, size_t size, int check, const wchar_t *format,
                       va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    int length = check < 0 ? vswprintf(text, size, format, copy)
                           : bine_libc.__vswprintf_chk(text, size, check, size, format, copy);
    va_end(copy);
    return length;
}

/* vswprintf says only that the room was too small, not what would be enough, and says the same of a
 * format that is wrong (errno tells: EOVERFLOW is new in 2.37, before that errno stays). NULL: libc
 * shall say what is wrong. */
static wchar_t *format_text(int check, const wchar_t *format, va_list arguments, int *length)
{
    enum {
        FIRST = 512,
        LARGEST = 1 << 24
    };
    for (size_t size = FIRST; size <= LARGEST; size *= 4) {
        wchar_t *text = malloc(size * sizeof *text);
        if (!text)
            return NULL;
        errno = 0;
        *length = format_into(text, size, check, format, arguments);
        if (*length >= 0)
            return text;
        bine_free(text);
        if (errno && errno != EOVERFLOW && errno != E2BIG)
            return NULL;
    }
    return NULL;
}

int bine_wide_vfwprintf(struct bine_hub *hub, FILE *file, int check, const wchar_t *format,
                        va_list arguments)
{
    int saved = errno, length;
    wchar_t *text = stdio_wide_waits(file) ? format_text(check, format, arguments, &length) : NULL;
    errno = saved;
    if (text) {
        int result = bine_wide_fputws(hub, text, file, false) < 0 ? -1 : length;
        bine_free(text);
        return result;
    }
    struct bine_stdio turn;
    int begun = bine_stdio_begin(&turn, hub, file, false);
    if (begun < 0)
        return -1;
    int result = check < 0 ? bine_libc.vfwprintf(file, format, arguments)
                           : bine_libc.__vfwprintf_chk(file, check, format, arguments);
    if (begun)
        bine_stdio_end(&turn);
    return result;
}

static void make_fflush(struct call *call)
{
    call->result = bine_libc.fflush(call->file);
}

int bine_wide_fflush(struct bine_hub *hub, FILE *file)
{
    struct call call = {.make = make_fflush, .file = file, .result = EOF};
    stdio_wide_make(hub, &call, "fflush fd", false, false);
    return (int)call.result;
}
