/* Under the auditor's eyes: a patched program's thread blocks in its hub's turn and nowhere
 * else. */
#include <bine.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "common.h"
#include "libc/libc.h"

static int ends[2];

static void *read_end(void *arg)
{
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    return NULL;
}

static void *write_end(void *arg)
{
    CHECK_EQ(usleep(2000), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return NULL;
}

static void read_and_write(void)
{
    bine_greenlet *both[] = {bine_spawn(read_end, NULL), bine_spawn(write_end, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
}

/* libc's own call, which nothing replaces, of one byte that comes from outside. */
static void *read_raw(void *arg)
{
    char byte;
    CHECK_EQ(bine_libc.read(ends[0], &byte, 1), 1);
    return NULL;
}

static void *write_from_thread(void *arg)
{
    usleep(20000);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return NULL;
}

TEST(the_auditor_sees_a_call_that_blocks)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(ends), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, write_from_thread, NULL), 0);
    bine_greenlet *g = bine_spawn(read_raw, NULL);
    audit_begin();
    int joined = bine_join(g, NULL, BINE_FOREVER);
    unsigned noted = audit_end();
    CHECK_OK(joined);
    CHECK_EQ(noted, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(close(ends[0]) + close(ends[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(the_auditor_sees_an_unpatched_sleep)
{
    bine_greenlet *g = bine_spawn(write_end, NULL);
    CHECK_EQ(pipe(ends), 0);
    audit_begin();
    int joined = bine_join(g, NULL, BINE_FOREVER);
    unsigned noted = audit_end();
    CHECK_OK(joined);
    CHECK_EQ(noted, 1);
    CHECK_EQ(close(ends[0]) + close(ends[1]), 0);
}

TEST(patched_pipes_and_sleeps_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(ends), 0);
    audit_begin();
    for (int i = 0; i < 5; i++)
        read_and_write();
    CHECK_EQ(audit_end(), 0);
    CHECK_EQ(close(ends[0]) + close(ends[1]), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- a conversation over TCP ----------------------------------------------------------------- */

static struct sockaddr_in address;

static void *serve(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (int i = 0; i < 4; i++) {
        char text[64];
        int fd = accept(listener, NULL, NULL);
        CHECK_GE(fd, 0);
        ssize_t size;
        while ((size = recv(fd, text, sizeof text, 0)) > 0)
            CHECK_EQ(send(fd, text, (size_t)size, 0), size);
        CHECK_EQ(close(fd), 0);
    }
    return NULL;
}

static void *converse(void *arg)
{
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(send(fd, "hello", 5, 0), 5);
        struct pollfd entry = {fd, POLLIN, 0};
        CHECK_EQ(poll(&entry, 1, -1), 1);
        CHECK_EQ(recv(fd, text, sizeof text, 0), 5);
    }
    CHECK_EQ(close(fd), 0);
    return NULL;
}

TEST(a_patched_server_and_its_clients_do_not_block_the_thread)
{
    socklen_t length = sizeof address;
    CHECK_OK(bine_patch_all());
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_EQ(listen(listener, 8), 0);
    bine_greenlet *all[5] = {bine_spawn(serve, (void *)(intptr_t)listener)};
    for (int i = 1; i < 5; i++)
        all[i] = bine_spawn(converse, NULL);
    audit_begin();
    int joined = bine_joinall(all, 5, BINE_FOREVER);
    unsigned noted = audit_end();
    CHECK_OK(joined);
    CHECK_EQ(noted, 0);
    CHECK_EQ(close(listener), 0);
    CHECK_OK(bine_unpatch_all());
}

/* ---- calls that libc makes as wholes --------------------------------------------------------- */

static void *look_up(void *arg)
{
    struct addrinfo *result = NULL;
    int error = getaddrinfo("localhost", "80", NULL, &result);
    if (!error)
        freeaddrinfo(result);
    return NULL;
}

static void *read_lines(void *arg)
{
    FILE *stream = fdopen(dup(ends[0]), "r");
    char line[32];
    CHECK(fgets(line, sizeof line, stream) != NULL);
    CHECK_STRING(line, "a line\n");
    CHECK_EQ(fclose(stream), 0);
    return NULL;
}

static void *write_lines(void *arg)
{
    CHECK_EQ(usleep(2000), 0);
    CHECK_EQ(write(ends[1], "a line\n", 7), 7);
    return NULL;
}

TEST(patched_names_and_streams_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    CHECK_EQ(pipe(ends), 0);
    /* The pool has a thread then. */
    CHECK_OK(bine_join(bine_spawn(look_up, NULL), NULL, BINE_FOREVER));
    audit_begin();
    bine_greenlet *all[] = {bine_spawn(look_up, NULL), bine_spawn(read_lines, NULL),
                            bine_spawn(write_lines, NULL)};
    int joined = bine_joinall(all, 3, BINE_FOREVER);
    unsigned noted = audit_end();
    CHECK_OK(joined);
    CHECK_EQ(noted, 0);
    CHECK_EQ(close(ends[0]) + close(ends[1]), 0);
    CHECK_OK(bine_unpatch_all());
}
