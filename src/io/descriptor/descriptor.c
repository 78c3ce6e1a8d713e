/* The table of descriptor records. See descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "libc/layout.h"
#include "libc/libc.h"
#include "own.h"

enum {
    CHUNK = BINE_DESCRIPTOR_CHUNK,
    CHUNKS = BINE_DESCRIPTOR_CHUNKS
};

_Atomic(struct bine_descriptor *) bine_descriptor_chunks[CHUNKS];
BINE_LAYOUT(descriptor_rows) = {BINE_ADDRESS("descriptor_chunks", bine_descriptor_chunks),
                                BINE_NUMBER("descriptor_chunk", CHUNK),
                                BINE_SIZE("descriptor", struct bine_descriptor),
                                BINE_FIELD("descriptor", struct bine_descriptor, kind),
                                BINE_NUMBER("descriptor_kind.socket", BINE_FD_SOCKET),
                                BINE_NUMBER("descriptor_kind.file", BINE_FD_FILE),
                                BINE_NUMBER("descriptor_kind.pipe", BINE_FD_PIPE)};
atomic_bool bine_descriptor_trusted;
atomic_uint bine_descriptor_forks;

static void reset(struct bine_descriptor *record)
{
    atomic_store_explicit(&record->kind, BINE_FD_UNKNOWN, memory_order_relaxed);
    atomic_store_explicit(&record->nonblocking, BINE_NONBLOCKING_UNKNOWN, memory_order_relaxed);
    atomic_store_explicit(&record->shared, true, memory_order_relaxed);
    atomic_store_explicit(&record->read_wait, 0, memory_order_relaxed);
    atomic_store_explicit(&record->patience, 0, memory_order_relaxed);
    atomic_store_explicit(&record->nowait, 0, memory_order_relaxed);
    atomic_store_explicit(&record->type, 0, memory_order_relaxed);
    atomic_store_explicit(&record->tcp, 0, memory_order_relaxed);
    atomic_store_explicit(&record->linger, BINE_LINGER_UNKNOWN, memory_order_relaxed);
    atomic_store_explicit(&record->accept_failures, 0, memory_order_relaxed);
    atomic_store_explicit(&record->terminal, false, memory_order_relaxed);
    atomic_store_explicit(&record->low_water, 0, memory_order_relaxed);
    atomic_store_explicit(&record->receive_timeout, -1, memory_order_relaxed);
    atomic_store_explicit(&record->send_timeout, -1, memory_order_relaxed);
}

/* A record is a cache line. */
_Static_assert(sizeof(struct bine_descriptor) == 64 || sizeof(void *) != 8,
               "a record has become larger");

struct bine_descriptor *bine_descriptor_make(int fd)
{
    enum {
        LINE = 64
    };
    if (fd < 0 || fd >= CHUNK * CHUNKS)
        return NULL;
    int saved = errno;
    void *memory = calloc(1, CHUNK * sizeof(struct bine_descriptor) + LINE);
    struct bine_descriptor *other = NULL;
    if (!memory) {
        errno = saved;
        return NULL;
    }
    struct bine_descriptor *chunk =
        (struct bine_descriptor *)(((uintptr_t)memory + LINE - 1) & ~(uintptr_t)(LINE - 1));
    for (int i = 0; i < CHUNK; i++)
        reset(chunk + i);
    if (!atomic_compare_exchange_strong(&bine_descriptor_chunks[fd / CHUNK], &other, chunk)) {
        free(memory);
        chunk = other;
    }
    errno = saved;
    return chunk + fd % CHUNK;
}

/* ---- what a number names --------------------------------------------------------------------- */

static pid_t process;

bool bine_descriptor_foreign(const struct bine_descriptor *record)
{
    return (atomic_load_explicit(&record->hub, memory_order_relaxed) ||
            atomic_load_explicit(&record->own, memory_order_relaxed)) &&
           getpid() != process;
}

static void new_generation(struct bine_descriptor *record)
{
    if (bine_descriptor_foreign(record))
        return;
    if (__builtin_expect(atomic_load_explicit(&record->own, memory_order_relaxed), 0))
        bine_own_lost(record);
    reset(record);
    atomic_store_explicit(&record->hub, NULL, memory_order_relaxed);
    atomic_store_explicit(&record->many_hubs, false, memory_order_relaxed);
    atomic_fetch_add_explicit(&record->generation, 1, memory_order_release);
}

