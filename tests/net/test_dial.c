/* Dialling, and addresses as text. Names are answered by a function of the test's in the place of
 * libc's getaddrinfo. */
#include "harness.h"

#include <arpa/inet.h>
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libc/libc.h"
#include "net/address.h"

/* ---- a name service -------------------------------------------------------------------------- */

static const char *answers[8]; /* numeric hosts, of a port each: "127.0.0.1 80" */
static int status_of_name, errno_of_name;
static bool waits;
static sem_t answer;
static atomic_int asked;

static int fake_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                            struct addrinfo **result)
{
    struct addrinfo *first = NULL, **last = &first;
    asked++;
    while (waits && sem_wait(&answer) != 0)
        ;
    for (int i = 0; answers[i] && !status_of_name; i++) {
        char host[64];
        snprintf(host, sizeof host, "%s", answers[i]);
        char *port = strchr(host, ' ');
        *port++ = '\0';
        struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
        CHECK_EQ(getaddrinfo(host, port, &numeric, last), 0);
        last = &(*last)->ai_next;
    }
    *result = first;
    errno = errno_of_name;
    return status_of_name;
}

static void answer_with(const char *first, const char *second, const char *third)
{
    answers[0] = first;
    answers[1] = second;
    answers[2] = third;
    bine_libc.getaddrinfo = fake_getaddrinfo;
}

static void answer_slowly(void)
{
    sem_init(&answer, 0, 0);
    waits = true;
    answer_with("127.0.0.1 1", NULL, NULL);
}

/* ---- listeners ------------------------------------------------------------------------------- */

struct listener {
    int fd, others[8];
    char host_and_port[64];
};

static void listen_at(struct listener *listener, const char *host, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    *listener = (struct listener){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK_EQ(inet_pton(AF_INET, host, &address.sin_addr), 1);
    CHECK_OK(bind(listener->fd, (struct sockaddr *)&address, length));
    CHECK_OK(listen(listener->fd, backlog));
    CHECK_OK(getsockname(listener->fd, (struct sockaddr *)&address, &length));
    snprintf(listener->host_and_port, sizeof listener->host_and_port, "%s %d", host,
             ntohs(address.sin_port));
}

/* A port that nobody listens on. */
static void refuse_at(struct listener *listener, const char *host)
{
    listen_at(listener, host, 1);
    CHECK_OK(bine_close(listener->fd));
}

/* It takes no more: SYNs are dropped, so a connect hangs. */
static void hang_at(struct listener *listener, const char *host)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    listen_at(listener, host, 0);
    CHECK_OK(getsockname(listener->fd, (struct sockaddr *)&address, &length));
    for (int i = 0; i < 8; i++) {
        listener->others[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(listener->others[i], (struct sockaddr *)&address, sizeof address);
    }
    usleep(20000);
}

static void close_listener(struct listener *listener)
{
    for (int i = 0; i < 8; i++)
        if (listener->others[i])
            CHECK_OK(bine_close(listener->others[i]));
    CHECK_OK(bine_close(listener->fd));
}

static const char *dialled(const struct listener *listener)
{
    static char address[80];
    snprintf(address, sizeof address, "%s", listener->host_and_port);
    *strchr(address, ' ') = ':';
    return address;
}

/* Where fd is connected to, as "127.0.0.1 80". */
static const char *peer_of(int fd)
{
    static char text[64];
    char host[64];
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    CHECK_OK(getpeername(fd, (struct sockaddr *)&address, &length));
    snprintf(text, sizeof text, "%s %d", inet_ntop(AF_INET, &address.sin_addr, host, sizeof host),
             ntohs(address.sin_port));
    return text;
}

static void check_fresh_socket(int fd)
{
    int on = 0;
    socklen_t size = sizeof on;
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size));
    CHECK_EQ(on, 1);
}

/* The runtime has made its own descriptors: how many are open now? */
static size_t count_descriptors(void)
{
    struct listener nobody;
    refuse_at(&nobody, "127.0.0.9");
    CHECK_ERROR(bine_dial(dialled(&nobody), BINE_SECOND), ECONNREFUSED);
    CHECK_OK(bine_sleep(BINE_MS));
    return harness_descriptors();
}

