/*
 * Servers: StreamServer (TCP and Unix sockets) and DatagramServer. They listen, run your function in a greenlet
 * for each connection or datagram, keep to a limit, survive running out of descriptors, and stop gracefully.
 *
 *      static void greet(bine_connection *connection, void *arg)
 *      {
 *          bine_send_all(connection->fd, "hello\n", 6);
 *      }
 *
 *      bine_server *server = bine_server_new(&(bine_server_options){.address = "127.0.0.1:8000"}, greet, NULL);
 *      bine_server_serve(server);
 *
 * A server belongs to the thread that made it; only stopping and sharing work from any. For several cores start workers
 * (bine_workers_start) that each share one server with BINE_SERVER_REUSE_PORT (bine_server_share).
 */
#ifndef BINE_SERVER_H
#define BINE_SERVER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base.h"

BINE_BEGIN

enum {
    BINE_SERVER_REUSE_PORT = 1 << 0, /* SO_REUSEPORT: several servers listen on one port and share its connections */
    BINE_SERVER_IPV6_ONLY = 1 << 1,  /* an IPv6 address does not take IPv4 connections as well */
    BINE_SERVER_DELAY = 1 << 2,   /* leave TCP_NODELAY off (without it a small write after another stalls for 40 ms) */
    BINE_SERVER_SIGPIPE = 1 << 3, /* do not touch SIGPIPE: see bine_server_start */
};

typedef struct bine_server_options {
    /* Where to listen, as dial.h says: "127.0.0.1:8000", "[::1]:8000", ":8000" (every IPv4 address), port 0 for any that
     * is free, "unix:/run/x.sock", "unix:@name". Of a host's name, as "localhost:8000", it is the first IPv4 address,
     * or its first one if it has none of IPv4. NULL: `fd`. */
    const char *address;
    int fd; /* a socket that listens already (for datagrams: is bound), taken over, if address is NULL */
    /* Connections or datagrams that are handled at a time; 0: no limit. Further ones wait in the kernel. */
    size_t limit;
    int backlog;    /* of listen; 0: SOMAXCONN */
    unsigned flags; /* BINE_SERVER_* */
    size_t size;    /* datagrams only: bytes of one at most, longer ones are cut; 0: 65,536 */
    unsigned mode;  /* permissions of a Unix socket's file, such as 0600, whatever the umask; 0: 0777 less the umask */
} bine_server_options;

/* ---- streams ---------------------------------------------------------------------------------- */

typedef struct bine_server bine_server;

typedef struct bine_connection {
    int fd; /* closed when the handler returns; set it to -1 to keep the descriptor */
    socklen_t peer_length;
    struct sockaddr_storage peer;
    bine_server *server;
} bine_connection;

/* Runs in a greenlet of its own for each connection, which bine_name and dumps call by the server's address and
 * the peer's. When the server stops it is killed after the time of grace: its calls fail with ECANCELED. */
typedef void bine_connection_handler(bine_connection *connection, void *arg);

/* A server that is bound and listens (so that clients can connect), but accepts nothing yet. A Unix socket that
 * nobody listens on any more is replaced; whatever else has that name stays, and the name is in use. Returns
 * NULL: EINVAL (flags, handler, or the address: bine_address_error says why), EADDRINUSE, EACCES and what else
 * socket(2), bind(2) and listen(2) give, ENOMEM, EAGAIN (no hub); of a name that is looked up also what bine_dial
 * says of names, ECANCELED, ETIMEDOUT. Free with bine_server_free. Switches: only to look a name up. */
BINE_API bine_server *bine_server_new(const bine_server_options *options, bine_connection_handler *handler, void *arg);

/*
 * Another server, of the calling thread, at the same place, with the same options, handler and argument (which
 * bine_server_set_handler can change): for workers, also where the kernel chose the port. If `server` has
 * BINE_SERVER_REUSE_PORT and a port it is a socket of its own, and the kernel deals connections out; else, as with
 * Unix sockets, both take from one backlog. Each is started, stopped and freed by itself; the file of a Unix socket goes
 * with the first. Any thread, as long as `server` is neither stopped nor freed meanwhile. NULL: EINVAL, EBADF (it was
 * stopped), EMFILE, ENFILE, and as bine_server_new. Switches: no.
 */
BINE_API bine_server *bine_server_share(const bine_server *server);

/* Connections whose handling begins from now on get this handler. -1: EINVAL, EPERM. Switches: no. */
BINE_API int bine_server_set_handler(bine_server *server, bine_connection_handler *handler, void *arg);

