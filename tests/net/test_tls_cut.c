/*
 * TLS connections whose waits are cut short: by timeouts, by kills, at every point. What the other
 * side reads must always be a beginning of what was written, all of what was reported as written
 * must be in it, and no end may be announced behind a message that was cut.
 */
#include "tls.h"

enum {
    MUCH = 1000 * 1000, /* more than the sockets' buffers take */
    RECORD = 16384      /* so that a record with its header is more than is sent at once */
};

static bine_tls_context *for_server, *for_client;
static int pair[2];
static bine_tls *near, *far;

static void small_buffers(int fd)
{
    int size = 4096;
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
}

static void *accept_far(void *arg)
{
    far = bine_tls_accept(for_server, pair[1], 50 * BINE_SECOND);
    return arg;
}

static void make_contexts(void)
{
    const char *certificate = tls_certificate("server");
    for_server = bine_tls_server_new(&(bine_tls_options){.certificate = certificate});
    for_client = bine_tls_client_new(&(bine_tls_options){.authorities = certificate});
    CHECK(for_server && for_client);
}

static void make_sockets(void)
{
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    small_buffers(pair[0]);
    small_buffers(pair[1]);
}

static void begin(void)
{
    make_contexts();
    make_sockets();
    bine_greenlet *g = bine_spawn(accept_far, NULL);
    near = bine_tls_connect(for_client, pair[0], "localhost", 50 * BINE_SECOND);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(near && far);
}

static void end(void)
{
    bine_tls_free(near, 0);
    bine_tls_free(far, 0);
    bine_close(pair[0]);
    bine_close(pair[1]);
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

static ssize_t write_within(bine_tls *tls, const void *data, size_t size, int64_t time)
{
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, time));
    ssize_t written = bine_tls_write(tls, data, size);
    int error = errno;
    bine_timeout_end(&scope);
    errno = error;
    return written;
}

static ssize_t read_within(bine_tls *tls, void *data, size_t size, int64_t time)
{
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, time));
    ssize_t got = bine_tls_read(tls, data, size);
    int error = errno;
    bine_timeout_end(&scope);
    errno = error;
    return got;
}

/* What the far side reads until it fails or ends: how many bytes, and what the last read
 * returned. */
static ssize_t drain(bine_tls *tls, size_t *all, int *error)
{
    char data[4096];
    ssize_t got;
    *all = 0;
    while ((got = bine_tls_read(tls, data, sizeof data)) > 0)
        *all += (size_t)got;
    *error = errno;
    return got;
}

static void expect_cut(size_t most)
{
    size_t all;
    int error;
    CHECK_EQ(drain(far, &all, &error), -1);
    CHECK_EQ(error, ECONNRESET);
    CHECK_LT(all, most);
}

static const char zeros[MUCH];

TEST(hazard_78_a_tls_write_that_was_cut_is_the_last)
{
    begin();
    CHECK_ERROR(write_within(near, zeros, MUCH, 5 * BINE_MS), ETIMEDOUT);
    CHECK_ERROR(bine_tls_write(near, "x", 1), EPIPE);
    CHECK(strstr(bine_tls_reason(), "cut short") != NULL);
    CHECK_ERROR(bine_tls_write(near, "x", 1), EPIPE);
    /* Reading is not over. */
    char text[4];
    CHECK_EQ(bine_tls_write(far, "pong", 4), 4);
    CHECK_EQ(bine_tls_read(near, text, 4), 4);
    bine_tls_free(near, 50 * BINE_MS);
    near = NULL;
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    expect_cut(MUCH);
    end();
}

static void *write_much(void *arg)
{
    CHECK_ERROR(bine_tls_write(near, zeros, MUCH), ECANCELED);
    bine_shield_begin();
    bine_tls_free(near, 50 * BINE_MS);
    bine_shield_end();
    near = NULL;
    return arg;
}

static void *read_what_was_cut(void *arg)
{
    expect_cut(MUCH);
    return arg;
}

TEST(hazard_78_a_killed_writer_announces_no_end)
{
    begin();
    bine_greenlet *g = bine_spawn(write_much, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(g));
    /* It makes room: an announcement would fit now. */
    bine_greenlet *reader = bine_spawn(read_what_was_cut, NULL);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_OK(bine_join(reader, NULL, BINE_FOREVER));
    end();
}

TEST(hazard_78_a_write_that_never_began_breaks_nothing)
{
    begin();
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, BINE_MS));
    CHECK_ERROR(bine_sleep(BINE_FOREVER), ETIMEDOUT);
    CHECK_ERROR(bine_tls_write(near, "late", 4), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    CHECK_EQ(bine_tls_write(near, "then", 4), 4);
    char text[8];
    CHECK_EQ(bine_tls_read(far, text, sizeof text), 4);
    CHECK_MEMORY(text, "then", 4);
    end();
}

