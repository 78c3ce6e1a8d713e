/*
 * A server that limits rates. Each client may ask BURST times at once and RATE times a second; a
 * request too many is refused, with the time after which to ask again. All clients together are
 * answered TOTAL times a second; further requests wait for their turn. A client is an address,
 * however often it connects. SIGTERM ends the server.
 *
 *     rate_limit PORT [RATE [BURST]]      then: nc 127.0.0.1 PORT; each line is a request
 */
#include <bine.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTAL 1000.0

/* A bucket fills by `rate` tokens a second, up to `burst`. A request takes one. */
struct bucket {
    double rate, burst, tokens;
    int64_t filled; /* when, by bine_now; 0: never, so it is full */
};

static void fill(struct bucket *bucket)
{
    int64_t now = bine_now();
    double more = (double)(now - bucket->filled) / (double)BINE_SECOND * bucket->rate;
    bool full = bucket->filled == 0 || bucket->tokens + more > bucket->burst;
    bucket->tokens = full ? bucket->burst : bucket->tokens + more;
    bucket->filled = now;
}

/* Take a token. If there is none, return the seconds until there will be one. */
static double bucket_try(struct bucket *bucket)
{
    fill(bucket);
    if (bucket->tokens < 1)
        return (1 - bucket->tokens) / bucket->rate;
    bucket->tokens--;
    return 0;
}

/* Take the next token, and wait until it has come. First come, first served. */
static int bucket_wait(struct bucket *bucket)
{
    fill(bucket);
    bucket->tokens--;
    double seconds = bucket->tokens < 0 ? -bucket->tokens / bucket->rate : 0;
    if (seconds == 0 || bine_sleep((int64_t)(seconds * (double)BINE_SECOND)) == 0)
        return 0;
    bucket->tokens++; /* killed, or out of time: it is free again */
    return -1;
}

static double rate = 10, burst = 20;
static struct bucket all = {.rate = TOTAL, .burst = TOTAL / 10};

/* Of fixed size, however many clients there are. Some addresses share a bucket. */
static struct bucket buckets[4096];

static struct bucket *bucket_of(const struct sockaddr_storage *peer)
{
    unsigned char bytes[8] = {0}; /* of IPv6 the network: a client there has many addresses */
    if (peer->ss_family == AF_INET)
        memcpy(bytes, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    else
        memcpy(bytes, &((const struct sockaddr_in6 *)peer)->sin6_addr, 8);
    unsigned hash = 5381;
    for (size_t i = 0; i < sizeof bytes; i++)
        hash = hash * 33 + bytes[i];
    struct bucket *bucket = &buckets[hash % (sizeof buckets / sizeof *buckets)];
    bucket->rate = rate;
    bucket->burst = burst;
    return bucket;
}

static int answer(bine_connection *connection)
{
    char text[64] = "done\n";
    double seconds = bucket_try(bucket_of(&connection->peer));
    if (seconds > 0)
        snprintf(text, sizeof text, "too many: try again in %d s\n", (int)(seconds + 0.999));
    else if (bucket_wait(&all) != 0)
        return -1;
    return bine_send_all(connection->fd, text, strlen(text));
}

static void serve(bine_connection *connection, void *arg)
{
    bine_reader *reader = bine_reader_new(connection->fd, 256);
    char *line;
    int more = reader != NULL;
    while (more) {
        more = 0;
        BINE_WITHIN(60 * BINE_SECOND) /* for a line to come, and for its answer to be taken */
        {
            more = bine_reader_line(reader, &line, NULL) == 1 && answer(connection) == 0;
        }
    }
    bine_reader_free(reader);
}

int main(int count, char **arguments)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", count > 1 ? arguments[1] : "7780");
    rate = count > 2 ? atof(arguments[2]) : rate;
    burst = count > 3 ? atof(arguments[3]) : burst;
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_server_options options = {.address = address, .limit = 1000};
    bine_server *server = bine_server_new(&options, serve, NULL);
    if (rate <= 0 || burst < 1 || !term || !server || bine_server_start(server) != 0)
        return perror("rate_limit"), 1;
    printf("rate_limit: %s\n", bine_server_address(server));
    fflush(stdout);
    bine_event_wait(term, BINE_FOREVER);
    bine_server_stop(server, BINE_SECOND);
    return bine_server_free(server) != 0;
}
