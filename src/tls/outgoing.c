/* Bytes that OpenSSL has written and the socket has not taken. See outgoing.h. */
#include "outgoing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 2048,
    SMALL = 18 * 1024, /* a record: so much stays with the connection */
    LARGE = 72 * 1024  /* four of them */
};

/* A large buffer that is not in use, for the next connection that needs one. malloc would give the
 * memory back to the kernel and fetch it again, page by page, for each long answer. */
static _Atomic(char *) spare;

static char *take_large(void)
{
    char *data = atomic_exchange(&spare, NULL);
    return data ? data : malloc(LARGE);
}

static void outgoing_give_back(struct bine_tls_buffer *buffer)
{
    free(buffer->room == LARGE ? atomic_exchange(&spare, buffer->data) : buffer->data);
    *buffer = (struct bine_tls_buffer){NULL, 0, 0};
}

static bool grow(struct bine_tls_buffer *buffer, size_t more)
{
    size_t needed = buffer->size + more, room = buffer->room ? buffer->room : FIRST;
    while (room < needed)
        room *= 2;
    bool large = needed > SMALL && needed <= LARGE;
    char *data = large ? take_large() : malloc(room);
    if (!data)
        return false;
    if (buffer->size)
        memcpy(data, buffer->data, buffer->size);
    struct bine_tls_buffer grown = {data, buffer->size, large ? LARGE : room};
    outgoing_give_back(buffer);
    *buffer = grown;
    return true;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct bine_tls_buffer *buffer = &((struct bine_tls_outgoing *)BIO_get_data(bio))->filled;
    if (size <= 0)
        return 0;
    if (buffer->room - buffer->size < (size_t)size && !grow(buffer, (size_t)size))
        return -1;
    memcpy(buffer->data + buffer->size, data, (size_t)size);
    buffer->size += (size_t)size;
    return size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

/* Once, before any thread can need it. */
__attribute__((constructor)) static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bine-tls");
    if (method &&
        (!BIO_meth_set_write(method, bio_write) || !BIO_meth_set_ctrl(method, bio_control))) {
        BIO_meth_free(method);
        method = NULL;
    }
}

__attribute__((destructor)) static void free_method(void)
{
    free(atomic_exchange(&spare, NULL));
    BIO_meth_free(method);
}

BIO *bine_tls_outgoing_bio(struct bine_tls_outgoing *outgoing)
{
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio) {
        errno = ENOMEM;
        return NULL;
    }
    BIO_set_data(bio, outgoing);
    BIO_set_init(bio, 1);
    return bio;
}

void bine_tls_outgoing_free(struct bine_tls_outgoing *outgoing)
{
    outgoing_give_back(&outgoing->filled);
    outgoing_give_back(&outgoing->sending);
}

const char *bine_tls_outgoing_next(struct bine_tls_outgoing *outgoing, size_t *size)
{
    if (outgoing->sent == outgoing->sending.size) {
        struct bine_tls_buffer empty = outgoing->sending;
        if (outgoing->filled.size == 0)
            return NULL;
        outgoing->sending = outgoing->filled;
        outgoing->sent = 0;
        outgoing->filled = empty;
        outgoing->filled.size = 0;
    }
    *size = outgoing->sending.size - outgoing->sent;
    return outgoing->sending.data + outgoing->sent;
}

void bine_tls_outgoing_sent(struct bine_tls_outgoing *outgoing, size_t size)
{
    struct bine_tls_buffer *buffer = &outgoing->sending;
    outgoing->sent += size;
    if (outgoing->sent < buffer->size)
        return;
    buffer->size = outgoing->sent = 0;
    if (buffer->room > 2 * SMALL)
        outgoing_give_back(buffer);
}