void bine_descriptor_fresh(int fd, enum bine_descriptor_kind kind, int nonblocking)
{
    struct bine_descriptor *record = bine_descriptor_of(fd);
    if (!record)
        return;
    bool replaced = atomic_load_explicit(&record->hub, memory_order_relaxed) != NULL;
    if (__builtin_expect(replaced, 0))
        bine_descriptor_replaced(fd, record);
    new_generation(record);
    /* Callers that cannot tell say STREAM: the kernel can tell. */
    if (kind == BINE_FD_SOCKET || kind == BINE_FD_PIPE)
        atomic_store_explicit(&record->kind, (uint8_t)kind, memory_order_relaxed);
    atomic_store_explicit(&record->nonblocking, (uint8_t)nonblocking, memory_order_relaxed);
    atomic_store_explicit(&record->fork_count,
                          atomic_load_explicit(&bine_descriptor_forks, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&record->shared, false, memory_order_release);
}

void bine_descriptor_no_options(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record)
        return;
    atomic_store_explicit(&record->receive_timeout, 0, memory_order_relaxed);
    atomic_store_explicit(&record->send_timeout, 0, memory_order_relaxed);
    atomic_store_explicit(&record->linger, BINE_LINGER_NONE, memory_order_relaxed);
}

/* Options belong to the socket, not to the number: one that has another name now may be changed by
 * that. */
static void forget_options(struct bine_descriptor *record)
{
    atomic_store_explicit(&record->receive_timeout, -1, memory_order_relaxed);
    atomic_store_explicit(&record->send_timeout, -1, memory_order_relaxed);
    atomic_store_explicit(&record->linger, BINE_LINGER_UNKNOWN, memory_order_relaxed);
}

void bine_descriptor_gone(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (record)
        new_generation(record);
}

void bine_descriptor_copied(int original, int copy)
{
    struct bine_descriptor *to = bine_descriptor_of(copy);
    if (to)
        new_generation(to);
    bine_descriptor_share(original);
}

void bine_descriptor_share(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (!record)
        return;
    forget_options(record);
    atomic_store_explicit(&record->shared, true, memory_order_release);
}

void bine_descriptor_doubt(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (record)
        reset(record);
}

void bine_descriptor_trust(bool trusted)
{
    if (trusted && !atomic_load(&bine_descriptor_trusted)) {
        for (int i = 0; i < CHUNKS; i++) {
            struct bine_descriptor *chunk =
                atomic_load_explicit(&bine_descriptor_chunks[i], memory_order_acquire);
            for (int j = 0; chunk && j < CHUNK; j++)
                reset(chunk + j);
        }
    }
    atomic_store(&bine_descriptor_trusted, trusted);
}

static void descriptor_before_fork(void)
{
    atomic_fetch_add(&bine_descriptor_forks, 1);
}

/* A thread that held a lock when another one forked does not exist in the child. */
static void forked_child(void)
{
    process = getpid();
    for (int i = 0; i < CHUNKS; i++) {
        struct bine_descriptor *chunk =
            atomic_load_explicit(&bine_descriptor_chunks[i], memory_order_relaxed);
        for (int j = 0; chunk && j < CHUNK; j++) {
            bine_spin_unlock(&chunk[j].lock);
            atomic_store_explicit(&chunk[j].racer, NULL, memory_order_relaxed);
            atomic_store_explicit(&chunk[j].closing, false, memory_order_relaxed);
        }
    }
}

__attribute__((constructor)) static void watch_forks(void)
{
    process = getpid();
    pthread_atfork(descriptor_before_fork, NULL, forked_child);
}

/* ---- what the kernel knows ------------------------------------------------------------------- */

enum bine_descriptor_kind bine_descriptor_ask_kind(int fd, struct bine_descriptor *record)
{
    struct stat status;
    int saved = errno;
    if (syscall(SYS_fstat, fd, &status) < 0) {
        errno = saved;
        return BINE_FD_UNKNOWN;
    }
    enum bine_descriptor_kind kind = BINE_FD_STREAM;
    if (S_ISSOCK(status.st_mode))
        kind = BINE_FD_SOCKET;
    else if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode))
        kind = BINE_FD_FILE;
    else if (S_ISFIFO(status.st_mode))
        kind = BINE_FD_PIPE;
    if (record) {
        atomic_store_explicit(&record->terminal, S_ISCHR(status.st_mode), memory_order_relaxed);
        atomic_store_explicit(&record->kind, (uint8_t)kind, memory_order_relaxed);
    }
    return kind;
}

bool bine_descriptor_ask_nonblocking(int fd, struct bine_descriptor *record)
{
    int saved = errno;
    int flags = bine_libc.fcntl(fd, F_GETFL);
    errno = saved;
    bool nonblocking = flags >= 0 && (flags & O_NONBLOCK);
    if (record && flags >= 0)
        atomic_store_explicit(&record->nonblocking, nonblocking, memory_order_relaxed);
    return nonblocking;
}

