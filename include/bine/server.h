/*
 * Servers: StreamServer (TCP and Unix sockets) and DatagramServer. A server listens, runs your
 * function in a greenlet for each connection or datagram, keeps to a limit, survives running out of
 * descriptors, and stops gracefully.
 *
 *      static void greet(bine_connection *connection, void *arg)
 *      {
 *          bine_send_all(connection->fd, "hello\n", 6);
 *      }
 *
 *      bine_server *server =
 *          bine_server_new(&(bine_server_options){.address = "127.0.0.1:8000"}, greet, NULL);
 *      bine_server_serve(server);
 *
 * A server belongs to the thread that made it. Any thread may call bine_server_stop and
 * bine_server_share; the other calls are for its own thread. To use several cores, start workers
 * (bine_workers_start) that each share one server with BINE_SERVER_REUSE_PORT (bine_server_share).
 */
#ifndef BINE_SERVER_H
#define BINE_SERVER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base.h"

BINE_BEGIN

enum {
    /* SO_REUSEPORT: several servers listen on one port and share its connections */
    BINE_SERVER_REUSE_PORT = 1 << 0,
    BINE_SERVER_IPV6_ONLY = 1 << 1, /* an IPv6 address does not take IPv4 connections as well */
    /* Leave TCP_NODELAY off. Without TCP_NODELAY a small write after another one stalls for 40
     * ms. */
    BINE_SERVER_DELAY = 1 << 2,
    BINE_SERVER_SIGPIPE = 1 << 3, /* do not touch SIGPIPE: see bine_server_start */
};

