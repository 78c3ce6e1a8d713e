/*
 * How guards are made.
 *
 * MADV_GUARD_INSTALL (Linux 6.13) marks pages as faulting inside the page table. That splits no
 * mapping, so guards do not count against vm.max_map_count (65,530). Older kernels answer EINVAL,
 * and filters may answer EPERM or ENOSYS. There mprotect splits the mapping in two for each stack,
 * and some 32,000 stacks are the limit. Beyond it spawning fails with ENOMEM rather than run a
 * stack without a guard (hazard 18).
 *
 * process_madvise installs many guards in one system call. The kernel must know PIDFD_SELF, the
 * process's own (6.18 does). It is much quicker than one call for each guard (bench/NOTES.md).
 *
 * BINE_GUARD=mprotect, or madvise (one at a time), in the environment chooses. That is for tests,
 * and for filters that kill a process which makes a system call that they do not know.
 */
#include "guard.h"

#include <bine/hub.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libc/kernel.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

enum mechanism {
    UNPROBED,
    MADVISE_MANY,
    MADVISE,
    MPROTECT
};
static _Atomic enum mechanism mechanism;

static bool under_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

size_t bine_page_size(void)
{
    static _Atomic size_t known; /* several threads may make their hubs at once */
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (!size) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

static ptrdiff_t install_many(char *base, size_t size, size_t stride, size_t count)
{
    struct iovec guards[BINE_GUARDS_AT_ONCE];
    if (count > BINE_GUARDS_AT_ONCE)
        count = BINE_GUARDS_AT_ONCE;
    for (size_t i = 0; i < count; i++)
        guards[i] = (struct iovec){base + i * stride, size};
    /* It tells how many bytes it got through: a guard that is there in part is installed again next
     * time. */
    ssize_t done =
        syscall(SYS_process_madvise, PIDFD_SELF_THREAD_GROUP, guards, count, MADV_GUARD_INSTALL, 0);
    return done < (ssize_t)size ? -1 : done / (ssize_t)size;
}

static enum mechanism first_choice(void)
{
    const char *wanted = secure_getenv("BINE_GUARD");
    /* valgrind takes what madvise guards for accessible, and its unwinder runs into it. */
    if ((wanted && strcmp(wanted, "mprotect") == 0) || under_valgrind())
        return MPROTECT;
    return wanted && strcmp(wanted, "madvise") == 0 ? MADVISE : MADVISE_MANY;
}

/* Older kernels and filters answer so. A filter may come at any time: programs confine
 * themselves. */
static bool refused(void)
{
    return errno == EINVAL || errno == ENOSYS || errno == EPERM || errno == EACCES;
}

static ptrdiff_t install(char *base, size_t size, size_t stride, size_t count)
{
    enum mechanism known = mechanism, way = known == UNPROBED ? first_choice() : known;
    if (way == MADVISE_MANY) {
        ptrdiff_t installed = install_many(base, size, stride, count);
        if (installed > 0 && known == UNPROBED)
            mechanism = MADVISE_MANY;
        if (installed > 0 || (known == MADVISE_MANY && !refused()))
            return installed;
        way = MADVISE;
    }
    if (way == MADVISE) {
        if (madvise(base, size, MADV_GUARD_INSTALL) == 0) {
            mechanism = MADVISE;
            return 1;
        }
        if (!refused())
            return -1;
    }
    mechanism = MPROTECT;
    return mprotect(base, size, PROT_NONE) < 0 ? -1 : 1;
}

ptrdiff_t bine_guard_install(char *base, size_t size, size_t stride, size_t count, bool split)
{
    if (!split)
        return install(base, size, stride, count);
    /* A page by itself, so that it is known how this machine makes the others. */
    if (mechanism == UNPROBED && install(base, bine_page_size(), stride, 1) < 0)
        return -1;
    return mprotect(base, size, PROT_NONE) < 0 ? -1 : 1;
}

const char *bine_guard_name(void)
{
    static const char *const names[] = {"unprobed", "madvise", "madvise", "mprotect"};
    return names[mechanism];
}

#ifdef VALGRIND_STACK_REGISTER
/* Registrations are only kept under valgrind, where speed does not matter: a plain list. */
struct registration {
    struct registration *next;
    char *bottom;
    unsigned id;
};
static struct registration *registrations;

void bine_guard_register_stack(void *bottom, void *top)
{
    if (!RUNNING_ON_VALGRIND)
        return;
    unsigned id = VALGRIND_STACK_REGISTER(bottom, top);
    struct registration *registration = malloc(sizeof *registration);
    if (!registration)
        return; /* it stays registered for good: that is better than not at all */
    *registration = (struct registration){registrations, bottom, id};
    registrations = registration;
}

void bine_guard_unregister_stacks(void *from, void *to)
{
    for (struct registration **link = &registrations; *link;) {
        struct registration *registration = *link;
        if (registration->bottom < (char *)from || registration->bottom >= (char *)to) {
            link = &registration->next;
            continue;
        }
        VALGRIND_STACK_DEREGISTER(registration->id);
        *link = registration->next;
        free(registration);
    }
}
#else
void bine_guard_register_stack(void *bottom, void *top)
{
    (void)bottom, (void)top;
}

void bine_guard_unregister_stacks(void *from, void *to)
{
    (void)from, (void)to;
}
#endif
