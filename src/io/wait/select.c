/* select and pselect. See bine/io.h. */
#include <bine/io.h>
#include <stdlib.h>
#include <string.h>

#include "poll_set.h"
#include "wait.h"

/* The kernel works in longs, so it reads and writes whole ones. */
enum {
    WORD_BITS = 8 * sizeof(long),
    INLINE_WORDS = FD_SETSIZE / WORD_BITS,
    INLINE_FDS = 16
};

/* What the caller asked for, kept while the real select overwrites its sets. */
struct asked {
    int count;
    size_t words;
    unsigned long *sets[3]; /* the caller's */
    unsigned long *saved[3];
    unsigned long few[3 * INLINE_WORDS];
    struct pollfd few_fds[INLINE_FDS];
    struct pollfd *fds;
    size_t used;
    bool closed;
};

static const short events[3] = {POLLIN, POLLOUT, POLLPRI};

static bool save(struct asked *asked, int count, fd_set *readable, fd_set *writable,
                 fd_set *exceptional)
{
    fd_set *sets[3] = {readable, writable, exceptional};
    asked->count = count;
    asked->words = count > 0 ? ((size_t)count + WORD_BITS - 1) / WORD_BITS : 0;
    asked->fds = asked->few_fds;
    asked->closed = false;
    unsigned long *room = asked->few;
    if (asked->words > INLINE_WORDS && !(room = malloc(3 * asked->words * sizeof *room)))
        return false;
    for (int i = 0; i < 3; i++) {
        asked->sets[i] = (unsigned long *)sets[i];
        asked->saved[i] = room + (size_t)i * asked->words;
        if (sets[i])
            memcpy(asked->saved[i], sets[i], asked->words * sizeof *room);
        else
            memset(asked->saved[i], 0, asked->words * sizeof *room);
    }
    return true;
}

static void restore(struct asked *asked)
{
    for (int i = 0; i < 3; i++)
        if (asked->sets[i])
            memcpy(asked->sets[i], asked->saved[i], asked->words * sizeof *asked->saved[i]);
}

static void select_release(struct asked *asked)
{
    if (asked->saved[0] != asked->few)
        free(asked->saved[0]);
    if (asked->fds != asked->few_fds)
        free(asked->fds);
}

/* The sets as an array for bine_poll_set_wait. False: ENOMEM. */
static bool list(struct asked *asked)
{
    size_t used = 0;
    for (size_t word = 0; word < asked->words; word++)
        used += (size_t)__builtin_popcountl(asked->saved[0][word] | asked->saved[1][word] |
                                            asked->saved[2][word]);
    if (used > INLINE_FDS && !(asked->fds = malloc(used * sizeof *asked->fds))) {
        asked->fds = asked->few_fds;
        return false;
    }
    asked->used = 0;
    for (size_t word = 0; word < asked->words; word++) {
        unsigned long any = asked->saved[0][word] | asked->saved[1][word] | asked->saved[2][word];
        for (; any; any &= any - 1) {
            int bit = __builtin_ctzl(any), fd = (int)(word * WORD_BITS) + bit;
            if (fd >= asked->count)
                break;
            struct pollfd *entry = asked->fds + asked->used++;
            *entry = (struct pollfd){.fd = fd};
            for (int i = 0; i < 3; i++)
                if (asked->saved[i][word] >> bit & 1)
                    entry->events |= events[i];
        }
    }
    return true;
}

static void note_closed(void *arg, size_t index)
{
    ((struct asked *)arg)->closed = true;
}

static int select_look(struct asked *asked, const sigset_t *mask)
{
    const struct timespec zero = {0};
    return bine_libc.pselect(asked->count, (fd_set *)asked->sets[0], (fd_set *)asked->sets[1],
                             (fd_set *)asked->sets[2], &zero, mask);
}

/* Until something is ready or the deadline: select's result, or -1 with errno and the sets as the
 * caller gave them. */
static int select_wait_for(struct bine_hub *hub, struct asked *asked, int64_t deadline,
                           const sigset_t *mask)
{
    static const struct bine_poll_verbs verbs = {"select fd", "select"};
    unsigned rounds = 0;
    bine_signal_mark signals = bine_signals_now(hub);
    for (;;) {
        struct bine_mask waiting;
        bine_mask_begin(&waiting, mask);
        int error = bine_poll_set_wait(hub, &verbs, asked->fds, asked->used, deadline, &rounds,
                                       signals, note_closed, asked);
        bine_mask_end(&waiting);
        restore(asked);
        if (asked->closed)
            return (int)bine_io_fail(EBADF);
        if (error && error != ETIME && error != EINTR)
            return (int)bine_io_fail(error);
        int ready = select_look(asked, NULL);
        if (ready == 0 && error == EINTR) {
            restore(asked);
            return (int)bine_io_fail(EINTR);
        }
        if (ready != 0 || error)
            return ready;
    }
}

static int select_until(struct bine_hub *hub, int count, fd_set *readable, fd_set *writable,
                        fd_set *exceptional, bool poll_only, int64_t deadline, const sigset_t *mask)
{
    struct asked asked;
    int saved = errno;
    if (!save(&asked, count, readable, writable, exceptional))
        return (int)bine_io_fail(ENOMEM);
    int result = select_look(&asked, mask);
    if (result == 0 && !poll_only) {
        if (list(&asked)) {
            result = select_wait_for(hub, &asked, deadline, mask);
        } else {
            restore(&asked);
            result = (int)bine_io_fail(ENOMEM);
        }
    }
    int error = result < 0 ? errno : saved;
    select_release(&asked);
    errno = error;
    return result;
}

int bine_select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                struct timeval *timeout)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || count < 0 || (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
        return bine_libc.select(count, readable, writable, exceptional, timeout);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    int64_t deadline = INT64_MAX;
    bool poll_only = false;
    if (timeout) {
        struct timespec time = {timeout->tv_sec, 0};
        int64_t seconds = timeout->tv_usec / 1000000;
        if (time.tv_sec < INT64_MAX - seconds) /* more than a million microseconds are taken, too */
            time.tv_sec += seconds;
        time.tv_nsec = timeout->tv_usec % 1000000 * 1000;
        poll_only = time.tv_sec == 0 && time.tv_nsec == 0;
        deadline = bine_timespec_deadline(hub, &time);
    }
    int result =
        select_until(hub, count, readable, writable, exceptional, poll_only, deadline, NULL);
    /* Linux says how much time was left, whatever the result. A wait without a limit has no such
     * time. */
    if (timeout && !poll_only && deadline != INT64_MAX) {
        int saved = errno;
        int64_t left = deadline - bine_hub_now(hub);
        if (left < 0)
            left = 0;
        timeout->tv_sec = left / BINE_SECOND;
        timeout->tv_usec = left % BINE_SECOND / BINE_US;
        errno = saved;
    }
    return result;
}

int bine_pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                 const struct timespec *timeout, const sigset_t *mask)
{
    struct bine_hub *hub = bine_io_hub();
    if (!hub || count < 0 || (timeout && !bine_timespec_valid(timeout)))
        return bine_libc.pselect(count, readable, writable, exceptional, timeout, mask);
    int error = bine_streak(hub);
    if (error)
        return (int)bine_io_fail(error);
    bool poll_only = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    return select_until(hub, count, readable, writable, exceptional, poll_only,
                        bine_timespec_deadline(hub, timeout), mask);
}
