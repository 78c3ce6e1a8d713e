/*
 * With the socket family alone, as Python patches by default: what waits for a peer lets others run
 * (hazard 55). Only what waits for a disk is the file family's.
 */
#include <bine.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static int pair[2], ends[2], file, other;
static char path[64], bytes[65536];

/* What the call waits for is done by another greenlet of this thread: a call that blocks the thread
 * never ends. */
static void *read_all(void *arg)
{
    for (size_t got = 0; got < 20 * sizeof bytes;) {
        ssize_t more = read((int)(intptr_t)arg, bytes, sizeof bytes);
        CHECK_GT(more, 0);
        got += (size_t)more;
    }
    return NULL;
}

static void make_file(void)
{
    snprintf(path, sizeof path, "/tmp/bine-peers-%d", (int)getpid());
    unlink(path);
    file = open(path, O_RDWR | O_CREAT, 0600);
    CHECK_GE(file, 0);
}

static void begin(void)
{
    CHECK_OK(bine_patch(BINE_PATCH_SOCKET | BINE_PATCH_TIME));
    make_file();
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(pipe(ends), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(write(file, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
}

static void end(void)
{
    int all[] = {pair[0], pair[1], ends[0], ends[1], file};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
    unlink(path);
    CHECK_OK(bine_unpatch_all());
}

static void send_all(int out)
{
    for (size_t sent = 0; sent < 20 * sizeof bytes;) {
        ssize_t more = sendfile(out, file, NULL, 20 * sizeof bytes - sent);
        CHECK_GT(more, 0);
        sent += (size_t)more;
    }
}

TEST(hazard_55_sendfile_waits_for_the_peer)
{
    begin();
    bine_greenlet *g = bine_spawn(read_all, (void *)(intptr_t)pair[1]);
    send_all(pair[0]);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
    g = bine_spawn(read_all, (void *)(intptr_t)ends[0]);
    send_all(ends[1]);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    end();
}

static void *write_one(void *arg)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return arg;
}

TEST(hazard_55_splice_tee_and_vmsplice_wait_for_the_peer)
{
    int to[2];
    begin();
    CHECK_EQ(pipe(to), 0);
    bine_greenlet *g = bine_spawn(write_one, NULL);
    CHECK_EQ(tee(ends[0], to[1], 1, 0), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(read(ends[0], bytes, 1), 1);
    g = bine_spawn(write_one, NULL);
    CHECK_EQ(splice(ends[0], NULL, to[1], NULL, 1, 0), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(read(to[0], bytes, 2), 2);
    struct iovec vector = {bytes, sizeof bytes};
    g = bine_spawn(read_all, (void *)(intptr_t)ends[0]);
    for (size_t sent = 0; sent < 20 * sizeof bytes;) {
        size_t left = 20 * sizeof bytes - sent;
        vector.iov_len = left < sizeof bytes ? left : sizeof bytes;
        ssize_t more = vmsplice(ends[1], &vector, 1, 0);
        CHECK_GT(more, 0);
        sent += (size_t)more;
    }
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(to[0]);
    close(to[1]);
    end();
}

static struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static void *give_back(void *arg)
{
    struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(flock(other, LOCK_UN), 0);
    CHECK_EQ(fcntl(other, F_OFD_SETLK, &none), 0);
    return arg;
}

TEST(hazard_55_locks_of_files_wait_for_their_owner)
{
    begin();
    other = open(path, O_RDWR);
    CHECK_EQ(flock(other, LOCK_EX), 0);
    CHECK_EQ(fcntl(other, F_OFD_SETLK, &whole), 0);
    bine_greenlet *g = bine_spawn(give_back, NULL);
    CHECK_EQ(flock(file, LOCK_EX), 0);
    CHECK_EQ(fcntl(file, F_OFD_SETLKW, &whole), 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(other);
    end();
}

static char fifo[64];

static void *open_other_end(void *arg)
{
    CHECK_OK(bine_sleep(BINE_MS));
    other = open(fifo, O_WRONLY);
    CHECK_GE(other, 0);
    return arg;
}

TEST(hazard_55_opening_a_fifo_waits_for_its_other_end)
{
    begin();
    snprintf(fifo, sizeof fifo, "/tmp/bine-peers-%d.fifo", (int)getpid());
    unlink(fifo);
    CHECK_EQ(mkfifo(fifo, 0600), 0);
    bine_greenlet *g = bine_spawn(open_other_end, NULL);
    int fd = open(fifo, O_RDONLY);
    CHECK_GE(fd, 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(fd);
    close(other);
    unlink(fifo);
    end();
}
