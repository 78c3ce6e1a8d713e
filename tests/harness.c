/*
 * Runs the tests of one program, each in a process of its own. See harness.h. It knows nothing of
 * Bine but the number of greenlets, the dump and the simulator, all weak, so that parts can be
 * tested that do not need the runtime.
 */
#include "harness.h"

#include <dirent.h>
#include <fnmatch.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "newer.h"

size_t bine_hub_greenlets(void) __attribute__((weak));
int bine_dump(int fd) __attribute__((weak));
void bine_simulate(uint64_t seed) __attribute__((weak));

enum {
    ENDED_WELL = 0,
    FAILED = 1,
    SKIPPED = 77,
    DEFAULT_SECONDS = 20,
    HIGHEST_DESCRIPTOR = 65536
};

/* Shared with the test's process, which may be anywhere (in a greenlet, in a child of its own) when
 * it fails. */
static struct {
    bool finished; /* the test function returned and its leftovers were checked */
    char message[4096];
} * verdict;

static struct harness_test *first_test, **last_test = &first_test;

void harness_register(struct harness_test *test)
{
    *last_test = test;
    last_test = &test->next;
}

/* ---- failing and skipping ---- */

_Noreturn void harness_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->message, sizeof verdict->message, format, arguments);
    va_end(arguments);
    fflush(NULL);
    _exit(SKIPPED);
}

static _Noreturn void fail_now(const char *file, int line, int error, const char *what)
{
    const char *base = strrchr(file, '/');
    snprintf(verdict->message, sizeof verdict->message, "%s:%d: %s (errno %d: %s)",
             base ? base + 1 : file, line, what, error, strerror(error));
    fflush(NULL);
    _exit(FAILED);
}

_Noreturn void harness_fail(const char *file, int line, const char *format, ...)
{
    int error = errno;
    char what[3072];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    fail_now(file, line, error, what);
}

_Noreturn void harness_fail_error(const char *file, int line, const char *call, int64_t result,
                                  int got, int wanted)
{
    char what[1024];
    snprintf(what, sizeof what, "%s returned %lld with errno %s, wanted %s", call,
             (long long)result, got ? strerrorname_np(got) : "0", strerrorname_np(wanted));
    fail_now(file, line, got, what);
}

_Noreturn void harness_fail_memory(const char *file, int line, const char *what, const void *a,
                                   const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    size_t at = 0;
    while (at < size && left[at] == right[at])
        at++;
    harness_fail(file, line, "%s: byte %zu of %zu is 0x%02x and 0x%02x", what, at, size, left[at],
                 right[at]);
}

/* Two sides of a comparison are shown at once; more never are. */
static char *show_buffer(void)
{
    static char buffers[4][256];
    static unsigned next;
    return buffers[next++ % 4];
}

const char *harness_show_signed(long long value)
{
    char *text = show_buffer();
    snprintf(text, 256, "%lld", value);
    return text;
}

const char *harness_show_unsigned(unsigned long long value)
{
    char *text = show_buffer();
    snprintf(text, 256, value >= 4096 ? "%llu (0x%llx)" : "%llu", value, value);
    return text;
}

const char *harness_show_double(double value)
{
    char *text = show_buffer();
    snprintf(text, 256, "%.9g", value);
    return text;
}

const char *harness_show_string(const char *value)
{
    char *text = show_buffer();
    snprintf(text, 256, value ? "\"%.200s\"" : "(null)", value);
    return text;
}

const char *harness_show_pointer(const volatile void *value)
{
    char *text = show_buffer();
    snprintf(text, 256, "%p", (void *)(uintptr_t)value);
    return text;
}

/* ---- the machine ---- */

int64_t harness_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Visit the open descriptors, but not the one that this takes itself. */
static void each_descriptor(void (*visit)(int fd, void *arg), void *arg)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) {
        fprintf(stderr, "harness: /proc/self/fd: %s\n", strerror(errno));
        abort();
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(directory))
            visit(fd, arg);
    }
    closedir(directory);
}

static void count_descriptor(int fd, void *arg)
{
    (void)fd;
    ++*(size_t *)arg;
}

size_t harness_descriptors(void)
{
    size_t count = 0;
    each_descriptor(count_descriptor, &count);
    return count;
}

