/*
 * stdio over what can wait: the calls of this very program are patched, and what they do is
 * compared with what libc does on files with the same bytes.
 */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/heart.h"
#include "libc/libc.h"

static FILE *reader, *writer;

static void patched_pipe(void)
{
    CHECK_OK(bine_patch_all());
    CHECK_NE(bine_getcurrent(), NULL);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_NE(reader = fdopen(ends[0], "r"), NULL);
    CHECK_NE(writer = fdopen(ends[1], "w"), NULL);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Writes a text into the pipe in pieces, with others running in between. */
struct feed {
    const char *text;
    size_t size, piece;
};

static void *feed(void *arg)
{
    struct feed *feed = arg;
    int fd = fileno(writer);
    for (size_t sent = 0; sent < feed->size;) {
        size_t piece = feed->size - sent < feed->piece ? feed->size - sent : feed->piece;
        CHECK_EQ(bine_write(fd, feed->text + sent, piece), piece);
        sent += piece;
        CHECK_OK(bine_sleep(0));
    }
    fclose(writer);
    return NULL;
}

static const char text[] = "first line\n\nthird: 12 -7 0x1f 3.5e2 word\nno\0byte lost\n"
                           "a rather long line that does not fit into the small buffers of some of "
                           "the readers below\nlast";

/* Each reads the whole stream by one function and leaves a protocol of what it got. */
typedef void read_function(FILE *file, FILE *protocol);

static void by_getc(FILE *file, FILE *protocol)
{
    int byte;
    while ((byte = getc(file)) != EOF)
        fputc(byte, protocol);
}

static void by_fgetc_and_ungetc(FILE *file, FILE *protocol)
{
    int byte;
    for (unsigned i = 0; (byte = fgetc(file)) != EOF; i++)
        if (i % 3 == 1)
            CHECK_EQ(ungetc(byte, file), byte);
        else if (i % 7 == 3) {
            CHECK_EQ(ungetc('#', file), '#'); /* another than was read */
            CHECK_EQ(fgetc(file), '#');
            fputc(byte, protocol);
        } else {
            fputc(byte, protocol);
        }
}

static void by_getc_unlocked(FILE *file, FILE *protocol)
{
    int byte;
    flockfile(file);
    while ((byte = getc_unlocked(file)) != EOF)
        fputc(byte, protocol);
    funlockfile(file);
}

static void by_small_fgets(FILE *file, FILE *protocol)
{
    char line[7];
    while (fgets(line, sizeof line, file))
        fprintf(protocol, "[%s]", line);
}

static void by_large_fgets(FILE *file, FILE *protocol)
{
    char line[500];
    while (fgets(line, sizeof line, file))
        fprintf(protocol, "[%s]", line);
}

static void by_getline(FILE *file, FILE *protocol)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, file)) >= 0) {
        CHECK_GT(room, (size_t)size);
        fprintf(protocol, "%zd:", size);
        fwrite(line, 1, (size_t)size + 1, protocol);
    }
    free(line);
}

static void by_getdelim(FILE *file, FILE *protocol)
{
    char *line = malloc(1);
    size_t room = 1;
    ssize_t size;
    while ((size = getdelim(&line, &room, 'e', file)) >= 0) {
        fprintf(protocol, "%zd:", size);
        fwrite(line, 1, (size_t)size, protocol);
    }
    free(line);
}

static void by_fread(FILE *file, FILE *protocol)
{
    char block[3 * 8];
    size_t got;
    while ((got = fread(block, 3, 8, file)) > 0) {
        fprintf(protocol, "%zu:", got);
        fwrite(block, 3, got, protocol);
    }
}

static void by_one_large_fread(FILE *file, FILE *protocol)
{
    char block[10000];
    size_t got = fread(block, 1, sizeof block, file);
    fprintf(protocol, "%zu:", got);
    fwrite(block, 1, got, protocol);
}

