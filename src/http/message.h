/*
 * A message of HTTP/1.x as it comes in: its bytes, its head taken apart, its body. llhttp parses.
 * Messages that llhttp lets pass although two programs could read them in two ways are refused
 * here. This code does not know descriptors and never waits: the caller brings the bytes, in pieces
 * of any size.
 */
#ifndef BINE_HTTP_MESSAGE_H
#define BINE_HTTP_MESSAGE_H

#include <bine/http.h>

#include <llhttp.h>

enum bine_http_side {
    BINE_HTTP_REQUESTS,
    BINE_HTTP_ANSWERS
};

enum bine_http_outcome {
    BINE_HTTP_MORE, /* the caller shall bring more bytes */
    BINE_HTTP_DONE, /* the head, or the body, is complete */
    BINE_HTTP_BAD   /* see status and reason; nothing more can be read from this connection */
};

enum bine_http_framing {
    BINE_HTTP_NO_BODY,
    BINE_HTTP_BY_LENGTH,
    BINE_HTTP_BY_CHUNKS,
    BINE_HTTP_BY_END /* by the end of the connection */
};

/* Places are counted from the first byte of the message, because the buffer moves as it grows. */
struct bine_http_field {
    uint32_t name, name_size, value, value_size;
};

struct bine_http_message {
    llhttp_t parser;
    const bine_http_limits *limits;
    enum bine_http_side side;

    char *buffer; /* the first `used` of its `room` bytes have come */
    size_t room, used;
    size_t base;   /* the message begins here */
    size_t parsed; /* it has been read up to here */

    struct bine_http_field *fields;
    size_t count, field_room;
    bool in_value; /* the last bytes that came were a field's value, not its name */
    bool in_head;
    uint32_t target, target_size;
    size_t head_end;
    bool keep_alive;     /* the connection may be used again after this message */
    bool wants_continue; /* Expect: 100-continue */
    bool to_head;        /* answers: it answers a HEAD request, and so has no body */
    uint8_t minor;       /* the minor number of the version: 0 or 1 */
    const char *method;  /* requests; "": not known yet, or there is none */
    int code;            /* answers: the status */

    enum bine_http_framing framing;
    bool complete;            /* the head and the body have been taken */
    uint64_t length, taken;   /* bytes of the body: announced; handed over or about to be */
    size_t piece, piece_size; /* the part of a chunk that is in the buffer and not handed over */
    uint64_t overhead;        /* bytes around the chunks that their bodies do not excuse */

    int status;         /* the status with which a server refuses it; 0: it is not refused */
    const char *reason; /* the same in words; a constant */
};

/* Makes an empty message. The limits, which are complete (see bine_http_limits_complete), must
 * outlive it. */
void bine_http_message_init(struct bine_http_message *message, enum bine_http_side side,
                            const bine_http_limits *limits);
void bine_http_message_free(struct bine_http_message *message);

/* Begins with the message that follows the last one, which was complete. */
void bine_http_message_begin(struct bine_http_message *message);
/* Has anything of the message come? */
bool bine_http_message_begun(const struct bine_http_message *message);

/* bine_http_message_room returns where the next bytes shall be put, and how many may; NULL for
 * ENOMEM. Then bine_http_message_came says how many came. They are not called while a body is
 * framed by length and nothing of it is buffered: such bytes may go to the reader
 * (bine_http_message_direct). */
char *bine_http_message_room(struct bine_http_message *message, size_t *size);
void bine_http_message_came(struct bine_http_message *message, size_t size);

/* Reads the head as far as it has come. With DONE the fields have a NUL after their names and
 * values. */
enum bine_http_outcome bine_http_message_head(struct bine_http_message *message);

/* Copies at most `size` (not 0) bytes of the body that have come, and stores their number in *got.
 * DONE: none is left. */
enum bine_http_outcome bine_http_message_body(struct bine_http_message *message, char *data,
                                              size_t size, size_t *got);
/* bine_http_message_direct returns how many bytes of the body, at most `size`, may be received
 * straight into the reader's buffer now. Then bine_http_message_direct_came says how many were. */
size_t bine_http_message_direct(const struct bine_http_message *message, size_t size);
void bine_http_message_direct_came(struct bine_http_message *message, size_t size);
/* The connection has ended. DONE: so has the body. */
enum bine_http_outcome bine_http_message_end(struct bine_http_message *message);

/* Fills in the limits that are 0. Returns false if a limit is impossible. */
bool bine_http_limits_complete(bine_http_limits *limits, const bine_http_limits *wanted,
                               uint64_t body);

const char *bine_http_message_field(const struct bine_http_message *message, const char *name);

static inline const char *bine_http_message_text(const struct bine_http_message *message,
                                                 uint32_t place)
{
    return message->buffer + message->base + place;
}

#endif
