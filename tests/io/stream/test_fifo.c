/*
 * A FIFO that several processes read: it knows no RWF_NOWAIT, so it is asked first, and another
 * process may be quicker than the read that follows.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/one_call.h"
#include "libc/libc.h"

static __typeof__(bine_libc.read) real_read;
static atomic_int stolen;

static ssize_t read_too_late(int fd, void *buffer, size_t size)
{
    char byte;
    struct stat status;
    CHECK_OK(fstat(fd, &status));
    if (S_ISFIFO(status.st_mode) && !stolen++)
        CHECK_EQ(real_read(fd, &byte, 1), 1);
    return real_read(fd, buffer, size);
}

/* A greenlet that reads, and has lost the only byte to another process. */
static bine_greenlet *read_in_vain(struct one_call *call, char *byte)
{
    const char *poller = getenv("BINE_POLLER"); /* there is none yet */
    if (poller && strncmp(poller, "sim", 3) == 0) {
        harness_not_under_emulator("it has no preadv2, and the simulator polls and then reads");
        harness_not_under_valgrind("it has no preadv2, and the simulator polls and then reads");
    }
    char folder[] = "/tmp/bine-fifo-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK_OK(mkfifo(path, 0600));
    int fifo = announced(open(path, O_RDWR | O_CLOEXEC), BINE_FD_PIPE);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(folder));
    share_with_a_child();
    stolen = 0;
    real_read = bine_libc.read;
    bine_libc.read = read_too_late;
    *call = (struct one_call){.fd = fifo, .size = 1, .buffer = byte};
    CHECK_EQ(bine_write(fifo, "1", 1), 1);
    bine_greenlet *g = bine_spawn(call_read, call);
    while (!stolen)
        CHECK_OK(bine_sleep(BINE_MS));
    let_run();
    CHECK(!call->done);
    return g;
}

TEST(who_is_too_late_waits_for_the_next_bytes_and_lets_others_run)
{
    struct one_call call;
    char byte = 0;
    bine_greenlet *g = read_in_vain(&call, &byte);
    CHECK_EQ(bine_write(call.fd, "2", 1), 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(call.result, 1);
    CHECK_EQ(byte, '2');
    CHECK_OK(bine_close(call.fd));
}

TEST(who_is_too_late_can_be_killed)
{
    struct one_call call;
    char byte = 0;
    bine_greenlet *g = read_in_vain(&call, &byte);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(call.error, ECANCELED);
    CHECK_EQ(bine_write(call.fd, "2", 1), 1); /* nothing is lost */
    CHECK_EQ(bine_read(call.fd, &byte, 1), 1);
    CHECK_EQ(byte, '2');
    CHECK_OK(bine_close(call.fd));
}

TEST(hazard_15_who_is_too_late_is_told_of_a_close)
{
    struct one_call call;
    char byte = 0;
    bine_greenlet *g = read_in_vain(&call, &byte);
    CHECK_OK(bine_close(call.fd));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(call.error, EBADF);
}
