/*
 * Hooks of syslog and its relatives. The log daemon may hold them up inside libc, so a thread of
 * the offload pool sends the message.
 */
#include <bine/offload.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "io/offload/offload.h"
#include "patch/table/hook.h"

/* With its check of the format. Headers declare it only with _FORTIFY_SOURCE. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
int __vasprintf_chk(char **text, int flag, const char *format, va_list arguments);

struct log_entry {
    int priority;
    const char *text;
};

static void *log_entry_write(void *arg)
{
    const struct log_entry *entry = arg;
    bine_libc.syslog(entry->priority, "%s", entry->text);
    return NULL;
}

/* The text is made here (%m is this greenlet's errno), said there. `flag`: of the fortified form,
 * -1: plain. False: there was no memory, libc shall do what it does then. */
static bool log_on_pool(int priority, int flag, const char *format, va_list arguments)
{
    int saved = errno;
    char *text;
    va_list copy;
    va_copy(copy, arguments);
    int length =
        flag < 0 ? vasprintf(&text, format, copy) : __vasprintf_chk(&text, flag, format, copy);
    va_end(copy);
    if (length >= 0) {
        struct log_entry entry = {priority, text};
        /* Killed before it was said: syslog cannot fail, so it is said now. */
        if (bine_offload_locking(log_entry_write, &entry, NULL) < 0)
            log_entry_write(&entry);
        free(text);
    }
    errno = saved;
    return length >= 0;
}

void hook_vsyslog(int priority, const char *format, va_list arguments)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET) || !log_on_pool(priority, -1, format, arguments))
        bine_libc.vsyslog(priority, format, arguments);
}

void hook_syslog(int priority, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    hook_vsyslog(priority, format, arguments);
    va_end(arguments);
}

void hook___vsyslog_chk(int priority, int flag, const char *format, va_list arguments)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET) || !log_on_pool(priority, flag, format, arguments))
        bine_libc.__vsyslog_chk(priority, flag, format, arguments);
}

void hook___syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    hook___vsyslog_chk(priority, flag, format, arguments);
    va_end(arguments);
}
