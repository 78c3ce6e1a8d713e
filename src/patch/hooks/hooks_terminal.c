/*
 * Hooks of tcdrain and getpass, which wait inside libc for the terminal's line or user. A thread of
 * the offload pool makes each call as a whole.
 */
#include <bine/offload.h>

#include "patch/table/hook.h"

struct terminal {
    int fd, status;
    const char *prompt;
    char *answer;
};

static void *drain(void *arg)
{
    struct terminal *terminal = arg;
    terminal->status = bine_libc.tcdrain(terminal->fd);
    return NULL;
}

int hook_tcdrain(int fd)
{
    struct terminal terminal = {.fd = fd, .status = -1};
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.tcdrain(fd);
    bine_offload(drain, &terminal, NULL); /* if it was never made errno says why */
    return terminal.status;
}

static void *read_password(void *arg)
{
    struct terminal *terminal = arg;
    terminal->answer = bine_libc.getpass(terminal->prompt);
    return NULL;
}

char *hook_getpass(const char *prompt)
{
    struct terminal terminal = {.prompt = prompt};
    if (!bine_hook_here(BINE_PATCH_SOCKET))
        return bine_libc.getpass(prompt);
    bine_offload(read_password, &terminal, NULL);
    return terminal.answer;
}
