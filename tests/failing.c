/* Wrapped allocators that fail when told to (ld's --wrap), and the loop over them. See
 * failing.h. */
#include "failing.h"

#include <bine/hub.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "newer.h"

/* Counts down; the offload pool's threads allocate, too. */
static atomic_uint left;
static atomic_bool struck, for_good;
static char where[64];

void failing_at(unsigned n, bool all)
{
    atomic_store(&struck, false);
    atomic_store(&for_good, all);
    atomic_store(&left, n);
}

bool failing_struck(void)
{
    return atomic_load(&struck);
}

static bool fails(const char *function)
{
    if (atomic_load(&left) == 0 || atomic_fetch_sub(&left, 1) != 1)
        return false;
    if (atomic_load(&for_good))
        atomic_store(&left, 1);
    if (!atomic_exchange(&struck, true))
        snprintf(where, sizeof where, "%s", function);
    errno = ENOMEM;
    return true;
}

#define WRAP(result, name, parameters, arguments, failure) \
    result __real_##name parameters;                       \
    result __wrap_##name parameters;                       \
    result __wrap_##name parameters                        \
    {                                                      \
        if (fails(#name))                                  \
            return failure;                                \
        return __real_##name arguments;                    \
    }

struct io_uring;
struct io_uring_params;

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size), NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset), MAP_FAILED)
WRAP(int, mprotect, (void *at, size_t size, int protection), (at, size, protection), -1)
WRAP(int, madvise, (void *at, size_t size, int advice), (at, size, advice), -1)
WRAP(int, epoll_create1, (int flags), (flags), -1)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), -1)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg),
     (thread, attributes, run, arg), EAGAIN)
WRAP(int, io_uring_queue_init_params,
     (unsigned entries, struct io_uring *ring, struct io_uring_params *parameters),
     (entries, ring, parameters), -ENOMEM)

/* glibc's before 2.33 may spoil errno. */
void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    __real_free(memory);
    if (memory && atomic_load(&struck))
        errno = EXFULL;
}

int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **text, const char *format, ...)
{
    if (fails("asprintf"))
        return -1;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

/* Of the calls without a function of their own: the one that installs guards. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    if (number == SYS_process_madvise && fails("process_madvise"))
        return -1;
    long words[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(arguments, long);
    va_end(arguments);
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

void failing_excuse(void)
{
    int error = errno;
    if (!failing_struck())
        FAIL("a step failed although no allocation did");
    /* EAGAIN: the hub could not be made. ENFILE and the like are not among what is wrapped. */
    if (error != ENOMEM && error != EAGAIN)
        FAIL("errno after %s failed is neither ENOMEM nor EAGAIN", where);
}

static bool run_once(void (*scenario)(void), unsigned n, bool all)
{
    failing_at(n, all);
    scenario();
    bool was_struck = failing_struck();
    failing_at(0, false);
    if (bine_hub_greenlets() != 0)
        FAIL("%zu greenlets left after allocation %u (%s) failed", bine_hub_greenlets(), n,
             was_struck ? where : "none");
    return was_struck;
}

unsigned failing_each(void (*scenario)(void))
{
    /* How many are there? In a process of its own, for the runtime starts but once. */
    enum {
        MOST = 2000
    };
    for (unsigned n = 1; n < MOST; n++) {
        int answer[2];
        CHECK_OK(pipe(answer));
        pid_t child = fork();
        CHECK_OK(child);
        if (child == 0) {
            close(answer[0]);
            char hit = run_once(scenario, n, false);
            run_once(scenario, 0, false);
            run_once(scenario, n, true);
            run_once(scenario, 0, false);
            CHECK_EQ(write(answer[1], &hit, 1), 1);
            close(answer[1]);
            exit(0);
        }
        close(answer[1]);
        harness_join_child(child);
        char hit = 0;
        CHECK_EQ(read(answer[0], &hit, 1), 1);
        close(answer[0]);
        if (!hit)
            return n - 1;
    }
    FAIL("more than %d allocations: is there a loop?", MOST);
}
