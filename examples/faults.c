/*
 * A web server with three faults, for those who want to learn to find them:   faults [PORT]
 *
 *  - a greenlet blocks the thread that all others run on, again and again, in a system call that no
 *    patching reaches,
 *  - two greenlets wait for each other,
 *  - one greenlet waits for an event that nothing can set any more.
 *
 * `make demo-inside` looks for them from outside (docs/inspect.md).
 */
#include <bine.h>
#include <bine/http.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bine_rlock *accounts[2];

static void answer(bine_http *http, void *arg)
{
    (void)arg;
    bine_http_respond(http, 200, "text/plain", "hello, world\n", 13);
}

/* What a library that is linked statically may do. */
static __attribute__((noinline)) void wait_for_the_disk(void)
{
    syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 150000000}, NULL);
}

static void *report(void *arg)
{
    for (;;) {
        bine_sleep(100 * BINE_MS);
        wait_for_the_disk();
    }
    return arg;
}

/* The other greenlet takes the same two locks in the other order. */
static void *transfer(void *arg)
{
    int from = arg != NULL;
    bine_rlock_acquire(accounts[from], BINE_FOREVER);
    bine_sleep(10 * BINE_MS);
    bine_rlock_acquire(accounts[!from], BINE_FOREVER);
    bine_rlock_release(accounts[!from]);
    bine_rlock_release(accounts[from]);
    return NULL;
}

static void *await(void *event)
{
    bine_event_wait(event, BINE_FOREVER);
    return NULL;
}

static void start(const char *name, bine_run *run, void *arg)
{
    bine_detach(bine_spawn_with(&(bine_spawn_options){.name = name}, run, arg));
}

/* The event is known to the greenlet that waits for it, and to nothing else. */
static __attribute__((noinline)) void start_faults(void)
{
    accounts[0] = bine_rlock_new(0);
    accounts[1] = bine_rlock_new(0);
    start("report", report, NULL);
    start("transfer there", transfer, NULL);
    start("transfer back", transfer, &accounts);
    start("forgotten", await, bine_event_new(0));
}

/* So that the event's address is not left over on the stack, where it would count as known. */
static __attribute__((noinline)) void overwrite_stack(void)
{
    volatile char room[4096];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "8080");
    bine_http_server_options options = {.listen.address = address};
    bine_http_server *server = bine_http_server_new(&options, answer, NULL);
    if (server && bine_http_server_start(server) == 0) {
        /* The greenlet that accepts parks now. Later its stack would begin with words that the
         * runtime has left there, and one of them might be the event's address. */
        bine_sleep(0);
        start_faults();
        overwrite_stack();
        printf("http: %s\n", bine_http_server_address(server));
        fflush(stdout);
        bine_http_server_serve(server);
    }
    perror("faults");
    return 1;
}
