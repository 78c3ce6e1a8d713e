/* docs/errors.md: stdio over a socket. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errors.h"

static int ends[2];

static FILE *opened(void)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    FILE *stream = fdopen(ends[0], "r+");
    CHECK(stream != NULL);
    return stream;
}

static void reads(void *stream, struct outcome *outcome)
{
    char line[100];
    errno = 0;
    char *got = fgets(line, sizeof line, stream);
    int error = errno;
    outcome->code = got ? 1 : feof(stream) ? 0 : ferror(stream) ? -1 : -2;
    snprintf(outcome->message, sizeof outcome->message, "%.299s", strerror(error));
}

static void struck(bool kill, const char *words)
{
    char line[100];
    FILE *stream = opened();
    CHECK_EQ(write(ends[1], "half", 4), 4);
    CHECK_OUTCOME(strike(reads, stream, kill), -1, words);
    clearerr(stream);
    CHECK_EQ(write(ends[1], " and the rest\n", 14), 14);
    CHECK(fgets(line, sizeof line, stream) != NULL);
    CHECK_STRING(line, " and the rest\n"); /* what the call before had taken is lost */
    fclose(stream);
    close(ends[1]);
}

TEST(a_kill_is_an_error_of_the_stream, .seconds = 60)
{
    struck(true, "Operation canceled");
}

TEST(a_timeout_is_an_error_of_the_stream, .seconds = 60)
{
    struck(false, "Connection timed out");
}

TEST(a_peer_that_leaves_is_the_end, .seconds = 60)
{
    struct outcome outcome = {.code = 5};
    FILE *stream = opened();
    close(ends[1]);
    reads(stream, &outcome);
    CHECK_OUTCOME(outcome, 0, "Success");
    clearerr(stream);
    signal(SIGPIPE, SIG_IGN);
    CHECK_OK(fputs("x", stream));
    CHECK_ERROR(fflush(stream), EPIPE);
    fclose(stream);
}
