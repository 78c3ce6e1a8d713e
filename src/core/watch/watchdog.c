/*
 * The watchdog's thread. It looks at each hub's ready queue, whose head moves with each switch, and
 * at nothing that a hub would have to write for it.
 *
 * A hub may end while it is looked at, so both take `lock`. The stack and the words of a report are
 * made without it: by then the record of the hub is only compared with what it was.
 */
#include <bine/watchdog.h>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "blocked.h"
#include "core/hub/hub.h"
#include "core/hub/interpreter.h"
#include "core/hub/trace.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "trace_file.h"
#include "watchdog.h"

enum {
    LOOKS = 2,      /* in the time of the limit */
    TRIES = 3,      /* a sample that shows nothing is taken again at the next look, so often */
    MOST_STUCK = 8, /* hubs reported after one look; others are reported after the next */
};

static struct bine_spin lock; /* of all that follows */
static atomic_bool running;
static bool stopping, asked_environment;
static int64_t limit;
static void (*report_to)(const bine_blocked *blocked, void *arg);
static void *report_arg;
static pthread_t thread;

/* bine_watchdog_start and bine_watchdog_stop one after the other. */
static struct bine_spin starting;
static atomic_uint wake_up; /* the futex on which the thread sleeps */

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * BINE_SECOND + time.tv_nsec;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void peek_text(const char *from, char *to, size_t size)
{
    memset(to, 0, size);
    /* A part after which no page begins is there, or is not. */
    for (size_t done = 0, part = 32 - (uintptr_t)from % 32; done < size - 1 && !memchr(to, 0, done);
         part = 32) {
        if (part > size - 1 - done)
            part = size - 1 - done;
        if (!bine_sample_peek(from + done, to + done, part))
            return;
        done += part;
    }
}

/* bine_name's text. That function is for the hub's own thread, because it makes names. */
static BINE_NO_SANITIZE void peek_name(const struct bine_greenlet *g, char *name, size_t size)
{
    char given[BINE_FUNCTION_TEXT], argument[32];
    const struct bine_interpreter *in = atomic_load(&bine_interpreter);
    if (in && (uintptr_t)g->site == in->site && !(g->flags & BINE_G_NAMED) &&
        bine_function_name(in, bine_peek, NULL, (uintptr_t)g->arg, given, sizeof given)) {
        snprintf(name, size, "<Greenlet at %p: %s>", (const void *)g, given);
    } else if (g->name && g->flags & BINE_G_BELONGINGS) {
        peek_text(g->name, given, sizeof given);
        snprintf(name, size, g->flags & BINE_G_NAMED ? "<Greenlet at %2$p: %1$s>" : "%s", given,
                 (const void *)g);
    } else if (g->flags & BINE_G_ROOT) {
        snprintf(name, size, "<Greenlet at %p: root>", (const void *)g);
    } else {
        intptr_t number = (intptr_t)g->arg;
        snprintf(argument, sizeof argument, number > -4096 && number < 65536 ? "%ld" : "%#lx",
                 (long)number);
        peek_text(g->site, given, sizeof given);
        snprintf(name, size, "<Greenlet at %p: %s(%s)>", (const void *)g, given, argument);
    }
}

static BINE_NO_SANITIZE bool timer_due(const struct bine_hub *hub, int64_t time)
{
    struct bine_timer_entry first;
    return hub->timers.count && bine_sample_peek(hub->timers.heap, &first, sizeof first) &&
           first.deadline <= time;
}

/* Does anybody wait for the hub? */
static BINE_NO_SANITIZE bool awaited(struct bine_hub *hub, int64_t time, struct bine_stuck *stuck)
{
    struct bine_driver *driver = __atomic_load_n(&hub->driver, __ATOMIC_ACQUIRE);
    stuck->ready = hub->ready.tail - hub->ready.head;
    stuck->timer_due = timer_due(hub, time);
    stuck->events_due = driver->due && driver->due(driver);
    return stuck->ready || stuck->timer_due || stuck->events_due || atomic_load(&hub->inbox.first);
}

