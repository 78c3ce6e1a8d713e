/*
 * What bine doctor reads of a program or library: whatever the file says, it is read to its end or
 * refused.
 *
 * SOURCES: src/cli/binary.c
 * LIBRARIES: -lcapstone
 * SANITIZE: address,undefined
 */
#define BINE_WITH_CAPSTONE
#include "../../src/cli/own_calls.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy, so that a read beyond the end is seen. */
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct binary binary;
    if (binary_read(&binary, "file", copy, size) == 0) {
        struct own_calls calls;
        size_t length = 0;
        for (size_t i = 0; i < binary.import_count; i++)
            length += strlen(binary.imports[i].name);
        for (size_t i = 0; i < binary.needed_count; i++)
            length += strlen(binary.needed[i]);
        if (length > (binary.import_count + binary.needed_count) * 65536)
            abort();
        own_calls_find(&binary, &calls);
        binary_close(&binary);
    }
    free(copy);
    return 0;
}
