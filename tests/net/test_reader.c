/* The reader: lines, counts and delimited pieces, their limits, and that nothing is lost. */
#include "harness.h"

#include <bine.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- sources --------------------------------------------------------------------------------- */

/* Bytes that come in pieces of `piece`, then an error, or the end. */
struct source {
    const char *data;
    size_t size, at, piece;
    int error;
    unsigned calls;
};

static ssize_t from_source(void *arg, void *buffer, size_t size)
{
    struct source *source = arg;
    source->calls++;
    CHECK_GT(size, 0u);
    size_t left = source->size - source->at;
    if (left == 0 && source->error) {
        errno = source->error;
        return -1;
    }
    size_t got = left < source->piece ? left : source->piece;
    if (got > size)
        got = size;
    memcpy(buffer, source->data + source->at, got);
    source->at += got;
    return (ssize_t)got;
}

static bine_reader *reader_of(struct source *source, const char *text, size_t piece, size_t limit)
{
    *source = (struct source){.data = text, .size = strlen(text), .piece = piece};
    bine_reader *reader = bine_reader_new_from(from_source, source, limit);
    CHECK(reader != NULL);
    return reader;
}

static void check_line(bine_reader *reader, const char *expected)
{
    char *line;
    size_t size;
    errno = 77;
    CHECK_EQ(bine_reader_line(reader, &line, &size), 1);
    CHECK_EQ(errno, 77);
    CHECK_STRING(line, expected);
    CHECK_EQ(size, strlen(expected));
}

/* ---- pieces ---------------------------------------------------------------------------------- */

TEST(lines_come_without_their_ends)
{
    for (size_t piece = 1; piece < 20; piece++) {
        struct source source;
        char *line;
        bine_reader *reader = reader_of(&source, "one\ntwo\r\n\n\r\nfi\rve\r\r\n", piece, 0);
        check_line(reader, "one");
        check_line(reader, "two");
        check_line(reader, "");
        check_line(reader, "");
        check_line(reader, "fi\rve\r");
        CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
        CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
        CHECK_OK(bine_reader_free(reader));
    }
}

TEST(a_line_may_hold_zero_bytes)
{
    struct source source = {.data = "a\0b\n", .size = 4, .piece = 4};
    bine_reader *reader = bine_reader_new_from(from_source, &source, 0);
    char *line;
    size_t size;
    CHECK_EQ(bine_reader_line(reader, &line, &size), 1);
    CHECK_EQ(size, 3u);
    CHECK_MEMORY(line, "a\0b", 4);
    CHECK_OK(bine_reader_free(reader));
}

TEST(a_stream_that_ends_in_the_middle_of_a_line_is_no_line)
{
    struct source source;
    char *line, *data, rest[8];
    bine_reader *reader = reader_of(&source, "one\ntwo", 2, 0);
    check_line(reader, "one");
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ENODATA);
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ENODATA);
    CHECK_ERROR(bine_reader_count(reader, 4, &line), ENODATA);
    CHECK_EQ(bine_reader_buffered(reader), 3u);
    CHECK_EQ(bine_reader_peek(reader, 1, &data), 3);
    CHECK_MEMORY(data, "two", 3);
    CHECK_EQ(bine_reader_peek(reader, 10, &data), 3);
    CHECK_EQ(bine_reader_read(reader, rest, sizeof rest), 3);
    CHECK_MEMORY(rest, "two", 3);
    CHECK_EQ(bine_reader_read(reader, rest, sizeof rest), 0);
    CHECK_EQ(bine_reader_read_all(reader, rest, sizeof rest), 0);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
    CHECK_EQ(bine_reader_count(reader, 1, &line), 0);
    CHECK_EQ(bine_reader_peek(reader, 1, &data), 0);
    CHECK_OK(bine_reader_free(reader));
}