struct looking {
    int64_t time, limit;
    int count;
    struct bine_stuck stuck[MOST_STUCK];
};

/* The lock is held. */
static BINE_NO_SANITIZE void look_at(struct bine_hub *hub, void *arg)
{
    struct looking *looking = arg;
    struct bine_watched *watch = &hub->watched;
    uint32_t head = __atomic_load_n(&hub->ready.head, __ATOMIC_RELAXED);
    if (atomic_load_explicit(&hub->asleep, memory_order_relaxed)) {
        watch->since = 0;
        return;
    }
    if (!watch->since || watch->head != head) {
        *watch = (struct bine_watched){head, looking->time, -1, false};
        return;
    }
    int64_t duration = looking->time - watch->since;
    if (watch->processor < 0)
        watch->processor = bine_sample_processor(hub->tid);
    if (watch->reported || duration < looking->limit || looking->count == MOST_STUCK)
        return;
    struct bine_stuck *stuck = &looking->stuck[looking->count];
    if (!awaited(hub, looking->time, stuck))
        return;
    stuck->hub = hub;
    stuck->duration = duration;
    int64_t processor = bine_sample_processor(hub->tid);
    stuck->processor = watch->processor < 0 || processor < 0 ? -1 : processor - watch->processor;
    peek_name(hub->current, stuck->name, sizeof stuck->name);
    if (__atomic_load_n(&hub->ready.head, __ATOMIC_RELAXED) != head)
        return;
    watch->reported = true;
    looking->count++;
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void write_all(const char *text)
{
    size_t size = strlen(text);
    while (size) {
        ssize_t n = bine_libc.write(STDERR_FILENO, text, size);
        if (n < 0 && errno != EINTR)
            return;
        text += n < 0 ? 0 : n;
        size -= n < 0 ? 0 : (size_t)n;
    }
}

/* The sample could not be taken, or the hub has switched meanwhile: it is looked at again. */
static void look_again(struct bine_hub *hub)
{
    bine_spin_lock(&lock);
    hub->watched.reported = false;
    bine_spin_unlock(&lock);
}

/* The hub changes it without a lock, and each value that can be read will do. */
static BINE_NO_SANITIZE uint32_t head_of(const struct bine_hub *hub)
{
    return __atomic_load_n(&hub->ready.head, __ATOMIC_RELAXED);
}

static void report(const struct bine_stuck *stuck)
{
    static struct bine_sample sample;
    static int tries;
    static char file[PATH_MAX];
    struct bine_maps maps;
    char *cause = NULL;
    uint32_t head = stuck->hub->watched.head;
    bine_maps_read(&maps);
    bine_sample_take(stuck->hub->tid, &maps, &sample);
    bool moved = head_of(stuck->hub) != head;
    if (moved || (!sample.count && ++tries < TRIES)) {
        look_again(stuck->hub);
    } else {
        tries = 0;
        char *text = bine_blocked_report(stuck, &maps, &sample, &cause);
        if (cause)
            bine_trace_note_block(stuck->hub, stuck->duration, cause);
        bine_blocked blocked = {stuck->hub, stuck->name, stuck->duration, cause, text};
        if (text && report_to)
            report_to(&blocked, report_arg);
        else if (text)
            write_all(text);
        free(text);
        free(cause);
        if (bine_trace_save(file, sizeof file) && !report_to) {
            write_all("  the trace is in ");
            write_all(file);
            write_all("\n");
        }
    }
    bine_maps_free(&maps);
}

static void sleep_until_look(int64_t duration, unsigned seen)
{
    struct timespec time = {duration / BINE_SECOND, duration % BINE_SECOND};
    bine_libc.syscall(SYS_futex, &wake_up, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, &time, NULL, 0);
}

static void *watch_all(void *arg)
{
    static struct looking looking;
    (void)arg;
    bine_hub_runtime_thread();
    for (;;) {
        unsigned seen = atomic_load(&wake_up);
        looking.count = 0;
        looking.time = now();
        bine_spin_lock(&lock);
        looking.limit = limit;
        bool over = stopping;
        if (!over)
            bine_hub_each(look_at, &looking);
        bine_spin_unlock(&lock);
        if (over)
            return NULL;
        for (int i = 0; i < looking.count; i++)
            report(&looking.stuck[i]);
        sleep_until_look(looking.limit / LOOKS, seen);
    }
}

/* ---- starting and stopping ------------------------------------------------------------------- */

/* Nobody looks at the hub from here on: its inbox is closed. */
static void hub_ends(struct bine_hub *hub)
{
    (void)hub;
    bine_spin_lock(&lock);
    bine_spin_unlock(&lock);
}

/* `starting` is held. Returns 0, or an error number. */
static int start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    bine_libc.pthread_sigmask(SIG_SETMASK, &all, &before);
    stopping = false;
    int error = bine_libc.pthread_create(&thread, NULL, watch_all, NULL);
    bine_libc.pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error;
    pthread_setname_np(thread, "bine-watchdog");
    running = true;
    bine_hub_runtime_threads(1);
    return 0;
}

