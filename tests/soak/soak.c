/*
 * The soak: rounds of everything at once, with random kills, timeouts, closes and forks, and after
 * each round a look at what is left: no greenlet, no descriptor, no memory beyond what the first
 * rounds needed.
 *
 *     soak [SECONDS [SEED]]      600 seconds if not said
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "newer.h"
#include "soak.h"

enum {
    PARTS = 4,
    OTHERS = 100, /* greenlets of all parts at most */
    CLIENTS = 40,
    PAIRS = 20,
    MESSAGES = 200,
    THREADS = 2
};

static _Thread_local uint64_t random_state = 1;
static bine_server *server;
static bine_queue *queue, *shared;
static bine_channel *channel;
static bine_mailbox *mailbox;
static bine_semaphore *semaphore;
static long sent, received, killed, cut, forked;
atomic_long timed_out, interrupted;
static const struct part *const parts[] = {&locks_part, &pools_part, &patched_part, &hubs_part};

unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % n;
}

void random_seed(uint64_t seed)
{
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
}

void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "soak: %s (errno %d: %s)\n", what, errno, strerror(errno));
    bine_dump(2);
    abort();
}

int64_t some_time(void)
{
    return random_below(4) == 0 ? BINE_FOREVER : (int64_t)random_below(2000) * BINE_US;
}