TEST(the_limit_counts_the_end_of_the_line)
{
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct source source;
        char *line;
        bine_reader *reader = reader_of(&source, "1234567\n123456\r\n12345678\nrest\n", piece, 8);
        check_line(reader, "1234567");
        check_line(reader, "123456");
        CHECK_ERROR(bine_reader_line(reader, &line, NULL), EMSGSIZE);
        CHECK_ERROR(bine_reader_line(reader, &line, NULL), EMSGSIZE);
        CHECK_ERROR(bine_reader_count(reader, 9, &line), EMSGSIZE);
        CHECK_EQ(bine_reader_count(reader, 8, &line), 1);
        CHECK_MEMORY(line, "12345678", 8);
        check_line(reader, "");
        check_line(reader, "rest");
        CHECK_OK(bine_reader_free(reader));
    }
}

static ssize_t endless(void *arg, void *buffer, size_t size)
{
    *(size_t *)arg += size;
    memset(buffer, 'x', size);
    return (ssize_t)size;
}

TEST(a_peer_that_never_ends_its_line_makes_the_buffer_no_larger_than_the_limit)
{
    size_t limits[] = {1, 100, 4096, 5000, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        size_t read = 0;
        char *line;
        bine_reader *reader = bine_reader_new_from(endless, &read, limits[i]);
        CHECK_ERROR(bine_reader_line(reader, &line, NULL), EMSGSIZE);
        CHECK_GE(read, limits[i]);
        CHECK_LE(read, limits[i] > 4096 ? limits[i] : 4096u);
        CHECK_OK(bine_reader_free(reader));
    }
}

TEST(delimiters_of_several_bytes_are_found_across_reads)
{
    for (size_t piece = 1; piece < 12; piece++) {
        struct source source;
        char *text;
        size_t size;
        bine_reader *reader =
            reader_of(&source, "head: 1\r\n\r\r\n\r\nbody\r\n\r\n\r\n\r\n", piece, 64);
        CHECK_EQ(bine_reader_until(reader, "\r\n\r\n", 4, &text, &size), 1);
        CHECK_STRING(text, "head: 1\r\n\r");
        CHECK_EQ(size, 10u);
        CHECK_EQ(bine_reader_count(reader, 4, &text), 1);
        CHECK_MEMORY(text, "body", 4);
        CHECK_EQ(bine_reader_until(reader, "\r\n\r\n", 4, &text, NULL), 1);
        CHECK_STRING(text, "");
        CHECK_EQ(bine_reader_until(reader, "\r\n\r\n", 4, &text, NULL), 1);
        CHECK_EQ(bine_reader_until(reader, "\r\n\r\n", 4, &text, NULL), 0);
        CHECK_OK(bine_reader_free(reader));
    }
}

TEST(much_goes_straight_into_the_callers_buffer)
{
    enum {
        SIZE = 1 << 20
    };
    char *all = malloc(SIZE), *got = malloc(SIZE), *line;
    for (int i = 0; i < SIZE; i++)
        all[i] = (char)(i % 253);
    memcpy(all, "line\n", 5);
    struct source source = {.data = all, .size = SIZE, .piece = SIZE};
    bine_reader *reader = bine_reader_new_from(from_source, &source, 0);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_EQ(bine_reader_read_all(reader, got, SIZE - 5), SIZE - 5);
    CHECK_MEMORY(got, all + 5, SIZE - 5);
    CHECK_LE(source.calls, 3u);
    CHECK_EQ(bine_reader_read_all(reader, got, 1), 0);
    CHECK_OK(bine_reader_free(reader));
    free(all);
    free(got);
}

