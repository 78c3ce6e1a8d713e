/* The two casts of a differential test, and the comparison. See differential.h. */
#include "differential.h"

#include <bine.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "io/descriptor/descriptor.h"
#include "io/poller/poller.h"
#include "io/poller/poller_sim.h"
#include "newer.h"
#include "patch/table/hook.h"

void transcript_add(struct transcript *transcript, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof transcript->text - transcript->length;
    int length = vsnprintf(transcript->text + transcript->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        transcript->length += (size_t)length < room ? (size_t)length : room - 1;
}

void transcript_result(struct transcript *transcript, ssize_t result, int error)
{
    if (result < 0)
        transcript_add(transcript, " = %zd %s", result, strerrorname_np(error));
    else
        transcript_add(transcript, " = %zd", result);
}

uint32_t draw(struct draw *from, uint32_t below)
{
    uint64_t z = from->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 33) % below;
}

/* ---- the real thing: a thread ---------------------------------------------------------------- */

struct thread_stage {
    struct stage stage;
    pthread_t thread;
    atomic_int tid;
    struct work *_Atomic work;
    atomic_bool quit;
};

static void *worker_thread(void *arg)
{
    struct thread_stage *stage = arg;
    atomic_store(&stage->tid, (int)syscall(SYS_gettid));
    while (!atomic_load(&stage->quit)) {
        struct work *work = atomic_load(&stage->work);
        if (!work) {
            sched_yield();
            continue;
        }
        work->run(stage->stage.calls, work->arg);
        atomic_store(&stage->work, NULL);
    }
    return NULL;
}

/* Does the worker sleep in the kernel? Between its start and its end that can only be in the call
 * under test. */
static bool asleep(const struct thread_stage *stage)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&stage->tid));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return false;
    line[length] = 0;
    const char *end = strrchr(line, ')');
    return end && (end[2] == 'S' || end[2] == 'D');
}

/* Settled: ended, or seen asleep several times in a row (it may be woken and just not have run
 * yet). */
static bool thread_look(struct stage *base)
{
    struct thread_stage *stage = (struct thread_stage *)base;
    for (int seen = 0; seen < 4;) {
        if (!atomic_load(&stage->work))
            return false;
        seen = asleep(stage) ? seen + 1 : 0;
        usleep(50);
    }
    return atomic_load(&stage->work) != NULL;
}

static bool thread_begin(struct stage *base, struct work *work)
{
    struct thread_stage *stage = (struct thread_stage *)base;
    atomic_store(&stage->work, work);
    return thread_look(base);
}

static void thread_finish(struct stage *base)
{
    struct thread_stage *stage = (struct thread_stage *)base;
    int64_t begun = harness_now();
    while (atomic_load(&stage->work)) {
        if (harness_now() - begun > 10 * BINE_SECOND)
            FAIL("the script is wrong: libc's call never returns");
        usleep(50);
    }
}

/* glibc declares addresses as transparent unions. */
static int real_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

static int real_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept(fd, address, length);
}

static int real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept4(fd, address, length, flags);
}

static ssize_t real_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                             socklen_t *length)
{
    return recvfrom(fd, buffer, size, flags, address, length);
}

static ssize_t real_sendto(int fd, const void *buffer, size_t size, int flags,
                           const struct sockaddr *address, socklen_t length)
{
    return sendto(fd, buffer, size, flags, address, length);
}

static const struct calls real_calls = {
    "libc",      read,         readv, write,       writev,  recv,     real_recvfrom,
    recvmsg,     recvmmsg,     send,  real_sendto, sendmsg, sendmmsg, real_connect,
    real_accept, real_accept4, poll,  select,      close,
};

static void play_real(scenario *play, uint64_t seed, struct transcript *transcript)
{
    struct thread_stage stage = {.stage = {.calls = &real_calls,
                                           .begin = thread_begin,
                                           .look = thread_look,
                                           .finish = thread_finish}};
    CHECK_EQ(pthread_create(&stage.thread, NULL, worker_thread, &stage), 0);
    while (!atomic_load(&stage.tid))
        sched_yield();
    play(&stage.stage, seed, transcript);
    atomic_store(&stage.quit, true);
    pthread_join(stage.thread, NULL);
}

/* ---- ours: a greenlet ------------------------------------------------------------------------ */

struct greenlet_stage {
    struct stage stage;
    struct work *work;
    bine_greenlet *greenlet;
};

static void *worker_greenlet(void *arg)
{
    struct greenlet_stage *stage = arg;
    stage->work->run(stage->stage.calls, stage->work->arg);
    stage->work = NULL;
    return NULL;
}