/* Only the thread that forked exists. Hubs' own handlers of fork ran before. */
static void watch_in_child(void)
{
    bine_spin_unlock(&lock);
    bine_spin_unlock(&starting);
    if (!running)
        return;
    running = false;
    bine_hub_runtime_threads(-1);
    if (bine_hub_exists())
        start_thread();
}

static void before_first_start(void)
{
    bine_hub_on_end(hub_ends);
    pthread_atfork(NULL, NULL, watch_in_child);
}

int bine_watchdog_start(int64_t duration, void (*function)(const bine_blocked *blocked, void *arg),
                        void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (duration < BINE_MS) {
        errno = EINVAL;
        return -1;
    }
    bine_libc_resolve();
    bine_libc.pthread_once(&once, before_first_start);
    bine_spin_lock(&starting);
    int error = bine_sample_prepare();
    bine_spin_lock(&lock);
    asked_environment = true;
    limit = duration;
    report_to = function;
    report_arg = arg;
    bine_spin_unlock(&lock);
    if (!error && !running)
        error = start_thread();
    atomic_fetch_add(&wake_up, 1);
    bine_libc.syscall(SYS_futex, &wake_up, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    bine_spin_unlock(&starting);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

void bine_watchdog_stop(void)
{
    bine_spin_lock(&starting);
    if (running) {
        bine_spin_lock(&lock);
        stopping = true;
        bine_spin_unlock(&lock);
        atomic_fetch_add(&wake_up, 1);
        bine_libc.syscall(SYS_futex, &wake_up, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
        bine_libc.pthread_join(thread, NULL);
        running = false;
        bine_hub_runtime_threads(-1);
    }
    bine_spin_unlock(&starting);
}

/* "100ms", "0.5s", "250000us". Returns 0 if it is no duration. */
static int64_t parse_duration(const char *text)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    char *unit;
    double number = strtod(text, &unit);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].unit) == 0 && number > 0 && number * units[i].ns < 1e18)
            return (int64_t)(number * units[i].ns);
    return 0;
}

void bine_watchdog_meet(void)
{
    bine_spin_lock(&lock);
    bool asked = asked_environment;
    asked_environment = true;
    int64_t wanted = limit;
    bine_spin_unlock(&lock);
    if (!asked) {
        const char *text = secure_getenv("BINE_WATCHDOG");
        int64_t duration = text ? parse_duration(text) : 0;
        if (duration)
            bine_watchdog_start(duration, NULL, NULL);
    } else if (wanted && !running && !stopping) {
        /* a fork by a thread without a hub left none */
        bine_watchdog_start(wanted, report_to, report_arg);
    }
}
