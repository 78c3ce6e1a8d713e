/*
 * What libbine-http reads: requests and answers, heads and bodies, by the code that reads them from
 * connections. However the input is cut into pieces, it comes to the same messages. A second
 * reader, which has nothing in common with it, must agree about where each request that both take
 * ends, and what it asks for: whatever they disagree about could be smuggled.
 *
 * SOURCES: src/http/message.c src/http/rules.c tests/fuzz/readers/http_request.c -Isrc
 * SOURCES: -Isubprojects/httptools-0.7.1/vendor/llhttp/include
 * SOURCES: subprojects/httptools-0.7.[1]/vendor/llhttp/src/[a-z]*.c
 * SOURCES: /usr/lib/[a-z]*-linux-gnu/libllhttp.so
 * SANITIZE: address,undefined
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/message.h"
#include "readers/http_request.h"

enum {
    MOST = 64 /* messages that are compared */
};

struct seen {
    size_t end; /* in the input */
    uint64_t body_size, hash;
    uint64_t target; /* the hash of what a request asks for */
    int status;      /* why it was refused; 0: it is whole */
};

/* Bytes for a message, `piece` at a time. */
struct source {
    const char *data;
    size_t size, at, piece;
};

static bool bring(struct source *source, struct bine_http_message *message)
{
    size_t room, left = source->size - source->at;
    if (left == 0)
        return false;
    char *to = bine_http_message_room(message, &room);
    if (!to || room == 0)
        abort();
    size_t part = left < source->piece ? left : source->piece;
    if (part > room)
        part = room;
    memcpy(to, source->data + source->at, part);
    bine_http_message_came(message, part);
    source->at += part;
    return true;
}

static uint64_t mix(uint64_t hash, const char *data, size_t size)
{
    while (size-- > 0)
        hash = (hash ^ (uint8_t)*data++) * 1099511628211u;
    return hash;
}

static uint64_t mix_head(const struct bine_http_message *message)
{
    uint64_t hash = 1;
    for (size_t i = 0; i < message->count; i++) {
        const char *name = bine_http_message_text(message, message->fields[i].name);
        const char *value = bine_http_message_text(message, message->fields[i].value);
        if (strlen(name) != message->fields[i].name_size ||
            strlen(value) != message->fields[i].value_size || strpbrk(value, "\r\n"))
            abort();
        hash = mix(mix(hash, name, strlen(name) + 1), value, strlen(value) + 1);
    }
    return hash;
}

static uint64_t mix_target(const struct bine_http_message *message)
{
    bool asks = message->side == BINE_HTTP_REQUESTS;
    return asks ? mix(1, bine_http_message_text(message, message->target), message->target_size)
                : 0;
}

static enum bine_http_outcome read_body(struct bine_http_message *message, struct source *source,
                                        struct seen *seen)
{
    char block[13];
    for (;;) {
        size_t got;
        enum bine_http_outcome outcome = bine_http_message_body(message, block, sizeof block, &got);
        if (outcome == BINE_HTTP_BAD || (outcome == BINE_HTTP_DONE && got == 0))
            return outcome;
        if (outcome == BINE_HTTP_MORE && !bring(source, message))
            return bine_http_message_end(message);
        seen->hash = mix(seen->hash, block, got);
        seen->body_size += got;
        if (seen->body_size > message->limits->body)
            abort();
    }
}

/* Returns how many messages there are, the last of them perhaps refused. */
static size_t read_all(enum bine_http_side side, const char *data, size_t size, size_t piece,
                       struct seen *seen)
{
    struct source source = {data, size, 0, piece};
    struct bine_http_message message;
    bine_http_limits limits;
    size_t count = 0;
    bine_http_limits_complete(&limits, &(bine_http_limits){.body = BODY_LIMIT}, 0);
    bine_http_message_init(&message, side, &limits);
    for (bool more = true; more && count < MOST; count++) {
        enum bine_http_outcome outcome;
        struct seen *now = &seen[count];
        *now = (struct seen){0};
        while ((outcome = bine_http_message_head(&message)) == BINE_HTTP_MORE &&
               bring(&source, &message))
            ;
        if (outcome == BINE_HTTP_MORE)
            break;
        if (outcome == BINE_HTTP_DONE) {
            now->hash = mix_head(&message);
            now->target = mix_target(&message);
            outcome = read_body(&message, &source, now);
        }
        now->status = outcome == BINE_HTTP_DONE ? 0 : message.status;
        more = outcome == BINE_HTTP_DONE;
        if (!more && !message.status)
            abort();
        now->end = more ? source.at - (message.used - message.parsed) : 0;
        if (!more)
            now->hash = now->target = now->body_size =
                0; /* how much of what is refused has been looked at is nobody's business */
        else
            bine_http_message_begin(&message);
    }
    bine_http_message_free(&message);
    return count;
}

/* The other reader has limits of its own, and asks for no host. */
static void compare(const char *data, size_t size, const struct seen *seen, size_t count)
{
    static struct http_request request;
    const char *at = data;
    for (size_t i = 0; i < count && seen[i].status == 0; i++) {
        http_begin(&request);
        size_t left = size - (size_t)(at - data);
        if (http_take(&request, &at, &left) != HTTP_WHOLE)
            return;
        if ((size_t)(at - data) != seen[i].end || request.body_size != seen[i].body_size ||
            mix(1, request.url, strlen(request.url)) != seen[i].target)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct seen whole[MOST], pieces[MOST];
    const char *data = (const char *)bytes;
    for (int side = BINE_HTTP_REQUESTS; side <= BINE_HTTP_ANSWERS; side++) {
        size_t count = read_all(side, data, size, size, whole);
        for (size_t piece = 1; piece < 8; piece += 3)
            if (read_all(side, data, size, piece, pieces) != count ||
                memcmp(whole, pieces, count * sizeof *whole) != 0)
                abort();
        if (side == BINE_HTTP_REQUESTS)
            compare(data, size, whole, count);
    }
    return 0;
}
