/* Streams over sockets, files, FIFOs and children: this program's own calls are patched. */
#include "harness.h"

#include <bine.h>
#include <fcntl.h>
#include <poll.h>
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

/* ---- streams over other things --------------------------------------------------------------- */

static void *echo_lines(void *fd)
{
    FILE *file = fdopen((int)(intptr_t)fd, "r+");
    char line[100];
    while (fgets(line, sizeof line, file)) {
        fseek(file, 0, SEEK_CUR);
        fprintf(file, "echo %s", line);
        fflush(file);
    }
    fclose(file);
    return NULL;
}

TEST(a_conversation_over_a_socket)
{
    CHECK_OK(bine_patch_all());
    int pair[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    bine_greenlet *echo = bine_spawn(echo_lines, (void *)(intptr_t)pair[1]);
    FILE *in = fdopen(pair[0], "r"), *out = fdopen(dup(pair[0]), "w");
    for (int i = 0; i < 20; i++) {
        char line[100], expected[100];
        fprintf(out, "line %d\n", i);
        fflush(out);
        CHECK_NE(fgets(line, sizeof line, in), NULL);
        snprintf(expected, sizeof expected, "echo line %d\n", i);
        CHECK_STRING(line, expected);
    }
    fclose(out);
    shutdown(pair[0], SHUT_WR);
    CHECK_OK(bine_join(echo, NULL, BINE_FOREVER));
    fclose(in);
}

TEST(files_and_memory_are_left_to_libc)
{
    CHECK_OK(bine_patch_all());
    CHECK_NE(bine_getcurrent(), NULL);
    FILE *file = tmpfile();
    CHECK_EQ(fprintf(file, "%d %s\n", 42, "words"), 9);
    rewind(file);
    int number;
    char word[20], line[20];
    CHECK_EQ(fscanf(file, "%d %19s", &number, word), 2);
    CHECK_EQ(number, 42);
    CHECK_STRING(word, "words");
    rewind(file);
    CHECK_NE(fgets(line, sizeof line, file), NULL);
    CHECK_STRING(line, "42 words\n");
    CHECK_EQ(fclose(file), 0);
    char memory[] = "in memory";
    file = fmemopen(memory, sizeof memory, "r");
    CHECK_EQ(fscanf(file, "%19s", word), 1);
    CHECK_STRING(word, "in");
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(fopen("/nonexistent/file", "r"), NULL);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(fflush(NULL), 0);
}

static char fifo[64];

static void *open_for_writing(void *unused)
{
    FILE *file = fopen(fifo, "w");
    CHECK_NE(file, NULL);
    fputs("through the fifo\n", file);
    fclose(file);
    return NULL;
}

/* open_memstream leaves the number of the descriptor as it finds it in the memory that it gets: it
 * may be any. */
TEST(a_stream_in_memory_has_no_descriptor)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(bine_sleep(0)); /* a thread with a hub */
    int ends[2];
    CHECK_OK(pipe(ends));
    char *text;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    CHECK_NE(memory, NULL);
    memory->_fileno = ends[1];
    CHECK_EQ(fprintf(memory, "%s %d\n", "in memory", 1), 12);
    static const char more[20000]; /* more than its buffer has room for */
    CHECK_EQ(fwrite(more, 1, sizeof more, memory), sizeof more);
    CHECK_OK(fflush(memory));
    CHECK_OK(fclose(memory));
    CHECK_EQ(size, 12 + sizeof more);
    CHECK_STRING(text, "in memory 1\n");
    free(text);
    struct pollfd question = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(poll(&question, 1, 0), 0);
    close(ends[0]);
    close(ends[1]);
}

TEST(opening_a_fifo_waits_for_the_other_end)
{
    CHECK_OK(bine_patch_all());
    CHECK_NE(bine_getcurrent(), NULL);
    snprintf(fifo, sizeof fifo, "/tmp/bine-test-fifo-%d", (int)getpid());
    CHECK_OK(mkfifo(fifo, 0600));
    bine_greenlet *other = bine_spawn_later(10 * BINE_MS, open_for_writing, NULL);
    FILE *file = fopen(fifo, "r");
    CHECK_NE(file, NULL);
    char line[50];
    CHECK_NE(fgets(line, sizeof line, file), NULL);
    CHECK_STRING(line, "through the fifo\n");
    fclose(file);
    CHECK_OK(bine_join(other, NULL, BINE_FOREVER));
    unlink(fifo);
}

/* ---- popen ----------------------------------------------------------------------------------- */

TEST(popen_reads_and_pclose_waits_while_others_run)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *heart = bine_spawn(beat, NULL);
    FILE *file = popen("sleep 0.1; echo one; sleep 0.1; echo two; sleep 0.2; exit 3", "r");
    CHECK_NE(file, NULL);
    char line[20];
    CHECK_NE(fgets(line, sizeof line, file), NULL);
    CHECK_STRING(line, "one\n");
    unsigned before = beats;
    CHECK_GT(before, 3);
    CHECK_NE(fgets(line, sizeof line, file), NULL);
    CHECK_GT(beats, before + 3);
    before = beats;
    int status = pclose(file);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 3);
    CHECK_GT(beats, before + 3);
    done = true;
    CHECK_OK(bine_join(heart, NULL, BINE_FOREVER));
}

TEST(popen_writes)
{
    CHECK_OK(bine_patch_all());
    CHECK_NE(bine_getcurrent(), NULL);
    char path[64], command[100], line[20];
    snprintf(path, sizeof path, "/tmp/bine-test-popen-%d", (int)getpid());
    snprintf(command, sizeof command, "sort > %s", path);
    FILE *file = popen(command, "w");
    fputs("b\nc\na\n", file);
    CHECK_EQ(pclose(file), 0);
    file = fopen(path, "r");
    CHECK_NE(fgets(line, sizeof line, file), NULL);
    CHECK_STRING(line, "a\n");
    fclose(file);
    unlink(path);
}

static void *close_child(void *file)
{
    if (pclose(file) == -1)
        bine_fail(errno);
    return NULL;
}

TEST(killed_in_pclose_the_child_is_reaped_all_the_same)
{
    CHECK_OK(bine_patch_all());
    CHECK_NE(bine_getcurrent(), NULL);
    FILE *file = popen("exec sleep 0.2", "r");
    bine_greenlet *victim = bine_spawn(close_child, file);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_OK(bine_kill(victim));
    CHECK_OK(bine_joinall_with(&victim, 1, BINE_FOREVER, 0, 0));
    CHECK_EQ(bine_error(victim), ECANCELED);
    bine_detach(victim);
    siginfo_t info;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_EQ(errno, ECHILD);
}
