/*
 * The watchdog names what blocks. Nothing is patched here, so each call of libc blocks the thread.
 * The report itself lets the blocked call go on. So no test depends on how long something takes.
 */
#include <bine.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define LIMIT (50 * BINE_MS)

static int release[2];     /* a byte comes with each report */
static atomic_int reports; /* so many there were */
static char cause[512], text[8192], name[256];
static int64_t duration;

static void note(const bine_blocked *blocked, void *arg)
{
    CHECK(arg == &reports);
    snprintf(cause, sizeof cause, "%s", blocked->cause);
    snprintf(text, sizeof text, "%s", blocked->report);
    snprintf(name, sizeof name, "%s", blocked->greenlet);
    duration = blocked->duration;
    atomic_fetch_add(&reports, 1);
    CHECK_EQ(write(release[1], "x", 1), 1);
}

static void *nothing(void *arg)
{
    return arg;
}

static void begin(void)
{
    CHECK_OK(pipe2(release, O_CLOEXEC));
    CHECK_OK(bine_watchdog_start(LIMIT, note, &reports));
}

static void end(void)
{
    bine_watchdog_stop();
    close(release[0]);
    close(release[1]);
}

/* A machine that is busy may keep the thread from the blocking call for longer than the limit. Then
 * the report is of what came before, and the call is made again. */
static void expect(void *block(void *), void *arg, const char *words, const char *function)
{
    harness_not_under_emulator("the calls and stacks of the thread are the emulator's");
    begin();
    for (int i = 0; i < 10; i++) {
        bine_greenlet *g = bine_spawn(block, arg), *waits = bine_spawn(nothing, NULL);
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
        CHECK_OK(bine_join(waits, NULL, BINE_FOREVER));
        if (strstr(cause, words) && strstr(text, function))
            break;
    }
    if (!strstr(cause, words) || !strstr(text, function))
        FAIL("no \"%s\" and \"%s\" in: %s", words, function, text);
    CHECK_GE(duration, LIMIT);
    CHECK(strstr(text, cause));
    CHECK(strstr(text, name));
    end();
}

static __attribute__((noinline)) void *block_in_read(void *arg)
{
    char byte;
    CHECK_EQ(read(release[0], &byte, 1), 1);
    return arg;
}

TEST(a_call_that_is_not_patched_is_named_with_its_caller)
{
    expect(block_in_read, NULL,
           "read() called by block_in_read in core-watchdog, which is not patched", "pipe:");
}

static void *block_in_module(void *arg)
{
    long (*module_read)(int, void *, unsigned long) = arg;
    char byte;
    CHECK_EQ(module_read(release[0], &byte, 1), 1);
    return NULL;
}

TEST(a_library_that_was_loaded_late_is_named)
{
    void *module = dlopen(BINE_WATCH_MODULE, RTLD_NOW);
    CHECK(module);
    expect(block_in_module, dlsym(module, "module_read"),
           "read() called by module_read in libwatch-module.so", "block_in_module");
    dlclose(module);
}

static __attribute__((noinline)) void *block_in_poll(void *arg)
{
    struct pollfd look = {.fd = release[0], .events = POLLIN};
    CHECK_EQ(poll(&look, 1, -1), 1); /* and not EINTR */
    return block_in_read(arg);
}

TEST(a_call_that_a_handler_would_interrupt_is_not_interrupted)
{
    harness_not_under_valgrind("the call and the stack are valgrind's");
    expect(block_in_poll, NULL, "poll() called by block_in_poll", "block_in_poll");
}

static __attribute__((noinline)) void *block_in_raw_call(void *arg)
{
    char byte;
    long got;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(got)
                     : "a"(SYS_read), "D"(release[0]), "S"(&byte), "d"(1)
                     : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = SYS_read, x0 __asm__("x0") = release[0],
                     x1 __asm__("x1") = (long)&byte, x2 __asm__("x2") = 1;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    got = x0;
#endif
    CHECK_EQ(got, 1);
    return arg;
}

TEST(a_system_call_without_libc_is_named)
{
    expect(block_in_raw_call, NULL,
           "read, a system call that block_in_raw_call in core-watchdog makes itself", "pipe:");
}

static __attribute__((noinline)) void *loop(void *arg)
{
    for (int before = atomic_load(&reports); atomic_load(&reports) == before;)
        ;
    return block_in_read(arg);
}

