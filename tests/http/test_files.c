/* Static files: what is served, in which parts, and what is not found. */
#include "newer.h"
#include "talk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[64];

static void put_file(const char *name, const char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

static void make_directory(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_OK(mkdir(path, 0755));
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
}

static bine_http_files *files;

static void begin_in(const char *place, unsigned flags)
{
    snprintf(root, sizeof root, "%s/bine-http-XXXXXX", place);
    CHECK(mkdtemp(root) != NULL);
    put_file("a.txt", "0123456789", 10);
    files = bine_http_files_new(root, flags);
    CHECK(files != NULL);
    start_with((bine_http_server_options){0}, bine_http_files_serve, files);
}

static void begin(unsigned flags)
{
    begin_in("/tmp", flags);
}

static void end(void)
{
    stop();
    bine_http_files_free(files);
    remove_root();
}

#define ASK(head) talk(head "Host: x\r\nConnection: close\r\n\r\n")

TEST(http_files_are_served_with_type_length_and_date)
{
    begin(0);
    BEGINS(ASK("GET /a.txt HTTP/1.1\r\n"), "HTTP/1.1 200 OK\r\n");
    HAS(heard, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\n");
    HAS(heard, "\r\nLast-Modified: ");
    HAS(heard, "\r\nETag: \"");
    CHECK_STRING(body_of(heard), "0123456789");
    BEGINS(ASK("HEAD /a.txt HTTP/1.1\r\n"), "HTTP/1.1 200 OK\r\n");
    HAS(heard, "Content-Length: 10\r\n");
    CHECK_STRING(body_of(heard), "");
    BEGINS(ASK("POST /a.txt HTTP/1.1\r\n"), "HTTP/1.1 405 ");
    HAS(heard, "\r\nAllow: GET, HEAD\r\n");
    end();
}

TEST(http_files_of_directories_are_their_index)
{
    begin(0);
    make_directory("sub");
    BEGINS(ASK("GET / HTTP/1.1\r\n"), "HTTP/1.1 404 ");
    put_file("index.html", "<p>root", 7);
    BEGINS(ASK("GET / HTTP/1.1\r\n"), "HTTP/1.1 200 OK\r\n");
    CHECK_STRING(body_of(heard), "<p>root");
    BEGINS(ASK("GET /sub/ HTTP/1.1\r\n"), "HTTP/1.1 404 ");
    put_file("sub/index.html", "<p>", 3);
    BEGINS(ASK("GET /sub?a=b HTTP/1.1\r\n"), "HTTP/1.1 301 ");
    HAS(heard, "\r\nLocation: /sub/\r\n");
    BEGINS(ASK("GET /sub/ HTTP/1.1\r\n"), "HTTP/1.1 200 OK\r\n");
    HAS(heard, "text/html");
    CHECK_STRING(body_of(heard), "<p>");
    end();
}

static void link_to(const char *target, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_OK(symlink(target, path));
}

/* Links that stay inside are followed by the kernel's rule only. */
static void stay_inside(bool links)
{
    static const char *const paths[] = {"/../etc/passwd",
                                        "/%2e%2e/etc/passwd",
                                        "/sub/../../etc/passwd",
                                        "/..%2fetc/passwd",
                                        "/etc",
                                        "/out",
                                        "/outside/passwd",
                                        "/.hidden",
                                        "/.git/config",
                                        "/sub/./../a.txt",
                                        "//a.txt",
                                        "/a.txt/",
                                        "/fifo",
                                        "/a%00.txt",
                                        "/nothing",
                                        "/a.txt%00.html",
                                        "/%",
                                        "/%zz",
                                        "/..",
                                        "/."};
    begin(0);
    make_directory("sub");
    make_directory(".git");
    put_file(".hidden", "secret", 6);
    put_file(".git/config", "secret", 6);
    link_to("/etc/passwd", "out");
    link_to("/etc", "outside");
    link_to("a.txt", "inside");
    char fifo[128];
    snprintf(fifo, sizeof fifo, "%s/fifo", root);
    CHECK_OK(mkfifo(fifo, 0600));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                 paths[i]);
        talk(request);
        if (strncmp(heard, "HTTP/1.1 404 ", 13) != 0 && strncmp(heard, "HTTP/1.1 400 ", 13) != 0)
            FAIL("%s: %s", paths[i], heard);
    }
    BEGINS(ASK("GET /inside HTTP/1.1\r\n"), links ? "HTTP/1.1 200 " : "HTTP/1.1 404 ");
    put_file("sub/b.txt", "below", 5);
    CHECK_STRING(body_of(ASK("GET /sub/b.txt HTTP/1.1\r\n")), "below");
    end();
}

TEST(http_files_never_lead_out_of_their_directory)
{
    struct open_how how = {.flags = O_PATH};
    long fd = syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how); /* valgrind has none */
    if (fd >= 0)
        close((int)fd);
    stay_inside(fd >= 0);
}

