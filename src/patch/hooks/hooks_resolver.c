/*
 * Hooks of functions that wait for somebody inside libc, where no slot leads: questions to name servers (res_query and
 * its relatives), the terminal's user or line, and words to the log daemon. Each runs as a whole on a thread of the
 * offload pool.
 */
#include <bine/offload.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "io/offload/offload.h"
#include "patch/table/hook.h"

/* ---- name servers ------------------------------------------------------------------------------ */

struct question {
    int (*ask)(struct question *question);
    struct __res_state *state;
    const void *name;
    const char *domain;
    int class, type; /* of send: the length of the query */
    unsigned char *answer;
    int size;
    int h_error;
};

static void *ask(void *arg)
{
    struct question *question = arg;
    int result = question->ask(question);
    question->h_error = h_errno; /* the thread's own */
    return (void *)(intptr_t)result;
}

static int ask_on_pool(struct question question)
{
    void *result = (void *)(intptr_t)-1;
    if (bine_offload_locking(ask, &question, &result) < 0)
        question.h_error = NETDB_INTERNAL; /* killed, or out of time, before it began */
    h_errno = question.h_error;
    return (int)(intptr_t)result;
}

static int do_query(struct question *q)
{
    return q->state ? bine_libc.res_nquery(q->state, q->name, q->class, q->type, q->answer, q->size)
                    : bine_libc.res_query(q->name, q->class, q->type, q->answer, q->size);
}

static int do_search(struct question *q)
{
    return q->state ? bine_libc.res_nsearch(q->state, q->name, q->class, q->type, q->answer, q->size)
                    : bine_libc.res_search(q->name, q->class, q->type, q->answer, q->size);
}

static int do_query_domain(struct question *q)
{
    return q->state ? bine_libc.res_nquerydomain(q->state, q->name, q->domain, q->class, q->type, q->answer, q->size)
                    : bine_libc.res_querydomain(q->name, q->domain, q->class, q->type, q->answer, q->size);
}

static int do_send(struct question *q)
{
    return q->state ? bine_libc.res_nsend(q->state, q->name, q->type, q->answer, q->size)
                    : bine_libc.res_send(q->name, q->type, q->answer, q->size);
}

int hook_res_query(const char *name, int class, int type, unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_query(name, class, type, answer, size);
    return ask_on_pool((struct question){do_query, NULL, name, NULL, class, type, answer, size, 0});
}

int hook_res_search(const char *name, int class, int type, unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_search(name, class, type, answer, size);
    return ask_on_pool((struct question){do_search, NULL, name, NULL, class, type, answer, size, 0});
}

int hook_res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_querydomain(name, domain, class, type, answer, size);
    return ask_on_pool((struct question){do_query_domain, NULL, name, domain, class, type, answer, size, 0});
}

int hook_res_send(const unsigned char *query, int length, unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_send(query, length, answer, size);
    return ask_on_pool((struct question){do_send, NULL, query, NULL, 0, length, answer, size, 0});
}

int hook_res_nquery(struct __res_state *state, const char *name, int class, int type, unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nquery(state, name, class, type, answer, size);
    return ask_on_pool((struct question){do_query, state, name, NULL, class, type, answer, size, 0});
}

int hook_res_nsearch(struct __res_state *state, const char *name, int class, int type, unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nsearch(state, name, class, type, answer, size);
    return ask_on_pool((struct question){do_search, state, name, NULL, class, type, answer, size, 0});
}

int hook_res_nquerydomain(struct __res_state *state, const char *name, const char *domain, int class, int type,
                          unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nquerydomain(state, name, domain, class, type, answer, size);
    return ask_on_pool((struct question){do_query_domain, state, name, domain, class, type, answer, size, 0});
}

int hook_res_nsend(struct __res_state *state, const unsigned char *query, int length, unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nsend(state, query, length, answer, size);
    return ask_on_pool((struct question){do_send, state, query, NULL, 0, length, answer, size, 0});
}

/* ---- the terminal -------------------------------------------------------------------------------- */

struct terminal {
    int fd, status;
    const char *prompt;
    char *answer;
};

static void *drain(void *arg)
{
    struct terminal *terminal = arg;
    terminal->status = bine_libc.tcdrain(terminal->fd);
    return NULL;
}

int hook_tcdrain(int fd)
{
    struct terminal terminal = {.fd = fd, .status = -1};
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.tcdrain(fd);
    bine_offload(drain, &terminal, NULL); /* if it was never made errno says why */
    return terminal.status;
}

static void *read_password(void *arg)
{
    struct terminal *terminal = arg;
    terminal->answer = bine_libc.getpass(terminal->prompt);
    return NULL;
}

char *hook_getpass(const char *prompt)
{
    struct terminal terminal = {.prompt = prompt};
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.getpass(prompt);
    bine_offload(read_password, &terminal, NULL);
    return terminal.answer;
}

/* ---- the log daemon ------------------------------------------------------------------------------ */

/* With its check of the format. Headers declare it only with _FORTIFY_SOURCE. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
int __vasprintf_chk(char **text, int flag, const char *format, va_list arguments);

struct words {
    int priority;
    const char *text;
};

static void *say(void *arg)
{
    const struct words *words = arg;
    bine_libc.syslog(words->priority, "%s", words->text);
    return NULL;
}

/* The text is made here (%m is this greenlet's errno), said there. `flag`: of the fortified form, -1: plain. False:
 * there was no memory, libc shall do what it does then. */
static bool say_on_pool(int priority, int flag, const char *format, va_list arguments)
{
    int saved = errno;
    char *text;
    va_list copy;
    va_copy(copy, arguments);
    int length = flag < 0 ? vasprintf(&text, format, copy) : __vasprintf_chk(&text, flag, format, copy);
    va_end(copy);
    if (length >= 0) {
        struct words words = {priority, text};
        /* Killed before it was said: syslog cannot fail, so it is said now. */
        if (bine_offload_locking(say, &words, NULL) < 0)
            say(&words);
        free(text);
    }
    errno = saved;
    return length >= 0;
}

void hook_vsyslog(int priority, const char *format, va_list arguments)
{
    if (!bine_hook_here(BINE_PATCH_SOCKET) || !say_on_pool(priority, -1, format, arguments))
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
    if (!bine_hook_here(BINE_PATCH_SOCKET) || !say_on_pool(priority, flag, format, arguments))
        bine_libc.__vsyslog_chk(priority, flag, format, arguments);
}

void hook___syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    hook___vsyslog_chk(priority, flag, format, arguments);
    va_end(arguments);
}
