/* A C library that keeps its locks or streams in another way: what cannot be patched is refused,
 * and nothing else. */
#include <bine.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "libc/libc.h"
#include "locks/posix.h"
#include "patch/surprise.h"

/* Each of these works as libc's does, as far as manuals say. */
static struct bine_libc libc;

static int mutex_trylock(pthread_mutex_t *mutex)
{
    int error = libc.pthread_mutex_trylock(mutex);
    mutex->__data.__owner ^= 1 << 29;
    return error;
}

static int rwlock_trywrlock(pthread_rwlock_t *lock)
{
    int error = libc.pthread_rwlock_trywrlock(lock);
    lock->__data.__cur_writer = 0;
    return error;
}

static int semaphore_trywait(sem_t *semaphore)
{
    int result = libc.sem_trywait(semaphore);
    ((int *)semaphore)[1] = 7;
    return result;
}

static int once(pthread_once_t *word, void (*routine)(void))
{
    int error = libc.pthread_once(word, routine);
    *word = 3;
    return error;
}

static size_t writes(const void *from, size_t size, size_t count, FILE *file)
{
    size_t written = libc.fwrite(from, size, count, file);
    file->_flags &= ~0x0800; /* what says that it writes */
    return written;
}

static int reads(FILE *file)
{
    int byte = libc.getc(file);
    file->_IO_read_base = file->_IO_read_ptr;
    return byte;
}

static wint_t reads_wide(FILE *file)
{
    wint_t character = libc.fgetwc(file);
    libc.fgetwc(file); /* as if the next one did not lie in the buffer */
    return character;
}

static void refused(unsigned family, const char *part)
{
    const char *what;
    CHECK_EQ(bine_patch_surprise(family, &what), ENOTSUP);
    CHECK(strstr(what, part) != NULL);
    CHECK_ERROR(bine_patch(family), ENOTSUP);
    CHECK_ERROR(bine_patch_all(), ENOTSUP);
    CHECK_EQ(bine_patched(), 0u);
    CHECK_OK(bine_patch(BINE_PATCH_ALL & ~family));
    CHECK_EQ(bine_patched(), BINE_PATCH_ALL & ~family);
    CHECK_OK(bine_unpatch_all());
}

#define SURPRISE(name, function, other, family, part) \
    TEST(name)                                        \
    {                                                 \
        bine_libc_resolve();                          \
        libc = bine_libc;                             \
        bine_libc.function = other;                   \
        refused(family, part);                        \
    }

SURPRISE(a_mutex_that_names_its_owner_otherwise, pthread_mutex_trylock, mutex_trylock,
         BINE_PATCH_THREAD, "mutex")
SURPRISE(a_rwlock_that_names_no_writer, pthread_rwlock_trywrlock, rwlock_trywrlock,
         BINE_PATCH_THREAD, "rwlock")
SURPRISE(a_semaphore_that_counts_otherwise, sem_trywait, semaphore_trywait, BINE_PATCH_THREAD,
         "semaphore")
SURPRISE(a_once_that_is_done_otherwise, pthread_once, once, BINE_PATCH_THREAD, "pthread_once")
SURPRISE(a_stream_that_writes_otherwise, fwrite, writes, BINE_PATCH_STDIO, "writes")
SURPRISE(a_stream_that_reads_otherwise, getc, reads, BINE_PATCH_STDIO, "reads")
SURPRISE(a_wide_stream_that_reads_otherwise, fgetwc, reads_wide, BINE_PATCH_STDIO, "wide")

/* Where libc keeps a condition's clock: as the headers say that this was compiled with, or where
 * glibc before 2.41 kept it, or since then. It does what libc's function does otherwise. */
static bool elsewhere;

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    int shared = PTHREAD_PROCESS_PRIVATE;
    clockid_t clock = CLOCK_REALTIME;
    size_t place = offsetof(pthread_cond_t, __data.__wrefs);
    if (attributes) {
        pthread_condattr_getpshared(attributes, &shared);
        pthread_condattr_getclock(attributes, &clock);
    }
    memset(condition, 0, sizeof *condition);
    if (elsewhere)
        place = place == 36 ? 28 : 36;
    *(unsigned *)((char *)condition + place) =
        (shared == PTHREAD_PROCESS_SHARED ? 1u : 0) | (clock == CLOCK_MONOTONIC ? 2u : 0);
    return 0;
}

/* A program that was compiled beside glibc 2.36 runs beside 2.41, which keeps the clock
 * elsewhere. */
TEST(a_condition_that_keeps_its_clock_elsewhere_is_found)
{
    pthread_cond_t condition;
    pthread_condattr_t attributes;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec until;
    const char *what;

    bine_getcurrent();
    elsewhere = true;
    CHECK_EQ(bine_patch_surprise(BINE_PATCH_THREAD, &what), 0);
    CHECK(what == NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition, &attributes);
    pthread_condattr_destroy(&attributes);
    /* By the wrong clock this moment passed decades ago, and the wait would end at once. */
    int64_t deadline = bine_now() + 30 * BINE_MS;
    until.tv_sec = deadline / BINE_SECOND;
    until.tv_nsec = deadline % BINE_SECOND;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(bine_pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
    CHECK(bine_now() >= deadline);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

TEST(semaphores_alone_are_refused_too)
{
    bine_libc_resolve();
    libc = bine_libc;
    bine_libc.sem_trywait = semaphore_trywait;
    CHECK_ERROR(bine_patch(BINE_PATCH_SEMAPHORE), ENOTSUP);
    CHECK_EQ(bine_patched(), 0u);
}

TEST(this_libc_is_as_expected)
{
    const char *what;
    CHECK_EQ(bine_patch_surprise(BINE_PATCH_ALL | BINE_PATCH_SEMAPHORE, &what), 0);
    CHECK(what == NULL);
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_unpatch_all());
}

TEST(without_descriptors_streams_cannot_be_tried_out_yet)
{
    struct rlimit before, none;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = 3;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    CHECK_ERROR(bine_patch_stdio(), EMFILE);
    CHECK_EQ(bine_patched(), 0u);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(bine_patch_stdio());
    CHECK_OK(bine_unpatch_all());
}
