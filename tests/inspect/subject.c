/*
 * A program to look into. It puts greenlets into known states, writes "ready" and its addresses,
 * and stays until its standard input ends.
 *
 *     subject           greenlets of each kind, on two hubs
 *     subject many N    N greenlets that sleep
 *     subject deadlock  greenlets that wait for each other; no report ends the wait
 *     subject mutexes   the same with mutexes of pthreads
 *     subject hubs      the same with two hubs
 *     subject thread    the same with a hub and a thread without one
 *     subject spin      one greenlet computes, others are ready
 *     subject crash     aborts with greenlets parked
 *     subject busy      greenlets that begin and end all the time
 *     subject yield N   N greenlets that yield all the time
 *     subject block     a greenlet blocks its thread in a system call, and another one is ready
 *     subject pool N    N calls in the offload pool that do not end
 *     subject asks      look-ups that wait for the offload pool, which must have one thread only,
 *                       and waits for a child and for one and several descriptors
 *     subject names     greenlets with names that a terminal must not get
 *     subject become    becomes the program sleep when a byte comes
 *     subject leak      a greenlet waits for an event that nothing can reach any more; 64 GiB of
 *                       memory that nobody has touched lie beside it
 */
#include <arpa/inet.h>
#include <bine.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void *sleeper(void *arg)
{
    bine_sleep(1000 * BINE_SECOND);
    return arg;
}

static void *receiver(void *arg)
{
    char byte;
    bine_recv((int)(intptr_t)arg, &byte, 1, 0);
    return NULL;
}

static void *joiner(void *arg)
{
    bine_join(arg, NULL, BINE_FOREVER);
    return NULL;
}

static void *holder(void *arg)
{
    bine_rlock_acquire(arg, BINE_FOREVER);
    bine_sleep(1000 * BINE_SECOND);
    return NULL;
}

static void *locker(void *arg)
{
    bine_rlock_acquire(arg, BINE_FOREVER);
    return NULL;
}

static void *taker(void *arg)
{
    bine_semaphore_acquire(arg, BINE_FOREVER);
    return NULL;
}

static void *getter(void *arg)
{
    void *item;
    bine_queue_get(arg, &item, BINE_FOREVER);
    return NULL;
}

static void *waiter(void *arg)
{
    bine_wait(arg, 2, NULL, 1, 500 * BINE_SECOND);
    return NULL;
}

static void *parent(void *arg)
{
    bine_detach(bine_spawn(sleeper, arg));
    bine_sleep(1000 * BINE_SECOND);
    return NULL;
}

static void *gone(void *arg)
{
    bine_detach(bine_spawn(sleeper, arg));
    return NULL;
}

static void named(const char *name, bine_run *run, void *arg)
{
    bine_detach(bine_spawn_with(&(bine_spawn_options){.name = name}, run, arg));
}

static void *other_hub(void *arg)
{
    named("on the second hub", sleeper, NULL);
    bine_sleep(1000 * BINE_SECOND);
    return arg;
}

/* Stays, so that other greenlets run, until standard input ends. */
static __attribute__((noinline)) int stay(void)
{
    char byte;
    puts("ready");
    fflush(stdout);
    while (bine_read(STDIN_FILENO, &byte, 1) > 0) {
    }
    _exit(0);
}

static int kinds(void)
{
    static void *objects[2];
    int pair[2];
    pthread_t thread;
    bine_rlock *lock = bine_rlock_new(0);
    bine_queue *queue = bine_queue_new(0, 0);
    bine_event *event = bine_event_new(0);
    bine_semaphore *semaphore = bine_semaphore_new(0, 0);
    bine_greenlet *sleeping = bine_spawn(sleeper, (void *)5);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    must(lock && queue && event && semaphore && sleeping, "objects");
    named("receiver", receiver, (void *)(intptr_t)pair[0]);
    named("joiner", joiner, sleeping);
    named("holder", holder, lock);
    named("locker", locker, lock);
    named("getter", getter, queue);
    named("taker", taker, semaphore);
    objects[0] = event;
    objects[1] = sleeping;
    named("waiter of several", waiter, objects);
    named("parent", parent, (void *)6);
    named("gone", gone, (void *)7);
    bine_detach(bine_spawn_with(
        &(bine_spawn_options){.name = "later\033[2J", .delay = 900 * BINE_SECOND}, sleeper, NULL));
    must(pthread_create(&thread, NULL, other_hub, NULL) == 0, "pthread_create");
    bine_sleep(50 * BINE_MS);
    return stay();
}

static int many(long n)
{
    for (long i = 0; i < n; i++)
        must(bine_go(sleeper, (void *)i) == 0, "bine_go");
    bine_sleep(BINE_MS);
    return stay();
}

