/*
 * What Bine remembers of each descriptor, for the whole process: a generation, whether the program
 * made it non-blocking, its timeouts, whether its last read came up short. Records are never freed,
 * so a look-up needs no lock.
 *
 * A record is a cache of what the kernel knows. With it a wait need not ask the kernel. The runtime
 * believes a record only while every call that could change the truth passes through Bine
 * (bine_descriptor_trust), and only for an open file description that nothing else holds
 * (`shared`). Otherwise it asks the kernel before a greenlet parks.
 */
#ifndef BINE_IO_DESCRIPTOR_DESCRIPTOR_H
#define BINE_IO_DESCRIPTOR_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libc/spin.h"

struct bine_hub;
struct linger;

struct bine_descriptor {
    atomic_uint generation; /* grows whenever the number names a new file, or none */
    /* The number of forks before this record was made. After a later fork a child shares the
     * file. */
    atomic_uint fork_count;
    _Atomic(uint8_t) kind;        /* enum bine_descriptor_kind */
    _Atomic(uint8_t) nonblocking; /* enum bine_nonblocking */
    /* the open file description may be shared (dup, fork, SCM_RIGHTS, inherited) */
    atomic_bool shared;
    _Atomic(uint8_t)
        /* So many of the next reads wait first, because the last ones came up short. 0: try
         * first. */
        read_wait;
    /* The value that read_wait gets after a vain try. It doubles each time. */
    _Atomic(uint8_t) patience;
    _Atomic(uint8_t) nowait; /* stream.c: which calls refuse RWF_NOWAIT here */
    _Atomic(uint8_t) type;   /* SOCK_STREAM ..., 0: unknown */
    _Atomic(uint8_t) tcp;    /* is it TCP: 0: unknown, 1: yes, 2: no */
    _Atomic(uint8_t) linger; /* enum bine_linger */
    /* accepts in a row that failed for a reason that lasts (accept.c) */
    _Atomic(uint8_t) accept_failures;
    atomic_bool terminal; /* a character device: io_uring would run it on a worker thread */
    /* a close of it lets its waiters have the data that came before (close.c) */
    atomic_bool closing;
    atomic_bool many_hubs; /* greenlets of more than one hub have waited for it */
    atomic_bool own;       /* a poller's own: see own.h */
    /* held by a thread between "is it ready" and a call that would block if it is not */
    struct bine_spin lock;
    _Atomic(int) low_water;                         /* SO_RCVLOWAT if set to more than 1 */
    _Atomic(int64_t) receive_timeout, send_timeout; /* ns; 0: none; -1: unknown */
    /* a greenlet of this hub races other processes for it (poll_first.h) */
    _Atomic(struct bine_hub *) racer;
    _Atomic(struct bine_hub *) hub; /* the first hub whose greenlets have waited for it */
};

enum bine_descriptor_kind {
    BINE_FD_UNKNOWN,
    BINE_FD_SOCKET,
    BINE_FD_STREAM, /* tty, eventfd, timerfd ...: neither of the others */
    BINE_FD_FILE,   /* regular file, block device, directory */
    BINE_FD_PIPE,
};

enum bine_nonblocking {
    BINE_BLOCKING,
    BINE_NONBLOCKING,
    BINE_NONBLOCKING_UNKNOWN
};

enum bine_linger {
    BINE_LINGER_UNKNOWN,
    BINE_LINGER_NONE,
    /* SO_LINGER: the last close waits until all has been acknowledged (socket(7)) */
    BINE_LINGER_SET,
};

/* The table has two levels. A process that uses descriptors 0 to 20 pays for one chunk. No kernel
 * configuration that we know of allows a process more than 2^24 descriptors. The look-up is
 * inlined, because every call makes it, some several times. */
enum {
    BINE_DESCRIPTOR_CHUNK = 256,
    BINE_DESCRIPTOR_CHUNKS = 65536
};
extern _Atomic(struct bine_descriptor *) bine_descriptor_chunks[BINE_DESCRIPTOR_CHUNKS];

