/* A server's answers. */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <bine/greenlet.h>

#include "date.h"
#include "status.h"

enum {
    TYPE_MOST = 256,
    HEAD_ROOM = 512 + TYPE_MOST
};

static int answer_fail(int error)
{
    errno = error;
    return -1;
}

void bine_http_answer_reset(struct bine_http *http)
{
    struct bine_http_answer *out = &http->out;
    struct bine_http_text head = out->head, fields = out->fields;
    *out = (struct bine_http_answer){.head = head, .fields = fields};
    out->head.size = out->fields.size = 0;
}

/* ---- the head -------------------------------------------------------------------------------- */

static bool is_library_s(const char *name)
{
    return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0 ||
           strcasecmp(name, "Connection") == 0 || strcasecmp(name, "Date") == 0;
}

int bine_http_set_header(bine_http *http, const char *name, const char *value)
{
    if (!http || !http->server || !name || !value || !bine_http_is_token(name) ||
        !bine_http_is_value(value) || is_library_s(name))
        return answer_fail(EINVAL);
    if (http->out.progress != BINE_HTTP_UNANSWERED)
        return answer_fail(EALREADY);
    struct bine_http_text *fields = &http->out.fields;
    size_t before = fields->size;
    if (bine_http_text_add(fields, name, strlen(name)) && bine_http_text_add(fields, ": ", 2) &&
        bine_http_text_add(fields, value, strlen(value)) && bine_http_text_add(fields, "\r\n", 2))
        return 0;
    fields->size = before;
    return answer_fail(ENOMEM);
}

#define PUT(to, text) put(to, text, sizeof(text) - 1)

static char *put(char *to, const char *text, size_t size)
{
    if (size) /* what has no bytes may have no address */
        memcpy(to, text, size);
    return to + size;
}

static char *put_status(char *to, int status)
{
    const char *name = bine_http_status_name(status);
    to = PUT(to, "HTTP/1.1 ");
    to += bine_http_digits(to, (uint64_t)status);
    *to++ = ' ';
    to = put(to, name, strlen(name));
    return PUT(to, "\r\n");
}

/* Will the connection do for another request? What the handler leaves of this one's body must be
 * read before. */