TEST(a_reader_keeps_the_errors_of_its_stream)
{
    struct source source;
    char *line, buffer[16];
    bine_reader *reader = reader_of(&source, "one\ntwo", 64, 0);
    source.error = ECONNRESET;
    check_line(reader, "one");
    CHECK_EQ(bine_reader_read_all(reader, buffer, sizeof buffer), 3);
    unsigned calls = source.calls;
    CHECK_ERROR(bine_reader_read_all(reader, buffer, sizeof buffer), ECONNRESET);
    source.error = 0; /* as a socket: the second read finds no error any more */
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), ECONNRESET);
    CHECK_ERROR(bine_reader_read(reader, buffer, 1), ECONNRESET);
    CHECK_ERROR(bine_reader_peek(reader, 1, &line), ECONNRESET);
    CHECK_EQ(source.calls, calls);
    CHECK_OK(bine_reader_free(reader));
}

TEST(errors_that_pass_lose_nothing)
{
    static const int passing[] = {EINTR, EAGAIN, ETIMEDOUT, ECANCELED, ENOMEM, EDEADLK};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        struct source source;
        char *line, buffer[16];
        bine_reader *reader = reader_of(&source, "half", 64, 0);
        source.error = passing[i];
        CHECK_ERROR(bine_reader_line(reader, &line, NULL), passing[i]);
        CHECK_ERROR(bine_reader_count(reader, 8, &line), passing[i]);
        source.data = "....\n12345678";
        source.size = 13;
        check_line(reader, "half");
        CHECK_EQ(bine_reader_read_all(reader, buffer, sizeof buffer), 8);
        CHECK_MEMORY(buffer, "12345678", 8);
        CHECK_ERROR(bine_reader_read(reader, buffer, sizeof buffer), passing[i]);
        CHECK_OK(bine_reader_free(reader));
    }
}

struct interrupted {
    int pair[2], error;
};

static void *read_all_interrupted(void *arg)
{
    struct interrupted *with = arg;
    char buffer[8];
    bine_reader *reader = bine_reader_new(with->pair[0], 0);
    CHECK_EQ(bine_reader_read_all(reader, buffer, 8), 3);
    CHECK_ERROR(bine_reader_read_all(reader, buffer, 8), with->error);
    CHECK_EQ(bine_reader_read_all(reader, buffer, 8), 8); /* and no later one */
    CHECK_OK(bine_reader_free(reader));
    return NULL;
}

static const int given[] = {EINTR, EIO, ECANCELED, ETIMEDOUT, ECONNRESET};

TEST(an_interrupt_within_read_all_is_told_by_the_next_call)
{
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        struct interrupted with = {.error = given[i]};
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, with.pair));
        bine_greenlet *g = bine_spawn(read_all_interrupted, &with);
        CHECK_OK(bine_sleep(0));
        CHECK_OK(bine_send_all(with.pair[1], "abc", 3));
        CHECK_OK(bine_sleep(5 * BINE_MS));
        CHECK_OK(bine_interrupt(g, given[i]));
        CHECK_OK(bine_sleep(5 * BINE_MS));
        CHECK_OK(bine_send_all(with.pair[1], "01234567", 8));
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        bine_close(with.pair[0]);
        bine_close(with.pair[1]);
    }
}

TEST(a_scope_that_ended_within_read_all_is_not_told_again)
{
    int pair[2];
    char buffer[8];
    bool late = false;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_reader *reader = bine_reader_new(pair[0], 0);
    CHECK_OK(bine_send_all(pair[1], "abc", 3));
    BINE_WITHIN(5 * BINE_MS, &late)
    {
        CHECK_EQ(bine_reader_read_all(reader, buffer, 8), 3);
        CHECK_ERROR(bine_reader_read_all(reader, buffer, 8), ETIMEDOUT); /* as long as it is open */
    }
    CHECK(late);
    CHECK_OK(bine_send_all(pair[1], "01234567", 8));
    CHECK_EQ(bine_reader_read_all(reader, buffer, 8), 8);
    CHECK_OK(bine_reader_free(reader));
    bine_close(pair[0]);
    bine_close(pair[1]);
}