static bine_rlock *first, *second;

static void *one_way(void *arg)
{
    bine_rlock_acquire(first, BINE_FOREVER);
    bine_sleep(BINE_MS);
    bine_rlock_acquire(second, BINE_FOREVER);
    return arg;
}

static void *other_way(void *arg)
{
    bine_rlock_acquire(second, BINE_FOREVER);
    bine_sleep(BINE_MS);
    bine_rlock_acquire(first, BINE_FOREVER);
    return arg;
}

static int deadlock(void)
{
    first = bine_rlock_new(0);
    second = bine_rlock_new(0);
    named("one way", one_way, NULL);
    named("other way", other_way, NULL);
    bine_sleep(50 * BINE_MS);
    return stay();
}

static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t both;

/* Takes one mutex and then the other. */
static __attribute__((noinline)) void take_both(pthread_mutex_t *one, pthread_mutex_t *other,
                                                void (*between)(void))
{
    pthread_mutex_lock(one);
    between();
    pthread_mutex_lock(other);
    pthread_mutex_unlock(other);
    pthread_mutex_unlock(one);
}

static void nap(void)
{
    bine_sleep(BINE_MS);
}

static void meet(void)
{
    pthread_barrier_wait(&both);
}

static void *forth(void *arg)
{
    take_both(&mutexes[0], &mutexes[1], arg ? meet : nap);
    return NULL;
}

static void *back(void *arg)
{
    take_both(&mutexes[1], &mutexes[0], arg ? meet : nap);
    return NULL;
}

static int lock_mutexes(void)
{
    must(bine_patch_all() == 0, "bine_patch_all");
    named("forth", forth, NULL);
    named("back", back, NULL);
    bine_sleep(50 * BINE_MS);
    return stay();
}

static void *second_hub(void *arg)
{
    named("back", back, arg);
    bine_sleep(1000 * BINE_SECOND);
    return NULL;
}

static int lock_across(void *(*thread)(void *arg))
{
    pthread_t id;
    must(bine_patch_all() == 0, "bine_patch_all");
    pthread_barrier_init(&both, NULL, 2);
    must(pthread_create(&id, NULL, thread, &both) == 0, "pthread_create");
    named("forth", forth, &both);
    bine_sleep(50 * BINE_MS);
    return stay();
}

static volatile unsigned long counter;

static __attribute__((noinline)) void compute_for_ever(void)
{
    for (;;)
        counter++;
}

static void *spinner(void *arg)
{
    puts("ready");
    fflush(stdout);
    compute_for_ever();
    return arg;
}

static int spin(void)
{
    named("asleep", sleeper, NULL);
    bine_sleep(0);
    named("spinner", spinner, NULL);
    named("starved", sleeper, NULL);
    bine_sleep(BINE_SECOND);
    return 0;
}

static int crash(void)
{
    int pair[2];
    must(bine_patch_all() == 0, "patch");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    named("asleep", sleeper, NULL);
    named("receiver", receiver, (void *)(intptr_t)pair[0]);
    bine_sleep(BINE_MS);
    abort();
}

static void *brief(void *arg)
{
    bine_sleep(0);
    return arg;
}

static _Noreturn void busy(void)
{
    named("asleep", sleeper, NULL);
    puts("ready");
    fflush(stdout);
    for (;;) {
        for (int i = 0; i < 100; i++)
            bine_go(brief, NULL);
        bine_sleep(0);
    }
}

static void *yielder(void *arg)
{
    for (;;)
        bine_sleep(0);
    return arg;
}

/* The root writes "ready" and then parks for good, so that only they are ready. */
static int yield(long n)
{
    for (long i = 0; i < n; i++)
        must(bine_go(yielder, (void *)i) == 0, "bine_go");
    bine_sleep(0);
    puts("ready");
    fflush(stdout);
    bine_sleep(1000 * BINE_SECOND);
    return 0;
}

static void *blocker(void *arg)
{
    puts("ready");
    fflush(stdout);
    syscall(SYS_nanosleep, &(struct timespec){1000, 0}, NULL);
    return arg;
}

static int block(void)
{
    named("blocker", blocker, NULL);
    named("starved", sleeper, NULL);
    bine_sleep(BINE_SECOND);
    return 0;
}

static atomic_bool pool_taken;

static void *never(void *arg)
{
    atomic_store(&pool_taken, true);
    for (;;)
        sleep(1000);
    return arg;
}

static void *caller(void *arg)
{
    bine_offload(never, arg, NULL);
    return NULL;
}

static int fill_pool(long n)
{
    for (long i = 0; i < n; i++)
        must(bine_go(caller, NULL) == 0, "bine_go");
    bine_sleep(50 * BINE_MS);
    return stay();
}