/* ---- addresses ------------------------------------------------------------------------------- */

TEST(well_formed_addresses_have_no_error)
{
    static const char *const right[] = {"127.0.0.1:80",     "[::1]:80",
                                        "[fe80::1%lo]:80",  ":0",
                                        "localhost:http",   "a-host.example:65535",
                                        "unix:/run/x.sock", "unix:@name",
                                        "unix:relative:80", NULL};
    for (int i = 0; right[i]; i++)
        CHECK_EQ(bine_address_error(right[i]), NULL);
}

TEST(malformed_addresses_have_a_reason_and_are_einval)
{
    char long_name[320] = "", long_path[200] = "unix:/", long_port[100] = "h:";
    memset(long_name, 'a', 300);
    memcpy(long_name + 300, ":80", 4);
    memset(long_path + 6, 'p', 150);
    memset(long_port + 2, 'p', 90);
    const struct {
        const char *address, *word;
    } wrong[] = {
        {NULL, "no address"},
        {"", "no port"},
        {"localhost", "no port"},
        {"localhost:", "missing"},
        {"localhost:65536", "65535"},
        {"localhost:99999999999999999999", "65535"},
        {"localhost:-1", "neither"},
        {"localhost: 80", "neither"},
        {"::1:80", "brackets"},
        {"[::1:80", "not closed"},
        {"[::1]", "behind the bracket"},
        {"[::1]80", "behind the bracket"},
        {"[::1]:", "missing"},
        {"[127.0.0.1]:80", "no IPv6"},
        {"[]:80", "no IPv6"},
        {"[fe80::1%]:80", "no IPv6"},
        {"http://localhost:80", "URL"},
        {"local host:80", "blank"},
        {"localhost\n:80", "blank"},
        {"unix:", "empty"},
        {long_path, "107"},
        {long_name, "253"},
        {long_port, "too long"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *reason = bine_address_error(wrong[i].address);
        if (!reason || !strstr(reason, wrong[i].word))
            FAIL("%s: %s", wrong[i].address ? wrong[i].address : "NULL",
                 reason ? reason : "no reason");
        CHECK_ERROR(bine_dial(wrong[i].address, BINE_SECOND), EINVAL);
    }
    CHECK_ERROR(bine_dial("127.0.0.1:80", -1), EINVAL);
}

TEST(addresses_with_a_scope_are_printed_with_it)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 1};
    char text[BINE_ADDRESS_TEXT];
    CHECK_EQ(inet_pton(AF_INET6, "fe80::1", &address.sin6_addr), 1);
    bine_address_format((struct sockaddr *)&address, sizeof address, text);
    CHECK_STRING(text, "[fe80::1%lo]:80");
    address.sin6_scope_id = 999999; /* no such interface */
    bine_address_format((struct sockaddr *)&address, sizeof address, text);
    CHECK_STRING(text, "[fe80::1%999999]:80");
}

/* ---- one address ----------------------------------------------------------------------------- */

static void greet(bine_connection *connection, void *arg)
{
    CHECK_OK(bine_send_all(connection->fd, "hello\n", 6));
}

static void check_greeted(const char *address)
{
    char *line;
    int fd = bine_dial(address, 10 * BINE_SECOND);
    CHECK_OK(fd);
    bine_reader *reader = bine_reader_new(fd, 0);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_STRING(line, "hello");
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
    CHECK_OK(bine_reader_free(reader));
    CHECK_OK(bine_close(fd));
}