/* ---- several greenlets at once --------------------------------------------------------------- */

static bool done;
static int timeouts;

static void *read_impatiently(void *tls)
{
    char byte;
    while (!done) {
        CHECK_ERROR(read_within(tls, &byte, 1, BINE_MS), ETIMEDOUT);
        timeouts++;
    }
    return NULL;
}

static void *write_pieces(void *tls)
{
    char data[RECORD];
    for (int i = 0; i < 60; i++) {
        memset(data, i, sizeof data);
        CHECK_EQ(bine_tls_write(tls, data, sizeof data), (ssize_t)sizeof data);
    }
    done = true;
    return NULL;
}

static void read_exactly(bine_tls *tls, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = bine_tls_read(tls, data, size);
        if (got <= 0)
            FAIL("read: %zd %s", got, bine_tls_reason());
        data += got;
        size -= (size_t)got;
    }
}

TEST(hazard_78_reads_that_time_out_do_not_lose_what_others_write, .seconds = 60)
{
    begin();
    bine_greenlet *all[] = {bine_spawn(read_impatiently, near), bine_spawn(write_pieces, near)};
    for (int i = 0; i < 60; i++) {
        char data[RECORD];
        read_exactly(far, data, sizeof data);
        CHECK_EQ(data[0], (char)i);
        CHECK_EQ(data[RECORD - 1], (char)i);
        /* The writer waits, and the reader runs out of time, in the middle of a record. */
        bine_sleep(2 * BINE_MS);
    }
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_GT(timeouts, 3);
    end();
}

static void *write_all(void *tls)
{
    CHECK_EQ(bine_tls_write(tls, zeros, MUCH), MUCH);
    return NULL;
}

static void *read_all(void *tls)
{
    char *data = malloc(MUCH);
    read_exactly(tls, data, MUCH);
    free(data);
    return NULL;
}

TEST(hazard_78_two_sides_that_write_much_do_not_wait_for_each_other, .seconds = 60)
{
    begin();
    bine_greenlet *all[] = {bine_spawn(write_all, near), bine_spawn(write_all, far),
                            bine_spawn(read_all, near), bine_spawn(read_all, far)};
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    end();
}

static void *write_letter(void *letter)
{
    char *data = malloc(MUCH / 4);
    memset(data, (int)(intptr_t)letter, MUCH / 4);
    CHECK_EQ(bine_tls_write(near, data, MUCH / 4), MUCH / 4);
    free(data);
    return NULL;
}

TEST(hazard_78_writes_of_two_greenlets_do_not_mix, .seconds = 60)
{
    begin();
    bine_greenlet *all[] = {bine_spawn(write_letter, (void *)'a'),
                            bine_spawn(write_letter, (void *)'b')};
    char *data = malloc(MUCH / 2);
    read_exactly(far, data, MUCH / 2);
    for (int i = 0; i < MUCH / 2; i++)
        CHECK_EQ(data[i], i < MUCH / 4 ? 'a' : 'b');
    free(data);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    end();
}

static void *read_one(void *arg)
{
    char byte;
    CHECK_EQ(bine_tls_read(far, &byte, 1), 1);
    return arg;
}

TEST(hazard_78_two_readers_share_a_record)
{
    begin();
    bine_greenlet *all[] = {bine_spawn(read_one, NULL), bine_spawn(read_one, NULL)};
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_tls_write(near, "ab", 2), 2);
    CHECK_OK(bine_joinall(all, 2, 5 * BINE_SECOND));
    end();
}

/* ---- errors that stay ------------------------------------------------------------------------ */

TEST(hazard_78_a_broken_connection_stays_broken)
{
    begin();
    static const char nonsense[64] =
        "this is no record of TLS at all, and so the connection is dead";
    char byte;
    CHECK_EQ(bine_send(pair[1], nonsense, sizeof nonsense, MSG_NOSIGNAL), (ssize_t)sizeof nonsense);
    CHECK_ERROR(bine_tls_read(near, &byte, 1), EPROTO);
    char first[256];
    snprintf(first, sizeof first, "%s", bine_tls_reason());
    CHECK(first[0] != '\0');
    CHECK_ERROR(bine_tls_read(near, &byte, 1), EPROTO);
    CHECK_EQ(strcmp(first, bine_tls_reason()), 0);
    CHECK_ERROR(bine_tls_write(near, "x", 1), EPROTO);
    CHECK_EQ(strcmp(first, bine_tls_reason()), 0);
    end();
}

