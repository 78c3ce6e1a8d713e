/*
 * Addresses of servers. What was parsed and is printed is parsed again as the same.
 *
 * SOURCES: src/net/listen.c
 * SANITIZE: address,undefined
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bine/io.h>

#include "../../src/io/descriptor.h"
#include "../../src/net/listen.h"
#include "../../src/net/unix_file.h"

/* The rest of listen.c, which makes sockets, is not reached. */
int bine_unix_bind(int fd, const struct sockaddr_un *address, socklen_t length, unsigned mode)
{
    abort();
}

bool bine_unix_remove_stale(const struct sockaddr_un *address, socklen_t length, int type)
{
    abort();
}

void bine_descriptor_fresh(int fd, enum bine_descriptor_kind kind, int nonblocking)
{
    abort();
}

int bine_close(int fd)
{
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_storage address, again;
    socklen_t length = 0, length_again = 0;
    char printed[BINE_ADDRESS_TEXT], *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    memset(&address, 0, sizeof address);
    memset(&again, 0, sizeof again);
    if (bine_address_parse(text, &address, &length) == 0) {
        bine_address_format((struct sockaddr *)&address, length, printed);
        if (bine_address_parse(printed, &again, &length_again) != 0 || length != length_again ||
            memcmp(&address, &again, sizeof address) != 0)
            abort();
    }
    free(text);
    return 0;
}
