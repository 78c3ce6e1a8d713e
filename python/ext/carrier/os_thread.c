/* Which OS thread runs the caller. */
#include "core/hub/own.h"
#include "identity.h"
#include "libc/libc.h"

/* Own threads are made on x86-64 only, where glibc's pthread_t is the thread pointer. */
unsigned long bine_os_thread_identity(void)
{
    const struct bine_hub *hub = bine_hub_here();
    return hub && bine_own_of(hub->current) ? (unsigned long)hub->thread_pointer
                                            : (unsigned long)bine_libc.pthread_self();
}
