/*
 * Fetch many pages by libcurl: 20 at a time, tried again where that may help, by one deadline.
 *
 *     fetch_all SECONDS URL...
 *
 * Prints a line for each URL. SIGTERM ends what runs, as the deadline does. Exits 0 if all came.
 */
#include <bine.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define AT_A_TIME 20
#define TRIES 4
#define PATIENCE 10L    /* seconds for one try */
#define MOST (10 << 20) /* bytes of a page: a server may send without end */

struct page {
    const char *url;
    size_t size;
    int tries;
    const char *trouble; /* NULL: it is here */
};

static const char out_of_time[] = "out of time";

static size_t take(char *data, size_t size, size_t n, void *arg)
{
    struct page *page = arg;
    (void)data, (void)size;
    page->size += n;
    return page->size > MOST ? 0 : n;
}

/* May the next try succeed? Not if the URL is wrong, or the certificate. */
static bool passes(CURLcode code, long status)
{
    bool network = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                   code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING ||
                   code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
    return network || code == CURLE_OPERATION_TIMEDOUT ||
           (code == CURLE_OK && (status == 429 || status >= 500));
}

static bool try_once(struct page *page, CURL *curl)
{
    long status = 0;
    page->size = 0;
    page->tries++;
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    page->trouble = code == CURLE_OK ? (status >= 400 ? "refused by the server" : NULL)
                                     : curl_easy_strerror(code);
    return page->trouble && passes(code, status);
}

static void *fetch(void *item)
{
    struct page *page = item;
    CURL *curl = curl_easy_init(); /* NULL: all that follows fails in words */
    curl_easy_setopt(curl, CURLOPT_URL, page->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, page);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, PATIENCE);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* no alarm(), which belongs to the process */
    while (try_once(page, curl) && page->tries < TRIES)
        if (bine_sleep((100 * BINE_MS << page->tries) + rand() % 100 * BINE_MS) != 0)
            break;
    curl_easy_cleanup(curl);
    if (page->trouble && bine_killed(bine_getcurrent()))
        page->trouble = out_of_time; /* libcurl has no words for a kill ("bad argument") */
    return page;
}

static size_t n, came;
static struct page *pages;
static void **items;
static int64_t limit;

static void *fetch_all(void *arg)
{
    bine_pool *pool = bine_pool_new(AT_A_TIME, 0);
    if (!pool || bine_pool_map(pool, fetch, items, n, NULL, limit) != 0)
        fprintf(stderr, "fetch_all: not all came\n");
    bine_pool_free(pool);
    return arg;
}

int main(int count, char **arguments)
{
    n = count > 2 ? (size_t)count - 2 : 0;
    limit = n ? (int64_t)(atof(arguments[1]) * (double)BINE_SECOND) : 0;
    pages = calloc(n + 1, sizeof *pages);
    items = calloc(n + 1, sizeof *items);
    if (limit <= 0 || !pages || !items)
        return fprintf(stderr, "usage: fetch_all SECONDS URL...\n"), 2;
    for (size_t i = 0; i < n; i++) {
        pages[i] = (struct page){.url = arguments[i + 2], .trouble = out_of_time};
        items[i] = &pages[i];
    }
    signal(SIGPIPE, SIG_IGN); /* a server that leaves in the middle is an error, and no more */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bine_patch_all();
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_greenlet *all = bine_spawn(fetch_all, NULL);
    bine_wait((void *[]){all, term}, 2, NULL, 1, BINE_FOREVER);
    bine_killall(&all, 1, BINE_FOREVER); /* nothing if it has ended */
    bine_detach(all);
    for (size_t i = 0; i < n; i++) {
        const struct page *page = &pages[i];
        printf("%s: %zu bytes, %d tries, %s\n", page->url, page->size, page->tries,
               page->trouble ? page->trouble : "here");
        came += !page->trouble;
    }
    printf("%zu of %zu\n", came, n);
    return came < n;
}