static void *read_line_interrupted(void *arg)
{
    struct interrupted *with = arg;
    char *line;
    bine_reader *reader = bine_reader_new(with->pair[0], 0);
    CHECK_ERROR(bine_reader_line(reader, &line, NULL), with->error);
    check_line(reader, "half a line");
    CHECK_OK(bine_reader_free(reader));
    return NULL;
}

TEST(an_interrupt_of_any_error_is_not_the_streams)
{
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        struct interrupted with = {.error = given[i]};
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, with.pair));
        bine_greenlet *g = bine_spawn(read_line_interrupted, &with);
        CHECK_OK(bine_send_all(with.pair[1], "half ", 5));
        CHECK_OK(bine_sleep(5 * BINE_MS));
        CHECK_OK(bine_interrupt(g, given[i]));
        CHECK_OK(bine_sleep(5 * BINE_MS));
        CHECK_OK(bine_send_all(with.pair[1], "a line\n", 7));
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        bine_close(with.pair[0]);
        bine_close(with.pair[1]);
    }
}

TEST(a_reader_refuses_impossible_arguments)
{
    struct source source;
    char *line, buffer[4];
    bine_reader *reader = reader_of(&source, "x", 1, 16);
    CHECK_ERROR(bine_reader_new(-1, 0), EINVAL);
    CHECK_ERROR(bine_reader_new_from(NULL, NULL, 0), EINVAL);
    CHECK_OK(bine_reader_free(NULL));
    CHECK_ERROR(bine_reader_line(NULL, &line, NULL), EINVAL);
    CHECK_ERROR(bine_reader_line(reader, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_reader_until(NULL, "x", 1, &line, NULL), EINVAL);
    CHECK_ERROR(bine_reader_until(reader, NULL, 1, &line, NULL), EINVAL);
    CHECK_ERROR(bine_reader_until(reader, "x", 0, &line, NULL), EINVAL);
    CHECK_ERROR(bine_reader_until(reader, "12345678901234567", 17, &line, NULL), EINVAL);
    CHECK_ERROR(bine_reader_until(reader, "x", 1, NULL, NULL), EINVAL);
    CHECK_ERROR(bine_reader_count(NULL, 1, &line), EINVAL);
    CHECK_ERROR(bine_reader_count(reader, 1, NULL), EINVAL);
    CHECK_ERROR(bine_reader_count(reader, 17, &line), EMSGSIZE);
    CHECK_EQ(bine_reader_count(reader, 0, &line), 1);
    CHECK_ERROR(bine_reader_read(NULL, buffer, 1), EINVAL);
    CHECK_ERROR(bine_reader_read(reader, NULL, 1), EINVAL);
    CHECK_EQ(bine_reader_read(reader, NULL, 0), 0);
    CHECK_ERROR(bine_reader_read_all(NULL, buffer, 1), EINVAL);
    CHECK_ERROR(bine_reader_read_all(reader, NULL, 1), EINVAL);
    CHECK_ERROR(bine_reader_peek(NULL, 1, &line), EINVAL);
    CHECK_ERROR(bine_reader_peek(reader, 0, &line), EINVAL);
    CHECK_ERROR(bine_reader_peek(reader, 17, &line), EINVAL);
    CHECK_ERROR(bine_reader_peek(reader, 1, NULL), EINVAL);
    CHECK_ERROR(bine_reader_skip(NULL, 0), EINVAL);
    CHECK_ERROR(bine_reader_skip(reader, 1), EINVAL);
    CHECK_EQ(bine_reader_buffered(NULL), 0u);
    CHECK_EQ(source.calls, 0u);
    CHECK_EQ(bine_reader_peek(reader, 1, &line), 1);
    CHECK_OK(bine_reader_skip(reader, 1));
    CHECK_ERROR(bine_reader_skip(reader, 1), EINVAL);
    CHECK_OK(bine_reader_free(reader));
}

/* ---- against a string ------------------------------------------------------------------------ */

static unsigned random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) % below;
}

