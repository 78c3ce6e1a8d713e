/* The program closes every number, those of the runtime's own descriptors among them, and other
 * files take them. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bine.h>

#include "harness.h"
#include "io/descriptor/own.h"
#include "io/poller/poller_common.h"
#include "newer.h"

enum {
    MOST = 16
};

struct numbers {
    int fds[MOST], count;
};

static struct numbers open_now(void)
{
    struct numbers found = {.count = 0};
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd > 2 && fd != dirfd(folder)) {
            CHECK_LT(found.count, MOST);
            found.fds[found.count++] = fd;
        }
    }
    closedir(folder);
    return found;
}

static bool among(const struct numbers *numbers, int fd)
{
    for (int i = 0; i < numbers->count; i++)
        if (numbers->fds[i] == fd)
            return true;
    return false;
}

/* The poller's own descriptors, once it has been used. */
static struct numbers of_the_poller(void)
{
#ifdef RUNG
    bine_poller_uring_rung = RUNG; /* rings are known by their descriptors only */
#endif
    struct numbers before = open_now();
    CHECK(bine_poller_of(bine_hub_get()) != NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    struct numbers after = open_now(), own = {.count = 0};
    for (int i = 0; i < after.count; i++)
        if (!among(&before, after.fds[i]))
            own.fds[own.count++] = after.fds[i];
    CHECK_GE(own.count, 1);
    return own;
}

static void *post(void *mailbox)
{
    usleep(30000);
    CHECK_OK(bine_mailbox_send(mailbox, "message", BINE_FOREVER));
    return NULL;
}

static void *send_later(void *fd)
{
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_send((int)(intptr_t)fd, "x", 1, 0), 1);
    return NULL;
}

/* Other threads can wake the hub, timers and descriptors too. */
static void check_works(void)
{
    int pair[2];
    char byte;
    void *item = NULL;
    pthread_t thread;
    bine_mailbox *mailbox = bine_mailbox_new(1);
    CHECK(mailbox != NULL);
    CHECK_OK(pthread_create(&thread, NULL, post, mailbox));
    CHECK_OK(bine_mailbox_receive(mailbox, &item, BINE_FOREVER));
    CHECK_STRING((char *)item, "message");
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_OK(bine_mailbox_free(mailbox));
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    CHECK_OK(bine_go(send_later, (void *)(intptr_t)pair[1]));
    CHECK_EQ(bine_recv(pair[0], &byte, 1, 0), 1);
    close(pair[0]);
    close(pair[1]);
}

TEST(hazard_59_the_runtimes_own_descriptors_are_closed_behind_its_back, .seconds = 30)
{
    struct numbers own = of_the_poller();
    check_works();
    for (int i = 0; i < own.count; i++)
        CHECK_OK((int)syscall(SYS_close, own.fds[i]));
    check_works();
    check_works();
}

TEST(hazard_59_other_files_take_their_numbers_and_are_left_alone, .seconds = 30)
{
    char path[] = "/tmp/bine-own-XXXXXX";
    int file = mkstemp(path);
    CHECK_GE(file, 0);
    struct numbers own = of_the_poller();
    check_works();
    for (int i = 0; i < own.count; i++)
        CHECK_EQ((int)syscall(SYS_dup3, file, own.fds[i], O_CLOEXEC), own.fds[i]);
    check_works();
    check_works();
    struct stat status;
    CHECK_OK(fstat(file, &status));
    CHECK_EQ(status.st_size, 0); /* no wake went there */
    for (int i = 0; i < own.count; i++)
        CHECK_OK(close(own.fds[i]));
    close(file);
    unlink(path);
}

static void *thread_whose_numbers_are_taken(void *file)
{
    struct numbers own = of_the_poller(), *result = malloc(sizeof own);
    check_works();
    for (int i = 0; i < own.count; i++)
        CHECK_EQ((int)syscall(SYS_dup3, (int)(intptr_t)file, own.fds[i], O_CLOEXEC), own.fds[i]);
    *result = own;
    return result; /* its hub ends, and closes what is its own */
}

