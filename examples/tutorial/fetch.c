/* Fetch each URL of the command line, all at the same time, by libcurl's calls that block. */
#include <bine.h>
#include <curl/curl.h>
#include <stdio.h>

static size_t count_bytes(char *data, size_t size, size_t n, void *bytes)
{
    *(size_t *)bytes += size * n;
    return size * n;
}

static void *fetch(void *url)
{
    size_t bytes = 0;
    CURL *curl = curl_easy_init();
    printf("GET: %s\n", (char *)url);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
    CURLcode code = curl_easy_perform(curl); /* blocks this greenlet, and no other */
    if (code == CURLE_OK)
        printf("%zu bytes received from %s\n", bytes, (char *)url);
    else
        printf("%s: %s\n", (char *)url, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return NULL;
}

int main(int count, char **urls)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    bine_pool *group = bine_pool_new(0, 0); /* 0: any number of greenlets */
    for (int i = 1; i < count; i++)
        bine_pool_spawn(group, fetch, urls[i]);
    bine_pool_join(group, BINE_FOREVER);
    return bine_pool_free(group);
}
