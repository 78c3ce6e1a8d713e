/*
 * Wide-character stdio over what can wait: the calls of this very program are patched, and what
 * they do is compared with what libc does on files with the same bytes.
 */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "io/heart.h"

static FILE *reader, *writer;

static void patched_pipe(void)
{
    CHECK_NE(setlocale(LC_ALL, "C.UTF-8"), NULL);
    CHECK_OK(bine_patch_all());
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_NE(reader = fdopen(ends[0], "r"), NULL);
    CHECK_NE(writer = fdopen(ends[1], "w"), NULL);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char text[] = "gr\xc3\xbc\xc3\x9f\n\ndritte: 12 \xe2\x82\xac -7 wort\n\xf0\x9f\x90\x9d"
                           "a rather long line that does not fit into small buffers\nlast";

/* In pieces that cut characters in two, with others running in between. */
static void *feed(void *arg)
{
    size_t piece = *(size_t *)arg;
    for (size_t sent = 0; sent < sizeof text - 1; sent += piece) {
        size_t size = sizeof text - 1 - sent < piece ? sizeof text - 1 - sent : piece;
        CHECK_EQ(bine_write(fileno(writer), text + sent, size), size);
        CHECK_OK(bine_sleep(200 * BINE_US));
    }
    fclose(writer);
    return NULL;
}

typedef void read_function(FILE *file, FILE *protocol);

static void by_getwc(FILE *file, FILE *protocol)
{
    wint_t character;
    while ((character = getwc(file)) != WEOF)
        fprintf(protocol, "%x ", character);
}

static void by_unlocked(FILE *file, FILE *protocol)
{
    wint_t character;
    flockfile(file);
    while ((character = fgetwc_unlocked(file)) != WEOF)
        fprintf(protocol, "%x ", character);
    funlockfile(file);
}

static void by_fgetws(FILE *file, FILE *protocol)
{
    wchar_t line[12];
    while (fgetws(line, 12, file))
        fprintf(protocol, "[%ls]", line);
}

static void by_fwscanf(FILE *file, FILE *protocol)
{
    wchar_t word[40];
    int number;
    for (int kind; (kind = fwscanf(file, L"%d", &number)) != EOF;)
        if (kind == 1)
            fprintf(protocol, "%d ", number);
        else if (fwscanf(file, L"%39ls", word) == 1)
            fprintf(protocol, "%ls ", word);
}

static void by_ungetwc(FILE *file, FILE *protocol)
{
    wint_t character;
    for (int i = 0; (character = getwc(file)) != WEOF; i++)
        if (i % 3 == 1)
            CHECK_EQ(ungetwc((wint_t)character, file), character);
        else
            fprintf(protocol, "%x ", character);
}

static char *protocol_of(read_function *read, FILE *file)
{
    char *result;
    size_t size;
    FILE *protocol = open_memstream(&result, &size);
    read(file, protocol);
    fprintf(protocol, "end %d %d", feof(file), ferror(file));
    fclose(protocol);
    return result;
}

TEST(every_way_of_reading_gives_what_libc_gives, .seconds = 60)
{
    static read_function *const functions[] = {by_getwc, by_unlocked, by_fgetws, by_fwscanf,
                                               by_ungetwc};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        CHECK_NE(setlocale(LC_ALL, "C.UTF-8"), NULL);
        /* What libc makes of it, from a file that it reads itself. */
        FILE *file = tmpfile();
        CHECK_EQ(write(fileno(file), text, sizeof text - 1), sizeof text - 1);
        CHECK_OK(lseek(fileno(file), 0, SEEK_SET));
        char *expected = protocol_of(functions[f], file);
        fclose(file);
        for (size_t piece = 1; piece < 40; piece += piece < 4 ? 1 : 17) {
            patched_pipe();
            bine_greenlet *feeder = bine_spawn(feed, &piece);
            char *got = protocol_of(functions[f], reader);
            CHECK_STRING(got, expected);
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
    CHECK_EQ(bine_write(fileno(writer), "sp\xc3", 3), 3);
    unsigned before = beats;
    while (beats < before + 5) /* half a character must not stop the thread either */
        CHECK_OK(bine_sleep(BINE_MS));
    CHECK_EQ(bine_write(fileno(writer), "\xa4t\n", 3), 3);
    return NULL;
}

TEST(hazard_05_fgetws_waits_while_others_run)
{
    patched_pipe();
    bine_greenlet *all[] = {bine_spawn(beat, NULL), bine_spawn(write_when_others_have_run, NULL)};
    wchar_t line[20];
    CHECK_NE(fgetws(line, 20, reader), NULL);
    CHECK_EQ(wcscmp(line, L"sp\xe4t\n"), 0);
    CHECK_GE(beats, 10);
    done = true;
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    fclose(reader);
    fclose(writer);
}

static void *read_a_character(void *unused)
{
    errno = 0;
    wint_t character = fgetwc(reader);
    if (character == WEOF)
        bine_fail(errno);
    return (void *)(intptr_t)character;
}

TEST(killed_in_fgetwc)
{
    patched_pipe();
    bine_greenlet *victim = bine_spawn(read_a_character, NULL);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    clearerr(reader);
    CHECK_EQ(bine_write(fileno(writer), "x", 1), 1);
    CHECK_EQ(read_a_character(NULL), (void *)(intptr_t)L'x');
    fclose(reader);
    fclose(writer);
}

TEST(hazard_01_readers_of_one_stream_take_turns)
{
    patched_pipe();
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(read_a_character, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(bine_sleep(2 * BINE_MS));
        CHECK_EQ(bine_write(fileno(writer), &"abc"[i], 1), 1);
    }
    for (int i = 0; i < 3; i++) {
        void *character;
        CHECK_OK(bine_join(all[i], &character, BINE_FOREVER));
        CHECK_EQ(character, (void *)(intptr_t)(L'a' + i));
    }
    fclose(reader);
    fclose(writer);
}

static void *read_locked(void *unused)
{
    flockfile(reader);
    flockfile(reader);
    wint_t first = fgetwc_unlocked(reader), second = fgetwc(reader);
    funlockfile(reader);
    funlockfile(reader);
    return (void *)(intptr_t)(first == L'a' && second == L'b');
}

TEST(a_stream_that_the_caller_has_locked)
{
    patched_pipe();
    bine_greenlet *holder = bine_spawn(read_locked, NULL);
    CHECK_OK(bine_sleep(BINE_MS));
    bine_greenlet *other = bine_spawn(read_a_character, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(bine_sleep(2 * BINE_MS));
        CHECK_EQ(bine_write(fileno(writer), &"abc"[i], 1), 1);
    }
    void *right, *character;
    CHECK_OK(bine_join(holder, &right, BINE_FOREVER));
    CHECK(right);
    CHECK_OK(bine_join(other, &character, BINE_FOREVER));
    CHECK_EQ(character, (void *)(intptr_t)L'c');
    CHECK_EQ(ftrylockfile(reader), 0);
    funlockfile(reader);
    fclose(reader);
    fclose(writer);
}

/* ---- writing --------------------------------------------------------------------------------- */

enum {
    MANY = 100000
};

static void *read_slowly(void *unused)
{
    static char block[4096];
    size_t sum = 0;
    for (ssize_t got; (got = bine_read(fileno(reader), block, sizeof block)) > 0;
         sum += (size_t)got)
        CHECK_OK(bine_sleep(100 * BINE_US));
    return (void *)sum;
}

static void by_fputwc(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(fputwc(i % 100 ? L'\xe4' : L'\n', writer), (wint_t)(i % 100 ? L'\xe4' : L'\n'));
}

static void by_fputws(void)
{
    wchar_t line[101];
    wmemset(line, L'\xe4', 100);
    line[0] = L'\n';
    line[100] = 0;
    for (int i = 0; i < MANY / 100; i++)
        CHECK_GE(fputws(line, writer), 0);
}

static void by_fwprintf(void)
{
    for (int i = 0; i < MANY / 1000; i++)
        CHECK_EQ(fwprintf(writer, L"\n%0990d\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4%ls", 7, L"\xe4"),
                 1000);
}

TEST(every_way_of_writing_waits_for_room, .seconds = 60)
{
    static void (*const functions[])(void) = {by_fputwc, by_fputws, by_fwprintf};
    static const size_t sizes[] = {2 * MANY - MANY / 100, 2 * MANY - MANY / 100,
                                   MANY + MANY / 1000 * 9};
    for (size_t f = 0; f < 3; f++)
        for (int mode = f == 0 ? _IOFBF : _IOLBF; mode >= _IOFBF; mode--) {
            patched_pipe();
            setvbuf(writer, NULL, mode, 4096);
            bine_greenlet *slow = bine_spawn(read_slowly, NULL);
            functions[f]();
            CHECK_OK(fclose(writer)); /* writes what is left */
            void *sum;
            CHECK_OK(bine_join(slow, &sum, BINE_FOREVER));
            CHECK_EQ((size_t)sum, sizes[f]);
            fclose(reader);
        }
}

TEST(words_of_long_ago_are_read_and_written)
{
    patched_pipe();
    CHECK_EQ(putw(0x12345, writer), 0);
    CHECK_OK(fflush(writer));
    CHECK_EQ(getw(reader), 0x12345);
    fclose(writer);
    CHECK_EQ(getw(reader), EOF);
    CHECK(feof(reader));
    fclose(reader);
}
