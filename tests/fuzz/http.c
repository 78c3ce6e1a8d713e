/*
 * The request parser of examples/http. However its input is cut into pieces, it comes to the same requests.
 *
 * SOURCES: examples/http_request.c
 * SANITIZE: address,undefined
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/http_request.h"

struct seen {
    unsigned requests;
    enum http_outcome last;
    size_t body, urls;
};

static struct seen read_all(const char *data, size_t size, size_t piece)
{
    static struct http_request request;
    struct seen seen = {0};
    http_begin(&request);
    while (size > 0 && seen.last != HTTP_BAD) {
        size_t left = size < piece ? size : piece;
        size -= left;
        while (left > 0 && seen.last != HTTP_BAD) {
            seen.last = http_take(&request, &data, &left);
            if (seen.last == HTTP_REQUEST) {
                seen.requests++;
                seen.body += request.body_size;
                seen.urls += strlen(request.url);
                if (request.body_size > BODY_LIMIT || strlen(request.url) >= URL_LIMIT || request.url[0] == '\0')
                    abort();
                http_begin(&request);
            } else if (seen.last == HTTP_MORE && left > 0) {
                abort();
            }
        }
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = read_all((const char *)data, size, size), pieces = read_all((const char *)data, size, 1);
    if (memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
    return 0;
}