TEST(http_files_never_lead_out_where_the_kernel_cannot_tell)
{
    harness_refuse(SYS_openat2, false);
    stay_inside(false);
}

TEST(http_files_never_send_to_another_server)
{
    begin(0);
    make_directory("\\host");
    BEGINS(ASK("GET /\\host HTTP/1.1\r\n"), "HTTP/1.1 404 ");
    BEGINS(ASK("GET /%5Chost HTTP/1.1\r\n"), "HTTP/1.1 301 ");
    HAS(heard, "\r\nLocation: /%5Chost/\r\n");
    end();
}

/* Another process has a lease on the file: an open that does not wait says so, for as long as it
 * keeps it. */
TEST(hazard_120_http_files_under_a_lease_do_not_hold_up_the_server)
{
    begin(0);
    char path[128];
    snprintf(path, sizeof path, "%s/a.txt", root);
    pid_t holder = fork();
    if (holder == 0) {
        int file = open(path, O_RDWR);
        signal(SIGIO, SIG_IGN);
        /* While somebody else has it open there is none. */
        for (int i = 0; i < 200; i++, usleep(1000))
            if (fcntl(file, F_SETLEASE, F_WRLCK) == 0)
                pause();
        _exit(1);
    }
    bool leased = false;
    for (int i = 0; i < 200 && !leased && waitpid(holder, NULL, WNOHANG) == 0; i++) {
        CHECK_OK(bine_sleep(5 * BINE_MS));
        int probe = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        leased = probe < 0 && errno == EAGAIN;
        if (probe >= 0)
            close(probe);
    }
    if (!leased)
        SKIP("no lease to be had here");
    BEGINS(ASK("GET /a.txt HTTP/1.1\r\n"), "HTTP/1.1 503 ");
    kill(holder, SIGKILL);
    CHECK_EQ(waitpid(holder, NULL, 0), holder);
    BEGINS(ASK("GET /a.txt HTTP/1.1\r\n"), "HTTP/1.1 200 ");
    end();
}

TEST(http_files_with_dots_are_served_if_asked)
{
    begin(BINE_HTTP_DOTFILES);
    put_file(".well-known", "found", 5);
    CHECK_STRING(body_of(ASK("GET /.well-known HTTP/1.1\r\n")), "found");
    BEGINS(ASK("GET /../etc/passwd HTTP/1.1\r\n"), "HTTP/1.1 404 ");
    end();
}

static const struct {
    const char *range, *body, *field;
    int status;
} ranges[] = {
    {"bytes=2-4", "234", "bytes 2-4/10", 206},
    {"bytes=7-", "789", "bytes 7-9/10", 206},
    {"bytes=-3", "789", "bytes 7-9/10", 206},
    {"bytes=-100", "0123456789", "bytes 0-9/10", 206},
    {"bytes=0-0", "0", "bytes 0-0/10", 206},
    {"bytes=9-99999999999999999", "9", "bytes 9-9/10", 206},
    {"bytes=10-", NULL, "bytes */10", 416},
    {"bytes=-0", NULL, "bytes */10", 416},
    {"bytes=4-2", "0123456789", NULL, 200},
    {"bytes=0-1,3-4", "0123456789", NULL, 200},
    {"bytes=-", "0123456789", NULL, 200},
    {"bytes=a-b", "0123456789", NULL, 200},
    {"bytes=99999999999999999999-", "0123456789", NULL, 200},
    {"lines=1-2", "0123456789", NULL, 200},
};

TEST(http_files_are_served_in_ranges)
{
    begin(0);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        char request[200], status[32];
        snprintf(request, sizeof request,
                 "GET /a.txt HTTP/1.1\r\nHost: x\r\nRange: %s\r\nConnection: close\r\n\r\n",
                 ranges[i].range);
        snprintf(status, sizeof status, "HTTP/1.1 %d ", ranges[i].status);
        BEGINS(talk(request), status);
        if (ranges[i].body)
            CHECK_STRING(body_of(heard), ranges[i].body);
        if (ranges[i].field)
            HAS(heard, ranges[i].field);
        else
            HAS_NOT(heard, "Content-Range");
    }
    end();
}

/* The value of a field of what was heard, within the answer. */
static const char *field_of(const char *name, char *value)
{
    const char *at = strstr(heard, name);
    CHECK(at != NULL);
    at += strlen(name) + 2;
    size_t size = strcspn(at, "\r");
    memcpy(value, at, size);
    value[size] = '\0';
    return value;
}

static const char *ask_if(const char *field, const char *value, const char *more)
{
    char request[300];
    snprintf(request, sizeof request,
             "GET /a.txt HTTP/1.1\r\nHost: x\r\n%s: %s\r\n%sConnection: close\r\n\r\n", field,
             value, more);
    return talk(request);
}

