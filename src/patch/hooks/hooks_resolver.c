/*
 * Hooks of the questions to name servers, res_query and its relatives. libc waits for the answer
 * inside itself, where there is no slot. So a thread of the offload pool makes each call as a
 * whole.
 */
#include <bine/offload.h>
#include <netdb.h>
#include <stdint.h>

#include "io/offload/offload.h"
#include "patch/table/hook.h"

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

static void *hooks_resolver_ask(void *arg)
{
    struct question *question = arg;
    int result = question->ask(question);
    question->h_error = h_errno; /* the thread's own */
    return (void *)(intptr_t)result;
}

static int ask_on_pool(struct question question)
{
    void *result = (void *)(intptr_t)-1;
    if (bine_offload_locking(hooks_resolver_ask, &question, &result) < 0)
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
    return q->state
               ? bine_libc.res_nsearch(q->state, q->name, q->class, q->type, q->answer, q->size)
               : bine_libc.res_search(q->name, q->class, q->type, q->answer, q->size);
}

static int do_query_domain(struct question *q)
{
    return q->state ? bine_libc.res_nquerydomain(q->state, q->name, q->domain, q->class, q->type,
                                                 q->answer, q->size)
                    : bine_libc.res_querydomain(q->name, q->domain, q->class, q->type, q->answer,
                                                q->size);
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
    return ask_on_pool(
        (struct question){do_search, NULL, name, NULL, class, type, answer, size, 0});
}

int hook_res_querydomain(const char *name, const char *domain, int class, int type,
                         unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_querydomain(name, domain, class, type, answer, size);
    return ask_on_pool(
        (struct question){do_query_domain, NULL, name, domain, class, type, answer, size, 0});
}

int hook_res_send(const unsigned char *query, int length, unsigned char *answer, int size)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_send(query, length, answer, size);
    return ask_on_pool((struct question){do_send, NULL, query, NULL, 0, length, answer, size, 0});
}

int hook_res_nquery(struct __res_state *state, const char *name, int class, int type,
                    unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nquery(state, name, class, type, answer, size);
    return ask_on_pool(
        (struct question){do_query, state, name, NULL, class, type, answer, size, 0});
}

int hook_res_nsearch(struct __res_state *state, const char *name, int class, int type,
                     unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nsearch(state, name, class, type, answer, size);
    return ask_on_pool(
        (struct question){do_search, state, name, NULL, class, type, answer, size, 0});
}

int hook_res_nquerydomain(struct __res_state *state, const char *name, const char *domain,
                          int class, int type, unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nquerydomain(state, name, domain, class, type, answer, size);
    return ask_on_pool(
        (struct question){do_query_domain, state, name, domain, class, type, answer, size, 0});
}

int hook_res_nsend(struct __res_state *state, const unsigned char *query, int length,
                   unsigned char *answer, int size)
{
    if (!state || !bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.res_nsend(state, query, length, answer, size);
    return ask_on_pool((struct question){do_send, state, query, NULL, 0, length, answer, size, 0});
}
