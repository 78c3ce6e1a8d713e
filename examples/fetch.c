/*
 * Fetch several pages at the same time, in one thread, with a library that knows nothing of
 * greenlets: libcurl's easy interface, which blocks until the page is there. After bine_patch_all()
 * only the greenlet that called it waits.
 *
 * tutorial/fetch.c is the short form. This one needs no network, as it can serve the pages itself,
 * and it shows the time and the number of threads that it took.
 *
 *     fetch            three pages of a small server in this same process (pages.c)
 *     fetch URL...     these
 */
#include <bine.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pages.h"
#include "threads.h"

static int failures;

/* libcurl brings the page piece by piece. */
static size_t count_bytes(char *data, size_t size, size_t n, void *bytes)
{
    *(size_t *)bytes += size * n;
    return size * n;
}

static void *fetch(void *url)
{
    size_t bytes = 0;
    char why[CURL_ERROR_SIZE] = "";
    CURL *easy = curl_easy_init();

    printf("GET: %s\n", (char *)url);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* no SIGALRM: timeouts are Bine's affair */
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &bytes);
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK) {
        printf("%zu bytes received from %s\n", bytes, (char *)url);
    } else {
        printf("failed: %s: %s\n", (char *)url, why[0] ? why : curl_easy_strerror(code));
        failures++;
    }
    curl_easy_cleanup(easy);
    return NULL;
}

static void fetch_all(char **urls, size_t n)
{
    bine_greenlet **all = calloc(n, sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = bine_spawn(fetch, urls[i]);
    if (!all || bine_joinall(all, n, BINE_FOREVER) != 0) {
        perror("fetch");
        exit(1);
    }
    free(all);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments)
{
    char pages[PAGES][PAGE_URL_SIZE];
    char *urls[PAGES] = {pages[0], pages[1], pages[2]};

    setvbuf(stdout, NULL, _IOLBF, 0); /* lines in time, also into a pipe */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }

    double begin = seconds();
    if (count > 1) {
        fetch_all(arguments + 1, (size_t)count - 1);
        printf("wall time: %.2f s\n", seconds() - begin);
    } else {
        bine_greenlet *server = pages_serve(pages);
        if (!server) {
            perror("pages");
            return 1;
        }
        setenv("no_proxy", "127.0.0.1", 1); /* they are in this process, not behind a proxy */
        fetch_all(urls, PAGES);
        printf("wall time: %.2f s\nsum of the delays: %.2f s\n", seconds() - begin,
               (double)pages_delay() / BINE_SECOND);
        bine_kill(server);
        bine_join(server, NULL, BINE_FOREVER);
    }
    print_threads();
    curl_global_cleanup();
    return failures ? 1 : 0;
}