static void by_scanf(FILE *file, FILE *protocol)
{
    char first[32] = "", second[32] = "", word[32] = "";
    int decimal = 0, negative = 0, hexadecimal = 0, count = -1;
    double real = 0;
    fprintf(protocol, "%d", fscanf(file, "%31s %31s", first, second));
    fprintf(protocol, " %d",
            fscanf(file, " third: %d%d%i%lf%n", &decimal, &negative, &hexadecimal, &real, &count));
    fprintf(protocol, " %d", fscanf(file, "%31[a-z ]", word));
    /* Matches nothing: stops at the word's end. */
    fprintf(protocol, " %d", fscanf(file, "%d", &decimal));
    fprintf(protocol, "|%s|%s|%d %d %d %g %d|%s|", first, second, decimal, negative, hexadecimal,
            real, count, word);
    by_getc(file, protocol);
    fprintf(protocol, " %d", fscanf(file, "%d", &decimal));
}

static void by_all_in_turn(FILE *file, FILE *protocol)
{
    char line[9], *longer = NULL;
    size_t room = 0;
    int byte;
    while ((byte = getc(file)) != EOF) {
        ungetc(byte, file);
        fprintf(protocol, "(%zu)", fread(line, 1, 2, file));
        if (fgets(line, sizeof line, file))
            fputs(line, protocol);
        if (fscanf(file, "%4s", line) == 1)
            fputs(line, protocol);
        if (getdelim(&longer, &room, 'i', file) > 0)
            fputs(longer, protocol);
    }
    free(longer);
}

static char *protocol_of(read_function *read, FILE *file, size_t *size)
{
    char *result;
    FILE *protocol = open_memstream(&result, size);
    read(file, protocol);
    fprintf(protocol, " end %d %d", feof(file), ferror(file));
    fclose(protocol);
    return result;
}

TEST(every_way_of_reading_gives_what_libc_gives, .seconds = 60)
{
    static read_function *const functions[] = {
        by_getc,       by_fgetc_and_ungetc, by_getc_unlocked, by_small_fgets,     by_large_fgets,
        by_getline,    by_getdelim,         by_fread,         by_one_large_fread, by_scanf,
        by_all_in_turn};
    static const int modes[] = {_IOFBF, _IOLBF, _IONBF};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        /* What libc makes of it, from a file that it reads itself. */
        FILE *file = tmpfile();
        fwrite(text, 1, sizeof text - 1, file);
        rewind(file);
        size_t expected_size, size;
        char *expected = protocol_of(functions[f], file, &expected_size);
        fclose(file);
        for (size_t piece = 1; piece < 60; piece += piece < 4 ? 1 : 13)
            for (int m = 0; m < 3; m++) {
                patched_pipe();
                setvbuf(reader, NULL, modes[m], m == 2 ? 0 : 16 << piece % 5);
                struct feed feeding = {text, sizeof text - 1, piece};
                bine_greenlet *feeder = bine_spawn(feed, &feeding);
                char *got = protocol_of(functions[f], reader, &size);
                CHECK_EQ(size, expected_size);
                CHECK_MEMORY(got, expected, size);
                free(got);
                CHECK_OK(bine_join(feeder, NULL, BINE_FOREVER));
                fclose(reader);
            }
        free(expected);
    }
}

static void *write_when_others_have_run(void *unused)
{
    while (beats < 5)
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_write(fileno(writer), "late\n", 5), 5);
    return NULL;
}

TEST(hazard_05_fgets_waits_while_others_run)
{
    patched_pipe();
    bine_greenlet *all[] = {bine_spawn(beat, NULL), bine_spawn(write_when_others_have_run, NULL)};
    char line[20];
    CHECK_NE(fgets(line, sizeof line, reader), NULL);
    CHECK_STRING(line, "late\n");
    CHECK_GE(beats, 5);
    done = true;
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    fclose(reader);
    fclose(writer);
}

TEST(the_end_of_file_sticks_until_it_is_cleared)
{
    patched_pipe();
    fclose(writer);
    CHECK_EQ(getc(reader), EOF);
    CHECK(feof(reader));
    CHECK(!ferror(reader));
    CHECK_EQ(getc(reader), EOF);
    clearerr(reader);
    CHECK(!feof(reader));
    CHECK_EQ(getc(reader), EOF);
    CHECK_EQ(getc(writer = fdopen(dup(STDERR_FILENO), "w")), EOF); /* not open for reading */
    CHECK(ferror(writer));
    fclose(writer);
    fclose(reader);
}

