/* See system_calls.h. Calls on regular files are not listed: they block only for the disk. */
#include "system_calls.h"

#include <stddef.h>

#include "libc/kernel.h"

const char *blocking_system_call(unsigned number)
{
    switch (number) {
#define CALL(name)   \
    case SYS_##name: \
        return #name;
        CALL(read)
        CALL(write)
        CALL(readv)
        CALL(writev)
        CALL(recvfrom)
        CALL(recvmsg)
        CALL(recvmmsg)
        CALL(sendto)
        CALL(sendmsg)
        CALL(sendmmsg)
        CALL(connect)
        CALL(accept)
        CALL(accept4)
        CALL(ppoll)
        CALL(pselect6)
        CALL(epoll_pwait)
        CALL(nanosleep)
        CALL(clock_nanosleep)
        CALL(futex)
        CALL(wait4)
        CALL(waitid)
        CALL(rt_sigtimedwait)
        CALL(rt_sigsuspend)
        CALL(flock)
        CALL(io_getevents)
        CALL(io_uring_enter)
        CALL(msgrcv)
        CALL(msgsnd)
        CALL(semop)
        CALL(semtimedop)
        CALL(mq_timedreceive)
        CALL(mq_timedsend)
#ifdef SYS_poll
        CALL(poll)
#endif
#ifdef SYS_select
        CALL(select)
#endif
#ifdef SYS_epoll_wait
        CALL(epoll_wait)
#endif
#ifdef SYS_pause
        CALL(pause)
#endif
        CALL(epoll_pwait2)
    default:
        return NULL;
    }
}
