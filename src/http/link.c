/* The connections of a client: made, kept between exchanges, and closed. */
#include "link.h"

#include <errno.h>
#include <sys/socket.h>

#include <bine/clock.h>
#include <bine/dial.h>
#include <bine/io.h>

void bine_http_link_close(struct bine_http_link *link)
{
    int error = errno;
    bine_tls_free(link->stream.tls, BINE_SECOND);
    bine_close(link->stream.fd);
    free(link);
    errno = error;
}

/* A server that has closed, or says something unasked, is of no use. TLS 1.3 sends tickets unasked:
 * these are read with the next answer. */
static bool is_alive(const struct bine_http_link *link)
{
    char byte;
    ssize_t got = bine_recv(link->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return (got < 0 && errno == EAGAIN) || (got > 0 && link->stream.tls);
}

/* Take the latest that will do, and close all that are out of time. */
static struct bine_http_link *link_find(struct bine_http_client *client,
                                        const struct bine_http_url *url)
{
    int64_t now = bine_now();
    struct bine_http_link **pointer = &client->resting, *link, *found = NULL;
    while ((link = *pointer)) {
        bool fits = !found && link->secure == url->secure && strcmp(link->place, url->place) == 0;
        if (!fits && link->until > now) {
            pointer = &link->next;
            continue;
        }
        *pointer = link->next;
        client->kept--;
        if (fits && link->until > now && is_alive(link))
            found = link;
        else
            bine_http_link_close(link);
        /* both may have switched, and others may have taken, closed and kept some */
        pointer = &client->resting;
    }
    return found;
}

static bool begin_tls(struct bine_http_client *client, struct bine_http_link *link,
                      const char *host)
{
    link->stream.tls =
        bine_tls_connect(client->tls, link->stream.fd, host, client->limits.head_time);
    if (!link->stream.tls)
        return false;
    const char *protocol = bine_tls_protocol(link->stream.tls);
    if (protocol[0] == '\0' || strcmp(protocol, "http/1.1") == 0)
        return true;
    errno = EPROTO;
    return false;
}

struct bine_http_link *bine_http_link_take(struct bine_http_client *client,
                                           const struct bine_http_url *url, bool fresh)
{
    struct bine_http_link *link = fresh ? NULL : link_find(client, url);
    if (link)
        return link;
    if (url->secure && !client->tls) {
        errno = EPROTONOSUPPORT;
        return NULL;
    }
    link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->secure = url->secure;
    memcpy(link->place, url->place, sizeof link->place);
    link->stream.fd = bine_dial(url->place, client->limits.head_time);
    if (link->stream.fd < 0) {
        int error = errno;
        free(link);
        errno = error;
        return NULL;
    }
    if (url->secure && !begin_tls(client, link, url->host)) {
        bine_http_link_close(link);
        return NULL;
    }
    return link;
}

void bine_http_link_keep(struct bine_http_client *client, struct bine_http_link *link)
{
    link->used = true;
    link->until = bine_deadline(client->limits.idle_time);
    link->next = client->resting;
    client->resting = link;
    if (++client->kept <= client->keep)
        return;
    struct bine_http_link **last = &client->resting;
    while ((*last)->next)
        last = &(*last)->next;
    struct bine_http_link *oldest = *last;
    *last = NULL;
    client->kept--;
    bine_http_link_close(oldest);
}