TEST(a_loop_is_named)
{
    expect(loop, NULL, "it computes in loop in core-watchdog", "loop+0x");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool held;

static void *hold(void *arg)
{
    pthread_setname_np(pthread_self(), "the-holder");
    pthread_mutex_lock(&mutex);
    atomic_store(&held, true);
    block_in_read(NULL);
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void *block_in_lock(void *arg)
{
    pthread_t thread;
    atomic_store(&held, false);
    CHECK_EQ(pthread_create(&thread, NULL, hold, NULL), 0);
    while (!atomic_load(&held))
        usleep(100);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    return arg;
}

TEST(a_lock_is_named_with_the_thread_that_holds_it)
{
    expect(block_in_lock, NULL, "mutex_lock() called by block_in_lock", "(the-holder)");
}

static void *let_go(void *arg)
{
    block_in_read(NULL);
    flock((int)(intptr_t)arg, LOCK_UN);
    return NULL;
}

static void *block_in_flock(void *arg)
{
    const int *fds = arg;
    pthread_t thread;
    CHECK_OK(flock(fds[0], LOCK_EX));
    CHECK_EQ(pthread_create(&thread, NULL, let_go, (void *)(intptr_t)fds[0]), 0);
    CHECK_OK(flock(fds[1], LOCK_EX));
    pthread_join(thread, NULL);
    return NULL;
}

TEST(a_file_is_named_by_its_path)
{
    harness_not_under_emulator("the calls and stacks of the thread are the emulator's");
    char path[] = "/tmp/bine-watchdog-XXXXXX";
    int fds[2] = {mkstemp(path), open(path, O_RDONLY | O_CLOEXEC)};
    expect(block_in_flock, fds, "flock() called by block_in_flock", path);
    unlink(path);
    close(fds[0]);
    close(fds[1]);
}

/* The kernel's state of a thread that waits for a disk is also that of one that waits for its
 * vforked child. */
static void *block_in_the_kernel(void *arg)
{
    pid_t child = vfork();
    if (child == 0) {
        char byte;
        _exit(syscall(SYS_read, release[0], &byte, 1) != 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return arg;
}

TEST(a_wait_that_nothing_interrupts_is_named)
{
    harness_not_under_valgrind("it makes a fork of a vfork");
    expect(block_in_the_kernel, NULL, "fork", "(state D)");
}

static void spin(int64_t time)
{
    for (int64_t until = bine_now() + time; bine_now() < until;)
        ;
}

TEST(a_hub_for_which_nobody_waits_is_not_reported)
{
    begin();
    spin(5 * LIMIT);
    CHECK_EQ(atomic_load(&reports), 0);
    bine_greenlet *waits = bine_spawn(nothing, NULL);
    loop(NULL); /* the root itself */
    CHECK(strstr(name, "root"));
    CHECK_OK(bine_join(waits, NULL, BINE_FOREVER));
    end();
}

static void *wait_for_a_byte(void *arg)
{
    char byte;
    CHECK_EQ(bine_read((int)(intptr_t)arg, &byte, 1), 1);
    return NULL;
}

TEST(a_greenlet_whose_descriptor_is_ready_waits)
{
    begin();
    int fds[2];
    CHECK_OK(pipe(fds));
    bine_greenlet *g = bine_spawn(wait_for_a_byte, (void *)(intptr_t)fds[0]);
    CHECK_OK(bine_sleep(BINE_MS)); /* it has begun to wait */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    loop(NULL);
    CHECK(strstr(text, "the poller has events"));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close(fds[0]);
    close(fds[1]);
    end();
}

TEST(each_block_is_reported_once)
{
    begin();
    for (int i = 1; i <= 3; i++) {
        bine_greenlet *waits = bine_spawn(nothing, NULL);
        loop(NULL);
        spin(3 * LIMIT);
        CHECK_EQ(atomic_load(&reports), i);
        CHECK_OK(bine_join(waits, NULL, BINE_FOREVER));
    }
    bine_watchdog_stop();
    bine_greenlet *waits = bine_spawn(nothing, NULL);
    spin(3 * LIMIT);
    CHECK_EQ(atomic_load(&reports), 3);
    CHECK_OK(bine_join(waits, NULL, BINE_FOREVER));
    end();
}

static void *have_a_hub(void *arg)
{
    for (int i = 0; i < 20; i++)
        CHECK_OK(bine_sleep(BINE_MS));
    return arg;
}

TEST(threads_end_and_children_are_watched)
{
    harness_not_under_emulator("a child of a process with threads ends in an assertion of its");
    begin();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, have_a_hub, NULL), 0);
    CHECK_OK(bine_sleep(5 * BINE_MS));
    pid_t child = fork();
    if (child == 0) {
        bine_greenlet *waits = bine_spawn(nothing, NULL);
        atomic_store(&reports, 0);
        loop(NULL);
        bine_join(waits, NULL, BINE_FOREVER);
        _exit(strstr(cause, "it computes in loop") ? 0 : 1);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    end();
}

TEST(the_environment_starts_it)
{
    int report = memfd_create("report", MFD_CLOEXEC), before = dup(2);
    struct stat status = {0};
    char words[4096] = "";
    setenv("BINE_WATCHDOG", "30ms", 1);
    dup2(report, 2);
    bine_greenlet *waits = bine_spawn(nothing, NULL);
    while (fstat(report, &status) == 0 && status.st_size == 0)
        ;
    dup2(before, 2);
    CHECK_GT(pread(report, words, sizeof words - 1, 0), 0);
    CHECK(strstr(words, "bine: <Greenlet at "));
    CHECK(strstr(words, "has let no other greenlet run for 0."));
    CHECK_OK(bine_join(waits, NULL, BINE_FOREVER));
    bine_watchdog_stop();
    close(before);
    close(report);
}

TEST(a_limit_below_a_millisecond_is_refused)
{
    CHECK_EQ(bine_watchdog_start(BINE_MS - 1, NULL, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    bine_watchdog_stop();
}
