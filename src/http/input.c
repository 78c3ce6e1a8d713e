/* A message that has come in: its fields and its body. */
#include "exchange.h"

#include <errno.h>
#include <limits.h>

#include <bine/clock.h>
#include <bine/greenlet.h>

static ssize_t input_fail(int error)
{
    errno = error;
    return -1;
}

const char *bine_http_header(const bine_http *http, const char *name)
{
    return http && name ? bine_http_message_field(&http->in, name) : NULL;
}

bool bine_http_header_at(const bine_http *http, size_t index, const char **name, const char **value)
{
    if (!http || !name || !value || index >= http->in.count)
        return false;
    *name = bine_http_message_text(&http->in, http->in.fields[index].name);
    *value = bine_http_message_text(&http->in, http->in.fields[index].value);
    return true;
}

int64_t bine_http_length(const bine_http *http)
{
    if (!http || http->in.framing == BINE_HTTP_NO_BODY)
        return 0;
    return http->in.framing == BINE_HTTP_BY_LENGTH ? (int64_t)http->in.length : -1;
}

/* ---- the body -------------------------------------------------------------------------------- */

int bine_http_receive(struct bine_http *http, int64_t time)
{
    size_t room;
    char *to = bine_http_message_room(&http->in, &room);
    ssize_t got = to ? bine_http_stream_receive(&http->stream, to, room, time) : -1;
    if (got > 0)
        bine_http_message_came(&http->in, (size_t)got);
    return got > 0 ? 1 : (int)got;
}

int bine_http_error_of(int status)
{
    switch (status) {
    case 413:
        return EMSGSIZE;
    case 408:
        return ETIMEDOUT;
    case 503:
        return ENOMEM;
    default:
        return EPROTO;
    }
}

/* A client that holds its body back until it is asked. */
static int ask_for_body(struct bine_http *http)
{
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!http->in.wants_continue || http->continued || http->out.progress != BINE_HTTP_UNANSWERED)
        return 0;
    if (bine_check() != 0)
        return -1; /* the next read asks */
    http->continued = true;
    struct iovec vector = {(void *)words, sizeof words - 1};
    return bine_http_stream_send(&http->stream, &vector, 1, http->limits->send_time);
}

/* Wait for bytes of the body; at most `size` of them may go to `data`. How many did, -1; 0: look
 * again. */
static ssize_t wait_for_body(struct bine_http *http, char *data, size_t size)
{
    unsigned interruptions = bine_interruptions();
    if (http->broken)
        return input_fail(http->broken);
    if (ask_for_body(http) != 0)
        return -1;
    if (!http->body_deadline)
        http->body_deadline = bine_deadline(http->limits->body_time);
    int64_t time = bine_left(http->body_deadline);
    size_t direct = bine_http_message_direct(&http->in, size);
    ssize_t got = direct ? bine_http_stream_receive(&http->stream, data, direct, time)
                         : bine_http_receive(http, time);
    if (got < 0) {
        if (errno == ETIMEDOUT && bine_left(http->body_deadline) == 0) {
            http->in.status = 408;
            http->in.reason = "no whole body within its time";
        } else if (!bine_error_passes(errno, interruptions)) {
            http->broken = errno;
            http->lost = true;
        }
        return -1;
    }
    if (got == 0) {
        if (bine_http_message_end(&http->in) == BINE_HTTP_DONE)
            return 0;
        http->lost = true;
        return input_fail(http->broken = ECONNRESET);
    }
    if (!direct)
        return 0;
    bine_http_message_direct_came(&http->in, (size_t)got);
    return got;
}

ssize_t bine_http_read(bine_http *http, void *buffer, size_t size)
{
    if (!http || (!buffer && size))
        return input_fail(EINVAL);
    while (size > 0) {
        size_t got;
        enum bine_http_outcome outcome = bine_http_message_body(&http->in, buffer, size, &got);
        if (outcome == BINE_HTTP_BAD)
            return input_fail(http->lost ? ECONNRESET : bine_http_error_of(http->in.status));
        if (outcome == BINE_HTTP_DONE)
            return (ssize_t)got;
        ssize_t direct = wait_for_body(http, buffer, size);
        if (direct != 0)
            return direct;
    }
    return 0;
}

char *bine_http_read_all(bine_http *http, size_t *size)
{
    enum {
        BLOCK = 16384
    };
    if (!http) {
        errno = EINVAL;
        return NULL;
    }
    ssize_t got;
    do {
        uint64_t left =
            http->in.framing == BINE_HTTP_BY_LENGTH ? http->in.length - http->in.taken : BLOCK;
        size_t room = left < 16 * BLOCK ? (size_t)left + 1 : 16 * BLOCK;
        char *to = bine_http_text_room(&http->body, room + 1);
        if (!to)
            return NULL;
        got = bine_http_read(http, to, http->body.room - http->body.size - 1);
        if (got < 0)
            return NULL;
        http->body.size += (size_t)got;
    } while (got > 0);
    http->body.data[http->body.size] = '\0';
    if (size)
        *size = http->body.size;
    return http->body.data;
}

bool bine_http_drain(struct bine_http *http)
{
    char block[4096];
    size_t dropped = 0;
    while (!http->in.complete || http->in.piece_size) {
        ssize_t got = bine_http_read(http, block, sizeof block);
        if (got == 0)
            break;
        if (got < 0 || (dropped += (size_t)got) > BINE_HTTP_DRAINED)
            return false;
    }
    return true;
}

void bine_http_forget(struct bine_http *http)
{
    free(http->path);
    free(http->body.data);
    http->path = NULL;
    http->body = (struct bine_http_text){NULL, 0, 0};
    http->body_deadline = 0;
    http->continued = false;
}