/* What may come of a wait here. */
bool went_well(int failed)
{
    if (!failed)
        return true;
    check(errno == ETIMEDOUT || errno == ECANCELED || errno == EPIPE,
          "a wait failed in a way it should not");
    if (errno == ETIMEDOUT)
        timed_out++;
    else
        interrupted++;
    return false;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void echo(bine_connection *connection, void *arg)
{
    char buffer[512];
    ssize_t got;
    while ((got = bine_recv(connection->fd, buffer, sizeof buffer, 0)) > 0) {
        if (random_below(200) == 0)
            return; /* hang up in the middle */
        if (bine_send(connection->fd, buffer, (size_t)got, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *client(void *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)bine_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (unsigned i = 0; i < 5 && !bine_killed(bine_getcurrent()); i++) {
        char buffer[512] = "";
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(fd >= 0, "no socket");
        bine_timeout scope;
        bine_timeout_begin(&scope, some_time());
        bool up = bine_connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
        for (unsigned k = random_below(20); up && k > 0; k--) {
            size_t size = 1 + random_below(sizeof buffer);
            up =
                bine_send(fd, buffer, size, MSG_NOSIGNAL) > 0 && bine_recv(fd, buffer, size, 0) > 0;
        }
        cut += !up;
        timed_out += bine_timeout_end(&scope) == 1;
        bine_close(fd);
    }
    return NULL;
}

static void *close_under(void *fd)
{
    bine_sleep((int64_t)random_below(500) * BINE_US);
    bine_close((int)(intptr_t)fd);
    return NULL;
}

/* A descriptor that is closed while another greenlet reads from it. */
static void *reader(void *arg)
{
    int fds[2];
    char byte;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socketpair");
    bine_greenlet *closer = bine_spawn(close_under, (void *)(intptr_t)fds[0]);
    ssize_t got = bine_recv(fds[0], &byte, 1, 0);
    check(got < 0 && (errno == EBADF || errno == ECANCELED), "recv from a closed descriptor");
    bine_shield_begin();
    check(bine_join(closer, NULL, BINE_FOREVER) == 0, "join");
    bine_shield_end();
    bine_close(fds[1]);
    return NULL;
}

/* ---- objects --------------------------------------------------------------------------------- */

static void *producer(void *arg)
{
    for (int i = 0; i < MESSAGES; i++) {
        int failed = 0;
        switch (random_below(3)) {
        case 0:
            failed = bine_queue_put(queue, NULL, some_time());
            break;
        case 1:
            failed = bine_channel_send(channel, NULL, some_time());
            break;
        case 2: {
            bine_choice choices[] = {{BINE_CHOOSE_PUT, queue, NULL, 0},
                                     {BINE_CHOOSE_SEND, channel, NULL, 0}};
            ssize_t chosen = bine_choose(choices, 2, some_time());
            failed = chosen < 0 ? -1 : 0;
            if (chosen >= 0 && choices[chosen].error) {
                failed = -1;
                errno = choices[chosen].error;
            }
            break;
        }
        }
        if (went_well(failed))
            sent++;
        else if (errno != ETIMEDOUT)
            break;
    }
    return NULL;
}

static void *consumer(void *arg)
{
    for (;;) {
        void *item;
        int failed = random_below(2) ? bine_queue_get(queue, &item, some_time())
                                     : bine_channel_receive(channel, &item, some_time());
        if (went_well(failed))
            received++;
        else if (errno != ETIMEDOUT)
            return NULL;
    }
}

static void *holder(void *arg)
{
    for (int i = 0; i < MESSAGES / 4; i++) {
        if (went_well(bine_semaphore_acquire(semaphore, some_time()))) {
            bine_sleep((int64_t)random_below(50) * BINE_US);
            check(bine_semaphore_release(semaphore) == 0, "release");
        } else if (errno != ETIMEDOUT) {
            break;
        }
    }
    return NULL;
}

static void *same(void *arg)
{
    return arg;
}

/* ---- threads and children -------------------------------------------------------------------- */

static void *other_thread(void *arg)
{
    for (int i = 0; i < MESSAGES; i++) {
        check(bine_mailbox_send(mailbox, arg, BINE_FOREVER) == 0, "mailbox");
        check(bine_queue_put_nowait(shared, arg) == 0, "put from a thread");
    }
    return NULL;
}

static void *receive_mail(void *arg)
{
    void *item;
    for (int i = 0; i < THREADS * MESSAGES; i++)
        check(bine_mailbox_receive(mailbox, &item, BINE_FOREVER) == 0, "receive from mailbox");
    for (int i = 0; i < THREADS * MESSAGES; i++)
        check(bine_queue_get(shared, &item, BINE_FOREVER) == 0, "get from shared queue");
    return NULL;
}

static void *send_in_child(void *to)
{
    return bine_channel_send(to, (void *)1, BINE_FOREVER) == 0 ? to : NULL;
}

/* All of it has to work in a child: greenlets, objects, descriptors, threads. */
static void live_on_in_child(void)
{
    int fds[2];
    char byte;
    void *item = NULL, *value = NULL;
    bine_channel *own = bine_channel_new(0, 0);
    bine_greenlet *g = bine_spawn(send_in_child, own),
                  *closer = bine_spawn(close_under, (void *)-1);
    bool good = bine_channel_receive(own, &item, BINE_FOREVER) == 0 && item &&
                bine_join(g, NULL, BINE_FOREVER) == 0 &&
                bine_join(closer, NULL, BINE_FOREVER) == 0 && bine_channel_free(own) == 0;
    good = good && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 &&
           bine_send(fds[0], "x", 1, 0) == 1 && bine_recv(fds[1], &byte, 1, 0) == 1;
    good = good && bine_offload(same, &byte, &value) == 0 && value == &byte;
    _exit(good ? 0 : 1);
}

static void *fork_some(void *arg)
{
    for (int i = 0; i < 3; i++) {
        fflush(stdout);
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0)
            live_on_in_child();
        int status;
        while (waitpid(child, &status, WNOHANG) == 0)
            bine_sleep(BINE_MS);
        check(status == 0, "a child failed");
        forked++;
    }
    return NULL;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void run_round(void)
{
    bine_greenlet *all[CLIENTS + 4 * PAIRS + OTHERS], *beside[PARTS];
    pthread_t threads[THREADS];
    size_t n = 0;
    server = bine_server_new(
        &(bine_server_options){.address = "127.0.0.1:0", .limit = 1 + random_below(60)}, echo,
        NULL);
    check(server && bine_server_start(server) == 0, "server");
    queue = bine_queue_new(1 + random_below(5), 0);
    shared = bine_queue_new(0, BINE_SHARED);
    channel = bine_channel_new(random_below(3), 0);
    mailbox = bine_mailbox_new(1 + random_below(30));
    semaphore = bine_semaphore_new_bounded(3, 0);
    sent = received = 0;

    for (int i = 0; i < CLIENTS; i++)
        all[n++] = bine_spawn(client, NULL);
    for (int i = 0; i < PAIRS; i++) {
        all[n++] = bine_spawn(producer, NULL);
        all[n++] = bine_spawn(consumer, NULL);
        all[n++] = bine_spawn(holder, NULL);
        all[n++] = bine_spawn(reader, NULL);
    }
    for (int i = 0; i < PARTS; i++) {
        parts[i]->begin();
        n += parts[i]->spawn(all + n, sizeof all / sizeof *all - n);
        beside[i] = parts[i]->beside ? bine_spawn(parts[i]->beside, NULL) : NULL;
    }
    bine_greenlet *mail = bine_spawn(receive_mail, NULL), *forks = bine_spawn(fork_some, NULL);
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, other_thread, NULL) == 0, "thread");

    for (int i = 0; i < 50; i++) {
        bine_sleep((int64_t)random_below(3000) * BINE_US);
        bine_kill(all[random_below((unsigned)n)]);
        killed++;
    }
    check(bine_join(mail, NULL, BINE_FOREVER) == 0, "mail");
    check(bine_join(forks, NULL, BINE_FOREVER) == 0, "forks");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check(bine_joinall(beside, PARTS, BINE_FOREVER) == 0, "what runs beside");
    check(bine_killall(all, n, 30 * BINE_SECOND) == 0, "greenlets that do not end");
    check(bine_joinall(all, n, 0) == 0, "join");
    bine_server_stop(server, BINE_MS);
    check(bine_server_free(server) == 0, "server free");
    for (int i = 0; i < PARTS; i++)
        parts[i]->end();

    received += (long)bine_queue_size(queue) + (long)bine_channel_size(channel);
    check(sent == received, "items sent and received differ");
    check(bine_semaphore_permits(semaphore) == 3, "permits were lost");
    check(bine_queue_free(queue) == 0 && bine_queue_free(shared) == 0 &&
              bine_channel_free(channel) == 0 && bine_mailbox_free(mailbox) == 0 &&
              bine_semaphore_free(semaphore) == 0,
          "somebody is left waiting");
    check(bine_hub_greenlets() == 0, "greenlets are left");
}

/* Memory that is mapped in, in bytes: stacks and rings are not in the heap. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size, pages = 0;
    check(file && fscanf(file, "%lu %lu", &size, &pages) == 2, "/proc/self/statm");
    fclose(file);
    return pages * 4096;
}

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    check(directory != NULL, "/proc/self/fd");
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

int main(int count, char **arguments)
{
    long seconds = count > 1 ? atol(arguments[1]) : 600;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 0) : (uint64_t)time(NULL);
    printf("soak: %ld seconds, seed %llu\n", seconds, (unsigned long long)seed);
    random_seed(seed);
    time_t end = time(NULL) + seconds, next_report = time(NULL) + 10;
    enum {
        WARM = 10
    };
    int files = 0;
    size_t memory = 0, most = 0, pages = 0, most_pages = 0;
    long rounds = 0;
    for (; rounds < WARM + 2 || time(NULL) < end; rounds++) {
        run_round();
        struct mallinfo2 heap = mallinfo2();
        if (rounds < WARM) {
            files = descriptors();
            memory = heap.uordblks > memory ? heap.uordblks : memory;
            pages = resident() > pages ? resident() : pages;
            continue;
        }
        check(descriptors() == files, "descriptors leak");
        most = heap.uordblks > most ? heap.uordblks : most;
        /* Tables that grow to their greatest need are no leak; one byte per round for ten minutes
         * would be less than this. */
        check(heap.uordblks < memory + memory / 2 + 65536, "memory leaks");
        most_pages = resident() > most_pages ? resident() : most_pages;
        check(most_pages < 2 * pages + (32 << 20), "mapped memory leaks");
        if (time(NULL) >= next_report) {
            printf("soak: %ld rounds, %ld kills, %ld waits timed out, %ld cut short, %ld "
                   "connections cut, %ld forks, %zu bytes in use, %zu MB mapped in\n",
                   rounds, killed, atomic_load(&timed_out), atomic_load(&interrupted), cut, forked,
                   (size_t)heap.uordblks, resident() >> 20);
            fflush(stdout);
            next_report += 60;
        }
    }
    printf("soak: passed, %ld rounds, %ld kills, %ld waits timed out, %ld cut short, %ld "
           "connections cut, %ld forks; %d descriptors; heap %zu bytes after the first rounds, %zu "
           "at most later; mapped in %zu MB then, %zu at most later\n",
           rounds, killed, atomic_load(&timed_out), atomic_load(&interrupted), cut, forked, files,
           memory, most, pages >> 20, most_pages >> 20);
    return 0;
}