typedef struct bine_server_options {
    /* The address to listen at, as dial.h says: "127.0.0.1:8000", "[::1]:8000", ":8000" (every IPv4
     * address), "unix:/run/x.sock", "unix:@name". Port 0 means any that is free. A host's name, as
     * "localhost:8000", gives its first IPv4 address, or its first address if it has none of IPv4.
     * NULL means `fd`. */
    const char *address;
    /* A socket that listens already (for datagrams: that is bound). The server takes it over if
     * address is NULL. */
    int fd;
    /* How many connections or datagrams are handled at a time. 0 means no limit. Further ones wait
     * in the kernel. */
    size_t limit;
    int backlog;    /* of listen(2); 0 means SOMAXCONN */
    unsigned flags; /* BINE_SERVER_* */
    /* For datagrams only: the largest size in bytes. Longer ones are cut. 0 means 65,536. */
    size_t size;
    /* The permissions of a Unix socket's file, such as 0600, whatever the umask is. 0 means 0777
     * less the umask. */
    unsigned mode;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_server_options;

/* ---- streams --------------------------------------------------------------------------------- */

typedef struct bine_server bine_server;

typedef struct bine_connection {
    int fd; /* closed when the handler returns; set it to -1 to keep the descriptor */
    socklen_t peer_length;
    struct sockaddr_storage peer;
    bine_server *server;
} bine_connection;

/* Runs in a greenlet of its own for each connection. bine_name and dumps name the greenlet by the
 * server's address and the peer's. When the server stops, the greenlet is killed after the time of
 * grace: its calls fail with ECANCELED. */
typedef void bine_connection_handler(bine_connection *connection, void *arg);

/* Make a server that is bound and listens, so that clients can connect, but accepts nothing yet. It
 * replaces a Unix socket that nobody listens on any more. Any other file that has that name stays,
 * and the name is in use. Fails with EINVAL (flags, handler, or the address: bine_address_error
 * says why), EADDRINUSE, EACCES and the other errors of socket(2), bind(2) and listen(2), ENOMEM,
 * or EAGAIN (no hub could be made). If it looks a name up, it also fails with the errors that
 * bine_dial has for names, ECANCELED and ETIMEDOUT. Free it with bine_server_free. Switches: only
 * to look a name up. */
BINE_API bine_server *bine_server_new(const bine_server_options *options,
                                      bine_connection_handler *handler, void *arg);

/*
 * Make another server, of the calling thread, at the same place, with the same options, handler and
 * argument (which bine_server_set_handler can change). It is for workers, also where the kernel
 * chose the port. If `server` has BINE_SERVER_REUSE_PORT and a port, the new server has a socket of
 * its own, and the kernel distributes the connections. Otherwise, as with Unix sockets, both take
 * connections from one backlog. Each server is started, stopped and freed by itself. The file of a
 * Unix socket is removed with the first of them.
 *
 * Any thread may call it, as long as `server` is neither stopped nor freed meanwhile. Fails with
 * EINVAL, EBADF (it was stopped), EMFILE, ENFILE, and as bine_server_new. Switches: no.
 */
BINE_API bine_server *bine_server_share(const bine_server *server);

/* Use this handler for connections whose handling begins from now on. Returns 0, or -1 with EINVAL
 * or EPERM. Switches: no. */
BINE_API int bine_server_set_handler(bine_server *server, bine_connection_handler *handler,
                                     void *arg);

/*
 * Begin to accept, in a greenlet of the server's own. Returns 0, also if it has begun already, or
 * -1 with EINVAL, EPERM (the server is another thread's, or it was stopped) or ENOMEM.
 * Switches: no.
 *
 * A client that leaves must not end the process. Therefore, when the first server of a process (of
 * streams or datagrams) starts and SIGPIPE has its default action, SIGPIPE gets a handler that does
 * nothing. write, send and the like then fail with EPIPE, in every thread and greenlet. Programs
 * that are started by execve get the default action. A handler that the program installs, before or
 * afterwards, stays, and so does SIG_IGN. A server with BINE_SERVER_SIGPIPE does not touch SIGPIPE.
 */
BINE_API int bine_server_start(bine_server *server);
/* Start the server, and wait until it is stopped. Returns 0, or -1 with the errors of
 * bine_server_start, ECANCELED, ETIMEDOUT, or the error that made accept(2) fail for good.
 * Switches: yes. */
BINE_API int bine_server_serve(bine_server *server);

/*
 * Stop the server:
 *
 *  - It accepts the clients that have connected already, as far as there are descriptors for them.
 *  - It closes the listening socket, so that new clients are refused. It removes a Unix socket's
 *    file if that is still its own.
 *  - It handles those clients as places get free, and waits at most `grace` (ns) for all
 *    connections to end by themselves.
 *  - It kills the greenlets of the connections that are left and waits for them.
 *
 * With grace 0, and for a server that was never started, no further client is accepted. Returns 0.
 * Returns -1 when it has stopped but not gently: with ETIMEDOUT (some connections were killed), or
 * with ECANCELED (the caller was killed during the time of grace). Returns -1 with EINVAL without
 * having stopped. Stopping it again is no error; the call waits for the end of the first. A handler
 * of the server that calls this gets no grace (EDEADLK): it should spawn a greenlet that stops the
 * server. Any thread may call it. From another thread it also fails with ENOMEM, ESRCH (the
 * server's thread has ended) and, where parking is not allowed, EDEADLK. Switches: yes.
 */
BINE_API int bine_server_stop(bine_server *server, int64_t grace);

/* Free a server that has been stopped, or was never started. Its own thread may call it; any thread
 * may once that one has ended, and the call then closes the socket. NULL is ignored. Returns 0, or
 * -1 with EBUSY (it runs, or a greenlet waits in bine_server_serve) or EPERM. Switches: no. */
BINE_API int bine_server_free(bine_server *server);

/* Returns where the server listens, as in the options, with the real port. The server owns the
 * text. Fails with EINVAL. Switches: no. */
BINE_API const char *bine_server_address(const bine_server *server);
/* Returns the server's port, 0 for a Unix socket, or -1 with EINVAL. Switches: no. */
BINE_API int bine_server_port(const bine_server *server);
/* Returns the listening socket, or -1 when the server is stopped. Returns -1 with EINVAL for NULL.
 * Switches: no. */
BINE_API int bine_server_fd(const bine_server *server);

typedef struct bine_server_figures {
    size_t connections; /* now */
    uint64_t accepted;  /* ever */
    /* how often accepting had to pause for lack of descriptors or memory (EMFILE ...) */
    uint64_t short_of_files;
} bine_server_figures;

/* Store what a server counts in *figures. `size` is sizeof *figures: later releases may add fields,
 * and a field that this release does not know is set to 0. The server's own thread. Returns 0, or
 * -1: EINVAL (NULL, or the size is 0). Switches: no. */
BINE_API int bine_server_read_figures(const bine_server *server, bine_server_figures *figures,
                                      size_t size);
/* The first three of them; all 0 for NULL. It goes with 0.3. */
BINE_API bine_server_figures bine_server_get_figures(const bine_server *server)
    BINE_DEPRECATED("use bine_server_read_figures");

/* ---- datagrams ------------------------------------------------------------------------------- */

typedef struct bine_datagram_server bine_datagram_server;

typedef struct bine_datagram {
    void *data; /* valid until the handler returns */
    size_t size;
    socklen_t peer_length;
    struct sockaddr_storage peer;
    bine_datagram_server *server;
} bine_datagram;

typedef void bine_datagram_handler(bine_datagram *datagram, void *arg);

/* These work as the calls for streams do. Datagrams beyond the limit wait in the socket's buffer.
 * The kernel drops further ones when the buffer is full. */
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

/* Send a datagram from the server's socket to any peer, such as one that was remembered from an
 * earlier datagram. Returns 0, or -1 with EINVAL (an argument is NULL), EPERM (the server is
 * another thread's), EBADF (it was stopped), EMSGSIZE, or as sendto(2). Switches: maybe. */
BINE_API int bine_datagram_send(bine_datagram_server *server, const struct sockaddr *peer,
                                socklen_t length, const void *data, size_t size);

/* Send an answer to the peer that the datagram came from. Returns and fails as
 * bine_datagram_send. */
BINE_API int bine_datagram_reply(bine_datagram *datagram, const void *data, size_t size);

BINE_END

#endif
