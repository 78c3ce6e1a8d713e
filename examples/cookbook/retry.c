/*
 * Ask a server, and ask again where that may help. Each try has a time limit, and so have all of
 * them together.
 *
 *     retry SECONDS ADDRESS LINE      sends the line, and prints the line that comes back
 *
 * The pauses between the tries double, and differ by chance, so that many clients do not come back
 * at the same moment. SIGTERM ends it. Exit status: 0 if there was an answer.
 */
#include <bine.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 4,
    LONGEST = 4000 /* question */
};
#define PATIENCE BINE_SECOND /* for one try */
#define FIRST_PAUSE (100 * BINE_MS)
#define LAST_PAUSE (5 * BINE_SECOND)

/* What may be otherwise the next time. A malformed address stays one. */
static bool passes(int error)
{
    static const int all[] = {ECONNREFUSED, ECONNRESET,  EPIPE,  ENODATA, ETIMEDOUT,
                              EHOSTUNREACH, ENETUNREACH, EAGAIN, EMFILE,  ENFILE};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (error == all[i])
            return true;
    return false;
}

static const char *address;
static char question[LONGEST + 2], answer[4096];

/* One try: 0, or -1 with errno. Nothing is left behind, however it ends. */
static int ask(void)
{
    int fd = bine_dial(address, BINE_FOREVER); /* the limit is around the call */
    if (fd < 0)
        return -1;
    bine_reader *reader = bine_reader_new(fd, sizeof answer);
    char *line;
    int got = -1;
    if (reader && bine_send_all(fd, question, strlen(question)) == 0)
        got = bine_reader_line(reader, &line, NULL);
    int error = got == 0 ? ENODATA : errno; /* it hung up */
    if (got == 1)
        snprintf(answer, sizeof answer, "%s", line);
    bine_reader_free(reader);
    bine_close(fd);
    errno = error;
    return got == 1 ? 0 : -1;
}

static int64_t pause_after(int try)
{
    int64_t most = FIRST_PAUSE << try;
    most = most < LAST_PAUSE ? most : LAST_PAUSE;
    return most / 2 + rand() % 1000 * (most / 2000);
}

static int ask_again(int64_t limit)
{
    int result = -1, error = ETIMEDOUT;
    BINE_WITHIN(limit)
    for (int try = 0; try < TRIES; try++) {
        BINE_WITHIN(PATIENCE)
        {
            result = ask();
            error = errno;
        }
        /* bine_check tells the limit over all, or a kill, from an error of this try. */
        if (result == 0 || bine_check() != 0 || !passes(error))
            break;
        fprintf(stderr, "retry: try %d: %s\n", try + 1, strerror(error));
        if (try + 1 < TRIES && bine_sleep(pause_after(try)) != 0) {
            error = errno; /* the limit over all, or a kill */
            break;
        }
    }
    errno = error;
    return result;
}

static void *run(void *arg)
{
    if (ask_again(*(int64_t *)arg) != 0)
        bine_fail(errno);
    puts(answer);
    return arg;
}

int main(int count, char **arguments)
{
    if (count != 4 || bine_address_error(arguments[2]) || strlen(arguments[3]) > LONGEST)
        return fprintf(stderr, "usage: retry SECONDS ADDRESS LINE\n"), 2;
    int64_t limit = (int64_t)(atof(arguments[1]) * (double)BINE_SECOND);
    address = arguments[2];
    snprintf(question, sizeof question, "%s\n", arguments[3]);
    srand((unsigned)bine_now());
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_greenlet *asking = bine_spawn(run, &limit);
    bine_wait((void *[]){asking, term}, 2, NULL, 1, BINE_FOREVER);
    bine_killall(&asking, 1, BINE_FOREVER); /* nothing, if it has ended */
    int error = bine_error(asking);
    bine_detach(asking);
    if (error)
        fprintf(stderr, "retry: %s\n", strerror(error));
    return error != 0;
}
