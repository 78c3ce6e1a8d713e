/* FIFOs, locks, copying, and what else is read like a file: this program's own calls are
 * patched. */
#include "io/beats.h"

#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

/* ---- FIFOs ----------------------------------------------------------------------------------- */

static const char *fifo;

static void *open_fifo(void *flags)
{
    int fd = open(fifo, (int)(intptr_t)flags);
    if (fd < 0)
        bine_fail(errno);
    return (void *)(intptr_t)fd;
}

TEST(opening_a_fifo_waits_for_the_other_end)
{
    harness_not_under_emulator("a signal does not end an open that waits there");
    bine_greenlet *heart = start();
    fifo = own_path("fifo");
    CHECK_OK(mkfifo(fifo, 0600));
    int fd = open(fifo, O_RDONLY | O_NONBLOCK); /* as ever: at once */
    CHECK_OK(fd);
    close(fd);
    CHECK_ERROR(open(fifo, O_WRONLY | O_NONBLOCK), ENXIO);
    for (int turn = 0; turn < 2; turn++) {
        bine_greenlet *first =
            bine_spawn(open_fifo, (void *)(intptr_t)(turn ? O_RDONLY : O_WRONLY));
        CHECK_OK(bine_sleep(10 * BINE_MS));
        CHECK(!bine_dead(first));
        fd = open(fifo, turn ? O_WRONLY : O_RDONLY);
        CHECK_OK(fd);
        void *value;
        CHECK_OK(bine_join(first, &value, BINE_FOREVER));
        int ends[] = {turn ? (int)(intptr_t)value : fd, turn ? fd : (int)(intptr_t)value};
        char byte = 0;
        CHECK_EQ(write(ends[1], "x", 1), 1);
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        CHECK_EQ(byte, 'x');
        close(ends[0]);
        close(ends[1]);
    }
    bine_greenlet *victim = bine_spawn(open_fifo, (void *)O_RDONLY);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    /* The open itself was called off: after a while nobody holds the FIFO open for reading. */
    while ((fd = open(fifo, O_WRONLY | O_NONBLOCK)) >= 0) {
        close(fd);
        CHECK_OK(bine_sleep(BINE_MS));
    }
    CHECK_EQ(errno, ENXIO);
    unlink(fifo);
    finish(heart);
}

/* ---- from one to the other ------------------------------------------------------------------- */

struct receiver {
    int fd;
    char *data;
    size_t size;
};

static void *receive_slowly(void *arg)
{
    struct receiver *receiver = arg;
    for (;;) {
        ssize_t got = read(receiver->fd, receiver->data + receiver->size, 3000);
        CHECK_GE(got, 0);
        if (got == 0)
            return NULL;
        receiver->size += (size_t)got;
        CHECK_OK(bine_sleep(0));
    }
}

TEST(sendfile_to_a_slow_peer_lets_others_run)
{
    bine_greenlet *heart = start();
    enum {
        SIZE = 700000
    };
    int fd = own_file(SIZE);
    static char sent[SIZE], got[SIZE + 3000];
    CHECK_EQ(bine_libc.pread(fd, sent, SIZE, 0), SIZE);
    for (int turn = 0; turn < 3; turn++) {
        int pair[2];
        CHECK_OK(turn == 2 ? pipe(pair) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        struct receiver receiver = {pair[0], got, 0};
        bine_greenlet *peer = bine_spawn(receive_slowly, &receiver);
        off_t offset = 1000;
        unsigned before = beats;
        if (turn == 0) {
            CHECK_EQ(sendfile(pair[1], fd, &offset, SIZE - 1000), SIZE - 1000);
            CHECK_EQ(offset, SIZE);
            CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
        } else {
            CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
            /* Up to the end of the file. */
            CHECK_EQ(sendfile(pair[1], fd, NULL, SIZE), SIZE - 1000);
            CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE);
            CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
        }
        CHECK_GT(beats, before + 10);
        close(pair[1]);
        CHECK_OK(bine_join(peer, NULL, BINE_FOREVER));
        CHECK_EQ(receiver.size, SIZE - 1000);
        CHECK_MEMORY(got, sent + 1000, SIZE - 1000);
        close(pair[0]);
    }
    int copy = own_file(0);
    off_t offset = 5;
    CHECK_EQ(sendfile(copy, fd, &offset, 1000), 1000);
    CHECK_EQ(copy_file_range(fd, &offset, copy, NULL, 1000, 0), 1000);
    CHECK_EQ(offset, 2005);
    CHECK_EQ(pread(copy, got, 3000, 0), 2000);
    CHECK_MEMORY(got, sent + 5, 2000);
    CHECK_ERROR(sendfile(-1, fd, NULL, 1), EBADF);
    close(copy);
    close(fd);
    finish(heart);
}

