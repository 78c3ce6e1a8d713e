/*
 * Reasons belong to greenlets. Between a failure and the question for its reason other greenlets of
 * the thread may run, and fail. A thread without a hub has a reason of its own, because the
 * question must not make a hub.
 */
#include "reason.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include <bine/greenlet.h>
#include <bine/hub.h>
#include <bine/tls.h>

enum {
    SIZE = 384
};

static _Thread_local char of_thread[SIZE];
static bine_key key;
static bool has_key;

/* Not at the first failure: threads may fail at once, and all need the same key. */
__attribute__((constructor)) static void make_key(void)
{
    has_key = bine_key_create(&key, free) == 0;
}

/* The text of the current greenlet; NULL if it has none yet. */
static char *text_here(void)
{
    return has_key && bine_hub_exists() ? bine_getspecific(key) : of_thread;
}

static char *make_text(void)
{
    char *text = malloc(SIZE);
    if (text && bine_setspecific(key, text) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

void bine_tls_reason_clear(void)
{
    char *text = text_here();
    if (text)
        text[0] = '\0';
}

void bine_tls_reason_say(const char *words)
{
    char *text = text_here();
    if (!text)
        text = make_text();
    if (text)
        snprintf(text, SIZE, "%s", words);
} /* NOLINT(clang-analyzer-unix.Malloc): the key has it */

void bine_tls_reason_explain(unsigned long code, const char *detail)
{
    char words[SIZE], both[SIZE];
    if (!code)
        return;
    ERR_error_string_n(code, words, sizeof words);
    if (detail)
        snprintf(both, sizeof both, "%.250s: %.120s", words, detail);
    bine_tls_reason_say(detail ? both : words);
}

const char *bine_tls_reason(void)
{
    const char *text = text_here();
    return text ? text : "";
}
