/* What the tests of calls share: greenlets that make one call. */
#ifndef BINE_TESTS_IO_ONE_CALL_H
#define BINE_TESTS_IO_ONE_CALL_H

#include "pairs.h"

/* One call in a greenlet, and what became of it. */
struct one_call {
    int fd;
    size_t size;
    char *buffer;
    int flags;
    ssize_t result;
    int error;
    bool done;
};

static inline void *call_read(void *arg)
{
    struct one_call *call = arg;
    call->result = bine_read(call->fd, call->buffer, call->size);
    call->error = call->result < 0 ? errno : 0;
    call->done = true;
    return NULL;
}

static inline void *call_write(void *arg)
{
    struct one_call *call = arg;
    call->result = bine_write(call->fd, call->buffer, call->size);
    call->error = call->result < 0 ? errno : 0;
    call->done = true;
    return NULL;
}

static inline void *call_recv(void *arg)
{
    struct one_call *call = arg;
    call->result = bine_recv(call->fd, call->buffer, call->size, call->flags);
    call->error = call->result < 0 ? errno : 0;
    call->done = true;
    return NULL;
}

static inline void *call_accept(void *arg)
{
    struct one_call *call = arg;
    call->result = bine_accept4(call->fd, NULL, NULL, SOCK_CLOEXEC);
    call->error = call->result < 0 ? errno : 0;
    call->done = true;
    return NULL;
}

/* Enough turns for a call that can go on to have gone on. */
static inline void let_run(void)
{
    for (int i = 0; i < 6; i++)
        CHECK_OK(bine_sleep(BINE_MS));
}

#endif
