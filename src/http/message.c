/* Messages as they come in. See message.h. */
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules.h"

enum {
    /* of the buffer: most heads are shorter, and a connection at rest keeps it */
    FIRST_ROOM = 4096,
    BODY_ROOM = 4096, /* for chunks, behind the head */
    FIRST_FIELDS = 16,
    HEAD_MOST = 1 << 30 /* places are 32 bits wide */
};

/* Small chunks have much around them: a size, two line ends, perhaps an extension. So much a byte
 * of the body is excused. */
enum {
    EXCUSED = 6
};

/* ---- what llhttp tells ----------------------------------------------------------------------- */

static uint32_t place(const struct bine_http_message *message, const char *at)
{
    return (uint32_t)(at - message->buffer - (ptrdiff_t)message->base);
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct bine_http_message *message = parser->data;
    if (!message->target_size)
        message->target = place(message, at);
    message->target_size += (uint32_t)size;
    return 0;
}

static struct bine_http_field *new_field(struct bine_http_message *message)
{
    if (message->count == message->field_room) {
        size_t room = message->field_room ? 2 * message->field_room : FIRST_FIELDS;
        struct bine_http_field *fields = realloc(message->fields, room * sizeof *fields);
        if (!fields) {
            bine_http_refuse(message, 503, "out of memory");
            return NULL;
        }
        message->fields = fields;
        message->field_room = room;
    }
    return &message->fields[message->count++];
}

/* Names and values may come in pieces, which lie one behind the other in the buffer. */
static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct bine_http_message *message = parser->data;
    if (!message->in_head)
        return 0; /* no code reads trailers */
    if (message->in_value || message->count == 0) {
        struct bine_http_field *field = new_field(message);
        if (!field)
            return -1;
        *field = (struct bine_http_field){.name = place(message, at)};
        message->in_value = false;
    }
    message->fields[message->count - 1].name_size += (uint32_t)size;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct bine_http_message *message = parser->data;
    if (!message->in_head)
        return 0;
    struct bine_http_field *field = &message->fields[message->count - 1];
    message->in_value = true;
    if (!field->value_size)
        field->value = place(message, at);
    field->value_size += (uint32_t)size;
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct bine_http_message *message = parser->data;
    if (!message->in_head)
        return 0;
    struct bine_http_field *field = &message->fields[message->count - 1];
    if (!field->value_size)
        field->value = field->name + field->name_size; /* where the NUL behind the name will be */
    while (field->value_size) {
        char last = bine_http_message_text(message, field->value)[field->value_size - 1];
        if (last != ' ' && last != '\t')
            break;
        field->value_size--;
    }
    message->in_value = true;
    return 0;
}

static int on_head(llhttp_t *parser)
{
    struct bine_http_message *message = parser->data;
    message->in_head = false;
    parser->upgrade = 0; /* what follows is ours to say */
    return bine_http_rules_apply(message) ? HPE_PAUSED : -1;
}

/* What a chunk announces is refused before it comes. */
static int on_chunk(llhttp_t *parser)
{
    struct bine_http_message *message = parser->data;
    if (parser->content_length <= message->limits->body - message->taken)
        return 0;
    bine_http_refuse(message, 413, "the body is too long");
    return -1;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct bine_http_message *message = parser->data;
    message->piece = (size_t)(at - message->buffer);
    message->piece_size = size;
    return HPE_PAUSED;
}

