/* Requests of HTTP, read strictly. See http_request.h. */
#include "http_request.h"

#include <string.h>
#include <strings.h>

enum {
    REQUEST_LINE,
    FIELDS,
    BODY,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILERS
};

void http_begin(struct http_request *request)
{
    /* Not the buffers, which are large. */
    request->url[0] = '\0';
    request->state = REQUEST_LINE;
    request->minor = 0;
    request->has_length = request->chunked = request->has_host = false;
    request->body_size = request->left = request->head_size = request->length = 0;
}

/* ---- characters ------------------------------------------------------------------------------ */

/* Of methods and field names. */
static size_t token_length(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] > ' ' && text[length] < 0x7f &&
           !strchr("\"(),/:;<=>?@[\\]{}", text[length]))
        length++;
    return length;
}

static bool visible(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return true;
}

/* Field values and chunk extensions: no control characters but tabs. Bytes of other character sets
 * may come. */
static bool is_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static bool same(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

static void trim(const char **text, size_t *size)
{
    for (; *size > 0 && (**text == ' ' || **text == '\t'); ++*text)
        --*size;
    while (*size > 0 && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t'))
        --*size;
}

/* ---- lines; true: it is as it should be ------------------------------------------------------ */

static bool request_line(struct http_request *request, const char *line, size_t size)
{
    if (size == 0)
        return true; /* RFC 9112 2.2: an empty line may come before */
    size_t method = token_length(line, size);
    const char *url = line + method + 1, *end = line + size;
    const char *space = method > 0 && method < size && line[method] == ' '
                            ? memchr(url, ' ', (size_t)(end - url))
                            : NULL;
    if (!space || space == url || space - url >= URL_LIMIT || !visible(url, (size_t)(space - url)))
        return false;
    if (same(line, method, "CONNECT") || end - space != 9 || memcmp(space, " HTTP/1.", 8) != 0 ||
        (end[-1] != '0' && end[-1] != '1'))
        return false;
    memcpy(request->url, url, (size_t)(space - url));
    request->url[space - url] = '\0';
    request->minor = end[-1] - '0';
    request->state = FIELDS;
    return true;
}

static bool content_length(struct http_request *request, const char *value, size_t size)
{
    if (request->has_length || size == 0 || size > 18)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        request->left = request->left * 10 + (size_t)(value[i] - '0');
    }
    request->has_length = true;
    return request->left <= BODY_LIMIT;
}

static bool field(struct http_request *request, const char *line, size_t size)
{
    size_t name = token_length(line, size);
    if (name == 0 || name == size || line[name] != ':' || !is_value(line + name, size - name))
        return false;
    const char *value = line + name + 1;
    size -= name + 1;
    trim(&value, &size);
    if (request->state == TRAILERS)
        return true;
    if (same(line, name, "Content-Length"))
        return content_length(request, value, size);
    if (same(line, name, "Transfer-Encoding")) {
        bool first = !request->chunked;
        request->chunked = true;
        return first && request->minor == 1 && same(value, size, "chunked");
    }
    if (same(line, name, "Host")) {
        bool first = !request->has_host;
        request->has_host = true;
        return first;
    }
    return true;
}

static bool end_of_fields(struct http_request *request)
{
    if (request->chunked && request->has_length)
        return false;
    request->state = request->chunked ? CHUNK_SIZE : BODY;
    request->body_size = request->chunked ? 0 : request->left;
    request->head_size = 0; /* trailers have as much room again */
    return true;
}

static bool chunk_size(struct http_request *request, const char *line, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;
    request->left = 0;
    for (; length < size; length++) {
        const char *digit =
            line[length] ? strchr(digits, line[length] |
                                              ('A' <= line[length] && line[length] <= 'F' ? 32 : 0))
                         : NULL;
        if (!digit)
            break;
        request->left = request->left * 16 + (size_t)(digit - digits);
        if (request->left > BODY_LIMIT)
            return false;
    }
    if (length == 0 || (length < size && line[length] != ';') ||
        !is_value(line + length, size - length))
        return false;
    request->body_size += request->left;
    request->state = request->left ? CHUNK_DATA : TRAILERS;
    return request->body_size <= BODY_LIMIT;
}

/* A line without its end. Complete: the request is. */
static bool take_line(struct http_request *request, const char *line, size_t size, bool *complete)
{
    switch (request->state) {
    case REQUEST_LINE:
        return request_line(request, line, size);
    case FIELDS:
        if (size > 0)
            return field(request, line, size);
        *complete = !request->chunked && request->left == 0;
        return end_of_fields(request);
    case CHUNK_SIZE:
        return chunk_size(request, line, size);
    case CHUNK_END:
        request->state = CHUNK_SIZE;
        return size == 0;
    default:
        *complete = size == 0;
        return size == 0 || field(request, line, size);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum http_outcome take_body(struct http_request *request, const char **data, size_t *size)
{
    size_t taken = *size < request->left ? *size : request->left;
    *data += taken;
    *size -= taken;
    request->left -= taken;
    if (request->left > 0)
        return HTTP_MORE;
    if (request->state == BODY)
        return HTTP_WHOLE;
    request->state = CHUNK_END;
    return HTTP_MORE;
}

/* Up to the end of a line, or all there is. */
static enum http_outcome take_text(struct http_request *request, const char **data, size_t *size)
{
    const char *end = memchr(*data, '\n', *size);
    size_t taken = end ? (size_t)(end - *data) + 1 : *size;
    bool of_chunk = request->state == CHUNK_SIZE || request->state == CHUNK_END;
    if (taken > HEAD_LIMIT - (of_chunk ? request->length : request->head_size))
        return HTTP_BAD;
    memcpy(request->line + request->length, *data, taken);
    *data += taken;
    *size -= taken;
    request->length += taken;
    if (!of_chunk)
        request->head_size += taken;
    if (!end)
        return HTTP_MORE;
    size_t length = request->length;
    request->length = 0;
    if (length < 2 || request->line[length - 2] != '\r')
        return HTTP_BAD;
    bool complete = false;
    if (!take_line(request, request->line, length - 2, &complete))
        return HTTP_BAD;
    return complete ? HTTP_WHOLE : HTTP_MORE;
}

enum http_outcome http_take(struct http_request *request, const char **data, size_t *size)
{
    while (*size > 0) {
        bool body = request->state == BODY || request->state == CHUNK_DATA;
        enum http_outcome outcome =
            body ? take_body(request, data, size) : take_text(request, data, size);
        if (outcome != HTTP_MORE)
            return outcome;
    }
    return HTTP_MORE;
}
