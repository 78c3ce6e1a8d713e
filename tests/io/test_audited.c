/* Under the auditor's eyes (see ../patch/audit.h): streams, children, locks, messages and files do
 * not block the thread. */
#include <bine.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "libc/libc.h"
#include "patch/audit.h"

static int ends[2];
static char path[64];

static void *take_a_while(void *arg)
{
    usleep(20000);
    return NULL;
}

static void *offload(void *arg)
{
    CHECK_OK(bine_offload(take_a_while, NULL, NULL));
    return NULL;
}

/* The pool's threads are made before: while libc makes one it blocks all signals, the auditor's
 * too. */
static void make_threads(void)
{
    bine_greenlet *all[6];
    for (int i = 0; i < 6; i++)
        all[i] = bine_spawn(offload, NULL);
    CHECK_OK(bine_joinall(all, 6, BINE_FOREVER));
    CHECK_EQ(bine_offload_threads(), 6);
}

static void audited(void *(*first)(void *), void *(*second)(void *))
{
    harness_not_under_emulator("its own calls are not the program's");
    harness_not_under_valgrind("its own calls are not the program's");
    make_threads();
    bine_greenlet *all[] = {bine_spawn(first, NULL), second ? bine_spawn(second, NULL) : NULL};
    audit_begin();
    int joined = bine_joinall(all, 2, BINE_FOREVER);
    unsigned noted = audit_end();
    CHECK_OK(joined);
    CHECK_EQ(noted, 0);
}

static void *read_stream(void *arg)
{
    FILE *stream = fdopen(ends[0], "r");
    char line[100], word[100];
    int number;
    CHECK_NE(fgets(line, sizeof line, stream), NULL);
    CHECK_EQ(fscanf(stream, "%d %99s", &number, word), 2);
    CHECK_EQ(getc(stream), '\n');
    size_t size = 0, got;
    while ((got = fread(line, 1, sizeof line, stream)) > 0)
        size += got;
    CHECK_EQ(size, 300000);
    CHECK_EQ(fclose(stream), 0);
    return NULL;
}

static void *write_stream(void *arg)
{
    FILE *stream = fdopen(ends[1], "w");
    setvbuf(stream, NULL, _IOLBF, 0);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_GT(fprintf(stream, "a line\n"), 0);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_GT(fputs("42 wo", stream), 0);
    CHECK_EQ(fflush(stream), 0);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK_GT(fputs("rds\n", stream), 0);
    for (int i = 0; i < 10000; i++)
        CHECK_EQ(fprintf(stream, "%29d\n", i), 30); /* more than the pipe holds */
    CHECK_EQ(fclose(stream), 0);
    return NULL;
}

TEST(streams_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    CHECK_OK(pipe(ends));
    audited(read_stream, write_stream);
}

static pid_t children[3];

static void *use_children(void *arg)
{
    siginfo_t info;
    CHECK_OK(waitpid(children[0], NULL, 0));
    CHECK_OK(waitid(P_PID, (id_t)children[1], &info, WEXITED));
    CHECK_OK(wait(NULL));
    return arg;
}

static void *end_children(void *arg)
{
    for (int i = 0; i < 3; i++) {
        CHECK_OK(bine_sleep(10 * BINE_MS));
        CHECK_OK(kill(children[i], SIGKILL));
    }
    return arg;
}

TEST(children_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    /* Before: while libc forks it blocks all signals, the auditor's too. */
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        CHECK_OK(children[i]);
        if (children[i] == 0) {
            bine_libc.pause();
            _exit(0);
        }
    }
    audited(use_children, end_children);
}

static int queue;

static void *hold(void *arg)
{
    int fd = open(path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_OK(fcntl(fd, F_OFD_SETLKW, &lock));
    CHECK_OK(bine_sleep(5 * BINE_MS));
    close(fd);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    CHECK_OK(msgsnd(queue, &(struct {
                        long type;
                        char text[4];
                    }){1, "hi"},
                    3, 0));
    return NULL;
}

static void *want(void *arg)
{
    CHECK_OK(bine_sleep(BINE_MS));
    int fd = open(path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_OK(fcntl(fd, F_OFD_SETLKW, &lock));
    close(fd);
    struct {
        long type;
        char text[4];
    } message;
    CHECK_EQ(msgrcv(queue, &message, sizeof message.text, 0, 0), 3);
    return NULL;
}

TEST(file_locks_and_messages_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    snprintf(path, sizeof path, "bine-test-audited-%d", (int)getpid());
    close(open(path, O_RDWR | O_CREAT, 0600));
    CHECK_OK(queue = msgget(IPC_PRIVATE, 0600));
    audited(hold, want);
    CHECK_OK(msgctl(queue, IPC_RMID, NULL));
    unlink(path);
}

static void *open_reader(void *arg)
{
    int fd = open(path, O_RDONLY);
    char bytes[5000];
    ssize_t got, size = 0;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        size += got;
    CHECK_EQ(size, 500000);
    close(fd);
    return NULL;
}

static void *open_writer(void *arg)
{
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    if (file < 0)
        file = memfd_create("bine-test", 0);
    CHECK_OK(fallocate(file, 0, 0, 500000));
    CHECK_OK(fsync(file));
    CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_OK(bine_sleep(2 * BINE_MS));
    int fd = open(path, O_WRONLY);
    off_t offset = 0;
    CHECK_EQ(sendfile(fd, file, &offset, 500000), 500000);
    close(fd);
    close(file);
    return NULL;
}

TEST(fifos_and_files_do_not_block_the_thread)
{
    CHECK_OK(bine_patch_all());
    snprintf(path, sizeof path, "bine-test-audited-%d", (int)getpid());
    CHECK_OK(mkfifo(path, 0600));
    audited(open_reader, open_writer);
    unlink(path);
}
