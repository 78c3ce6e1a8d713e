/* URLs of http and https. */
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

static int url_fail(int error)
{
    errno = error;
    return -1;
}

void bine_http_url_free(struct bine_http_url *url)
{
    free(url->text.data);
}

/* Relative ones: "//host/path", "/path", "?query", "name". Dots are left to the server. */
static bool make_absolute(struct bine_http_text *whole, const char *text,
                          const struct bine_http_url *base)
{
    const char *scheme = base->secure ? "https:" : "http:";
    bool good = bine_http_text_add(whole, scheme, strlen(scheme));
    if (text[0] != '/' || text[1] != '/') {
        size_t kept = 0; /* of the base's path */
        if (text[0] == '?')
            kept = strcspn(base->target, "?");
        else if (text[0] != '/')
            while (base->target[kept] && base->target[kept] != '?')
                kept++;
        while (kept > 0 && text[0] != '?' && base->target[kept - 1] != '/')
            kept--;
        good = good && bine_http_text_add(whole, "//", 2) &&
               bine_http_text_add(whole, base->authority, strlen(base->authority)) &&
               bine_http_text_add(whole, base->target, kept);
    }
    return good && bine_http_text_add(whole, text, strlen(text) + 1);
}

static bool is_absolute(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

/* "host", "host:port", "[::1]:port". */
static bool take_authority(struct bine_http_url *url, const char *text, size_t size)
{
    bool bracket = text[0] == '[';
    const char *host = bracket ? text + 1 : text, *end = text + size;
    const char *host_end =
        bracket ? memchr(host, ']', (size_t)(end - host)) : memchr(host, ':', (size_t)(end - host));
    if (!host_end)
        host_end = bracket ? host : end;
    size_t length = (size_t)(host_end - host);
    const char *port = bracket ? host_end + (host_end < end) : host_end;
    if (length == 0 || length >= sizeof url->host || (port < end && *port != ':'))
        return false;
    for (const char *at = host; at < host_end; at++)
        if (strchr("@%\\\"<>^`{|}[],;", *at))
            return false;
    memcpy(url->host, host, length);
    url->host[length] = '\0';
    const char *number = url->secure ? "443" : "80";
    int digits = (int)strlen(number);
    if (end - port > 1) {
        number = port + 1;
        digits = (int)(end - number);
        if (digits > 5 || strspn(number, "0123456789") < (size_t)digits)
            return false;
    }
    snprintf(url->place, sizeof url->place, bracket ? "[%s]:%.*s" : "%s:%.*s", url->host, digits,
             number);
    return true;
}

int bine_http_url_parse(struct bine_http_url *url, const char *text,
                        const struct bine_http_url *base)
{
    struct bine_http_text whole = {NULL, 0, 0};
    memset(url, 0, sizeof *url);
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return url_fail(EINVAL);
    if (!is_absolute(text) && (!base || strcspn(text, ":") < strcspn(text, "/?#")))
        return url_fail(EINVAL); /* another scheme */
    bool made = is_absolute(text) ? bine_http_text_add(&whole, text, strlen(text) + 1)
                                  : make_absolute(&whole, text, base);
    url->text = whole;
    if (!made)
        return url_fail(ENOMEM);
    url->secure = strncasecmp(whole.data, "https:", 6) == 0;
    const char *authority = strstr(whole.data, "://") + 3;
    size_t size = strcspn(authority, "/?#");
    if (!take_authority(url, authority, size))
        return url_fail(EINVAL);
    /* A text of two strings: authority, target. */
    struct bine_http_text parts = {NULL, 0, 0};
    const char *target = authority + size;
    size_t target_size = strcspn(target, "#");
    bool slash = target[0] != '/';
    made = bine_http_text_add(&parts, authority, size) &&
           bine_http_text_add(&parts, "\0/", slash ? 2 : 1) &&
           bine_http_text_add(&parts, target, target_size) && bine_http_text_add(&parts, "", 1);
    free(whole.data);
    url->text = parts;
    url->authority = parts.data;
    url->target = made ? parts.data + size + 1 : NULL;
    return made ? 0 : url_fail(ENOMEM);
}
