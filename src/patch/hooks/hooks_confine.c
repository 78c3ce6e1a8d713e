/*
 * Hooks of the calls that change what the calling thread alone may do and see. The calls themselves
 * are libc's. When they succeed the thread is noted as confined (io/offload/confine.h). libc's
 * setuid and its relatives are not among them, because they change all threads.
 */
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hooks_confine.h"
#include "io/offload/confine.h"
#include "libc/kernel.h"
#include "patch/table/hook.h"

/* New processes and clocks aside, all that unshare and setns change is looked at by path or by
 * name. */
static void namespaces_changed(int flags)
{
    if (flags & CLONE_FILES)
        bine_confine_files();
    else if (flags & ~(CLONE_NEWPID | CLONE_SYSVSEM))
        bine_confine();
}

int hook_setfsuid(uid_t user)
{
    int before = bine_libc.setfsuid(user);
    /* It cannot fail. A call with an id that no process has tells whether anything changed. */
    if (bine_libc.setfsuid((uid_t)-1) != before)
        bine_confine();
    return before;
}

int hook_setfsgid(gid_t group)
{
    int before = bine_libc.setfsgid(group);
    if (bine_libc.setfsgid((gid_t)-1) != before)
        bine_confine();
    return before;
}

int hook_capset(void *header, const void *data)
{
    int result = bine_libc.capset(header, data);
    if (result == 0)
        bine_confine();
    return result;
}

int hook_unshare(int flags)
{
    int result = bine_libc.unshare(flags);
    if (result == 0)
        namespaces_changed(flags);
    return result;
}

int hook_setns(int fd, int type)
{
    int result = bine_libc.setns(fd, type);
    if (result == 0)
        bine_confine();
    return result;
}

int hook_prctl(int option, ...)
{
    va_list rest;
    unsigned long a[4];
    va_start(rest, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(rest, unsigned long);
    va_end(rest);
    int result = bine_libc.prctl(option, a[0], a[1], a[2], a[3]);
    if (result == 0 && option == PR_SET_SECCOMP)
        bine_confine();
    return result;
}

void bine_confine_by_number(long number, const long arguments[6])
{
    switch (number) {
    case SYS_seccomp:
        /* With TSYNC the filter is every thread's, those of the pool included. */
        if ((arguments[0] == SECCOMP_SET_MODE_FILTER &&
             !(arguments[1] & SECCOMP_FILTER_FLAG_TSYNC)) ||
            arguments[0] == SECCOMP_SET_MODE_STRICT)
            bine_confine();
        break;
    case SYS_prctl:
        if (arguments[0] == PR_SET_SECCOMP)
            bine_confine();
        break;
    case SYS_unshare:
        namespaces_changed((int)arguments[0]);
        break;
    case SYS_landlock_restrict_self:
    case SYS_setns:
    case SYS_capset:
    case SYS_setfsuid:
    case SYS_setfsgid:
    /* By number these change one thread only. */
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setgroups:
        bine_confine();
        break;
    default:
        break;
    }
}