TEST(dial_takes_what_a_server_says_is_its_address)
{
    char path[64], abstract[64];
    snprintf(path, sizeof path, "unix:/tmp/bine-test-dial-%d", (int)getpid());
    snprintf(abstract, sizeof abstract, "unix:@bine-test-dial-%d", (int)getpid());
    const char *all[] = {"127.0.0.1:0", "[::1]:0", ":0", "[::]:0", "localhost:0", path, abstract};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bine_server *server =
            bine_server_new(&(bine_server_options){.address = all[i]}, greet, NULL);
        if (!server && strchr(all[i], '[') && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
            continue; /* a machine without IPv6 */
        CHECK(server != NULL);
        CHECK_OK(bine_server_start(server));
        check_greeted(bine_server_address(server));
        CHECK_OK(bine_server_stop(server, BINE_SECOND));
        CHECK_OK(bine_server_free(server));
    }
}

TEST(an_empty_host_is_this_machine)
{
    char address[32];
    bine_server *server = bine_server_new(&(bine_server_options){.address = ":0"}, greet, NULL);
    CHECK_OK(bine_server_start(server));
    snprintf(address, sizeof address, ":%d", bine_server_port(server));
    check_greeted(address);
    CHECK_OK(bine_server_stop(server, BINE_SECOND));
    CHECK_OK(bine_server_free(server));
}

TEST(a_dialled_socket_blocks_closes_on_exec_and_delays_nothing)
{
    struct listener listener;
    listen_at(&listener, "127.0.0.1", 8);
    errno = 77;
    int fd = bine_dial(dialled(&listener), BINE_SECOND);
    CHECK_OK(fd);
    CHECK_EQ(errno, 77);
    check_fresh_socket(fd);
    CHECK_OK(bine_close(fd));
    close_listener(&listener);
}

TEST(a_refused_dial_leaves_no_descriptor)
{
    struct listener nobody;
    refuse_at(&nobody, "127.0.0.1");
    size_t before = count_descriptors();
    CHECK_ERROR(bine_dial(dialled(&nobody), BINE_SECOND), ECONNREFUSED);
    CHECK_ERROR(bine_dial("unix:/nowhere/at/all", BINE_SECOND), ENOENT);
    CHECK_ERROR(bine_dial("unix:@bine-test-nobody", BINE_SECOND), ECONNREFUSED);
    CHECK_EQ(harness_descriptors(), before);
}

