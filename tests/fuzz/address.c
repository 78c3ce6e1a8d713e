/*
 * Addresses as text. What was parsed and is printed is parsed again as the same.
 *
 * SOURCES: src/net/address.c
 * SANITIZE: address,undefined
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/net/address.h"

static bool parse(const char *text, struct sockaddr_storage *address, socklen_t *length)
{
    struct bine_address_parts parts;
    return bine_address_split(text, &parts) == NULL && bine_address_parse(&parts, address, length);
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
    if (parse(text, &address, &length)) {
        bine_address_format((struct sockaddr *)&address, length, printed);
        if (!parse(printed, &again, &length_again) || length != length_again ||
            memcmp(&address, &again, sizeof address) != 0)
            abort();
    }
    free(text);
    return 0;
}