struct pump {
    int in, out;
};

static void *splice_all(void *arg)
{
    struct pump *pump = arg;
    ssize_t moved;
    while ((moved = splice(pump->in, NULL, pump->out, NULL, 1 << 20, 0)) > 0)
        ;
    CHECK_EQ(moved, 0);
    close(pump->out);
    return NULL;
}

TEST(splice_between_pipe_and_sockets_lets_others_run)
{
    bine_greenlet *heart = start();
    enum {
        SIZE = 300000
    };
    int fd = own_file(SIZE);
    static char sent[SIZE], got[SIZE + 3000];
    CHECK_EQ(bine_libc.pread(fd, sent, SIZE, 0), SIZE);
    int first[2], ends[2], second[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, first));
    CHECK_OK(pipe(ends));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, second));
    /* file -> socket, socket -> pipe, pipe -> socket */
    struct pump in = {first[1], ends[1]}, out = {ends[0], second[0]};
    struct receiver receiver = {second[1], got, 0};
    bine_greenlet *all[] = {bine_spawn(splice_all, &in), bine_spawn(splice_all, &out),
                            bine_spawn(receive_slowly, &receiver)};
    unsigned before = beats;
    CHECK_EQ(sendfile(first[0], fd, NULL, SIZE), SIZE);
    close(first[0]);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_GT(beats, before + 10);
    CHECK_EQ(receiver.size, SIZE);
    CHECK_MEMORY(got, sent, SIZE);
    close(first[1]);
    close(ends[0]);
    close(second[1]);
    close(fd);
    finish(heart);
}

static int tee_ends[2];

static void *write_later(void *unused)
{
    CHECK_OK(bine_sleep(5 * BINE_MS));
    struct iovec vector = {"teed", 4};
    CHECK_EQ(vmsplice(tee_ends[1], &vector, 1, 0), 4);
    return NULL;
}

TEST(tee_waits_for_bytes)
{
    bine_greenlet *heart = start();
    int copy[2];
    CHECK_OK(pipe(tee_ends));
    CHECK_OK(pipe(copy));
    CHECK_ERROR(tee(tee_ends[0], copy[1], 100, SPLICE_F_NONBLOCK), EAGAIN);
    bine_greenlet *other = bine_spawn(write_later, NULL);
    CHECK_EQ(tee(tee_ends[0], copy[1], 100, 0), 4);
    char bytes[10];
    CHECK_EQ(read(copy[0], bytes, sizeof bytes), 4);
    CHECK_EQ(read(tee_ends[0], bytes, sizeof bytes), 4);
    CHECK_MEMORY(bytes, "teed", 4);
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    for (int i = 0; i < 2; i++) {
        close(copy[i]);
        close(tee_ends[i]);
    }
    finish(heart);
}

/* ---- locks ----------------------------------------------------------------------------------- */

struct locking {
    int fd;
    int kind; /* 0 flock, 1 F_OFD_SETLKW, 2 F_SETLKW, 3 lockf */
    bool has_it;
};

static int take_lock(int fd, int kind, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    switch (kind) {
    case 0:
        return flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
    case 1:
        return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    case 2:
        return fcntl(fd, wait ? F_SETLKW : F_SETLK, &lock);
    default:
        return lockf(fd, wait ? F_LOCK : F_TLOCK, 0);
    }
}

static void give_lock(int fd, int kind)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK_OK(kind == 0   ? flock(fd, LOCK_UN)
             : kind == 1 ? fcntl(fd, F_OFD_SETLK, &lock)
             : kind == 2 ? fcntl(fd, F_SETLK, &lock)
                         : lockf(fd, F_ULOCK, 0));
}

static void *lock_it(void *arg)
{
    struct locking *locking = arg;
    if (take_lock(locking->fd, locking->kind, true) != 0)
        bine_fail(errno);
    locking->has_it = true;
    return NULL;
}

TEST(file_locks_between_greenlets)
{
    bine_greenlet *heart = start();
    const char *path = own_path("lock");
    int first = open(path, O_RDWR | O_CREAT, 0600), second = open(path, O_RDWR);
    CHECK_OK(first);
    CHECK_OK(second);
    for (int kind = 0; kind < 2; kind++) {
        CHECK_OK(take_lock(first, kind, true));
        CHECK_EQ(take_lock(second, kind, false), -1);
        CHECK_EQ(errno, EAGAIN);
        struct locking locking = {.fd = second, .kind = kind}, doomed = locking;
        bine_greenlet *waiter = bine_spawn(lock_it, &locking),
                      *victim = bine_spawn(lock_it, &doomed);
        CHECK_OK(bine_sleep(10 * BINE_MS));
        CHECK(!locking.has_it);
        CHECK_OK(bine_kill(victim));
        CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
        CHECK_EQ(bine_error(victim), ECANCELED);
        bine_detach(victim);
        give_lock(first, kind);
        CHECK_OK(bine_join(waiter, NULL, BINE_FOREVER));
        CHECK(locking.has_it);
        give_lock(second, kind);
    }
    close(first);
    close(second);
    unlink(path);
    finish(heart);
}