/* Returns the record of fd, or NULL if nothing was ever remembered of it. Any thread. */
static inline struct bine_descriptor *bine_descriptor_find(int fd)
{
    if ((unsigned)fd >= (unsigned)BINE_DESCRIPTOR_CHUNK * BINE_DESCRIPTOR_CHUNKS)
        return NULL;
    struct bine_descriptor *chunk = atomic_load_explicit(
        &bine_descriptor_chunks[(unsigned)fd / BINE_DESCRIPTOR_CHUNK], memory_order_acquire);
    return chunk ? chunk + (unsigned)fd % BINE_DESCRIPTOR_CHUNK : NULL;
}

struct bine_descriptor *bine_descriptor_make(int fd);

/* Does the same, and makes the record if need be. Returns NULL if fd is negative or beyond what a
 * process can have, or for ENOMEM. */
static inline struct bine_descriptor *bine_descriptor_of(int fd)
{
    struct bine_descriptor *record = bine_descriptor_find(fd);
    return __builtin_expect(record != NULL, 1) ? record : bine_descriptor_make(fd);
}

/* From now on fd names a new file, which only this process holds: socket, accept, open, dup, pipe
 * ... returned it. `nonblocking`: 0, 1, or 2 if unknown. */
void bine_descriptor_fresh(int fd, enum bine_descriptor_kind kind, int nonblocking);
/* The socket fd, which was just made, has none of SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER. */
void bine_descriptor_no_options(int fd);
/* wait/close.c: fd has just been made, although greenlets have waited for a file that had the
 * number, and no hook saw that file closed. These greenlets fail with EBADF, and no operation that
 * they began runs on the new file. Any thread. Does not switch, keeps errno. */
void bine_descriptor_replaced(int fd, struct bine_descriptor *record);

/* fd is about to be closed, or to be replaced. A new generation begins, of which nothing is
 * known. */
void bine_descriptor_gone(int fd);
/* `copy` is a new descriptor of the file behind `original`. Both records note that, and agree. */
void bine_descriptor_copied(int original, int copy);
/* The file description of fd was given to another process (SCM_RIGHTS). */
void bine_descriptor_share(int fd);
/* Is this a child that a system call made without libc's knowledge, perhaps in its parent's memory
 * (vfork)? Then what it does to a descriptor does not concern the greenlets that have waited for
 * it. Returns false without asking for a descriptor for which none has waited. */
bool bine_descriptor_foreign(const struct bine_descriptor *record);
/* The record may be wrong, because a wait was found stale. Forgets all but the generation. */
void bine_descriptor_doubt(int fd);

/* While descriptors are trusted, every fcntl, ioctl, setsockopt, close and dup of the process
 * passes through Bine (the hooks of these are in place), so records may be believed. At start they
 * are not trusted. Turning it on forgets what was remembered before. */
void bine_descriptor_trust(bool trusted);

extern atomic_bool bine_descriptor_trusted;
/* The number of forks so far. A record that is older may share its description with a child. */
extern atomic_uint bine_descriptor_forks;

/* May another process, or another number here, have the open file, too? `record` may be NULL. */
static inline bool bine_descriptor_elsewhere(const struct bine_descriptor *record)
{
    return !record || atomic_load_explicit(&record->shared, memory_order_relaxed) ||
           atomic_load_explicit(&record->fork_count, memory_order_relaxed) !=
               atomic_load_explicit(&bine_descriptor_forks, memory_order_relaxed);
}

/* May the record be believed without asking the kernel? */
static inline bool bine_descriptor_believed(const struct bine_descriptor *record)
{
    return atomic_load_explicit(&bine_descriptor_trusted, memory_order_relaxed) &&
           !bine_descriptor_elsewhere(record);
}

/* ---- what the kernel knows: it is asked where the record cannot tell ---- */

enum bine_descriptor_kind bine_descriptor_ask_kind(int fd, struct bine_descriptor *record);
bool bine_descriptor_ask_nonblocking(int fd, struct bine_descriptor *record);
int64_t bine_descriptor_ask_timeout(int fd, struct bine_descriptor *record, bool sending);
bool bine_descriptor_ask_tcp(int fd, struct bine_descriptor *record); /* record is not NULL */