static int on_complete(llhttp_t *parser)
{
    ((struct bine_http_message *)parser->data)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head,
    .on_chunk_header = on_chunk,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- the buffer ------------------------------------------------------------------------------ */

void bine_http_message_init(struct bine_http_message *message, enum bine_http_side side,
                            const bine_http_limits *limits)
{
    memset(message, 0, sizeof *message);
    message->limits = limits;
    message->side = side;
    message->complete = true;
    bine_http_message_begin(message);
}

void bine_http_message_free(struct bine_http_message *message)
{
    free(message->buffer);
    free(message->fields);
}

void bine_http_message_begin(struct bine_http_message *message)
{
    if (message->parsed == message->used)
        message->parsed = message->used = 0;
    message->base = message->parsed;
    message->count = 0;
    message->in_value = message->complete = message->wants_continue = message->to_head = false;
    message->in_head = true;
    message->target_size = 0;
    message->head_end = 0;
    message->method = "";
    message->code = 0;
    message->framing = BINE_HTTP_NO_BODY;
    message->length = message->taken = message->overhead = 0;
    message->piece_size = 0;
    message->status = 0;
    message->reason = NULL;
    llhttp_init(&message->parser,
                message->side == BINE_HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    message->parser.data = message;
}

bool bine_http_message_begun(const struct bine_http_message *message)
{
    return message->used > message->base;
}

static bool grow(struct bine_http_message *message, size_t room)
{
    char *buffer = realloc(message->buffer, room);
    if (!buffer)
        return false;
    message->buffer = buffer;
    message->room = room;
    return true;
}

char *bine_http_message_room(struct bine_http_message *message, size_t *size)
{
    if (message->in_head && message->used == message->room) {
        if (message->base > 0) { /* what came before is over */
            memmove(message->buffer, message->buffer + message->base,
                    message->used - message->base);
            message->used -= message->base;
            message->parsed -= message->base;
            message->base = 0;
        } else if (!grow(message, message->room ? 2 * message->room : FIRST_ROOM)) {
            return NULL;
        }
    }
    *size = message->room - message->used;
    return message->buffer + message->used;
}

void bine_http_message_came(struct bine_http_message *message, size_t size)
{
    message->used += size;
}

/* ---- the head -------------------------------------------------------------------------------- */

/* RFC 9112 2.2: an empty line may come before a request. llhttp would take any number, and bare
 * line ends. DONE: the head may be read. */
static enum bine_http_outcome skip_empty_line(struct bine_http_message *message)
{
    size_t left = message->used - message->base;
    if (left == 0)
        return BINE_HTTP_MORE;
    const char *text = message->buffer + message->base;
    if (message->parsed > message->base)
        return BINE_HTTP_DONE;
    if (text[0] == '\r' && message->side == BINE_HTTP_REQUESTS) {
        if (left < 3)
            return left == 2 && text[1] != '\n' ? BINE_HTTP_BAD : BINE_HTTP_MORE;
        if (text[1] != '\n')
            return BINE_HTTP_BAD;
        message->base += 2;
        message->parsed += 2;
        text += 2;
    }
    return text[0] == '\r' || text[0] == '\n' ? BINE_HTTP_BAD : BINE_HTTP_DONE;
}

static enum bine_http_outcome message_refuse(struct bine_http_message *message, int status,
                                             const char *reason)
{
    bine_http_refuse(message, status, reason);
    return BINE_HTTP_BAD;
}

/* Strings for the caller: what stood behind names and values has been read. */
static void terminate(struct bine_http_message *message)
{
    char *text = message->buffer + message->base;
    for (size_t i = 0; i < message->count; i++) {
        const struct bine_http_field *field = &message->fields[i];
        text[field->name + field->name_size] = '\0';
        text[field->value + field->value_size] = '\0';
    }
    if (message->side == BINE_HTTP_REQUESTS)
        text[message->target + message->target_size] = '\0';
}

static enum bine_http_outcome head_complete(struct bine_http_message *message)
{
    message->head_end = message->parsed;
    if (message->head_end - message->base > message->limits->head)
        return message_refuse(message, 431, "the head is too long");
    message->complete = message->framing == BINE_HTTP_NO_BODY;
    terminate(message);
    /* The strings must not move any more. */
    bool in_buffer =
        message->framing == BINE_HTTP_BY_CHUNKS || message->framing == BINE_HTTP_BY_END;
    if (in_buffer && message->room - message->head_end < BODY_ROOM &&
        !grow(message, message->head_end + BODY_ROOM))
        return message_refuse(message, 503, "out of memory");
    return BINE_HTTP_DONE;
}

static const char *words_of(const struct bine_http_message *message)
{
    const char *words = llhttp_get_error_reason(&message->parser);
    return words && words[0] ? words : "malformed";
}

enum bine_http_outcome bine_http_message_head(struct bine_http_message *message)
{
    enum bine_http_outcome skipped = skip_empty_line(message);
    if (skipped == BINE_HTTP_BAD)
        return message_refuse(message, 400, "an empty line that should not be");
    if (skipped == BINE_HTTP_MORE)
        return skipped;
    enum llhttp_errno error = llhttp_execute(&message->parser, message->buffer + message->parsed,
                                             message->used - message->parsed);
    if (error == HPE_PAUSED && !message->in_head) {
        message->parsed = (size_t)(llhttp_get_error_pos(&message->parser) - message->buffer);
        return head_complete(message);
    }
    message->parsed = message->used;
    if (message->count == 0 && message->target_size > message->limits->line)
        return message_refuse(message, 414, "the target is too long");
    if (error != HPE_OK)
        return message_refuse(message, error == HPE_PAUSED_H2_UPGRADE ? 505 : 400,
                              words_of(message));
    if (message->used - message->base > message->limits->head)
        return message_refuse(message, 431, "the head is too long");
    return BINE_HTTP_MORE;
}

const char *bine_http_message_field(const struct bine_http_message *message, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < message->count; i++)
        if (message->fields[i].name_size == size &&
            strncasecmp(bine_http_message_text(message, message->fields[i].name), name, size) == 0)
            return bine_http_message_text(message, message->fields[i].value);
    return NULL;
}

/* ---- the body -------------------------------------------------------------------------------- */

/* What follows goes where the body began: the buffer behind the head is used again and again. */
static void rewind_body(struct bine_http_message *message)
{
    if (message->parsed == message->used)
        message->parsed = message->used = message->head_end;
}

/* Parse until some bytes of the body are found, or its end, or no more bytes. */
static enum bine_http_outcome next_chunk(struct bine_http_message *message)
{
    while (!message->piece_size && !message->complete) {
        if (message->parsed == message->used) {
            rewind_body(message);
            return BINE_HTTP_MORE;
        }
        size_t before = message->parsed;
        llhttp_resume(&message->parser);
        enum llhttp_errno error = llhttp_execute(
            &message->parser, message->buffer + message->parsed, message->used - message->parsed);
        if (error != HPE_OK && error != HPE_PAUSED)
            return message_refuse(message, 400, words_of(message));
        message->parsed = error == HPE_OK
                              ? message->used
                              : (size_t)(llhttp_get_error_pos(&message->parser) - message->buffer);
        uint64_t around = message->parsed - before - message->piece_size,
                 excused = EXCUSED * message->piece_size;
        message->overhead =
            message->overhead + around > excused ? message->overhead + around - excused : 0;
        if (message->overhead > message->limits->head)
            return message_refuse(message, 400, "too much around the chunks");
        message->taken += message->piece_size;
    }
    return BINE_HTTP_DONE;
}

static enum bine_http_outcome chunks(struct bine_http_message *message, char *data, size_t size,
                                     size_t *got)
{
    for (;;) {
        enum bine_http_outcome outcome = next_chunk(message);
        size_t piece = message->piece_size < size - *got ? message->piece_size : size - *got;
        if (outcome != BINE_HTTP_DONE)
            return *got && outcome == BINE_HTTP_MORE ? BINE_HTTP_DONE : outcome;
        if (piece == 0)
            return BINE_HTTP_DONE;
        memcpy(data + *got, message->buffer + message->piece, piece);
        message->piece += piece;
        message->piece_size -= piece;
        *got += piece;
    }
}

static enum bine_http_outcome plain(struct bine_http_message *message, char *data, size_t size,
                                    size_t *got)
{
    size_t there = message->used - message->parsed;
    bool ends = message->framing == BINE_HTTP_BY_LENGTH;
    uint64_t left = (ends ? message->length : message->limits->body) - message->taken;
    if (there == 0) {
        rewind_body(message);
        return BINE_HTTP_MORE;
    }
    if (left == 0)
        return message_refuse(message, 413, "the body is too long");
    *got = there < size ? there : size;
    if (*got > left)
        *got = (size_t)left;
    memcpy(data, message->buffer + message->parsed, *got);
    message->parsed += *got;
    message->taken += *got;
    message->complete = ends && message->taken == message->length;
    return BINE_HTTP_DONE;
}

enum bine_http_outcome bine_http_message_body(struct bine_http_message *message, char *data,
                                              size_t size, size_t *got)
{
    *got = 0;
    if (message->status)
        return BINE_HTTP_BAD;
    if (message->framing == BINE_HTTP_BY_CHUNKS)
        return chunks(message, data, size, got);
    return message->complete ? BINE_HTTP_DONE : plain(message, data, size, got);
}

size_t bine_http_message_direct(const struct bine_http_message *message, size_t size)
{
    if (message->framing != BINE_HTTP_BY_LENGTH || message->used > message->parsed)
        return 0;
    uint64_t left = message->length - message->taken;
    return left < size ? (size_t)left : size;
}

void bine_http_message_direct_came(struct bine_http_message *message, size_t size)
{
    message->taken += size;
    message->complete = message->taken == message->length;
}

enum bine_http_outcome bine_http_message_end(struct bine_http_message *message)
{
    if (message->framing != BINE_HTTP_BY_END || message->in_head)
        return message->complete ? BINE_HTTP_DONE
                                 : message_refuse(message, 400, "the connection ended too early");
    message->complete = true;
    return BINE_HTTP_DONE;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int64_t time_or(int64_t wanted, int64_t otherwise)
{
    return wanted ? wanted : otherwise;
}

bool bine_http_limits_complete(bine_http_limits *limits, const bine_http_limits *wanted,
                               uint64_t body)
{
    *limits = *wanted;
    limits->line = wanted->line ? wanted->line : 8192;
    limits->head = wanted->head ? wanted->head : 16384;
    limits->body = wanted->body ? wanted->body : body;
    limits->head_time = time_or(wanted->head_time, 10 * BINE_SECOND);
    limits->body_time = time_or(wanted->body_time, 60 * BINE_SECOND);
    limits->send_time = time_or(wanted->send_time, 60 * BINE_SECOND);
    limits->idle_time = time_or(wanted->idle_time, 60 * BINE_SECOND);
    limits->request_time = time_or(wanted->request_time, BINE_FOREVER);
    return !BINE_RESERVED_USED(wanted) && limits->head <= HEAD_MOST && limits->head_time > 0 &&
           limits->body_time > 0 && limits->send_time > 0 && limits->idle_time > 0 &&
           limits->request_time > 0;
}