TEST(file_locks_between_processes)
{
    bine_greenlet *heart = start();
    const char *path = own_path("lock");
    int fd = open(path, O_RDWR | O_CREAT, 0600), ends[2];
    CHECK_OK(fd);
    for (int kind = 0; kind < 4; kind++) {
        CHECK_OK(pipe(ends));
        pid_t child = fork();
        CHECK_OK(child);
        if (child == 0) {
            int own = open(path, O_RDWR);
            bool well = take_lock(own, kind, true) == 0 && write(ends[1], "x", 1) == 1;
            struct timespec time = {.tv_nsec = 100 * BINE_MS};
            bine_libc.nanosleep(&time, NULL);
            _exit(well ? 0 : 1);
        }
        char byte;
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        CHECK_EQ(take_lock(fd, kind, false), -1);
        unsigned before = beats;
        CHECK_OK(take_lock(fd, kind, true)); /* until the child ends */
        CHECK_GT(beats, before);
        give_lock(fd, kind);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        close(ends[0]);
        close(ends[1]);
    }
    close(fd);
    CHECK_ERROR(flock(fd, LOCK_EX), EBADF);
    CHECK_ERROR(lockf(fd, F_LOCK, 0), EBADF);
    unlink(path);
    finish(heart);
}

/* ---- what else is read ----------------------------------------------------------------------- */

static int other_end;
static void (*make_ready)(void);

static void *make_ready_later(void *unused)
{
    CHECK_OK(bine_sleep(10 * BINE_MS));
    make_ready();
    return NULL;
}

/* read() waits until `ready` has been called, and others run meanwhile. */
static ssize_t read_when(void (*ready)(void), int fd, void *buffer, size_t size)
{
    make_ready = ready;
    bine_greenlet *helper = bine_spawn(make_ready_later, NULL);
    unsigned before = beats;
    ssize_t got = read(fd, buffer, size);
    CHECK_GT(beats, before);
    CHECK_OK(bine_join(helper, NULL, BINE_FOREVER));
    return got;
}

static void count_up(void)
{
    CHECK_EQ(write(other_end, &(uint64_t){5}, 8), 8);
}

static void raise_signal(void)
{
    CHECK_OK(kill(getpid(), SIGUSR2));
}

static void make_file(void)
{
    int fd = open(fifo, O_CREAT | O_WRONLY, 0600);
    CHECK_OK(fd);
    close(fd);
}

static void type_line(void)
{
    CHECK_EQ(write(other_end, "typed\n", 6), 6);
}

static void nothing(void)
{
}

TEST(eventfd_timerfd_signalfd_inotify_and_terminals)
{
    bine_greenlet *heart = start();
    uint64_t count;
    int fd = eventfd(0, 0);
    other_end = fd;
    CHECK_EQ(read_when(count_up, fd, &count, 8), 8);
    CHECK_EQ(count, 5);
    close(fd);

    fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec time = {.it_value.tv_nsec = 30 * BINE_MS};
    CHECK_OK(timerfd_settime(fd, 0, &time, NULL));
    CHECK_EQ(read_when(nothing, fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    close(fd);

    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    CHECK_EQ(bine_libc.pthread_sigmask(SIG_BLOCK, &mask, NULL), 0);
    fd = signalfd(-1, &mask, 0);
    struct signalfd_siginfo info;
    CHECK_EQ(read_when(raise_signal, fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR2);
    close(fd);

    char events[4096];
    const char *directory = own_path("watched");
    CHECK_OK(mkdir(directory, 0700));
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/new", directory);
    fifo = path;
    fd = inotify_init1(0);
    CHECK_OK(inotify_add_watch(fd, directory, IN_CREATE));
    CHECK_GT(read_when(make_file, fd, events, sizeof events), 0);
    CHECK_STRING(((struct inotify_event *)events)->name, "new");
    close(fd);
    unlink(path);
    rmdir(directory);

    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, NULL) == 0) {
        other_end = master;
        char line[20];
        CHECK_EQ(read_when(type_line, slave, line, sizeof line), 6);
        CHECK_MEMORY(line, "typed\n", 6);
        close(slave);
        close(master);
    }
    finish(heart);
}
