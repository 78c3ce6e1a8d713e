/* What is remembered of descriptors, and when it is not believed. */
#include <stdatomic.h>
#include <sys/wait.h>

#include "io/pairs.h"

static struct bine_descriptor *record_of(int fd)
{
    struct bine_descriptor *record = bine_descriptor_of(fd);
    CHECK(record != NULL);
    return record;
}

TEST(nothing_is_believed_of_a_descriptor_that_nobody_announced)
{
    bine_descriptor_trust(true);
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK(!bine_descriptor_believed(record_of(fds[0])));
    CHECK_EQ(bine_descriptor_nonblocking_known(record_of(fds[0])), BINE_NONBLOCKING_UNKNOWN);
    CHECK(!bine_descriptor_nonblocking(fds[0], record_of(fds[0])));
    CHECK_OK(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK));
    CHECK(bine_descriptor_nonblocking(fds[0], record_of(fds[0])));
    bine_descriptor_trust(false);
    close_pair(fds);
}

TEST(an_announced_descriptor_is_believed_until_it_is_copied_forked_or_closed)
{
    int fds[2];
    bine_descriptor_trust(true);
    unix_pair(fds);
    CHECK(bine_descriptor_believed(record_of(fds[0])));
    CHECK_EQ(bine_descriptor_nonblocking_known(record_of(fds[0])), BINE_BLOCKING);
    int copy = dup(fds[0]);
    bine_descriptor_copied(fds[0], copy);
    CHECK(!bine_descriptor_believed(record_of(fds[0])));
    CHECK(!bine_descriptor_believed(record_of(copy)));
    CHECK(bine_descriptor_believed(record_of(fds[1])));
    share_with_a_child();
    CHECK(!bine_descriptor_believed(record_of(fds[1]))); /* the child had it, too */
    unsigned generation = atomic_load(&record_of(copy)->generation);
    CHECK_OK(bine_close(copy));
    CHECK_NE(atomic_load(&record_of(copy)->generation), generation);
    CHECK(!bine_descriptor_believed(record_of(copy)));
    close_pair(fds);
    bine_descriptor_trust(false);
}

TEST(linger_is_known_of_a_new_socket_and_asked_after_a_change_by_whatever_name)
{
    bine_descriptor_trust(true);
    int fd = tcp_socket();
    bine_descriptor_no_options(fd);
    CHECK(!bine_descriptor_lingers(fd, record_of(fd)));
    set_linger(fd, 1); /* behind the hooks' back: not seen, so the kernel was not asked */
    CHECK(!bine_descriptor_lingers(fd, record_of(fd)));
    bine_descriptor_option_changed(fd, SOL_SOCKET, SO_LINGER);
    CHECK(bine_descriptor_lingers(fd, record_of(fd)));
    int copy = dup(fd);
    bine_descriptor_copied(fd, copy);
    set_linger(copy, 0);
    bine_descriptor_option_changed(copy, SOL_SOCKET, SO_LINGER);
    CHECK(!bine_descriptor_lingers(fd, record_of(fd)));
    set_linger(fd, 2);
    CHECK_EQ(bine_descriptor_kind(copy, record_of(copy)), BINE_FD_SOCKET);
    bine_descriptor_option_changed(fd, SOL_SOCKET, SO_LINGER);
    CHECK(bine_descriptor_lingers(copy, record_of(copy)));
    bine_descriptor_trust(false);
    CHECK_OK(bine_close(copy));
    CHECK_OK(bine_close(fd));
}

TEST(a_lock_is_free_in_the_child_although_another_thread_held_it)
{
    int fds[2], status = 0;
    unix_pair(fds);
    CHECK(bine_spin_try(&record_of(fds[0])->lock));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        _exit(bine_spin_try(&record_of(fds[0])->lock) ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(!bine_spin_try(&record_of(fds[0])->lock)); /* here it is held on */
    bine_spin_unlock(&record_of(fds[0])->lock);
    close_pair(fds);
}

TEST(turning_trust_on_forgets_what_was_remembered_without_it)
{
    int fds[2];
    unix_pair(fds);
    CHECK(!bine_descriptor_believed(record_of(fds[0])));
    CHECK_OK(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK)); /* not told to anybody */
    bine_descriptor_trust(true);
    CHECK(!bine_descriptor_believed(record_of(fds[0])));
    CHECK(bine_descriptor_nonblocking(fds[0], record_of(fds[0])));
    bine_descriptor_trust(false);
    close_pair(fds);
}

TEST(a_timeout_that_is_set_through_a_copy_is_seen)
{
    int fds[2];
    bine_descriptor_trust(true);
    unix_pair(fds);
    CHECK_EQ(bine_descriptor_timeout(fds[0], record_of(fds[0]), false), 0);
    int copy = dup(fds[0]);
    bine_descriptor_copied(fds[0], copy);
    CHECK_EQ(bine_descriptor_timeout(fds[0], record_of(fds[0]), false), 0);
    struct timeval timeout = {3, 0};
    CHECK_OK(setsockopt(copy, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    bine_descriptor_option_changed(copy, SOL_SOCKET, SO_RCVTIMEO);
    CHECK_EQ(bine_descriptor_timeout(fds[0], record_of(fds[0]), false), 3 * BINE_SECOND);
    CHECK_EQ(bine_descriptor_timeout(copy, record_of(copy), false), 3 * BINE_SECOND);
    CHECK_EQ(bine_descriptor_timeout(fds[0], record_of(fds[0]), true), 0);
    bine_descriptor_trust(false);
    CHECK_OK(bine_close(copy));
    close_pair(fds);
}

TEST(kinds_are_what_the_kernel_says)
{
    int fds[2];
    unix_pair(fds);
    CHECK_EQ(bine_descriptor_kind(fds[0], record_of(fds[0])), BINE_FD_SOCKET);
    CHECK(bine_descriptor_is_stream(fds[0], record_of(fds[0])));
    CHECK(!bine_descriptor_is_tcp(fds[0], record_of(fds[0])));
    close_pair(fds);
    tcp_pair(fds);
    CHECK(bine_descriptor_is_tcp(fds[0], record_of(fds[0])));
    close_pair(fds);
    CHECK_OK(pipe2(fds, O_CLOEXEC));
    bine_descriptor_fresh(fds[0], BINE_FD_STREAM, 0); /* who announced it could not tell */
    CHECK_EQ(bine_descriptor_kind(fds[0], record_of(fds[0])), BINE_FD_PIPE);
    close_pair(fds);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_OK(file);
    bine_descriptor_fresh(file, BINE_FD_UNKNOWN, 0);
    CHECK_EQ(bine_descriptor_kind(file, record_of(file)), BINE_FD_FILE);
    CHECK_OK(bine_close(file));
    CHECK_EQ(bine_descriptor_kind(file, record_of(file)), BINE_FD_UNKNOWN);
}

TEST(impossible_descriptors_have_no_record)
{
    CHECK(bine_descriptor_of(-1) == NULL);
    CHECK(bine_descriptor_of(INT32_MAX) == NULL);
    CHECK(bine_descriptor_find(1 << 23) == NULL);
    bine_descriptor_fresh(-1, BINE_FD_SOCKET, 0);
    bine_descriptor_gone(INT32_MAX);
    bine_descriptor_doubt(-1);
}