TEST(hazard_78_what_came_before_the_connection_broke_is_read)
{
    begin();
    char text[4];
    bine_greenlet *g = bine_spawn(read_one, NULL);
    bine_sleep(0);
    CHECK_EQ(bine_tls_write(near, "abcd", 4), 4);
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(bine_tls_read(far, text, 4), 3);
    CHECK_ERROR(bine_tls_read(far, text, 4), ECONNRESET);
    CHECK_ERROR(bine_tls_read(far, text, 4), ECONNRESET);
    end();
}

/* ---- every point ----------------------------------------------------------------------------- */

struct talk {
    size_t reported; /* bytes of writes that succeeded */
    size_t arrived;
    bool failed, announced;
};

static unsigned long random_state;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(random_state >> 33) % limit;
}

/* The stream's bytes are known from their place. */
static void fill(char *data, size_t at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((at + i) * 31 >> 3);
}

static void *cut_writer(void *arg)
{
    struct talk *talk = arg;
    static char data[40000];
    near = bine_tls_connect(for_client, pair[0], "localhost", 50 * BINE_SECOND);
    for (int i = 0; near && i < 20 && !talk->failed; i++) {
        size_t size = 1 + below(sizeof data);
        fill(data, talk->reported, size);
        if (write_within(near, data, size, 200 * BINE_US + below(5000) * BINE_US) == (ssize_t)size)
            talk->reported += size;
        else
            talk->failed = true;
    }
    bine_shield_begin();
    bine_tls_free(near, 20 * BINE_MS);
    shutdown(pair[0], SHUT_WR);
    bine_shield_end();
    return NULL;
}

static void *read_beside(void *arg)
{
    char byte;
    while (!bine_killed(bine_getcurrent()))
        if (near)
            read_within(near, &byte, 1, below(2000) * BINE_US);
        else
            bine_sleep(BINE_MS);
    return arg;
}

static void *read_stream(void *arg)
{
    struct talk *talk = arg;
    char data[5000], expected[5000];
    ssize_t got = -1;
    far = bine_tls_accept(for_server, pair[1], 50 * BINE_SECOND);
    while (far) {
        got = read_within(far, data, 1 + below(sizeof data), below(3000) * BINE_US);
        if (got < 0 && errno == ETIMEDOUT)
            continue;
        if (got <= 0)
            break;
        fill(expected, talk->arrived, (size_t)got);
        CHECK_MEMORY(data, expected, (size_t)got);
        talk->arrived += (size_t)got;
        if (below(4) == 0)
            bine_sleep(below(2000) * BINE_US);
    }
    if (far && got < 0 && errno != ECONNRESET)
        FAIL("the stream ends with %s: %s", strerror(errno), bine_tls_reason());
    talk->announced = got == 0;
    bine_tls_free(far, 0);
    bine_close(pair[1]);
    return NULL;
}

static void talk_once(unsigned long seed)
{
    struct talk talk = {0};
    random_state = seed;
    near = far = NULL;
    make_sockets();
    bine_greenlet *all[] = {bine_spawn(cut_writer, &talk), bine_spawn(read_stream, &talk)};
    if (seed % 2) {
        bine_sleep(below(30000) * BINE_US);
        CHECK_OK(bine_kill(all[0]));
    }
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    bine_close(pair[0]);
    CHECK_GE(talk.arrived, talk.reported);
    if (talk.announced)
        CHECK_EQ(talk.arrived, talk.reported);
}

TEST(hazard_78_tls_is_cut_at_every_point, .seconds = 60)
{
    make_contexts();
    for (unsigned long seed = 1; seed <= 60; seed++)
        talk_once(seed);
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}

static void *writes_pieces_and_ends(void *arg)
{
    struct talk *talk = arg;
    char data[RECORD];
    near = bine_tls_connect(for_client, pair[0], "localhost", 50 * BINE_SECOND);
    CHECK(near != NULL);
    bine_greenlet *g = bine_spawn(read_beside, NULL);
    for (int i = 0; i < 20; i++) {
        fill(data, talk->reported, sizeof data);
        CHECK_EQ(bine_tls_write(near, data, sizeof data), (ssize_t)sizeof data);
        talk->reported += sizeof data;
    }
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    bine_tls_free(near, 50 * BINE_SECOND);
    bine_close(pair[0]);
    return NULL;
}

TEST(hazard_78_readers_are_cut_at_every_point, .seconds = 60)
{
    make_contexts();
    for (unsigned long seed = 1; seed <= 20; seed++) {
        struct talk talk = {0};
        random_state = seed;
        near = far = NULL;
        make_sockets();
        bine_greenlet *all[] = {bine_spawn(writes_pieces_and_ends, &talk),
                                bine_spawn(read_stream, &talk)};
        CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
        CHECK(talk.announced);
        CHECK_EQ(talk.arrived, talk.reported);
    }
    bine_tls_context_free(for_server);
    bine_tls_context_free(for_client);
}