static bool connection_stays(const struct bine_http *http)
{
    const struct bine_http_message *in = &http->in;
    if (!in->keep_alive || http->lost || in->status || bine_http_server_is_stopping(http->server))
        return false;
    if (in->complete)
        return true;
    if (in->wants_continue && !http->continued)
        return false; /* whether the body comes is the client's guess */
    return in->framing == BINE_HTTP_BY_CHUNKS || in->length - in->taken <= BINE_HTTP_DRAINED;
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void settle(struct bine_http *http, int status, int64_t length)
{
    struct bine_http_answer *out = &http->out;
    out->status = status;
    out->close = out->close || !connection_stays(http);
    out->without_body = strcmp(http->in.method, "HEAD") == 0;
    out->has_length = length >= 0;
    out->left = length >= 0 ? (uint64_t)length : 0;
    out->chunked = length < 0 && http->in.minor == 1 && has_body(status);
    if (!has_body(status))
        out->without_body = true;
    else if (length < 0 && !out->chunked)
        out->close = true; /* the end of the connection is the end of the body */
    out->head_waits = true;
    out->progress = BINE_HTTP_BEGUN;
}

static int format(struct bine_http *http, int status, const char *type, int64_t length)
{
    struct bine_http_answer *out = &http->out;
    size_t type_size = type ? strlen(type) : 0;
    char *begin = bine_http_text_room(&out->head, HEAD_ROOM + out->fields.size), *to = begin;
    if (!begin)
        return -1;
    settle(http, status, length);
    to = put_status(to, status);
    to = PUT(to, "Date: ");
    to = put(to, bine_http_date_now(), BINE_HTTP_DATE);
    if (type) {
        to = PUT(to, "\r\nContent-Type: ");
        to = put(to, type, type_size);
    }
    if (out->chunked) {
        to = PUT(to, "\r\nTransfer-Encoding: chunked");
    } else if (out->has_length && has_body(status)) {
        to = PUT(to, "\r\nContent-Length: ");
        to += bine_http_digits(to, (uint64_t)length);
    }
    if (out->close)
        to = PUT(to, "\r\nConnection: close");
    else if (http->in.minor == 0)
        to = PUT(to, "\r\nConnection: keep-alive");
    to = PUT(to, "\r\n");
    to = put(to, out->fields.data, out->fields.size);
    to = PUT(to, "\r\n");
    out->head.size += (size_t)(to - begin);
    return 0;
}

int bine_http_answer_begin(struct bine_http *http, int status, const char *type, int64_t length)
{
    if (!http || !http->server || status < 200 || status > 599 || length < -1 ||
        (type && (strlen(type) > TYPE_MOST || !bine_http_is_value(type))) ||
        (!has_body(status) && length > 0))
        return answer_fail(EINVAL);
    if (http->out.progress != BINE_HTTP_UNANSWERED)
        return answer_fail(EALREADY);
    return format(http, status, type, length);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* What failed is over: the rest of the answer would not fit. */
static int answer_note(struct bine_http *http, int result, size_t size)
{
    if (result == 0)
        http->out.sent += size;
    else
        http->out.broken = http->out.close = true;
    return result;
}

/* The parts, behind the head if that waits. parts[0] is left free for it. */
static int send_parts(struct bine_http *http, struct iovec *parts, int count)
{
    struct bine_http_answer *out = &http->out;
    size_t size = 0;
    if (out->broken)
        return answer_fail(EPIPE);
    /* A send that need not wait would succeed. But a greenlet that is out of time, or killed, sends
     * nothing more. */
    if (bine_check() != 0)
        return answer_note(http, -1, 0);
    if (out->head_waits)
        parts[0] = (struct iovec){out->head.data, out->head.size};
    else
        parts++, count--;
    out->head_waits = false;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return answer_note(
        http,
        size ? bine_http_stream_send(&http->stream, parts, count, http->limits->send_time) : 0,
        size);
}

int bine_http_respond(bine_http *http, int status, const char *type, const void *body, size_t size)
{
    if ((!body && size) || size > INT64_MAX)
        return answer_fail(EINVAL);
    if (bine_http_answer_begin(http, status, type, (int64_t)size) != 0)
        return -1;
    http->out.progress = BINE_HTTP_ANSWERED;
    http->out.left = 0;
    struct iovec parts[2] = {[1] = {(void *)body, size}};
    return send_parts(http, parts, http->out.without_body || size == 0 ? 1 : 2);
}

int bine_http_begin(bine_http *http, int status, const char *type, int64_t length)
{
    return bine_http_answer_begin(http, status, type, length);
}

int bine_http_write(bine_http *http, const void *data, size_t size)
{
    if (!http || !http->server || (!data && size) || http->out.progress == BINE_HTTP_UNANSWERED)
        return answer_fail(EINVAL);
    struct bine_http_answer *out = &http->out;
    if (out->progress == BINE_HTTP_ANSWERED)
        return answer_fail(EALREADY);
    if (out->has_length && size > out->left)
        return answer_fail(EMSGSIZE);
    out->left -= out->has_length ? size : 0;
    char line[20];
    struct iovec parts[BINE_HTTP_PARTS];
    int count = 1;
    if (size > 0 && !out->without_body) {
        if (out->chunked)
            parts[count++] =
                (struct iovec){line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size)};
        parts[count++] = (struct iovec){(void *)data, size};
        if (out->chunked)
            parts[count++] = (struct iovec){"\r\n", 2};
    }
    return send_parts(http, parts, count);
}

int bine_http_abort(bine_http *http)
{
    if (!http || !http->server)
        return answer_fail(EINVAL);
    http->out.broken = http->out.close = true;
    http->out.progress = BINE_HTTP_ANSWERED;
    return 0;
}

int bine_http_answer_file(struct bine_http *http, int file, off_t offset, size_t size)
{
    struct bine_http_answer *out = &http->out;
    struct iovec head = {out->head.data, out->head.size};
    out->progress = BINE_HTTP_ANSWERED;
    if (out->without_body || size == 0) {
        struct iovec parts[1];
        return send_parts(http, parts, 1);
    }
    out->head_waits = false;
    return answer_note(http,
                       bine_http_stream_send_file(&http->stream, head, file, offset, size,
                                                  http->limits->send_time),
                       head.iov_len + size);
}

int bine_http_answer_status(struct bine_http *http, int status)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%d %s\n", status, bine_http_status_name(status));
    return bine_http_respond(http, status, "text/plain", text, (size_t)size);
}

int bine_http_answer_switch(struct bine_http *http)
{
    static const char words[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
    struct bine_http_answer *out = &http->out;
    if (!bine_http_text_add(&out->head, words, sizeof words - 1) ||
        !bine_http_text_add(&out->head, out->fields.data, out->fields.size) ||
        !bine_http_text_add(&out->head, "\r\n", 2)) {
        out->head.size = 0;
        return -1;
    }
    out->status = 101;
    out->progress = BINE_HTTP_ANSWERED;
    out->close = out->head_waits = true;
    struct iovec parts[1];
    return send_parts(http, parts, 1);
}

void bine_http_answer_end(struct bine_http *http)
{
    struct bine_http_answer *out = &http->out;
    if (out->progress != BINE_HTTP_BEGUN)
        return;
    out->progress = BINE_HTTP_ANSWERED;
    if (out->has_length && out->left > 0 && !out->without_body) {
        out->broken = out->close = true;
        return;
    }
    bool last = out->chunked && !out->without_body;
    struct iovec parts[2] = {[1] = {"0\r\n\r\n", 5}};
    if (last || out->head_waits)
        send_parts(http, parts, last ? 2 : 1);
}