static bool greenlet_look(struct stage *base)
{
    struct greenlet_stage *stage = (struct greenlet_stage *)base;
    /* Time for the poller to tell, and for a look by the clock where there is nothing to poll. */
    for (int i = 0; i < 4 && stage->work; i++)
        CHECK_OK(bine_sleep(base->slow ? 6 * BINE_MS : BINE_MS / 4));
    return stage->work != NULL;
}

static bool greenlet_begin(struct stage *base, struct work *work)
{
    struct greenlet_stage *stage = (struct greenlet_stage *)base;
    stage->work = work;
    stage->greenlet = bine_spawn(worker_greenlet, stage);
    CHECK(stage->greenlet != NULL);
    return greenlet_look(base);
}

static void greenlet_finish(struct stage *base)
{
    struct greenlet_stage *stage = (struct greenlet_stage *)base;
    CHECK_OK(bine_join(stage->greenlet, NULL, 10 * BINE_SECOND));
}

static const struct calls bine_calls = {
    "bine",       bine_read,     bine_readv,    bine_write,    bine_writev,
    bine_recv,    bine_recvfrom, bine_recvmsg,  bine_recvmmsg, bine_send,
    bine_sendto,  bine_sendmsg,  bine_sendmmsg, bine_connect,  bine_accept,
    bine_accept4, bine_poll,     bine_select,   bine_close,
};

/* As a patched program calls them: the hooks have short ways of their own. */
static const struct calls hooks = {
    "patched",    hook_read,     hook_readv,    hook_write,    hook_writev,
    hook_recv,    hook_recvfrom, hook_recvmsg,  hook_recvmmsg, hook_send,
    hook_sendto,  hook_sendmsg,  hook_sendmmsg, hook_connect,  hook_accept,
    hook_accept4, hook_poll,     hook_select,   hook_close,
};

static void play_greenlet(scenario *play, const struct calls *calls, uint64_t seed,
                          struct transcript *transcript)
{
    struct greenlet_stage stage = {.stage = {.calls = calls,
                                             .begin = greenlet_begin,
                                             .look = greenlet_look,
                                             .finish = greenlet_finish}};
    play(&stage.stage, seed, transcript);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void show_difference(const struct transcript *real, const struct transcript *ours)
{
    const char *a = real->text, *b = ours->text, *line = a;
    for (; *a && *a == *b; a++, b++)
        if (*a == '\n')
            line = a + 1;
    int common = (int)(line - real->text);
    int before = common > 600 ? 600 : common;
    printf("...%.*s", before, line - before);
    printf("--- libc: %.*s\n", (int)strcspn(line, "\n"), line);
    printf("+++ bine: %.*s\n", (int)strcspn(ours->text + common, "\n"), ours->text + common);
}

/* Play it by these calls of ours and compare. */
static void compare(scenario *play, const struct calls *calls, uint64_t seed,
                    const struct transcript *real)
{
    static struct transcript ours;
    const char *poller = getenv("BINE_POLLER");
    bool simulated = poller && strncmp(poller, "sim", 3) == 0;
    ours.length = 0;
    ours.text[0] = 0;
    /* Even seeds of the simulator leave the transfers to the call, whose results can be
     * compared. */
    if (simulated)
        CHECK(bine_poller_simulate(bine_hub_get(), 2 * seed) != NULL);
    /* Records believed or not: both must come to the same. */
    bine_descriptor_trust(seed & 1);
    /* The hooks are to act, but the calls of this program are to stay libc's. */
    if (calls == &hooks)
        atomic_store(&bine_patch_active,
                     BINE_PATCH_SOCKET | BINE_PATCH_SELECT | BINE_PATCH_DESCRIPTOR);
    play_greenlet(play, calls, seed, &ours);
    atomic_store(&bine_patch_active, 0);
    bine_descriptor_trust(false);
    if (strcmp(real->text, ours.text) == 0)
        return;
    show_difference(real, &ours);
    FAIL("seed %llu: libc and %s differ", (unsigned long long)seed, calls->name);
}

void differential(scenario *play, uint64_t first, unsigned count)
{
    static struct transcript real;
    const char *more = getenv("BINE_DIFFERENTIAL_SEEDS");
    if (more)
        count = (unsigned)strtoul(more, NULL, 0);
    /* One seed alone, to look into a difference. */
    const char *only = getenv("BINE_DIFFERENTIAL_SEED");
    if (only) {
        first = strtoull(only, NULL, 0);
        count = 1;
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        real.length = 0;
        real.text[0] = 0;
        play_real(play, seed, &real);
        if (only)
            printf("%s", real.text);
        compare(play, &bine_calls, seed, &real);
        compare(play, &hooks, seed, &real);
    }
}
