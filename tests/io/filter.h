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

static inline void filter_install(struct sock_filter *filter, unsigned size)
{
    struct sock_fprog program = {.len = (unsigned short)size, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp filter here: %s", strerror(errno));
}

static inline void filter_call(unsigned number, unsigned action)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter_install(filter, sizeof filter / sizeof filter[0]);
}

static inline void filter_fails(unsigned number, int error)
{
    filter_call(number, SECCOMP_RET_ERRNO | (unsigned)error);
}

/* Only with this value of an argument, counted from 0. */
static inline void filter_argument_fails(unsigned number, unsigned argument, unsigned value,
                                         int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (unsigned)offsetof(struct seccomp_data, args) + 8 * argument),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter_install(filter, sizeof filter / sizeof filter[0]);
}

static inline void filter_kills(unsigned number)
{
    filter_call(number, SECCOMP_RET_KILL_PROCESS);
}

#endif