int64_t bine_descriptor_ask_timeout(int fd, struct bine_descriptor *record, bool sending)
{
    struct timeval timeout = {0};
    socklen_t length = sizeof timeout;
    int saved = errno;
    int result = getsockopt(fd, SOL_SOCKET, sending ? SO_SNDTIMEO : SO_RCVTIMEO, &timeout, &length);
    errno = saved;
    int64_t nanoseconds =
        result < 0 ? 0 : (int64_t)timeout.tv_sec * 1000000000 + (int64_t)timeout.tv_usec * 1000;
    if (record)
        atomic_store_explicit(sending ? &record->send_timeout : &record->receive_timeout,
                              nanoseconds, memory_order_relaxed);
    return nanoseconds;
}

/* With a time of nothing the last close resets the connection at once. */
static bool descriptor_waits(const struct linger *linger)
{
    return linger->l_onoff && linger->l_linger > 0;
}

void bine_descriptor_set_linger(int fd, const struct linger *linger)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    if (record)
        atomic_store_explicit(&record->linger,
                              descriptor_waits(linger) ? BINE_LINGER_SET : BINE_LINGER_NONE,
                              memory_order_relaxed);
}

bool bine_descriptor_lingers(int fd, struct bine_descriptor *record)
{
    uint8_t known =
        record ? atomic_load_explicit(&record->linger, memory_order_relaxed) : BINE_LINGER_NONE;
    if (known != BINE_LINGER_UNKNOWN &&
        atomic_load_explicit(&bine_descriptor_trusted, memory_order_relaxed))
        return known == BINE_LINGER_SET;
    if (!record || atomic_load_explicit(&record->kind, memory_order_relaxed) != BINE_FD_SOCKET)
        return false;
    struct linger linger = {0};
    socklen_t length = sizeof linger;
    int saved = errno;
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length);
    errno = saved;
    bine_descriptor_set_linger(fd, &linger);
    return descriptor_waits(&linger);
}

bool bine_descriptor_is_stream(int fd, struct bine_descriptor *record)
{
    int type = record ? atomic_load_explicit(&record->type, memory_order_relaxed) : 0;
    if (!type) {
        socklen_t length = sizeof type;
        int saved = errno;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
            type = 0;
        errno = saved;
        if (record)
            atomic_store_explicit(&record->type, (uint8_t)type, memory_order_relaxed);
    }
    return type == SOCK_STREAM;
}

bool bine_descriptor_ask_tcp(int fd, struct bine_descriptor *record)
{
    int protocol = 0, saved = errno;
    socklen_t length = sizeof protocol;
    bool tcp =
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
    errno = saved;
    atomic_store_explicit(&record->tcp, tcp ? 1 : 2, memory_order_relaxed);
    return tcp;
}

void bine_descriptor_set_nonblocking(int fd, bool nonblocking)
{
    struct bine_descriptor *record = bine_descriptor_of(fd);
    if (record)
        atomic_store(&record->nonblocking, nonblocking);
}

/* For every number that may name the same socket. */
static void forget_shared_options(void)
{
    for (int i = 0; i < CHUNKS; i++) {
        struct bine_descriptor *chunk =
            atomic_load_explicit(&bine_descriptor_chunks[i], memory_order_acquire);
        for (int j = 0; chunk && j < CHUNK; j++)
            if (atomic_load_explicit(&chunk[j].shared, memory_order_relaxed))
                forget_options(&chunk[j]);
    }
}

void bine_descriptor_option_changed(int fd, int level, int option)
{
    struct bine_descriptor *record = bine_descriptor_of(fd);
    if (!record || level != SOL_SOCKET)
        return;
    if (option == SO_RCVLOWAT) {
        int low = 0, saved = errno;
        socklen_t length = sizeof low;
        if (getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, &length) < 0 || low <= 1)
            low = 0;
        errno = saved;
        atomic_store(&record->low_water, low);
    }
    if (option != SO_RCVTIMEO_OLD && option != SO_RCVTIMEO_NEW && option != SO_SNDTIMEO_OLD &&
        option != SO_SNDTIMEO_NEW && option != SO_LINGER)
        return;
    forget_options(record);
    if (atomic_load(&record->shared))
        forget_shared_options();
}

void bine_descriptor_forget_racer(struct bine_hub *hub)
{
    for (int i = 0; i < CHUNKS; i++) {
        struct bine_descriptor *chunk =
            atomic_load_explicit(&bine_descriptor_chunks[i], memory_order_acquire);
        for (int j = 0; chunk && j < CHUNK; j++) {
            struct bine_hub *racer = hub;
            atomic_compare_exchange_strong(&chunk[j].racer, &racer, NULL);
        }
    }
}

void bine_descriptor_used_newly(struct bine_descriptor *record, struct bine_hub *hub)
{
    struct bine_hub *first = NULL;
    if (!atomic_compare_exchange_strong(&record->hub, &first, hub) && first != hub)
        atomic_store(&record->many_hubs, true);
}
