/* System calls that an object's own code makes without libc. No patching reaches them. */
#ifndef BINE_CLI_OWN_CALLS_H
#define BINE_CLI_OWN_CALLS_H

#include "binary.h"

struct own_calls {
    uint16_t numbers[64]; /* each once, in the order of the code; more are left out */
    size_t count;
    /* Bytes look like a system call instruction, and there is no disassembler to tell whether they
     * are. */
    bool unsure;
};

/* Finds these instructions and the constant that is loaded right before each. Numbers that are not
 * constant are left out. */
void own_calls_find(const struct binary *binary, struct own_calls *calls);

#endif
