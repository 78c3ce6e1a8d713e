/* A seccomp filter for one system call, from now on in this process: fail with an errno, or die at
 * once. */
#ifndef BINE_TESTS_FILTER_H
#define BINE_TESTS_FILTER_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harness.h"

static inline void filter_call(unsigned number, unsigned action)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp filter here: %s", strerror(errno));
}

static inline void filter_fails(unsigned number, int error)
{
    filter_call(number, SECCOMP_RET_ERRNO | (unsigned)error);
}

static inline void filter_kills(unsigned number)
{
    filter_call(number, SECCOMP_RET_KILL_PROCESS);
}

#endif
