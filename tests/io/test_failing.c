/* Each allocation of the offload pool and of what is built on it fails once: the call says so,
 * nothing is lost, nothing leaks. */
#include "failing.h"

#include <arpa/inet.h>
#include <bine.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file/file.h"
#include "io/stdio/stdio.h"
#include "libc/libc.h"

static bool begin(void)
{
    bine_libc.pthread_create = pthread_create; /* the one that fails */
    if (bine_getcurrent())
        return true;
    failing_excuse();
    return false;
}

static void *add_one(void *arg)
{
    return (char *)arg + 1;
}

static void offload(void)
{
    if (!begin())
        return;
    void *value = NULL;
    /* Never for want of a thread or memory: it runs where it is called from, if need be. */
    CHECK_OK(bine_offload(add_one, (void *)1, &value));
    CHECK_EQ(value, (void *)2);
    if (bine_offload_renew() != 0)
        failing_excuse();
    CHECK_OK(bine_offload(add_one, (void *)2, &value));
    CHECK_EQ(value, (void *)3);
}

TEST(offload_always_runs, .seconds = 60)
{
    CHECK_GT(failing_each(offload), 2u);
}

static void *look_up(void *arg)
{
    struct addrinfo *result = NULL;
    int status = bine_getaddrinfo("localhost", "80", NULL, &result);
    if (status == 0) {
        CHECK_EQ(ntohs(((struct sockaddr_in *)result->ai_addr)->sin_port), 80);
        freeaddrinfo(result);
    } else {
        CHECK_EQ(status, EAI_MEMORY);
        CHECK(failing_struck());
    }
    return arg;
}

static void names(void)
{
    if (!begin())
        return;
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        if (!(all[i] = bine_spawn(look_up, NULL)))
            failing_excuse();
    if (bine_joinall(all, 3, BINE_FOREVER) != 0) {
        failing_excuse();
        CHECK_OK(bine_sleep(20 * BINE_MS));
        for (int i = 0; i < 3; i++)
            bine_detach(all[i]);
    }

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char host[200];
    int status = bine_getnameinfo((struct sockaddr *)&address, sizeof address, host, sizeof host,
                                  NULL, 0, 0);
    if (status != 0) {
        CHECK_EQ(status, EAI_MEMORY);
        CHECK(failing_struck());
    }
    if (!bine_gethostbyname("localhost"))
        failing_excuse();
    if (!bine_getpwuid(0))
        failing_excuse();
    char buffer[1024];
    struct group group, *found;
    status = bine_getgrgid_r(0, &group, buffer, sizeof buffer, &found);
    if (status != 0) {
        CHECK_EQ(status, ENOMEM);
        CHECK(failing_struck());
    } else {
        CHECK_STRING(found->gr_name, "root");
    }
    gid_t groups[20];
    int count = 20;
    if (bine_getgrouplist("root", 0, groups, &count) < 0)
        failing_excuse();
}

TEST(names_say_that_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(names), 8u);
}

static int give_format(struct bine_hub *hub, FILE *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = bine_stdio_vfprintf(hub, file, -1, format, arguments);
    va_end(arguments);
    return result;
}

static void *write_stream(void *file)
{
    struct bine_hub *hub = bine_hub_here();
    if (bine_stdio_fputs(hub, "a line\n", file, false) < 0 ||
        give_format(hub, file, "%2000d\n", 7) < 0)
        failing_excuse();
    if (bine_stdio_fclose(hub, file) != 0)
        failing_excuse();
    return NULL;
}

static void streams(void)
{
    int ends[2];
    CHECK_OK(pipe(ends));
    FILE *reader = fdopen(ends[0], "r"), *writer = fdopen(ends[1], "w");
    CHECK(reader && writer);
    struct bine_hub *hub = begin() ? bine_hub_here() : NULL;
    bine_greenlet *other = hub ? bine_spawn(write_stream, writer) : NULL;
    if (!other) {
        failing_excuse();
        fclose(writer);
        fclose(reader);
        return;
    }
    char *line = NULL;
    size_t room = 0;
    size_t lines = 0;
    while (bine_stdio_getdelim(hub, &line, &room, '\n', reader) > 0)
        lines++;
    if (lines < 2)
        CHECK(failing_struck());
    free(line);
    if (bine_join(other, NULL, BINE_FOREVER) != 0) {
        failing_excuse();
        CHECK_OK(bine_sleep(BINE_MS));
        bine_detach(other);
    }
    CHECK_EQ(bine_stdio_fclose(hub, reader), 0);
}

TEST(streams_say_that_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(streams), 5u);
}

static void children(void)
{
    if (!begin())
        return;
    struct bine_hub *hub = bine_hub_here();
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        _exit(0);
    if (bine_wait4(-1, NULL, 0, NULL) != child) {
        failing_excuse();
        while (bine_libc.wait4(child, NULL, 0, NULL) < 0)
            ;
    }
    if (bine_system("exit 3") < 0)
        failing_excuse();
    FILE *file = bine_stdio_popen("exit 4", "r");
    if (!file)
        return failing_excuse();
    int status = bine_stdio_pclose(hub, file);
    if (status == -1)
        failing_excuse();
    else
        CHECK_EQ(WEXITSTATUS(status), 4);
}

TEST(children_are_reaped_whatever_fails, .seconds = 120)
{
    CHECK_GT(failing_each(children), 5u);
}

static void files(void)
{
    char path[64];
    snprintf(path, sizeof path, "bine-test-failing-%d", (int)getpid());
    if (!begin())
        return;
    bine_path_assume(1);
    int fd = bine_open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return failing_excuse();
    CHECK_OK(unlink(path));
    if (bine_pwrite(fd, "text", 4, 0) != 4 || bine_fsync(fd) != 0)
        failing_excuse();
    int ends[2];
    CHECK_OK(pipe(ends));
    off_t offset = 0;
    if (bine_sendfile(ends[1], fd, &offset, 4) != 4)
        failing_excuse();
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(bine_close(fd));
}

TEST(files_say_that_memory_is_out, .seconds = 120)
{
    CHECK_GT(failing_each(files), 5u);
}
