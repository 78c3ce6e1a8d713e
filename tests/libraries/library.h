/*
 * What is asked of every client library, unmodified, on patched libc. A library's file fills in
 * struct library and says LIBRARY_TESTS(it); the questions are asked in library.c.
 */
#ifndef BINE_TESTS_LIBRARY_H
#define BINE_TESTS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "harness.h"

struct library {
    /* The port of the real server, from servers.py. */
    const char *port_variable;
    /* A connection to 127.0.0.1:port, or NULL. */
    void *(*open)(int port);
    /* Ask for something that depends on `number`, and put the answer as text into `answer`. `slow`:
     * the server takes 200 ms (0: it cannot be told to; the proxy delays the answer). False: the
     * library reported an error, and the connection is to be closed. */
    bool (*ask)(void *connection, int number, bool slow, char *answer, size_t size);
    void (*close)(void *connection);
    bool server_can_be_slow;
    /* Why neither a kill nor a time limit ends a request that waits. NULL: they do. */
    const char *goes_on;
};

/* (a) N slow requests take the time of one. */
void library_overlaps(const struct library *library);
/* (b) While the server stalls in the middle of an answer, a heartbeat goes on. */
void library_heartbeat(const struct library *library);
/* (c) On threads the same program gives the same output. */
void library_threads(const struct library *library);
/* (d) Kill and timeout in mid-request leave library and process usable. */
void library_cancel(const struct library *library);

#define LIBRARY_TESTS(library)                                            \
    TEST(slow_requests_take_the_time_of_one, .seconds = 60)               \
    {                                                                     \
        library_overlaps(&(library));                                     \
    }                                                                     \
    TEST(a_heartbeat_goes_on_while_the_server_stalls, .seconds = 60)      \
    {                                                                     \
        library_heartbeat(&(library));                                    \
    }                                                                     \
    TEST(threads_give_the_same_output, .seconds = 60)                     \
    {                                                                     \
        library_threads(&(library));                                      \
    }                                                                     \
    TEST(kill_and_timeout_in_mid_request_leave_all_usable, .seconds = 60) \
    {                                                                     \
        library_cancel(&(library));                                       \
    }

/* A proxy to 127.0.0.1:upstream, made of greenlets of this process. It holds back the answer's
 * bytes from the `after`-th on, of each connection's, for `stall` ns. Its port. */
int proxy_start(int upstream, size_t after, long stall);
void proxy_stop(void);

/* The port that servers.py put into the environment; skips the test if it is not there. */
int library_port(const char *variable);

#endif
