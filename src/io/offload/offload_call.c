/* A function of the program's own on the offload pool. See bine/offload.h. */
#include <bine/offload.h>
#include <errno.h>

#include "offload.h"

struct call {
    struct bine_offload_job job;
    void *(*function)(void *);
    void *arg;
    void *value;
};

static void offload_call_run_call(struct bine_offload_job *job)
{
    struct call *call = (struct call *)job;
    call->value = call->function(call->arg);
}

static int offload(void *(*function)(void *), void *arg, void **value, bool locks)
{
    if (!function) {
        errno = EINVAL;
        return -1;
    }
    struct call call = {.job = {.run = offload_call_run_call, .locks = locks, .error = errno},
                        .function = function,
                        .arg = arg};
    struct bine_hub *hub = bine_offload_hub();
    if (hub) {
        int error = bine_offload_firm(hub, &call.job, "offload", (uintptr_t)function);
        if (error) {
            errno = error;
            return -1;
        }
        errno = call.job.error;
    } else {
        call.value = function(arg);
    }
    if (value)
        *value = call.value;
    return 0;
}

int bine_offload(void *(*function)(void *), void *arg, void **value)
{
    return offload(function, arg, value, false);
}

int bine_offload_locking(void *(*function)(void *), void *arg, void **value)
{
    return offload(function, arg, value, true);
}
