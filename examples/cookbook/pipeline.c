/*
 * A pipeline of stages. The channels between them are bounded: a slow one holds up those before it.
 *
 *     pipeline < LINES      prints each line with its checksum, in any order
 *
 * read -> checksum (four greenlets, each with a thread) -> print. The end of the input, or SIGTERM,
 * closes one channel after the other. A stage that fails ends all of them.
 */
#include <bine.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMERS 4
#define BUFFER 16 /* lines between two stages */

struct line {
    unsigned sum;
    char text[];
};

static bine_channel *lines, *sums;
static bine_event *term;

/* 1, 0: the end of the input, -1: it failed, or the line has more than 64 KiB. */
static int next_line(bine_reader *reader, char **text, size_t *size)
{
    int input = 0;
    bine_choice choices[] = {{.operation = BINE_CHOOSE_READY, .object = term},
                             {.operation = BINE_CHOOSE_READABLE, .object = &input}};
    bool end = bine_event_is_set(term) ||
               (!bine_reader_buffered(reader) && bine_choose_first(choices, 2, BINE_FOREVER) != 1);
    return end ? 0 : bine_reader_line(reader, text, size);
}

static void *read_lines(void *arg)
{
    bine_reader *reader = bine_reader_new(0, 0);
    size_t size;
    char *text;
    int result = reader ? 1 : -1;
    while (result == 1 && (result = next_line(reader, &text, &size)) == 1) {
        struct line *line = malloc(sizeof *line + size + 1);
        if (line)
            memcpy(line->text, text, size + 1);
        if (!line || bine_channel_send(lines, line, BINE_FOREVER) != 0) {
            free(line); /* what was not sent is still ours */
            result = -1;
        }
    }
    int error = errno;
    bine_channel_producer_done(lines);
    bine_reader_free(reader);
    if (result < 0)
        bine_fail(error);
    return arg;
}

static void *checksum(void *arg)
{
    struct line *line = arg;
    line->sum = 5381;
    for (const char *at = line->text; *at; at++)
        line->sum = line->sum * 33 + (unsigned char)*at;
    return arg;
}

static void *sum_lines(void *arg)
{
    void *line = NULL;
    int result = 0;
    while (result == 0 && bine_channel_receive(lines, &line, BINE_FOREVER) == 0)
        if ((result = bine_offload(checksum, line, NULL)) != 0 ||
            (result = bine_channel_send(sums, line, BINE_FOREVER)) != 0)
            free(line);
    int error = errno;
    bine_channel_producer_done(sums); /* the last of the four closes it */
    if (error != EPIPE)
        bine_fail(error);
    return arg;
}

static void *print_lines(void *arg)
{
    void *item;
    while (bine_channel_receive(sums, &item, BINE_FOREVER) == 0) {
        struct line *line = item;
        int printed = printf("%08x %s\n", line->sum, line->text);
        free(line);
        if (printed < 0 || fflush(stdout) != 0)
            bine_fail(errno);
    }
    return arg;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* so that printf says EPIPE */
    term = bine_signal_event_new(SIGTERM);
    lines = bine_channel_new_with(
        &(bine_channel_options){.buffer = BUFFER, .producers = 1, .discard = free});
    sums = bine_channel_new_with(
        &(bine_channel_options){.buffer = BUFFER, .producers = SUMMERS, .discard = free});
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    bool begun = term && lines && sums && scope && bine_scope_spawn(scope, read_lines, NULL) &&
                 bine_scope_spawn(scope, print_lines, NULL);
    for (int i = 0; begun && i < SUMMERS; i++)
        begun = bine_scope_spawn(scope, sum_lines, NULL) != NULL;
    if (!begun)
        bine_scope_cancel(scope, errno);
    int result = bine_scope_end(scope);
    if (result != 0)
        perror("pipeline");
    bine_channel_free(lines);
    bine_channel_free(sums);
    return result != 0;
}