/* The number after `field` in a /proc file, 0 if there is none. */
static size_t proc_number(const char *path, const char *field)
{
    char line[256];
    size_t value = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtoul(line + strlen(field), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

size_t harness_threads(void)
{
    return proc_number("/proc/self/status", "Threads:");
}

size_t harness_memory(void)
{
    return proc_number("/proc/meminfo", "MemAvailable:") * 1024;
}

unsigned harness_slower(void)
{
    const char *factor = getenv("BINE_TEST_SLOWER");
    long value = factor ? strtol(factor, NULL, 10) : 1;
    return value > 1 ? (unsigned)value : 1;
}

unsigned harness_seeds(unsigned usual)
{
    const char *text = getenv("BINE_TEST_SEEDS");
    return text ? (unsigned)atoi(text) : usual / harness_slower();
}

bool harness_instrumented(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return harness_slower() > 1;
#endif
}

void harness_refuse(long system_call, bool deadly)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)system_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, deadly ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp filter here: %s", strerror(errno));
}

void harness_refuse_uring(void)
{
    /* It is not there at all under an emulator, for instance. */
    if (syscall(SYS_io_uring_setup, 0, NULL) == 0 || errno != ENOSYS)
        harness_refuse(SYS_io_uring_setup, false);
}

void harness_not_under_address_sanitizer(const char *why)
{
#if defined(__SANITIZE_ADDRESS__)
    SKIP("not under AddressSanitizer: %s", why);
#else
    (void)why;
#endif
}

void harness_not_under_thread_sanitizer(const char *why)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("not under ThreadSanitizer: %s", why);
#else
    (void)why;
#endif
}

static bool wrapped_by(const char *program)
{
    const char *wrapper = getenv("BINE_TEST_WRAPPER");
    return wrapper && strncmp(wrapper, program, strlen(program)) == 0;
}

void harness_not_under_emulator(const char *why)
{
    if (wrapped_by("qemu"))
        SKIP("not under an emulator: %s", why);
}

void harness_not_under_valgrind(const char *why)
{
    if (wrapped_by("valgrind"))
        SKIP("not under valgrind: %s", why);
}

void harness_only_one_thread(void)
{
    if (harness_threads() > 1)
        SKIP("an emulator or sanitizer has threads of its own here");
}

void harness_join_child(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            FAIL("waitpid(%d)", (int)child);
    if (WIFSIGNALED(status))
        FAIL("the child was killed by signal %d (%s)", WTERMSIG(status),
             strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) == FAILED && verdict->message[0])
        _exit(FAILED); /* it has said why */
    if (WEXITSTATUS(status) != 0)
        FAIL("the child ended with status %d", WEXITSTATUS(status));
}

/* ---- one test, in its own process ---- */

static unsigned char open_before[HIGHEST_DESCRIPTOR];

static void remember_descriptor(int fd, void *arg)
{
    (void)arg;
    if (fd < HIGHEST_DESCRIPTOR)
        open_before[fd] = 1;
}

/* What a hub keeps for itself: at most one of each. */
static const char *const of_the_runtime[] = {"anon_inode:[io_uring]", "anon_inode:[eventpoll]",
                                             "anon_inode:[eventfd]"};

struct leftovers {
    unsigned runtime[3];
    int fd;
    char target[128];
};

static void judge_descriptor(int fd, void *arg)
{
    struct leftovers *left = arg;
    if (fd < HIGHEST_DESCRIPTOR && open_before[fd])
        return;
    char path[64], target[128];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return;
    target[length] = '\0';
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(target, of_the_runtime[i]) == 0 && left->runtime[i]++ == 0)
            return;
    left->fd = fd;
    memcpy(left->target, target, sizeof left->target);
}

static void check_leftovers(const struct harness_test *test)
{
    if (test->leaves)
        return;
    if (bine_hub_greenlets && bine_hub_greenlets() != 0) {
        if (bine_dump)
            bine_dump(STDERR_FILENO);
        harness_fail(test->name, 0, "%zu greenlets have not ended", bine_hub_greenlets());
    }
    struct leftovers left = {.fd = -1};
    each_descriptor(judge_descriptor, &left);
    if (left.fd >= 0)
        harness_fail(test->name, 0, "descriptor %d was left open: %s", left.fd, left.target);
}

/* The parent asks for this before it kills a test that hangs: who waits for what? */
static void dump_on_timeout(int signal)
{
    (void)signal;
    if (bine_dump)
        bine_dump(STDERR_FILENO);
}

static int dump_signal(void)
{
    return SIGRTMAX - 3;
}