TEST(hazard_59_a_hub_that_ends_closes_no_number_that_is_another_files_by_now)
{
    pthread_t thread;
    void *result;
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_OK(pthread_create(&thread, NULL, thread_whose_numbers_are_taken, (void *)(intptr_t)file));
    CHECK_OK(pthread_join(thread, &result));
    struct numbers *own = result;
    for (int i = 0; i < own->count; i++)
        CHECK_OK(close(own->fds[i]));
    free(own);
    close(file);
}

static int number;

static void *receives(void *arg)
{
    char byte;
    CHECK_ERROR(bine_recv(number, &byte, 1, 0), EBADF);
    return arg;
}

TEST(hazard_109_an_operation_that_is_queued_does_not_run_on_the_file_that_took_the_number)
{
    CHECK_OK(bine_patch_all());
    for (int kind = 0; kind < 2; kind++) {
        int before[2], after[2];
        char byte = 0;
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, before));
        number = before[0];
        bine_greenlet *g = bine_spawn(receives, NULL);
        if (kind == 0)
            bine_sleep(0); /* it has begun, and the kernel knows nothing of it yet */
        else
            bine_sleep(BINE_MS); /* the kernel does */
        CHECK_OK((int)syscall(SYS_close, number));
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, after));
        CHECK_EQ(after[0], number);
        CHECK_EQ(send(after[1], "x", 1, 0), 1);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        CHECK_EQ(recv(after[0], &byte, 1, 0), 1);
        CHECK_EQ(byte, 'x');
        close(after[0]);
        close(after[1]);
        close(before[1]);
    }
    CHECK_OK(bine_unpatch_all());
}

/* ---- what the kernel cannot give back ---- */

static char *buffer_on_a_stack;

static void *receives_for_ever(void *fd)
{
    char buffer[64];
    buffer_on_a_stack = buffer;
    bine_recv((int)(intptr_t)fd, buffer, sizeof buffer, 0);
    return NULL;
}

static void *thread_that_ends_too_early(void *fd)
{
    CHECK_OK(bine_go(receives_for_ever, fd));
    CHECK_OK(bine_sleep(BINE_MS));
    struct bine_poller *poller = bine_poller_of(bine_hub_get());
    poller->pending++; /* as of an operation that the kernel does not give up */
    return NULL;
}

TEST(hazard_110_stacks_whose_buffers_the_kernel_keeps_are_never_unmapped, .seconds = 30)
{
    int pair[2], ends[2];
    pthread_t thread;
    if (strcmp(bine_poller_of(bine_hub_get())->class->name, "uring") != 0)
        SKIP("this poller's operations are never the kernel's");
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    CHECK_OK(pthread_create(&thread, NULL, thread_that_ends_too_early, (void *)(intptr_t)pair[0]));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_EQ(write(ends[1], buffer_on_a_stack, 64), 64); /* EFAULT if nothing is there */
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(ends[i]);
    }
}

TEST(hazard_59_the_hooks_notice_at_once)
{
    harness_not_under_valgrind("it keeps the highest descriptors for itself");
    CHECK_OK(bine_patch_all());
    struct numbers own = of_the_poller();
    unsigned before = atomic_load(&bine_own_losses);
    CHECK_OK(newer_close_range((unsigned)own.fds[0], (unsigned)own.fds[own.count - 1], 0));
    CHECK_EQ(atomic_load(&bine_own_losses) - before, (unsigned)own.count);
    int64_t start = bine_hub_now(bine_hub_get());
    check_works();
    /* And not at the next look, two seconds later. */
    CHECK_LT(bine_hub_now(bine_hub_get()) - start, (harness_instrumented() ? 20 : 1) * BINE_SECOND);
    own = open_now();
    before = atomic_load(&bine_own_losses);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < own.count; i++)
        CHECK_EQ(dup2(null, own.fds[i]), own.fds[i]);
    CHECK_GE(atomic_load(&bine_own_losses) - before, 1u);
    check_works();
    for (int i = 0; i < own.count; i++)
        close(own.fds[i]);
    close(null);
    CHECK_OK(bine_unpatch_all());
}
