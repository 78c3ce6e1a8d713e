/* Names of the system calls that can take long. */
#include <stddef.h>
#include <sys/syscall.h>

#include "sample.h"

const char *bine_sample_call_name(long number)
{
    static const struct {
        long number;
        const char *name;
    } calls[] = {
#define CALL(name) {SYS_##name, #name}
        CALL(read),
        CALL(write),
        CALL(readv),
        CALL(writev),
        CALL(pread64),
        CALL(pwrite64),
        CALL(preadv),
        CALL(pwritev),
        CALL(preadv2),
        CALL(pwritev2),
        CALL(recvfrom),
        CALL(recvmsg),
        CALL(recvmmsg),
        CALL(sendto),
        CALL(sendmsg),
        CALL(sendmmsg),
        CALL(connect),
        CALL(accept),
        CALL(accept4),
        CALL(ppoll),
        CALL(pselect6),
        CALL(epoll_pwait),
        CALL(nanosleep),
        /* a sleep, poll or wait for a futex that io_uring or a stop has interrupted */
        {SYS_restart_syscall, "restart_syscall (a wait that goes on)"},
        CALL(clock_nanosleep),
        CALL(futex),
        CALL(wait4),
        CALL(waitid),
        CALL(rt_sigtimedwait),
        CALL(rt_sigsuspend),
        CALL(flock),
        CALL(fcntl),
        CALL(ioctl),
        CALL(io_getevents),
        CALL(io_uring_enter),
        CALL(msgrcv),
        CALL(msgsnd),
        CALL(semop),
        CALL(semtimedop),
        CALL(mq_timedreceive),
        CALL(mq_timedsend),
        CALL(fsync),
        CALL(fdatasync),
        CALL(sync),
        CALL(syncfs),
        CALL(sync_file_range),
        CALL(msync),
        CALL(openat),
        CALL(close),
        CALL(ftruncate),
        CALL(fallocate),
        CALL(copy_file_range),
        CALL(sendfile),
        CALL(splice),
        CALL(getdents64),
        CALL(statx),
        CALL(newfstatat),
        CALL(unlinkat),
        CALL(renameat2),
        CALL(mkdirat),
        CALL(execve),
        CALL(clone),
        CALL(mmap),
        CALL(munmap),
        CALL(madvise),
        CALL(getrandom),
        CALL(sched_yield),
#ifdef SYS_poll
        CALL(poll),
        CALL(select),
        CALL(epoll_wait),
        CALL(pause),
        CALL(open),
        CALL(stat),
        CALL(lstat),
        CALL(unlink),
        CALL(rename),
        CALL(mkdir),
        CALL(fork),
        CALL(vfork),
#endif
#undef CALL
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}