static void run_here(const struct harness_test *test)
{
    struct sigaction dump = {.sa_handler = dump_on_timeout, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(dump_signal(), &dump, NULL);
    memset(open_before, 0, sizeof open_before);
    each_descriptor(remember_descriptor, NULL);
    const char *refuse = getenv("BINE_TEST_REFUSE");
    if (refuse && strcmp(refuse, "io_uring") == 0)
        harness_refuse_uring();
    const char *poller = getenv("BINE_POLLER");
    if (bine_simulate && poller && strncmp(poller, "sim:", 4) == 0)
        bine_simulate(strtoull(poller + 4, NULL, 0));
    test->run();
    check_leftovers(test);
    verdict->finished = true;
    /* Not _exit: leak checkers look at exit, and leaving must work too. */
    exit(ENDED_WELL);
}

/* ---- the parent ---- */

/* Wait for the child until the deadline. True if it ended. */
static bool wait_child(pid_t child, int64_t deadline, int *status)
{
    /* A test may take microseconds or a minute: look often at first, then seldom. */
    for (int pause = 1;; pause = pause < 20 ? pause + 1 : 20) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return true;
        if (harness_now() >= deadline)
            return false;
        poll(NULL, 0, pause);
    }
}

/* Runs one test and says how it went: ENDED_WELL, FAILED (with a message) or SKIPPED. */
static int run_apart(const struct harness_test *test)
{
    unsigned seconds = (test->seconds ? test->seconds : DEFAULT_SECONDS) * harness_slower();
    memset(verdict, 0, sizeof *verdict);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        /* Whoever kills the harness does not want the test to live on. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_here(test);
    }
    if (child < 0) {
        snprintf(verdict->message, sizeof verdict->message, "fork: %s", strerror(errno));
        return FAILED;
    }
    setpgid(child, child);

    int status = 0;
    bool in_time = wait_child(child, harness_now() + seconds * INT64_C(1000000000), &status);
    if (!in_time) {
        kill(child, dump_signal());
        poll(NULL, 0, 500);
        kill(-child, SIGKILL);
        waitpid(child, &status, 0);
        snprintf(verdict->message, sizeof verdict->message, "still running after %u s", seconds);
        return FAILED;
    }
    kill(-child, SIGKILL); /* servers and the like that the test started and did not end */

    char *message = verdict->message;
    if (test->signal && WIFSIGNALED(status) && WTERMSIG(status) == test->signal)
        return ENDED_WELL;
    if (WIFSIGNALED(status)) {
        snprintf(message, sizeof verdict->message, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
        return FAILED;
    }
    if (WEXITSTATUS(status) == SKIPPED)
        return SKIPPED;
    if (test->signal && WEXITSTATUS(status) == ENDED_WELL) {
        snprintf(message, sizeof verdict->message, "ended well instead of by signal %d",
                 test->signal);
        return FAILED;
    }
    if (WEXITSTATUS(status) == ENDED_WELL && verdict->finished)
        return ENDED_WELL;
    if (!message[0] || WEXITSTATUS(status) != FAILED)
        snprintf(message + strlen(message), sizeof verdict->message - strlen(message),
                 "%sexit status %d%s", message[0] ? "; " : "", WEXITSTATUS(status),
                 verdict->finished ? " on leaving" : " in mid-test");
    return FAILED;
}

static bool wanted(const struct harness_test *test, int count, char **patterns)
{
    if (count == 0)
        return !test->only_by_name;
    for (int i = 0; i < count; i++)
        if (fnmatch(patterns[i], test->name, 0) == 0)
            return true;
    return false;
}

int main(int count, char **arguments)
{
    bool list = count > 1 && strcmp(arguments[1], "--list") == 0;
    bool here = count > 1 && strcmp(arguments[1], "--here") == 0;
    int options = 1 + (list || here);
    unsigned passed = 0, failed = 0, skipped = 0;

    verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED)
        return FAILED;
    for (struct harness_test *test = first_test; test; test = test->next) {
        if (!wanted(test, count - options, arguments + options))
            continue;
        if (list) {
            puts(test->name);
            continue;
        }
        if (here)
            run_here(test);
        switch (run_apart(test)) {
        case ENDED_WELL:
            passed++;
            printf("ok %s\n", test->name);
            break;
        case SKIPPED:
            skipped++;
            printf("skip %s: %s\n", test->name, verdict->message);
            break;
        default:
            failed++;
            printf("FAIL %s: %s\n", test->name, verdict->message);
        }
        fflush(stdout);
    }
    if (!list)
        printf("# %u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed ? FAILED : passed + skipped == 0 && !list ? FAILED : ENDED_WELL;
}
