/* What waits for a terminal inside libc: getpass and tcdrain, patched. */
#include <bine.h>
#include <errno.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"

static volatile unsigned turns;
static volatile bool done;

static void *take_turns(void *unused)
{
    while (!done) {
        turns++;
        bine_sleep(BINE_MS);
    }
    return NULL;
}

/* In a process whose terminal is the pair's other end: 0 if all is well, else which check
 * failed. */
static int ask_user(void)
{
    if (bine_patch_all() != 0 || bine_spawn(take_turns, NULL) == NULL)
        return 1;
    char *answer = getpass("word: ");
    if (!answer || strcmp(answer, "secret") != 0)
        return 2;
    if (turns < 5)
        return 3;
    if (tcdrain(STDOUT_FILENO) != 0)
        return 4;
    errno = 0;
    if (tcdrain(-1) != -1 || errno != EBADF)
        return 5;
    return 0;
}

TEST(asking_for_a_password_lets_others_run)
{
    int master;
    pid_t child = forkpty(&master, NULL, NULL, NULL);
    CHECK_OK(child);
    if (child == 0)
        _exit(ask_user());
    char shown[100] = "";
    size_t size = 0;
    while (!strstr(shown, "word: ")) {
        ssize_t got = read(master, shown + size, sizeof shown - 1 - size);
        CHECK_GT(got, 0);
        size += (size_t)got;
    }
    CHECK_OK(usleep(50000));
    CHECK_EQ(write(master, "secret\n", 7), 7);
    int status;
    for (ssize_t got = 1; got > 0;) /* until the other end is closed */
        got = read(master, shown, sizeof shown);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    close(master);
}