TEST(a_dial_that_hangs_ends_with_its_time)
{
    struct listener full;
    hang_at(&full, "127.0.0.1");
    bine_timeout scope;
    size_t before = count_descriptors();
    CHECK_ERROR(bine_dial(dialled(&full), 30 * BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_dial(dialled(&full), 0), ETIMEDOUT);
    CHECK_OK(bine_timeout_begin(&scope, 30 * BINE_MS));
    CHECK_ERROR(bine_dial(dialled(&full), BINE_FOREVER), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(harness_descriptors(), before);
    close_listener(&full);
}

TEST(dial_says_when_there_are_no_descriptors)
{
    struct listener listener;
    struct rlimit limit, none;
    listen_at(&listener, "127.0.0.1", 8);
    CHECK_OK(bine_sleep(0));
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    int lowest = dup(0);
    CHECK_OK(close(lowest));
    none = (struct rlimit){(rlim_t)lowest, limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    CHECK_ERROR(bine_dial(dialled(&listener), BINE_SECOND), EMFILE);
    answer_with(listener.host_and_port, listener.host_and_port, NULL);
    CHECK_ERROR(bine_dial("two.example:80", BINE_SECOND), EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int fd = bine_dial("two.example:80", BINE_SECOND);
    CHECK_OK(fd);
    CHECK_OK(bine_close(fd));
    close_listener(&listener);
}

/* ---- names ----------------------------------------------------------------------------------- */

TEST(failures_of_the_name_service_have_errors_of_their_own)
{
    const struct {
        int status, error, expected;
    } all[] = {{EAI_NONAME, 0, ENOENT},    {EAI_SERVICE, 0, ENOENT},
               {EAI_AGAIN, 0, EAGAIN},     {EAI_FAIL, 0, EIO},
               {EAI_MEMORY, 0, ENOMEM},    {EAI_NODATA, 0, EADDRNOTAVAIL},
               {EAI_SYSTEM, EBUSY, EBUSY}, {EAI_ADDRFAMILY, 0, EADDRNOTAVAIL}};
    answer_with(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        status_of_name = all[i].status;
        errno_of_name = all[i].error;
        CHECK_ERROR(bine_dial("some.example:80", BINE_SECOND), all[i].expected);
        bine_server_options options = {.address = "some.example:0"};
        CHECK_ERROR(bine_server_new(&options, greet, NULL), all[i].expected);
    }
}

TEST(a_slow_name_service_counts_against_the_time)
{
    answer_slowly();
    CHECK_ERROR(bine_dial("slow.example:80", 30 * BINE_MS * harness_slower()), ETIMEDOUT);
    sem_post(&answer);
    CHECK_EQ(asked, 1);
}

TEST(a_second_address_is_tried_when_the_first_refuses)
{
    struct listener nobody, listener;
    refuse_at(&nobody, "127.0.0.2");
    listen_at(&listener, "127.0.0.3", 8);
    answer_with(nobody.host_and_port, listener.host_and_port, NULL);
    int fd = bine_dial("two.example:80", 10 * BINE_SECOND);
    CHECK_OK(fd);
    CHECK_STRING(peer_of(fd), listener.host_and_port);
    check_fresh_socket(fd);
    CHECK_OK(bine_close(fd));
    close_listener(&listener);
}

TEST(a_second_address_is_tried_while_the_first_hangs)
{
    struct listener full, listener;
    hang_at(&full, "127.0.0.2");
    listen_at(&listener, "127.0.0.3", 8);
    answer_with(full.host_and_port, listener.host_and_port, NULL);
    int fd = bine_dial("two.example:80", 60 * BINE_SECOND);
    CHECK_OK(fd);
    CHECK_STRING(peer_of(fd), listener.host_and_port);
    check_fresh_socket(fd);
    /* The runtime believes that it blocks: this waits, and does not fail with EAGAIN. */
    bine_timeout scope;
    char byte;
    CHECK_OK(bine_timeout_begin(&scope, 10 * BINE_MS));
    CHECK_ERROR(bine_recv(fd, &byte, 1, 0), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_OK(bine_close(fd));
    close_listener(&listener);
    close_listener(&full);
}

TEST(the_first_address_wins_if_the_second_fails)
{
    struct listener nobody, full;
    hang_at(&full, "127.0.0.2");
    refuse_at(&nobody, "127.0.0.3");
    answer_with(full.host_and_port, nobody.host_and_port, NULL);
    size_t before = count_descriptors();
    CHECK_ERROR(bine_dial("two.example:80", BINE_SECOND), ETIMEDOUT);
    CHECK_EQ(harness_descriptors(), before);
    close_listener(&full);
}

TEST(if_all_addresses_fail_the_first_error_counts)
{
    struct listener nobody;
    refuse_at(&nobody, "127.0.0.2");
    /* Broadcast: no stream goes there. */
    answer_with("255.255.255.255 9", nobody.host_and_port, NULL);
    int first = bine_dial("255.255.255.255:9", BINE_SECOND) == 0 ? 0 : errno;
    CHECK_NE(first, ECONNREFUSED);
    CHECK_ERROR(bine_dial("two.example:80", BINE_SECOND), first);
    answer_with(nobody.host_and_port, "255.255.255.255 9", NULL);
    CHECK_ERROR(bine_dial("two.example:80", BINE_SECOND), ECONNREFUSED);
}

TEST(families_are_tried_in_turn)
{
    struct listener listener, six = {.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in6 address = {0};
    socklen_t length = sizeof address;
    if (listen(six.fd, 8) != 0)
        SKIP("no IPv6");
    CHECK_OK(getsockname(six.fd, (struct sockaddr *)&address, &length));
    snprintf(six.host_and_port, sizeof six.host_and_port, "::1 %d", ntohs(address.sin6_port));
    listen_at(&listener, "127.0.0.1", 8);
    /* The first refuses. The second of its family would answer, but the other family's turn comes
     * before it. */
    answer_with("::1 9", six.host_and_port, listener.host_and_port);
    int fd = bine_dial("three.example:80", 10 * BINE_SECOND);
    CHECK_OK(fd);
    CHECK_STRING(peer_of(fd), listener.host_and_port);
    CHECK_OK(bine_close(fd));
    close_listener(&listener);
    close_listener(&six);
}

TEST(servers_take_names_and_prefer_ipv4)
{
    answer_with("::1 0", "127.0.0.1 0", NULL);
    bine_server *server =
        bine_server_new(&(bine_server_options){.address = "two.example:0"}, greet, NULL);
    CHECK(server != NULL);
    CHECK_EQ(strncmp(bine_server_address(server), "127.0.0.1:", 10), 0);
    CHECK_OK(bine_server_free(server));
    CHECK_ERROR(bine_server_new(&(bine_server_options){.address = "localhost"}, greet, NULL),
                EINVAL);
}

/* ---- kills ----------------------------------------------------------------------------------- */

static int error_of_dial;

static void *dial_forever(void *address)
{
    error_of_dial = bine_dial(address, BINE_FOREVER) < 0 ? errno : 0;
    return NULL;
}

/* Kill it at each moment of its way, and see that nothing stays open. */
static void kill_at_each_moment(const char *address)
{
    size_t before = count_descriptors();
    for (int moment = 0; moment < 40; moment++) {
        bine_greenlet *g = bine_spawn(dial_forever, (void *)address);
        for (int i = 0; i < moment % 8; i++)
            CHECK_OK(bine_sleep(0));
        if (moment >= 8)
            CHECK_OK(bine_sleep(moment / 8 * BINE_MS));
        bool began = bine_started(g);
        CHECK_OK(bine_kill(g));
        CHECK_OK(bine_join(g, NULL, 10 * BINE_SECOND));
        if (began)
            CHECK_EQ(error_of_dial, ECANCELED);
    }
    CHECK_EQ(harness_descriptors(), before);
}

TEST(a_kill_during_a_dial_leaves_no_descriptor)
{
    struct listener full;
    hang_at(&full, "127.0.0.1");
    static char address[80];
    snprintf(address, sizeof address, "%s", dialled(&full));
    kill_at_each_moment(address);
    close_listener(&full);
}

TEST(a_kill_during_a_race_leaves_no_descriptor)
{
    struct listener full, second;
    hang_at(&full, "127.0.0.2");
    hang_at(&second, "127.0.0.3");
    answer_with(full.host_and_port, second.host_and_port, NULL);
    kill_at_each_moment("two.example:80");
    /* And when both tries are under way. */
    size_t before = count_descriptors();
    bine_greenlet *g = bine_spawn(dial_forever, "two.example:80");
    while (harness_descriptors() < before + 2)
        CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(error_of_dial, ECANCELED);
    CHECK_EQ(harness_descriptors(), before);
    close_listener(&second);
    close_listener(&full);
}

TEST(a_kill_during_a_look_up_leaves_no_descriptor)
{
    answer_slowly();
    kill_at_each_moment("slow.example:80");
    for (int i = 0; i < 40; i++)
        sem_post(&answer);
}

/* ---- without a hub --------------------------------------------------------------------------- */

static void dial_in_a_link(bine_greenlet *g, void *address)
{
    int fd = bine_dial(address, BINE_SECOND);
    CHECK_OK(fd);
    CHECK_OK(bine_close(fd));
}

static void *nothing(void *arg)
{
    return arg;
}

TEST(dial_blocks_where_parking_is_not_allowed)
{
    struct listener nobody, listener;
    refuse_at(&nobody, "127.0.0.2");
    listen_at(&listener, "127.0.0.3", 8);
    static char address[80];
    snprintf(address, sizeof address, "%s", dialled(&listener));
    answer_with(nobody.host_and_port, listener.host_and_port, NULL);
    bine_greenlet *g = bine_spawn(nothing, NULL);
    CHECK_OK(bine_link(g, dial_in_a_link, address));
    CHECK_OK(bine_link(g, dial_in_a_link, "two.example:80"));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close_listener(&listener);
}
