/*
 * A message of HTTP/1.x as it comes in: its bytes, its head taken apart, its body. llhttp parses; what it lets pass although two programs
 * could read it in two ways is refused here. Knows no descriptor and never waits: the caller brings the bytes, in pieces of any size.
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
    BINE_HTTP_MORE, /* bring more bytes */
    BINE_HTTP_DONE, /* the head, or the body, is complete */
    BINE_HTTP_BAD   /* see status and reason; nothing more can be read from this connection */
};

enum bine_http_framing {
    BINE_HTTP_NO_BODY,
    BINE_HTTP_BY_LENGTH,
    BINE_HTTP_BY_CHUNKS,
    BINE_HTTP_BY_END /* of the connection */
};

/* Places are counted from the first byte of the message: the buffer moves as it grows. */
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
    size_t parsed; /* so far it has been read */

    struct bine_http_field *fields;
    size_t count, field_room;
    bool in_value; /* the last thing that came was a field's value, not its name */
    bool in_head;
    uint32_t target, target_size;
    size_t head_end;
    bool keep_alive;     /* the connection may be used again behind this message */
    bool wants_continue; /* Expect: 100-continue */
    bool to_head;        /* answers: of a HEAD request, which has no body */
    uint8_t minor;       /* of the version: 0 or 1 */
    const char *method;  /* requests; "": not known yet, or it is none */
    int code;            /* answers: the status */

    enum bine_http_framing framing;
    bool complete;            /* head and body have been taken */
    uint64_t length, taken;   /* of the body: announced, handed over or about to be */
    size_t piece, piece_size; /* of a chunk: in the buffer and not handed over */
    uint64_t overhead;        /* bytes around the chunks, as far as their bodies do not excuse them */

    int status;         /* why it was refused, for a server's answer; 0: it was not */
    const char *reason; /* the same in words; a constant */
};

/* An empty one. The limits, which are complete (see bine_http_limits_complete), must outlive it. */
void bine_http_message_init(struct bine_http_message *message, enum bine_http_side side,
                            const bine_http_limits *limits);
void bine_http_message_free(struct bine_http_message *message);

/* Begin with the message that follows the last one, which was complete. */
void bine_http_message_begin(struct bine_http_message *message);
/* Has anything of the message come? */
bool bine_http_message_begun(const struct bine_http_message *message);

/* Where the next bytes go, and how many may; then say how many came. NULL: ENOMEM. Not while a body is framed by length and nothing of it
 * is buffered: such bytes may go to the reader (bine_http_message_direct). */
char *bine_http_message_room(struct bine_http_message *message, size_t *size);
void bine_http_message_came(struct bine_http_message *message, size_t size);

/* Read the head as far as it has come. With DONE the fields have a NUL behind their names and values. */
enum bine_http_outcome bine_http_message_head(struct bine_http_message *message);

/* Copy at most `size` (not 0) bytes of the body that have come, *got of them; DONE: none is left. */
enum bine_http_outcome bine_http_message_body(struct bine_http_message *message, char *data, size_t size, size_t *got);
/* How many bytes of the body, at most `size`, may be received straight into the reader's buffer now; then say how many were. */
size_t bine_http_message_direct(const struct bine_http_message *message, size_t size);
void bine_http_message_direct_came(struct bine_http_message *message, size_t size);
/* The connection has ended. DONE: so has the body. */
enum bine_http_outcome bine_http_message_end(struct bine_http_message *message);

/* Fill in what is 0. False: a limit is impossible. */
bool bine_http_limits_complete(bine_http_limits *limits, const bine_http_limits *wanted, uint64_t body);

const char *bine_http_message_field(const struct bine_http_message *message, const char *name);

static inline const char *bine_http_message_text(const struct bine_http_message *message, uint32_t place)
{
    return message->buffer + message->base + place;
}

#endif