TEST(a_nonblocking_stream_fails_at_once)
{
    patched_pipe();
    CHECK_OK(fcntl(fileno(reader), F_SETFL, O_NONBLOCK));
    char line[10];
    errno = 0;
    CHECK_EQ(fgets(line, sizeof line, reader), NULL);
    CHECK_EQ(errno, EAGAIN);
    CHECK(ferror(reader));
    CHECK_EQ(bine_write(fileno(writer), "x\n", 2), 2);
    CHECK_NE(fgets(line, sizeof line, reader), NULL);
    fclose(reader);
    fclose(writer);
}

static void *read_a_line(void *unused)
{
    char line[20];
    errno = 0;
    if (!fgets(line, sizeof line, reader))
        bine_fail(errno);
    return strdup(line);
}

TEST(killed_in_fgets)
{
    patched_pipe();
    bine_greenlet *victim = bine_spawn(read_a_line, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    clearerr(reader);
    CHECK_EQ(bine_write(fileno(writer), "for another\n", 12), 12);
    char *line = read_a_line(NULL);
    CHECK_STRING(line, "for another\n");
    free(line);
    fclose(reader);
    fclose(writer);
}

TEST(hazard_01_readers_of_one_stream_take_turns)
{
    patched_pipe();
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(read_a_line, NULL);
    static const char *const pieces[] = {"on", "e\ntwo", "\nthr", "ee\n"};
    for (int i = 0; i < 4; i++) {
        CHECK_OK(bine_sleep(BINE_MS));
        CHECK_GT(bine_write(fileno(writer), pieces[i], strlen(pieces[i])), 0);
    }
    static const char *const lines[] = {"one\n", "two\n", "three\n"};
    for (int i = 0; i < 3; i++) {
        void *line;
        CHECK_OK(bine_join(all[i], &line, BINE_FOREVER));
        CHECK_STRING((char *)line, lines[i]);
        free(line);
    }
    fclose(reader);
    fclose(writer);
}

/* ---- writing --------------------------------------------------------------------------------- */

struct sink {
    char *data;
    size_t size;
};

static void *drain(void *arg)
{
    struct sink *sink = arg;
    size_t room = 0;
    for (;;) {
        if (sink->size + 4096 > room)
            sink->data = realloc(sink->data, room = 2 * (sink->size + 4096));
        ssize_t got = bine_read(fileno(reader), sink->data + sink->size, sink->size % 1000 + 50);
        CHECK_GE(got, 0);
        if (got == 0)
            return NULL;
        sink->size += (size_t)got;
        CHECK_OK(bine_sleep(0));
    }
}

static void write_in_every_way(FILE *file)
{
    static char large[20001]; /* ends with a zero */
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = (char)('a' + i % 26 - (i % 777 == 0 ? 'a' + i % 26 - '\n' : 0));
    for (unsigned i = 1; i < 120; i++) {
        CHECK_EQ(fprintf(file, "%u of %s %5.2f%%|", i, "many", i * 1.5),
                 snprintf(NULL, 0, "%u of %s %5.2f%%|", i, "many", i * 1.5));
        CHECK_GE(fputs(i % 3 ? "no newline" : "a\nnewline\nand more", file), 0);
        CHECK_EQ(putc('x', file), 'x');
        CHECK_EQ(fputc(200 + (int)i % 50, file), 200 + (int)i % 50);
        CHECK_EQ(fwrite(large, 7, i * 3 % 90, file), i * 3 % 90);
        if (i % 20 == 0)
            CHECK_EQ(fwrite(large, 1, i * 150, file), i * 150);
        if (i % 17 == 0)
            CHECK_EQ(fflush(file), 0);
        flockfile(file);
        for (unsigned k = 0; k < i; k++)
            CHECK_NE(putc_unlocked("0123456789\n"[k % 11], file), EOF);
        funlockfile(file);
        CHECK_EQ(fprintf(file, "%*d%s", (int)i * 10, 5, large + sizeof large - 1001),
                 (int)i * 10 + 1000 > 10 ? (int)i * 10 + 1000 : 0);
    }
}

TEST(every_way_of_writing_gives_what_libc_gives, .seconds = 60)
{
    static const int modes[] = {_IOFBF, _IOLBF, _IONBF};
    FILE *file = tmpfile();
    write_in_every_way(file);
    long expected_size = ftell(file);
    rewind(file);
    char *expected = malloc((size_t)expected_size);
    CHECK_EQ(fread(expected, 1, (size_t)expected_size, file), (size_t)expected_size);
    fclose(file);
    for (int m = 0; m < 3; m++)
        for (size_t size = 64; size <= 16384; size *= 16) {
            patched_pipe();
            CHECK_OK(fcntl(fileno(writer), F_SETPIPE_SZ, 4096));
            setvbuf(writer, NULL, modes[m], m == 2 ? 0 : size);
            struct sink sink = {0};
            bine_greenlet *drainer = bine_spawn(drain, &sink);
            write_in_every_way(writer);
            CHECK_EQ(fclose(writer), 0);
            CHECK_OK(bine_join(drainer, NULL, BINE_FOREVER));
            CHECK_EQ(sink.size, (size_t)expected_size);
            CHECK_MEMORY(sink.data, expected, sink.size);
            free(sink.data);
            fclose(reader);
        }
    free(expected);
}

TEST(a_line_buffered_stream_writes_lines_at_once_and_nothing_else)
{
    patched_pipe();
    setvbuf(writer, NULL, _IOLBF, 1000);
    char buffer[100];
    CHECK_OK(fcntl(fileno(reader), F_SETFL, O_NONBLOCK));
    CHECK_GT(fputs("part", writer), 0);
    CHECK_ERROR(read(fileno(reader), buffer, sizeof buffer), EAGAIN);
    CHECK_GT(fputs(" whole\nnext", writer), 0);
    CHECK_EQ(read(fileno(reader), buffer, sizeof buffer), 11);
    CHECK_MEMORY(buffer, "part whole\n", 11);
    CHECK_EQ(putc('\n', writer), '\n');
    CHECK_EQ(read(fileno(reader), buffer, sizeof buffer), 5);
    fclose(writer);
    fclose(reader);
}

TEST(writing_to_nobody_fails_as_in_libc)
{
    CHECK_NE(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    patched_pipe();
    fclose(reader);
    CHECK_GT(fputs("lost", writer), 0);
    CHECK_ERROR(fflush(writer), EPIPE);
    CHECK(ferror(writer));
    CHECK_EQ(fclose(writer), 0); /* nothing is left to fail */
    patched_pipe();
    fclose(reader);
    CHECK_GT(fputs("lost", writer), 0);
    CHECK_ERROR(fclose(writer), EPIPE);
}

static void *print_slowly(void *arg)
{
    const char *letters = arg;
    for (int i = 0; i < 5; i++) {
        flockfile(writer);
        for (const char *each = letters; *each; each++) {
            putc(*each, writer);
            CHECK_OK(bine_sleep(0));
        }
        putc('\n', writer);
        funlockfile(writer);
    }
    return NULL;
}

TEST(hazard_01_flockfile_belongs_to_the_greenlet)
{
    patched_pipe();
    bine_greenlet *all[] = {bine_spawn(print_slowly, "abcdef"), bine_spawn(print_slowly, "ghijkl")};
    CHECK_OK(bine_sleep(0));
    CHECK_NE(ftrylockfile(writer), 0);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(ftrylockfile(writer), 0);
    funlockfile(writer);
    fclose(writer);
    char line[20];
    int first = 0, second = 0;
    while (fgets(line, sizeof line, reader)) {
        first += strcmp(line, "abcdef\n") == 0;
        second += strcmp(line, "ghijkl\n") == 0;
    }
    CHECK_EQ(first, 5);
    CHECK_EQ(second, 5);
    fclose(reader);
}

static atomic_bool thread_has_it, thread_may_go;

static void *hold_in_thread(void *unused)
{
    flockfile(writer); /* a thread without a hub: libc's */
    thread_has_it = true;
    while (!thread_may_go)
        sched_yield();
    funlockfile(writer);
    return NULL;
}

static void *let_thread_go(void *unused)
{
    CHECK_OK(bine_sleep(5 * BINE_MS));
    thread_may_go = true;
    return NULL;
}

TEST(a_lock_held_by_a_thread_does_not_block_the_hub)
{
    patched_pipe();
    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, hold_in_thread, NULL), 0);
    while (!thread_has_it)
        CHECK_OK(bine_sleep(BINE_MS));
    bine_greenlet *helper = bine_spawn(let_thread_go, NULL);
    CHECK_EQ(putc('x', writer), 'x');
    CHECK(thread_may_go);
    CHECK_OK(bine_join(helper, NULL, BINE_FOREVER));
    pthread_join(thread, NULL);
    fclose(writer);
    fclose(reader);
}