TEST(http_files_that_have_not_changed_are_not_sent_again)
{
    char tag[64], date[64], list[200];
    begin(0);
    ASK("GET /a.txt HTTP/1.1\r\n");
    field_of("ETag", tag);
    field_of("Last-Modified", date);
    snprintf(list, sizeof list, "\"other\", W/%s", tag);
    BEGINS(ask_if("If-None-Match", tag, ""), "HTTP/1.1 304 Not Modified\r\n");
    HAS_NOT(heard, "Content-Length");
    BEGINS(ask_if("If-None-Match", list, ""), "HTTP/1.1 304 ");
    BEGINS(ask_if("If-None-Match", "*", ""), "HTTP/1.1 304 ");
    BEGINS(ask_if("If-None-Match", "\"other\"", ""), "HTTP/1.1 200 ");
    BEGINS(ask_if("If-Modified-Since", date, ""), "HTTP/1.1 304 ");
    BEGINS(ask_if("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", ""), "HTTP/1.1 200 ");
    /* No such Monday. */
    BEGINS(ask_if("If-Modified-Since", "Mon, 06 Nov 2094 08:49:37 GMT", ""), "HTTP/1.1 200 ");
    BEGINS(ask_if("If-Modified-Since", "yesterday", ""), "HTTP/1.1 200 ");
    BEGINS(ask_if("If-Range", tag, "Range: bytes=0-1\r\n"), "HTTP/1.1 206 ");
    BEGINS(ask_if("If-Range", date, "Range: bytes=0-1\r\n"), "HTTP/1.1 206 ");
    BEGINS(ask_if("If-Range", "\"other\"", "Range: bytes=0-1\r\n"), "HTTP/1.1 200 ");
    end();
}

/* A file's time is its owner's to set, and tmpfs takes any: also those whose year has no four
 * digits, or is no int. */
TEST(http_files_of_any_time_have_a_date)
{
    static const struct {
        int64_t time;
        const char *date;
    } times[] = {{-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
                 {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
                 {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
                 {67767976233532800, "Fri, 31 Dec 9999 23:59:59 GMT"},
                 {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
                 {-62167219201, "Sat, 01 Jan 0000 00:00:00 GMT"},
                 {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"}};
    char path[128], date[64];
    struct stat about;
    begin_in("/dev/shm", 0);
    snprintf(path, sizeof path, "%s/a.txt", root);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct timespec both[2] = {{times[i].time, 0}, {times[i].time, 0}};
        CHECK_OK(utimensat(AT_FDCWD, path, both, 0));
        CHECK_OK(stat(path, &about));
        if (about.st_mtim.tv_sec != times[i].time) {
            end();
            SKIP("this file system has other times");
        }
        BEGINS(ASK("GET /a.txt HTTP/1.1\r\n"), "HTTP/1.1 200 ");
        CHECK_STRING(field_of("Last-Modified", date), times[i].date);
        CHECK_STRING(body_of(heard), "0123456789");
    }
    end();
}

enum {
    LARGE = 600000
};

TEST(http_files_that_are_large_are_served_whole)
{
    char *text = malloc(LARGE);
    for (int i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i % 23);
    begin(0);
    put_file("large", text, LARGE);
    int fd = connect_to_server();
    for (int round = 0; round < 2; round++) {
        say(fd, GET("/large"));
        CHECK(hear(fd, "\r\n\r\n"));
        const char *body = body_of(heard);
        size_t have = heard_size - (size_t)(body - heard);
        CHECK_MEMORY(body, text, have);
        while (have < LARGE) {
            char block[10000];
            ssize_t got = bine_recv(fd, block, sizeof block, 0);
            CHECK_GT(got, 0);
            CHECK_MEMORY(block, text + have, (size_t)got);
            have += (size_t)got;
        }
        CHECK_EQ(have, LARGE);
    }
    bine_close(fd);
    end();
    free(text);
}

static void one_file(bine_http *http, void *arg)
{
    CHECK_ERROR(bine_http_files_send(files, http, "a.txt"), EINVAL);
    CHECK_OK(bine_http_files_send(files, http, "/a.txt"));
    CHECK_ERROR(bine_http_files_send(files, http, "/a.txt"), EALREADY);
}

TEST(http_files_of_the_callers_choice)
{
    begin(0);
    stop();
    start(one_file);
    CHECK_STRING(body_of(ASK("GET /whatever HTTP/1.1\r\n")), "0123456789");
    end();
}

TEST(http_files_arguments)
{
    CHECK_ERROR(bine_http_files_new(NULL, 0), EINVAL);
    CHECK_ERROR(bine_http_files_new("/", 2), EINVAL);
    CHECK_ERROR(bine_http_files_new("/nothing/here", 0), ENOENT);
    CHECK_ERROR(bine_http_files_new("/etc/passwd", 0), ENOTDIR);
    CHECK_ERROR(bine_http_files_send(NULL, NULL, "/"), EINVAL);
    bine_http_files_serve(NULL, NULL);
    bine_http_files_free(NULL);
}
