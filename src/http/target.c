/* A request's target, its path and its query. */
#include "exchange.h"

#include <errno.h>
#include <strings.h>

static const void *invalid(void)
{
    errno = EINVAL;
    return NULL;
}

const char *bine_http_method(const bine_http *http)
{
    return http && http->server ? http->in.method : invalid();
}

const char *bine_http_target(const bine_http *http)
{
    return http && http->server ? bine_http_message_text(&http->in, http->in.target) : invalid();
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: malformed, or a NUL. The result is never longer. */
static bool decode(const char *text, size_t size, char *to)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < size ? digit(text[i + 1]) : -1,
                low = i + 2 < size ? digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

/* Behind scheme and host of a URL. */
static const char *path_of(const char *target)
{
    if (*target == '/' || *target == '*')
        return target;
    const char *host = strstr(target, "://");
    return host ? host + 3 + strcspn(host + 3, "/?") : target + strlen(target);
}

const char *bine_http_path(bine_http *http)
{
    const char *target = bine_http_target(http);
    if (!target || http->path)
        return target ? http->path : NULL;
    const char *path = path_of(target);
    size_t size = strcspn(path, "?");
    http->path = malloc(size + 2);
    if (!http->path)
        return NULL;
    if (size == 0)
        memcpy(http->path, "/", 2); /* "http://host" */
    if ((size > 0 && *path != '/') || (size > 0 && !decode(path, size, http->path))) {
        free(http->path);
        http->path = NULL;
        return invalid();
    }
    return http->path;
}

const char *bine_http_query(const bine_http *http)
{
    const char *target = bine_http_target(http);
    const char *query = target ? strchr(target, '?') : NULL;
    return query ? query + 1 : NULL;
}

bine_connection *bine_http_connection(const bine_http *http)
{
    return http && http->server ? http->connection : (bine_connection *)invalid();
}

bine_tls *bine_http_tls(const bine_http *http)
{
    return http ? http->stream.tls : (bine_tls *)invalid();
}
