/*
 * The rules for a head, beyond what llhttp checks (RFC 9112). A message is refused wherever two
 * programs could disagree about its end: a program in front of a server, or behind a client, may
 * have read it the other way (hazard 92).
 */
#include "rules.h"

#include <string.h>
#include <strings.h>

/* The fields that say how to read the message. */
struct framing {
    unsigned lengths, codings, hosts, expectations;
    bool chunked; /* the coding is that and nothing else */
    uint64_t length;
};

bool bine_http_refuse(struct bine_http_message *message, int status, const char *reason)
{
    if (!message->status) {
        message->status = status;
        message->reason = reason;
    }
    /* What is logged of a request is its target, and not what stands behind that. */
    if (message->method[0])
        message->buffer[message->base + message->target + message->target_size] = '\0';
    return false;
}

static bool same(const char *text, size_t size, const char *word, size_t length)
{
    return size == length && strncasecmp(text, word, length) == 0;
}

#define SAME(text, size, word) same(text, size, word, sizeof(word) - 1)

static bool is_number(const char *text, size_t size, uint64_t *number)
{
    if (size == 0 || size > 18)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

/* A host may have a port; it has no user, no path and no list. */
static bool is_host(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("/\\?#@,\"<>^`{|}", text[i]))
            return false;
    return true;
}

/* Most fields are none of these: their lengths tell. */
static bool rules_look_at(struct bine_http_message *message, const struct bine_http_field *field,
                          struct framing *framing)
{
    const char *name = bine_http_message_text(message, field->name);
    const char *value = bine_http_message_text(message, field->value);
    size_t size = field->value_size;
    switch (field->name_size) {
    case 4:
        if (!SAME(name, 4, "Host") || message->side != BINE_HTTP_REQUESTS)
            break;
        framing->hosts++;
        return is_host(value, size) || bine_http_refuse(message, 400, "a host that is none");
    case 6:
        if (!SAME(name, 6, "Expect") || message->side != BINE_HTTP_REQUESTS)
            break;
        if (framing->expectations++ || !SAME(value, size, "100-continue"))
            return bine_http_refuse(message, 417, "an expectation that nobody can meet");
        break;
    case 14:
        if (!SAME(name, 14, "Content-Length"))
            break;
        framing->lengths++;
        if (!is_number(value, size, &framing->length))
            return bine_http_refuse(message, 400, "a length that is no number");
        break;
    case 17:
        if (!SAME(name, 17, "Transfer-Encoding"))
            break;
        framing->codings++;
        framing->chunked = SAME(value, size, "chunked");
        break;
    default:
        break;
    }
    return true;
}

static bool check_framing(struct bine_http_message *message, const struct framing *framing)
{
    if (framing->lengths > 1)
        return bine_http_refuse(message, 400, "two lengths");
    if (framing->codings && framing->lengths)
        return bine_http_refuse(message, 400, "a length and a coding");
    if (framing->codings > 1 || (framing->codings && !framing->chunked))
        return bine_http_refuse(message, 400, "a transfer coding other than chunked");
    if (framing->codings && message->minor == 0)
        return bine_http_refuse(message, 400, "chunks in HTTP/1.0");
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* llhttp skips any number of spaces, and knows other protocols with lines like these. */
static bool check_spaces(struct bine_http_message *message)
{
    const char *target = bine_http_message_text(message, message->target),
               *behind = target + message->target_size;
    return (message->target == strlen(message->method) + 1 && memcmp(behind, " HTTP/", 6) == 0) ||
           bine_http_refuse(message, 400, "a request line with other than two spaces");
}

static bool check_target(struct bine_http_message *message)
{
    const char *target = bine_http_message_text(message, message->target);
    if (message->target_size > message->limits->line)
        return bine_http_refuse(message, 414, "the target is too long");
    for (size_t i = 0; i < message->target_size; i++)
        if (target[i] <= ' ' || target[i] >= 0x7f)
            return bine_http_refuse(message, 400, "a target with other than visible characters");
    bool asterisk =
        message->target_size == 1 && target[0] == '*' && message->parser.method == HTTP_OPTIONS;
    bool absolute = message->target_size > 7 && (strncasecmp(target, "http://", 7) == 0 ||
                                                 strncasecmp(target, "https:/", 7) == 0);
    return target[0] == '/' || asterisk || absolute ||
           bine_http_refuse(message, 400, "a target that is neither path nor URL");
}

static bool request_rules(struct bine_http_message *message, const struct framing *framing)
{
    if (message->parser.method == HTTP_CONNECT)
        return bine_http_refuse(message, 501, "no tunnels");
    message->method = llhttp_method_name((llhttp_method_t)message->parser.method);
    if (!check_spaces(message) || !check_target(message))
        return false;
    if (framing->hosts > 1)
        return bine_http_refuse(message, 400, "two hosts");
    if (framing->hosts == 0 && message->minor == 1)
        return bine_http_refuse(message, 400, "no host");
    message->wants_continue = framing->expectations && message->minor == 1;
    if (framing->chunked)
        message->framing = BINE_HTTP_BY_CHUNKS;
    else
        message->framing = framing->length ? BINE_HTTP_BY_LENGTH : BINE_HTTP_NO_BODY;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool answer_rules(struct bine_http_message *message, const struct framing *framing)
{
    int code = message->code = message->parser.status_code;
    if (code < 100 || code > 599)
        return bine_http_refuse(message, 502, "a status that is none");
    if (code < 200 || code == 204 || code == 304 || message->to_head)
        message->framing = BINE_HTTP_NO_BODY;
    else if (framing->chunked)
        message->framing = BINE_HTTP_BY_CHUNKS;
    else if (framing->lengths)
        message->framing = framing->length ? BINE_HTTP_BY_LENGTH : BINE_HTTP_NO_BODY;
    else
        message->framing = BINE_HTTP_BY_END;
    if (message->framing == BINE_HTTP_BY_END)
        message->keep_alive = false;
    return true;
}

bool bine_http_rules_apply(struct bine_http_message *message)
{
    struct framing framing = {0};
    message->minor = message->parser.http_minor;
    if (message->parser.http_major != 1 || message->minor > 1)
        return bine_http_refuse(message, 505, "a version other than HTTP/1.0 and 1.1");
    for (size_t i = 0; i < message->count; i++)
        if (!rules_look_at(message, &message->fields[i], &framing))
            return false;
    if (!check_framing(message, &framing))
        return false;
    /* llhttp knows what the Connection fields say. Whether a body's end is the connection's is
     * decided here, not there. */
    message->parser.flags |= F_SKIPBODY;
    message->keep_alive =
        llhttp_should_keep_alive(&message->parser) && !(message->parser.flags & F_CONNECTION_CLOSE);
    message->parser.flags = (uint16_t)(message->parser.flags & ~F_SKIPBODY);
    message->length = framing.length;
    bool good = message->side == BINE_HTTP_REQUESTS ? request_rules(message, &framing)
                                                    : answer_rules(message, &framing);
    if (!good)
        return false;
    if (message->framing == BINE_HTTP_BY_LENGTH && message->length > message->limits->body)
        return bine_http_refuse(message, 413, "the body is too long");
    return true;
}
