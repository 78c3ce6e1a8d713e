/*
 * A crawler: follow the links of a site, ten pages at a time. What is still to be fetched stands in
 * a joinable queue; ten greenlets take from it and put in the links that they find; when every
 * address has been dealt with, the queue's join returns and the crawl is over.
 *
 *     crawl            a site of a hundred pages in this same process, 20 ms each
 *     crawl URL        the site at this address: only links that begin with it are followed
 */
#include <bine.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"
#include "threads.h"

enum {
    WORKERS = 10,
    PAGES_OF_OURS = 100,
    MOST_PAGES = 10000
};

static const char *site; /* all addresses begin with this */
static bine_queue *to_fetch;
static char *known[MOST_PAGES]; /* every address that was ever put into the queue */
static size_t known_count;
static size_t fetched, failed, bytes;

static void add(const char *url, size_t length)
{
    for (size_t i = 0; i < known_count; i++)
        if (strlen(known[i]) == length && strncmp(known[i], url, length) == 0)
            return;
    if (known_count == MOST_PAGES || !(known[known_count] = strndup(url, length)))
        return;
    bine_queue_put(to_fetch, known[known_count++], BINE_FOREVER); /* unbounded: never waits */
}

/* Find href="..." and add what belongs to the site. Good enough for pages as simple as ours. */
static void add_links(const char *page)
{
    char url[1024];
    for (const char *at = page; (at = strstr(at, "href=\"")); at++) {
        const char *link = at + 6, *end = strchr(link, '"');
        if (!end)
            return;
        int length = (int)(end - link);
        if (link[0] == '/')
            length = snprintf(url, sizeof url, "%s%.*s", site, length, link);
        else
            length = snprintf(url, sizeof url, "%.*s", length, link);
        if (length < (int)sizeof url && strncmp(url, site, strlen(site)) == 0)
            add(url, (size_t)length);
    }
}

struct page {
    char *text;
    size_t size;
};

static size_t append(char *data, size_t size, size_t n, void *arg)
{
    struct page *page = arg;
    char *text = realloc(page->text, page->size + size * n + 1);
    if (!text)
        return 0; /* libcurl gives up on this page */
    page->text = text;
    memcpy(text + page->size, data, size * n);
    page->size += size * n;
    text[page->size] = '\0';
    return size * n;
}

/* Take addresses until killed. One handle each: libcurl keeps its connection open from page to
 * page. */
static void *work(void *arg)
{
    CURL *easy = curl_easy_init();
    void *url;
    while (easy && bine_queue_get(to_fetch, &url, BINE_FOREVER) == 0) {
        struct page page = {0};
        curl_easy_setopt(easy, CURLOPT_URL, (char *)url);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &page);
        CURLcode code = curl_easy_perform(easy);
        if (code == CURLE_OK) {
            fetched++;
            bytes += page.size;
            if (page.text)
                add_links(page.text);
        } else {
            failed++;
            printf("failed: %s: %s\n", (char *)url, curl_easy_strerror(code));
        }
        free(page.text);
        /* After its links were put in: the queue was never done too early. */
        bine_queue_task_done(to_fetch);
    }
    curl_easy_cleanup(easy);
    return NULL;
}

/* ---- a site to crawl: page n links to 2n and 2n + 1, and all link home ----------------------- */

static void *serve_site(void *connection)
{
    int fd = (int)(intptr_t)connection, n;
    char request[2048];
    ssize_t got;
    while ((got = recv(fd, request, sizeof request - 1, 0)) > 0) {
        char head[128], body[256] = "";
        request[got] = '\0';
        if (sscanf(request, "GET /%d ", &n) != 1)
            n = 1;
        bine_sleep(20 * BINE_MS);
        int size = snprintf(body, sizeof body, "<a href=\"/\">home</a>");
        for (int link = 2 * n; link <= 2 * n + 1 && link <= PAGES_OF_OURS; link++)
            size += snprintf(body + size, sizeof body - (size_t)size, "<a href=\"/%d\">%d</a>",
                             link, link);
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size);
        if (bine_send_all(fd, head, strlen(head)) != 0 ||
            bine_send_all(fd, body, (size_t)size) != 0)
            break;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *listener)
{
    int fd;
    while ((fd = tcp_accept((int)(intptr_t)listener)) >= 0)
        if (bine_go(serve_site, (void *)(intptr_t)fd) != 0)
            close(fd); /* no memory for one more: the others go on */
    return NULL;
}

int main(int count, char **arguments)
{
    char own[64];
    int port = 0, listener;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (bine_patch_all() != 0 || !(to_fetch = bine_queue_new(0, 0))) {
        perror("crawl");
        return 1;
    }
    if (count > 1) {
        site = arguments[1];
        add(site, strlen(site));
    } else {
        if ((listener = tcp_listen(&port)) < 0) {
            perror("listen");
            return 1;
        }
        if (bine_go(accept_all, (void *)(intptr_t)listener) != 0) {
            perror("bine_go");
            return 1;
        }
        setenv("no_proxy", "127.0.0.1", 1);
        snprintf(own, sizeof own, "http://127.0.0.1:%d", port);
        site = own;
        add_links("<a href=\"/\">");
    }

    bine_greenlet *workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = bine_spawn(work, NULL);
    bine_queue_join(to_fetch, BINE_FOREVER);
    bine_killall(workers, WORKERS, BINE_FOREVER);
    bine_joinall(workers, WORKERS, BINE_FOREVER);

    printf("%zu pages, %zu bytes, %zu failed, by %d greenlets\n", fetched, bytes, failed, WORKERS);
    print_threads();
    return failed ? 1 : 0;
}