/*
 * Begin to accept, in a greenlet of its own. Returns 0, also if it has begun already, or -1: EINVAL, EPERM
 * (another thread, or it was stopped), ENOMEM. Switches: no.
 *
 * A client that leaves must not end the process: when its first server starts (of streams or datagrams), SIGPIPE gets a
 * handler that does nothing, if it has its default action then; so write, send and the like fail with EPIPE, in every
 * thread and greenlet. Programs that are started by execve get the default. A handler that the program installs, before or
 * afterwards, stands, and so does SIG_IGN. Not if the server has BINE_SERVER_SIGPIPE.
 */
BINE_API int bine_server_start(bine_server *server);
/* Start, and wait until it is stopped. Returns 0 or -1: as start, ECANCELED, ETIMEDOUT, or what made accept(2)
 * fail for good. Switches: yes. */
BINE_API int bine_server_serve(bine_server *server);

/*
 * Stop: accept the clients that have connected already (as far as there are descriptors for them), close the
 * listening socket, so that new clients are refused, and take a Unix socket's file away if it is still its own;
 * handle those clients as places get free, wait at most `grace` for all connections to end by themselves, then
 * kill what is left and wait for it. With grace 0, and for a server that was never started, nobody more is
 * accepted. Returns 0, or -1 when it has stopped but not gently: ETIMEDOUT (some were killed), or ECANCELED
 * (the caller was, during the time of grace); and -1 without having stopped: EINVAL. Stopping again is no
 * error; it waits for the end of the first. From one of its own handlers there is no grace (EDEADLK): spawn a
 * greenlet that stops it. Any thread; from another it adds ENOMEM, ESRCH (the server's thread has ended) and,
 * where parking is not allowed, EDEADLK. Switches: yes.
 */
BINE_API int bine_server_stop(bine_server *server, int64_t grace);

/* Free one that has been stopped, or never started. Its own thread; any thread once that has ended, which then
 * closes the socket. NULL is ignored. -1: EBUSY (it runs, or somebody waits in bine_server_serve), EPERM.
 * Switches: no. */
BINE_API int bine_server_free(bine_server *server);

/* Where it listens, as in the options, with the real port. Owned by the server. NULL: EINVAL. */
BINE_API const char *bine_server_address(const bine_server *server);
/* Its port; 0 for a Unix socket, -1: EINVAL. */
BINE_API int bine_server_port(const bine_server *server);
/* The listening socket, -1 when stopped; -1: EINVAL. */
BINE_API int bine_server_fd(const bine_server *server);

typedef struct bine_server_figures {
    size_t connections;      /* now */
    uint64_t accepted;       /* ever */
    uint64_t short_of_files; /* times that accepting had to pause for lack of descriptors or memory (EMFILE ...) */
} bine_server_figures;

BINE_API bine_server_figures bine_server_get_figures(const bine_server *server);

/* ---- datagrams -------------------------------------------------------------------------------- */

typedef struct bine_datagram_server bine_datagram_server;

typedef struct bine_datagram {
    void *data; /* valid until the handler returns */
    size_t size;
    socklen_t peer_length;
    struct sockaddr_storage peer;
    bine_datagram_server *server;
} bine_datagram;

typedef void bine_datagram_handler(bine_datagram *datagram, void *arg);

/* As the calls for streams. Datagrams beyond the limit wait in the socket's buffer, and are dropped by the
 * kernel when it is full. */
BINE_API bine_datagram_server *bine_datagram_server_new(const bine_server_options *options,
                                                        bine_datagram_handler *handler, void *arg);
BINE_API int bine_datagram_server_start(bine_datagram_server *server);
BINE_API int bine_datagram_server_serve(bine_datagram_server *server);
BINE_API int bine_datagram_server_stop(bine_datagram_server *server, int64_t grace);
BINE_API int bine_datagram_server_free(bine_datagram_server *server);
BINE_API const char *bine_datagram_server_address(const bine_datagram_server *server);
BINE_API int bine_datagram_server_port(const bine_datagram_server *server);
BINE_API int bine_datagram_server_fd(const bine_datagram_server *server);
BINE_API bine_datagram_server *bine_datagram_server_share(const bine_datagram_server *server);

/* Send a datagram from the server's socket to any peer, such as one that was remembered from an earlier datagram.
 * Returns 0, or -1: EINVAL (NULL), EPERM (another thread's server), EBADF (it was stopped), EMSGSIZE, or as sendto(2).
 * Switches: maybe. */
BINE_API int bine_datagram_send(bine_datagram_server *server, const struct sockaddr *peer, socklen_t length,
                                const void *data, size_t size);

/* Send an answer to where the datagram came from. As bine_datagram_send. */
BINE_API int bine_datagram_reply(bine_datagram *datagram, const void *data, size_t size);

BINE_END

#endif