static ssize_t at_random(void *arg, void *buffer, size_t size)
{
    struct source *source = arg;
    source->piece = 1 + draw(draw(2) ? 9000 : 12);
    if (draw(4) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return from_source(source, buffer, size);
}

/* What a call must give, computed from the whole text. */
static void try_line(bine_reader *reader, const char *text, size_t size, size_t *at, size_t limit)
{
    const char *end = *at < size ? memchr(text + *at, '\n', size - *at) : NULL;
    size_t length = end ? (size_t)(end - text) - *at : size - *at, got;
    char *line;
    int result;
    while ((result = bine_reader_line(reader, &line, &got)) < 0 && errno == EAGAIN)
        ;
    if (*at == size) {
        CHECK_EQ(result, 0);
    } else if (length + (end != NULL) > limit || (!end && length >= limit)) {
        CHECK_EQ(result, -1);
        CHECK_EQ(errno, EMSGSIZE);
    } else if (!end) {
        CHECK_EQ(result, -1);
        CHECK_EQ(errno, ENODATA);
    } else {
        CHECK_EQ(result, 1);
        CHECK_EQ(got, length);
        CHECK_MEMORY(line, text + *at, length);
        *at += length + 1;
    }
}

static void try_bytes(bine_reader *reader, const char *text, size_t size, size_t *at, size_t limit)
{
    static char buffer[20000];
    size_t wanted = 1 + draw(draw(2) ? 50 : 19000), left = size - *at;
    char *piece;
    ssize_t got;
    switch (draw(4)) {
    case 0:
        while ((got = bine_reader_read(reader, buffer, wanted)) < 0 && errno == EAGAIN)
            ;
        CHECK_GE(got, left ? 1 : 0);
        CHECK_LE(got, (ssize_t)(wanted < left ? wanted : left));
        piece = buffer;
        break;
    case 1:
        while ((got = bine_reader_read_all(reader, buffer, wanted)) < 0 && errno == EAGAIN)
            ;
        CHECK_GE(got, left ? 1 : 0);
        piece = buffer;
        break;
    case 2:
        wanted = 1 + wanted % limit;
        while ((got = bine_reader_peek(reader, wanted, &piece)) < 0 && errno == EAGAIN)
            ;
        CHECK_GE(got, (ssize_t)(wanted < left ? wanted : left));
        got = got ? (ssize_t)draw((unsigned)got + 1) : 0;
        CHECK_OK(bine_reader_skip(reader, (size_t)got));
        break;
    default:
        wanted = 1 + wanted % limit;
        while ((got = bine_reader_count(reader, wanted, &piece)) < 0 && errno == EAGAIN)
            ;
        if (left < wanted) {
            CHECK_EQ(got, left ? -1 : 0);
            return;
        }
        CHECK_EQ(got, 1);
        got = (ssize_t)wanted;
    }
    CHECK_MEMORY(piece, text + *at, (size_t)got);
    *at += (size_t)got;
}

TEST(random_calls_give_what_the_text_has, .seconds = 60)
{
    enum {
        SIZE = 60000
    };
    static char text[SIZE];
    for (unsigned seed = 1; seed <= 150; seed++) {
        random_state = seed;
        unsigned mean = draw(2) ? 20 : 3000;
        for (int i = 0; i < SIZE; i++)
            text[i] = draw(mean) == 0 ? '\n' : (char)('a' + draw(26));
        struct source source = {.data = text, .size = SIZE};
        size_t limit = 1 + draw(draw(2) ? 100 : 12000), at = 0;
        bine_reader *reader = bine_reader_new_from(at_random, &source, limit);
        for (int i = 0; i < 3000 && at < SIZE; i++)
            if (draw(3))
                try_line(reader, text, SIZE, &at, limit);
            else
                try_bytes(reader, text, SIZE, &at, limit);
        CHECK_OK(bine_reader_free(reader));
    }
}

/* ---- over descriptors ------------------------------------------------------------------------ */

static int ends[2];

static void make_pair(void)
{
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
}

static void close_ends(void)
{
    CHECK_OK(bine_close(ends[0]));
    CHECK_OK(bine_close(ends[1]));
}

struct reading {
    bine_reader *reader;
    char line[64];
    int result, error;
};

static void *read_line(void *arg)
{
    struct reading *reading = arg;
    char *line;
    reading->result = bine_reader_line(reading->reader, &line, NULL);
    reading->error = errno;
    if (reading->result == 1)
        snprintf(reading->line, sizeof reading->line, "%s", line);
    return NULL;
}

TEST(a_timeout_or_a_kill_loses_nothing)
{
    make_pair();
    struct reading reading = {.reader = bine_reader_new(ends[0], 0)};
    bine_timeout scope;
    char *line;
    CHECK_OK(bine_send_all(ends[1], "hal", 3));
    CHECK_OK(bine_timeout_begin(&scope, 5 * BINE_MS));
    CHECK_ERROR(bine_reader_line(reading.reader, &line, NULL), ETIMEDOUT);
    CHECK_EQ(bine_timeout_end(&scope), 1);
    bine_greenlet *g = bine_spawn(read_line, &reading);
    CHECK_OK(bine_send_all(ends[1], "f a ", 4));
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(reading.error, ECANCELED);
    CHECK_OK(bine_send_all(ends[1], "line\n", 5));
    check_line(reading.reader, "half a line");
    CHECK_OK(bine_reader_free(reading.reader));
    close_ends();
}

TEST(one_greenlet_at_a_time_uses_a_reader)
{
    make_pair();
    struct reading reading = {.reader = bine_reader_new(ends[0], 0)};
    char *line, buffer[1];
    bine_greenlet *g = bine_spawn(read_line, &reading);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_ERROR(bine_reader_line(reading.reader, &line, NULL), EBUSY);
    CHECK_ERROR(bine_reader_read(reading.reader, buffer, 1), EBUSY);
    CHECK_ERROR(bine_reader_read_all(reading.reader, buffer, 1), EBUSY);
    CHECK_ERROR(bine_reader_peek(reading.reader, 1, &line), EBUSY);
    CHECK_ERROR(bine_reader_count(reading.reader, 1, &line), EBUSY);
    CHECK_ERROR(bine_reader_skip(reading.reader, 0), EBUSY);
    CHECK_ERROR(bine_reader_free(reading.reader), EBUSY);
    CHECK_OK(bine_send_all(ends[1], "now\n", 4));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_STRING(reading.line, "now");
    CHECK_OK(bine_reader_free(reading.reader));
    close_ends();
}

TEST(a_descriptor_that_is_closed_meanwhile_ends_the_read)
{
    make_pair();
    struct reading reading = {.reader = bine_reader_new(ends[0], 0)};
    bine_greenlet *g = bine_spawn(read_line, &reading);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_close(ends[0]));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(reading.result, -1);
    CHECK_EQ(reading.error, EBADF);
    CHECK_OK(bine_reader_free(reading.reader));
    CHECK_OK(bine_close(ends[1]));
}

TEST(pipes_and_files_can_be_read)
{
    int fds[2];
    char *line;
    CHECK_OK(pipe(fds));
    CHECK_EQ(write(fds[1], "from a pipe\n", 12), 12);
    bine_reader *reader = bine_reader_new(fds[0], 0);
    check_line(reader, "from a pipe");
    CHECK_OK(close(fds[1]));
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
    CHECK_OK(bine_reader_free(reader));
    CHECK_OK(bine_close(fds[0]));
    int fd = bine_open("/proc/self/comm", 0, 0);
    CHECK_OK(fd);
    reader = bine_reader_new(fd, 0);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 1);
    CHECK_EQ(bine_reader_line(reader, &line, NULL), 0);
    CHECK_OK(bine_reader_free(reader));
    CHECK_OK(bine_close(fd));
}