static void *look_up_user(void *arg)
{
    return bine_getpwnam(arg);
}

static void *look_up_host(void *arg)
{
    return bine_gethostbyname(arg);
}

static void *look_up_groups(void *arg)
{
    gid_t groups[8];
    int count = 8;
    bine_getgrouplist(arg, 0, groups, &count);
    return NULL;
}

static void *look_up_address(void *arg)
{
    char host[64];
    bine_getnameinfo(arg, sizeof(struct sockaddr_in), host, sizeof host, NULL, 0, NI_NAMEREQD);
    return NULL;
}

static void *reaper(void *arg)
{
    bine_wait4((pid_t)(intptr_t)arg, NULL, 0, NULL);
    return NULL;
}

static void *poller(void *arg)
{
    struct pollfd *fds = arg;
    bine_poll(fds, fds[1].events ? 2 : 1, -1);
    return NULL;
}

static void *selector(void *arg)
{
    fd_set set;
    int fd = (int)(intptr_t)arg;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    bine_select(fd + 1, &set, NULL, NULL, NULL);
    return NULL;
}

static int asks(void)
{
    int ends[2];
    static struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(0xc0000207);
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit((int)read(ends[0], &byte, 1)); /* the subject has ended */
    }
    static struct pollfd fds[2][2];
    fds[0][0] = fds[1][0] = fds[1][1] = (struct pollfd){ends[0], POLLIN, 0};
    named("fills the pool", caller, NULL);
    while (!atomic_load(&pool_taken))
        bine_sleep(BINE_MS);
    named("user", look_up_user, "a user");
    named("host", look_up_host, "a.host");
    named("groups", look_up_groups, "a member");
    named("address", look_up_address, &address);
    named("reaper", reaper, (void *)(intptr_t)child);
    named("polls one", poller, fds[0]);
    named("polls two", poller, fds[1]);
    named("selects", selector, (void *)(intptr_t)ends[0]);
    bine_sleep(50 * BINE_MS);
    return stay();
}

static int names(void)
{
    named("clear\033[2J\rx", sleeper, NULL);
    named("c1 \xc2\x9b"
          "5m",
          sleeper, NULL);
    named("turned \xe2\x80\xae"
          "round",
          sleeper, NULL);
    named("broken \xff\xc3", sleeper, NULL);
    named("wide \xe6\xbc\xa2\xe5\xad\x97", sleeper, NULL);
    named("a name that is longer than any column of any table that is shown of it", sleeper, NULL);
    bine_sleep(BINE_MS);
    return stay();
}

static int become(void)
{
    char byte;
    named("asleep", sleeper, NULL);
    puts("ready");
    fflush(stdout);
    bine_read(STDIN_FILENO, &byte, 1);
    execlp("sleep", "sleep", "1000", (char *)NULL);
    return 1;
}

static void *lost(void *arg)
{
    bine_event_wait(arg, BINE_FOREVER);
    return NULL;
}

static bine_event *volatile kept;

static __attribute__((noinline)) void lose(void)
{
    for (int i = 0; i < 8; i++)
        named("lost", lost, bine_event_new(0));
    kept = bine_event_new(0);
    named("kept", lost, kept);
}

static __attribute__((noinline)) void overwrite(void)
{
    volatile char room[4096];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

static int leak(void)
{
    void *reserved = mmap(NULL, UINT64_C(64) << 30, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(reserved != MAP_FAILED, "mmap");
    lose();
    overwrite();
    bine_sleep(50 * BINE_MS);
    return stay();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "kinds";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(mode, "many") == 0 && argc > 2)
        return many(atol(argv[2]));
    if (strcmp(mode, "yield") == 0 && argc > 2)
        return yield(atol(argv[2]));
    if (strcmp(mode, "block") == 0)
        return block();
    if (strcmp(mode, "pool") == 0 && argc > 2)
        return fill_pool(atol(argv[2]));
    if (strcmp(mode, "become") == 0)
        return become();
    if (strcmp(mode, "asks") == 0)
        return asks();
    if (strcmp(mode, "names") == 0)
        return names();
    if (strcmp(mode, "deadlock") == 0)
        return deadlock();
    if (strcmp(mode, "mutexes") == 0)
        return lock_mutexes();
    if (strcmp(mode, "hubs") == 0)
        return lock_across(second_hub);
    if (strcmp(mode, "thread") == 0)
        return lock_across(back);
    if (strcmp(mode, "spin") == 0)
        return spin();
    if (strcmp(mode, "crash") == 0)
        return crash();
    if (strcmp(mode, "busy") == 0)
        busy();
    if (strcmp(mode, "leak") == 0)
        return leak();
    return kinds();
}
