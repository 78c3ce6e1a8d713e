/*
 * What stream and datagram servers share: a descriptor, a greenlet that serves it, a pool of greenlets that
 * handle what it brings, and the order in which all this is stopped.
 */
#ifndef BINE_NET_LISTENER_H
#define BINE_NET_LISTENER_H

#include <bine/event.h>
#include <bine/pool.h>

#include <sys/stat.h>

#include "listen.h"

struct bine_hub;

struct bine_listener {
    struct bine_hub *hub;
    int fd; /* -1: stopped */
    bool started, stopping;
    bine_server_options options; /* as given, with the address of this server */
    bool by_port;                /* others can bind to its port (BINE_SERVER_REUSE_PORT) */
    unsigned waiting;            /* callers inside serve and stop */
    bine_greenlet *greenlet;     /* who accepts: a reference */
    bine_event *stopped;         /* set when everything has ended */
    bine_pool *pool;
    bine_run
        *serve_waiting; /* called with the server: take what waits in the kernel, close, handle it; NULL: nothing is */
    int error;          /* what ended the accepting, 0: stop */
    char address[BINE_ADDRESS_TEXT];
    int port;
    bool has_file;    /* a Unix socket's, made by us */
    struct stat file; /* another server may take the name meanwhile */
    uint64_t accepted, short_of_files;
    int64_t pause;     /* the last one, 0: none since the last success */
    unsigned troubles; /* failures since the last success that may have been the trouble of one connection */
};

/* Bind (see bine_listen). 0 or an error number, with nothing left behind. */
int bine_listener_open(struct bine_listener *listener, const bine_server_options *options, int type);
/* The same at the place of another listener, which any thread may have. */
int bine_listener_share(struct bine_listener *listener, const struct bine_listener *other, int type);
/* `run(arg)` is the loop that accepts. All of these return 0 or an error number. */
int bine_listener_start(struct bine_listener *listener, bine_run *run, void *arg, const char *site);
int bine_listener_wait(struct bine_listener *listener);
/* Any thread. EINVAL also for NULL and a negative grace. */
int bine_listener_stop(struct bine_listener *listener, int64_t grace);
int bine_listener_free(struct bine_listener *listener);
/* Nothing more comes in from now on. */
void bine_listener_close(struct bine_listener *listener);
/* EINVAL (NULL) or EPERM (another thread). */
int bine_listener_check(const struct bine_listener *listener);
/* The same for freeing it, which any thread may once its own has ended. */
int bine_listener_check_free(const struct bine_listener *listener);

/* For the loop: accepting succeeded. */
static inline void bine_listener_succeeded(struct bine_listener *listener)
{
    listener->pause = 0;
    listener->troubles = 0;
}
/* Accepting failed with this error. True: go on, having paused if that is wanted. */
bool bine_listener_go_on(struct bine_listener *listener, int error);

#endif
