/*
 * What stream and datagram servers share: a descriptor, a greenlet that serves it, a pool of
 * greenlets that handle what it brings, and the order in which all this is stopped.
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
    int fd; /* -1: it has been stopped */
    bool started, stopping;
    bine_server_options options; /* as the program gave them, with the address of this server */
    bool by_port;                /* others can bind to its port (BINE_SERVER_REUSE_PORT) */
    unsigned waiting;            /* callers inside serve and stop */
    bine_greenlet *greenlet;     /* a reference to the greenlet that accepts */
    bine_event *stopped;         /* set when everything has ended */
    bine_pool *pool;
    bine_run
        /* Called with the server. It takes what waits in the kernel, closes the descriptor and
         * handles what it took. NULL: nothing is taken. */
        *serve_waiting;
    int error; /* the error that ended the accepting; 0: it was stopped */
    char address[BINE_ADDRESS_TEXT];
    int port;
    bool has_file;    /* a Unix socket's file exists, and the server made it */
    struct stat file; /* another server may take the name meanwhile */
    uint64_t accepted, short_of_files;
    int64_t pause; /* the last pause; 0: there was none since the last success */
    /* Failures since the last success that may have concerned only one connection. */
    unsigned troubles;
};

/* Binds the listener (see bine_listen). Returns 0, or an error number with nothing left behind. */
int bine_listener_open(struct bine_listener *listener, const bine_server_options *options,
                       int type);
/* Does the same at the place of another listener, which may belong to any thread. */
int bine_listener_share(struct bine_listener *listener, const struct bine_listener *other,
                        int type);
/* `run(arg)` is the loop that accepts. All of these functions return 0 or an error number. */
int bine_listener_start(struct bine_listener *listener, bine_run *run, void *arg, const char *site);
int bine_listener_wait(struct bine_listener *listener);
/* Any thread. Fails with EINVAL also for NULL and a negative grace. */
int bine_listener_stop(struct bine_listener *listener, int64_t grace);
int bine_listener_free(struct bine_listener *listener);
/* Closes the listener: from now on nothing more comes in. */
void bine_listener_close(struct bine_listener *listener);
/* Returns 0, EINVAL (NULL) or EPERM (another thread). */
int bine_listener_check(const struct bine_listener *listener);
/* Does the same for freeing the listener. Any thread may free it once its own thread has ended. */
int bine_listener_check_free(const struct bine_listener *listener);

/* The loop calls this when accepting has succeeded. */
static inline void bine_listener_succeeded(struct bine_listener *listener)
{
    listener->pause = 0;
    listener->troubles = 0;
}
/* The loop calls this when accepting has failed with this error. Pauses if that is wanted. Returns
 * true if the loop shall try again. */
bool bine_listener_go_on(struct bine_listener *listener, int error);

#endif
