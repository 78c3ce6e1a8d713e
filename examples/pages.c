/*
 * The server is written as for one connection at a time: accept, recv, sleep, send, as in any
 * textbook. It serves all of them at the same time because the calls are patched and each
 * connection has a greenlet.
 */
#include "pages.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

static const struct page {
    const char *path;
    int64_t delay;
    size_t size;
} pages[PAGES] = {
    {"/first", 300 * BINE_MS, 3000},
    {"/second", 100 * BINE_MS, 1000},
    {"/third", 200 * BINE_MS, 2000},
};

int64_t pages_delay(void)
{
    int64_t sum = 0;
    for (int i = 0; i < PAGES; i++)
        sum += pages[i].delay;
    return sum;
}

static void answer(int fd, const char *request)
{
    for (int i = 0; i < PAGES; i++) {
        size_t length = strlen(pages[i].path);
        if (strncmp(request, "GET ", 4) != 0 || strncmp(request + 4, pages[i].path, length) != 0 ||
            request[4 + length] != ' ')
            continue;
        char head[128], body[4096];
        bine_sleep(pages[i].delay); /* a slow database, let us say */
        memset(body, '*', pages[i].size);
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                 pages[i].size);
        if (bine_send_all(fd, head, strlen(head)) == 0)
            bine_send_all(fd, body, pages[i].size);
        return;
    }
    const char *sorry = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    bine_send_all(fd, sorry, strlen(sorry));
}

/* One connection, one request. */
static void *serve_one(void *connection)
{
    int fd = (int)(intptr_t)connection;
    char request[2048] = "";
    size_t used = 0;
    while (used < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + used, sizeof request - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
        request[used] = '\0';
    }
    if (strstr(request, "\r\n\r\n"))
        answer(fd, request);
    close(fd);
    return NULL;
}

static void *serve(void *listener)
{
    int fd = (int)(intptr_t)listener, connection;
    while ((connection = tcp_accept(fd)) >= 0)
        if (bine_go(serve_one, (void *)(intptr_t)connection) != 0)
            close(connection); /* no memory for one more: the others go on */
    close(fd);                 /* accept failed: somebody has killed this greenlet */
    return NULL;
}

bine_greenlet *pages_serve(char urls[PAGES][PAGE_URL_SIZE])
{
    int port = 0;
    int fd = tcp_listen(&port);
    if (fd < 0)
        return NULL;
    for (int i = 0; i < PAGES; i++)
        snprintf(urls[i], PAGE_URL_SIZE, "http://127.0.0.1:%d%s", port, pages[i].path);
    return bine_spawn(serve, (void *)(intptr_t)fd);
}