/* Returns what kind of file fd is. Asks the kernel once a generation. UNKNOWN: fd is not open. */
static inline enum bine_descriptor_kind bine_descriptor_kind(int fd, struct bine_descriptor *record)
{
    uint8_t known =
        record ? atomic_load_explicit(&record->kind, memory_order_relaxed) : BINE_FD_UNKNOWN;
    return known != BINE_FD_UNKNOWN ? known : bine_descriptor_ask_kind(fd, record);
}

/* Has the program made it non-blocking? BINE_NONBLOCKING_UNKNOWN if the record cannot be
 * believed. */
static inline enum bine_nonblocking bine_descriptor_nonblocking_known(
    const struct bine_descriptor *record)
{
    return bine_descriptor_believed(record)
               ? atomic_load_explicit(&record->nonblocking, memory_order_relaxed)
               : BINE_NONBLOCKING_UNKNOWN;
}

/* Answers the same, and asks the kernel unless the record can be believed. `record` may be NULL. */
static inline bool bine_descriptor_nonblocking(int fd, struct bine_descriptor *record)
{
    enum bine_nonblocking known = bine_descriptor_nonblocking_known(record);
    return __builtin_expect(known != BINE_NONBLOCKING_UNKNOWN, 1)
               ? known == BINE_NONBLOCKING
               : bine_descriptor_ask_nonblocking(fd, record);
}

/* Returns SO_RCVTIMEO (or SO_SNDTIMEO) in ns, 0 if there is none or fd is no socket. */
static inline int64_t bine_descriptor_timeout(int fd, struct bine_descriptor *record, bool sending)
{
    if (record) {
        uint8_t kind = atomic_load_explicit(&record->kind, memory_order_relaxed);
        if (kind != BINE_FD_SOCKET && kind != BINE_FD_UNKNOWN)
            return 0;
        int64_t known = atomic_load_explicit(
            sending ? &record->send_timeout : &record->receive_timeout, memory_order_relaxed);
        /* A process that has a copy of the descriptor could change the timeout, too. No program is
         * known that sets a timeout for another process. So the kernel is asked each time only
         * where the hooks are missing. */
        if (known >= 0 && atomic_load_explicit(&bine_descriptor_trusted, memory_order_relaxed))
            return known;
    }
    return bine_descriptor_ask_timeout(fd, record, sending);
}

/* Does the last close of the socket wait for what was sent? Returns false without asking if fd is
 * not known to be a socket. */
bool bine_descriptor_lingers(int fd, struct bine_descriptor *record);
/* Is it a stream socket? */
bool bine_descriptor_is_stream(int fd, struct bine_descriptor *record);

/* Is it TCP? Then a read that gave fewer bytes than asked for proves that there are no more (urgent
 * data aside, which the poller sees). It proves nothing for datagrams, nor for Unix sockets, where
 * a read ends at a passed descriptor. */
static inline bool bine_descriptor_is_tcp(int fd, struct bine_descriptor *record)
{
    uint8_t known = record ? atomic_load_explicit(&record->tcp, memory_order_relaxed) : 2;
    return known ? known == 1 : bine_descriptor_ask_tcp(fd, record);
}

/* Note what the program has changed. SO_LINGER is an option like others. A caller that knows its
 * new value calls bine_descriptor_set_linger afterwards. */
void bine_descriptor_set_nonblocking(int fd, bool nonblocking);
void bine_descriptor_option_changed(int fd, int level, int option);
void bine_descriptor_set_linger(int fd, const struct linger *linger);

/* From now on no greenlet of `hub` races. */
void bine_descriptor_forget_racer(struct bine_hub *hub);

/* A greenlet of `hub` is about to wait for fd. */
void bine_descriptor_used_newly(struct bine_descriptor *record, struct bine_hub *hub);
static inline void bine_descriptor_used_by(struct bine_descriptor *record, struct bine_hub *hub)
{
    if (__builtin_expect(atomic_load_explicit(&record->hub, memory_order_relaxed) != hub, 0))
        bine_descriptor_used_newly(record, hub);
}

#endif
