/*
 * The program whose trace trace.py reads:   traced self FILE | until-eof | block FILE
 *
 * `self` traces itself. `until-eof` works until its standard input ends, and is traced from
 * outside. `block` blocks its hub until FILE holds a whole trace.
 */
#include <bine.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int ends[2];
static bool over;

static void must(bool condition)
{
    if (!condition) {
        perror("traced");
        exit(1);
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static void *reader(void *arg)
{
    char byte;
    while (bine_read(ends[0], &byte, 1) == 1 && byte != '.')
        ;
    return arg;
}

static void *writer(void *arg)
{
    void *value;
    for (long i = 0; !over && (i < 3 || !arg); i++) {
        bine_sleep(BINE_MS);
        must(bine_write(ends[1], "x", 1) == 1);
    }
    must(bine_offload(nothing, NULL, &value) == 0);
    must(bine_write(ends[1], ".", 1) == 1);
    return arg;
}

static void *killed(void *arg)
{
    bine_sleep(1000 * BINE_SECOND);
    return arg;
}

static void work(void *rounds)
{
    bine_greenlet *all[] = {
        bine_spawn_with(&(bine_spawn_options){.name = "the \"reader\" with a long name"}, reader,
                        NULL),
        bine_spawn(writer, rounds), bine_spawn(killed, (void *)7)};
    bine_sleep(BINE_MS);
    must(bine_kill(all[2]) == 0);
    if (!rounds) {
        char byte;
        must(puts("ready") > 0 && fflush(stdout) == 0);
        while (bine_read(0, &byte, 1) > 0)
            ;
        over = true;
    }
    must(bine_joinall(all, 3, BINE_FOREVER) == 0);
}

/* The report's thread writes the file while this greenlet lets nobody run. */
static __attribute__((noinline)) void block(const char *file)
{
    char last[4] = "";
    bine_greenlet *waits = bine_spawn(nothing, NULL);
    while (strcmp(last, "]}\n") != 0) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && lseek(fd, -3, SEEK_END) >= 0)
            must(read(fd, last, 3) >= 0);
        if (fd >= 0)
            close(fd);
    }
    bine_join(waits, NULL, BINE_FOREVER);
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    must(pipe(ends) == 0);
    if (strcmp(what, "self") == 0) {
        must(bine_trace_start(0) == 0);
        work((void *)1);
        bine_trace_stop();
        int fd = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        must(bine_trace_write(fd) == 0);
        close(fd);
    } else if (strcmp(what, "block") == 0) {
        block(arguments[2]);
    } else {
        work(NULL);
    }
    return 0;
}
