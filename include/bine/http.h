/*
 * HTTP/1.1 for greenlets: a library of its own, libbine-http (link with -lbine-http -lbine-tls -lbine). A server runs your
 * function once for each request, in the greenlet of its connection; a client keeps its connections. TLS is libbine-tls's, the parser is llhttp.
 *
 *      static void hello(bine_http *http, void *arg)
 *      {
 *          bine_http_respond(http, 200, "text/plain", "hello, world\n", 13);
 *      }
 *
 *      bine_http_server *server =
 *          bine_http_server_new(&(bine_http_server_options){.listen.address = "127.0.0.1:8000"}, hello, NULL);
 *      bine_http_server_serve(server);
 *
 * A `bine_http` is one exchange: a request and its answer. What comes in (the request on a server, the answer at a client) is read by the
 * same functions on both sides. An exchange belongs to the greenlet that got it, which may lend it to others of its thread, one at a time.
 *
 * What comes in is read strictly: a message that two programs could read in two ways is refused, as one is that is larger or slower than
 * its limits allow. The server answers what it refuses by itself (400, 408, 413, 414, 417, 431, 501, 503, 505), and then closes the connection.
 */
#ifndef BINE_HTTP_H
#define BINE_HTTP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base.h"
#include "server.h"
#include "tls.h"

BINE_BEGIN

typedef struct bine_http bine_http;

/* Limits on what the other side may do. Each is 0 for the value named here. */
typedef struct bine_http_limits {
    size_t line; /* bytes of a request's target: 8,192 */
    size_t
        head; /* bytes of a head, which is the first line and the fields: 16,384; as many of the trailers behind chunks */
    uint64_t body; /* bytes of a body: 1 MiB for servers, no limit for clients */
    int64_t
        head_time; /* from the first byte of a head to its last, for a client also until the first; for a TLS handshake: 10 s */
    int64_t body_time;    /* for a whole body to come in, the time between the caller's reads included: 60 s */
    int64_t send_time;    /* for the other side to take one piece of at most 256 KiB: 60 s */
    int64_t idle_time;    /* between two exchanges of a connection: 60 s */
    int64_t request_time; /* servers: from the first byte of a request to the last one of its answer: no limit */
} bine_http_limits;

/* ---- what came in: a server's request, a client's answer ----------------------------------------------------- */

/* The value of the first field of this name (in any case), without the space around it; NULL if there is none, or for NULL.
 * Valid as long as the exchange. Switches: no. */
BINE_API const char *bine_http_header(const bine_http *http, const char *name);
/* The field with this index, counted from 0 in the order in which they came. False if there is none, or for NULL. Switches: no. */
BINE_API bool bine_http_header_at(const bine_http *http, size_t index, const char **name, const char **value);

/* Bytes of the body as announced, also when they have been read; -1 if only its end will tell (chunks). 0 for NULL.
 * Switches: no. */
BINE_API int64_t bine_http_length(const bine_http *http);

/* Read at most `size` bytes of the body. Returns how many, 0 at its end, or -1: EINVAL, EMSGSIZE (the body is over its limit), EPROTO
 * (malformed chunks), ECONNRESET (the connection ended within the body), ETIMEDOUT (also: out of body_time), ECANCELED, or as recv(2) and
 * bine_tls_read. What ended the caller's wait loses nothing, and the next read goes on. All others are for good. The first read of a body
 * that the client holds back (Expect: 100-continue) asks for it. Switches: maybe. */
BINE_API ssize_t bine_http_read(bine_http *http, void *buffer, size_t size);
/* The whole rest of the body, with a NUL behind it, and its size in *size (may be NULL). The exchange owns it. Returns NULL: as
 * bine_http_read, ENOMEM. Switches: maybe. */
BINE_API char *bine_http_read_all(bine_http *http, size_t *size);

/* ---- servers ------------------------------------------------------------------------------------------------- */

typedef struct bine_http_server bine_http_server;

/* Runs once for each request. When it returns without an answer, the client gets status 500. When the server stops, it is killed after
 * the time of grace: its calls fail with ECANCELED. */
typedef void bine_http_handler(bine_http *http, void *arg);

/* What became of a request, for an access log. */
typedef struct bine_http_record {
    const bine_connection *connection;
    const char *method, *target; /* "" if the request was refused before they were known */
    int status;                  /* of the answer; 0: there was none */
    uint64_t sent;               /* bytes of the answer, its head included */
    int64_t duration;            /* from the first byte of the request to the end of the answer */
    const char *reason;          /* why the server refused the request, or cut it short; NULL: it did not */
} bine_http_record;

typedef struct bine_http_server_options {
    bine_server_options listen; /* where, and how many connections: as for bine_server_new */
    bine_tls_context *tls;      /* for HTTPS: a server's context, which must outlive the server; NULL: plain */
    bine_http_limits limits;
    /* Called after each exchange (`log`), and for each that the server refused or cut short (`error`), in the greenlet of the connection.
     * They may switch. NULL: not called. */
    void (*log)(const bine_http_record *record, void *arg);
    void (*error)(const bine_http_record *record, void *arg);
    void *hook_arg;
} bine_http_server_options;

/* A server that is bound and listens, but accepts nothing yet. Returns NULL as bine_server_new; EINVAL also for a negative time.
 * Free with bine_http_server_free. Switches: no. */
BINE_API bine_http_server *bine_http_server_new(const bine_http_server_options *options, bine_http_handler *handler,
                                                void *arg);
/* Another server of the calling thread, at the same place and with the same options, handler and argument: as bine_server_share.
 * Switches: no. */
BINE_API bine_http_server *bine_http_server_share(const bine_http_server *server);
/* As bine_server_start, bine_server_serve, bine_server_free, bine_server_address and bine_server_port. */
BINE_API int bine_http_server_start(bine_http_server *server);
BINE_API int bine_http_server_serve(bine_http_server *server);
BINE_API int bine_http_server_free(bine_http_server *server);
BINE_API const char *bine_http_server_address(const bine_http_server *server);
BINE_API int bine_http_server_port(const bine_http_server *server);
/* Stop as bine_server_stop does. Connections that rest between two requests are closed at once; requests that have begun have the time of
 * grace, and their connections are closed behind the answer. Any thread. Switches: yes. */
BINE_API int bine_http_server_stop(bine_http_server *server, int64_t grace);

/* ---- a server's exchange ------------------------------------------------------------------------------------- */

/* "GET"; the target as the client sent it, "/a%20b?c=d"; both valid as long as the exchange. NULL: EINVAL. Switches: no. */
BINE_API const char *bine_http_method(const bine_http *http);
BINE_API const char *bine_http_target(const bine_http *http);
/* The target's path, percent signs decoded, "/a b"; NULL with EINVAL if it is no path, is malformed, or has a NUL in it. What stands
 * behind its question mark, as sent, "c=d"; NULL if there is none. Both valid as long as the exchange. Switches: no. */
BINE_API const char *bine_http_path(bine_http *http);
BINE_API const char *bine_http_query(const bine_http *http);
/* The connection that the request came by, and its TLS (NULL: plain). Do not read, write or close them. NULL: EINVAL. Switches: no. */
BINE_API bine_connection *bine_http_connection(const bine_http *http);
BINE_API bine_tls *bine_http_tls(const bine_http *http);

/* Add a field to the answer, before it has begun. Both are copied. -1: EINVAL (no token, a control character in the value, or a field
 * that is the library's: Content-Length, Transfer-Encoding, Connection, Date), EALREADY (the answer has begun), ENOMEM. Switches: no. */
BINE_API int bine_http_set_header(bine_http *http, const char *name, const char *value);

/* Answer: status (200 to 599), Content-Type (NULL: none) and the whole body. Head and body leave in one write. To HEAD only the head is
 * sent. Returns 0, or -1: EINVAL (204 and 304 have no body), EALREADY (it has been answered), ENOMEM, ETIMEDOUT (also: out of send_time),
 * ECANCELED, or as send(2) and bine_tls_write; after those the connection is over. Switches: maybe. */
BINE_API int bine_http_respond(bine_http *http, int status, const char *type, const void *body, size_t size);

/* Answer in pieces: begin with status, type and length (-1: not known; the body goes in chunks, or ends with the connection for a client
 * of HTTP/1.0); then write the pieces. The head leaves with the first piece. The answer ends when the handler returns; it is broken off,
 * so that the client sees that it is not whole, if less than the length was written, or if a write failed. -1: as
 * bine_http_respond; write: EMSGSIZE (more than the length; nothing of it was sent). Switches: begin: no; write: maybe. */
BINE_API int bine_http_begin(bine_http *http, int status, const char *type, int64_t length);
BINE_API int bine_http_write(bine_http *http, const void *data, size_t size);
/* The answer cannot be completed: close the connection when the handler returns, so that the client sees it. -1: EINVAL.
 * Switches: no. */
BINE_API int bine_http_abort(bine_http *http);

/* ---- clients ------------------------------------------------------------------------------------------------- */

typedef struct bine_http_client bine_http_client;

typedef struct bine_http_client_options {
    bine_tls_context *tls;   /* for https: a client's context, which must outlive the client; NULL: plain http only */
    bine_http_limits limits; /* head_time is also for connecting */
    size_t keep;             /* connections at rest that are kept, at most; 0: 16 */
    int redirects;           /* that are followed, at most; 0: 10; -1: none */
} bine_http_client_options;

typedef struct bine_http_request {
    const char *method; /* NULL: "GET" */
    const char *url;    /* "http://host:port/path?query" or https */
    const char *const *
        headers; /* name, value, name, value ..., NULL; NULL: none. Not Host, Content-Length, Transfer-Encoding, Connection, Expect, Upgrade */
    const void *body;
    size_t size;
    /* In place of body and size: called for the next piece of the body, which goes in chunks. How many bytes, 0 at the end, -1 with errno: the
     * request fails. */
    ssize_t (*read)(void *arg, void *buffer, size_t size);
    void *arg;
} bine_http_request;

/* A client, of the calling thread; options NULL: all defaults. Returns NULL: EINVAL, ENOMEM, EAGAIN (no hub). Switches: no. */
BINE_API bine_http_client *bine_http_client_new(const bine_http_client_options *options);
/* Free it and close the connections that it keeps. -1: EPERM (another thread), EBUSY (an exchange has not been closed, or is being
 * fetched). NULL is ignored.
 * Switches: maybe. */
BINE_API int bine_http_client_free(bine_http_client *client);

/*
 * Send a request and wait, for at most `timeout` in all, for the head of its answer, whatever its status. Redirects are followed, but not from
 * https to http; fields with secrets (Authorization, Cookie) do not go to another host. A kept connection that the server closes at this very moment is
 * replaced, and the request sent again, for methods that may be repeated. Read the body by bine_http_read, then end the exchange
 * by bine_http_close. Several greenlets may use one client. Returns NULL:
 *   EINVAL           arguments, also: a malformed URL, header or method
 *   EPERM            another thread's client
 *   EPROTONOSUPPORT  https without a context
 *   EPROTO           an answer that is malformed, that two programs could read in two ways, or whose head is over its limit; TLS
 *                    (bine_tls_reason)
 *   EMSGSIZE         an answer whose body is announced to be over its limit
 *   ECONNRESET       the server ended the connection before the head was there
 *   ETIMEDOUT, ECANCELED, ENOMEM, and as bine_dial, bine_tls_connect, recv(2), send(2) and the caller's read.
 * Switches: yes.
 */
BINE_API bine_http *bine_http_fetch(bine_http_client *client, const bine_http_request *request, int64_t timeout);
/* The same for GET and nothing else. */
BINE_API bine_http *bine_http_get(bine_http_client *client, const char *url, int64_t timeout);

/* The status of the answer, and where it came from after all redirects (valid as long as the exchange). -1 and NULL: EINVAL (also: not a
 * client's). Switches: no. */
BINE_API int bine_http_status(const bine_http *http);
BINE_API const char *bine_http_url(const bine_http *http);
/* End a client's exchange. Its connection is kept if the body has been read to its end, and closed otherwise. NULL is ignored. -1: EINVAL
 * (a server's). Switches: maybe. */
BINE_API int bine_http_close(bine_http *http);

/* ---- files --------------------------------------------------------------------------------------------------- */

typedef struct bine_http_files bine_http_files;

enum {
    BINE_HTTP_DOTFILES = 1 << 0, /* also serve names that begin with a dot */
};

/* The files below a directory. Returns NULL: EINVAL, ENOMEM, or as open(2) of the directory. Any thread may use it, one at a
 * time frees it. Switches: maybe. */
BINE_API bine_http_files *bine_http_files_new(const char *directory, unsigned flags);
/* NULL is ignored. Switches: no. */
BINE_API void bine_http_files_free(bine_http_files *files);

/* A handler whose arg is a bine_http_files: answers GET and HEAD with the file that the path names below the directory, or "index.html"
 * for a path that ends with "/"; ranges (one a request), If-None-Match, If-Modified-Since and If-Range are obeyed. Whatever leads out of
 * the directory ("..", a symbolic link), has a name with a dot first, or is no regular file is not found. Switches: maybe. */
BINE_API void bine_http_files_serve(bine_http *http, void *files);
/* The same for a path of the caller's, such as "/a/b.txt", in place of the request's. Returns 0, or -1 as bine_http_respond; a
 * file that is not found has been answered with 404. Switches: maybe. */
BINE_API int bine_http_files_send(bine_http_files *files, bine_http *http, const char *path);

/* ---- websockets ---------------------------------------------------------------------------------------------- */

typedef struct bine_websocket bine_websocket;

enum {
    BINE_WEBSOCKET_TEXT = 1, /* UTF-8; what comes in is checked */
    BINE_WEBSOCKET_BINARY = 2,
};

typedef struct bine_websocket_options {
    size_t message; /* bytes of a message that comes in, at most; 0: 1 MiB */
    /* Sec-WebSocket-Protocol. Of a server: the one that it answers with, of those that the client offers. Of a client: those that it
     * offers, "chat, superchat". NULL: none */
    const char *protocol;
    int *status; /* of a client: where the status of the server's answer goes; NULL: nowhere */
} bine_websocket_options;

typedef struct bine_websocket_message {
    int kind;         /* BINE_WEBSOCKET_TEXT or BINE_WEBSOCKET_BINARY */
    const char *data; /* with a NUL behind it; valid until the next message is received */
    size_t size;
} bine_websocket_message;

/* Make the connection of a request a websocket: answers the handshake, with the fields that were set. It ends with the exchange, which
 * owns it: calls in which other greenlets are then fail (EPIPE, ECONNRESET). Whether a page from elsewhere (Origin) may do this is the
 * handler's to decide, before. Returns NULL: EINVAL, EPROTO (the request asks for no websocket: it has been answered with status 400, or
 * 426), EALREADY, ENOMEM, or as bine_http_respond. Switches: maybe. */
BINE_API bine_websocket *bine_websocket_accept(bine_http *http, const bine_websocket_options *options);

/*
 * Open a websocket to a server, as a client, within `timeout`, on a connection of its own. Of the request count the URL ("ws://host/path", "wss://",
 * or http and https) and the headers; redirects are not followed. options NULL: all defaults. The client's limits hold. Free with
 * bine_websocket_free, before the client. Returns NULL: as bine_http_fetch, and
 *   EINVAL           also: a method besides GET, a body, a field Sec-WebSocket-..., a malformed list of protocols
 *   ECONNREFUSED     the server's answer is not 101, but options->status; or nobody listens, and that stays as it was
 *   EPROTO           also: the answer is no right one to this handshake, or agrees to what was not offered
 * Switches: yes.
 */
BINE_API bine_websocket *bine_websocket_connect(bine_http_client *client, const bine_http_request *request,
                                                const bine_websocket_options *options, int64_t timeout);
/* End a client's websocket: say that it closes (1000), if nobody has yet, and close the connection. Calls in which other greenlets are then fail
 * (EPIPE, ECONNRESET), and it waits until they have left. What the server has still to say is lost: to hear it, close and receive until
 * 0 comes. NULL is ignored. -1: EINVAL (a server's, which ends with its exchange). Switches: maybe. */
BINE_API int bine_websocket_free(bine_websocket *websocket);
/* The protocol that was agreed upon; "" if none was, and for NULL. Valid as long as the websocket. Switches: no. */
BINE_API const char *bine_websocket_protocol(const bine_websocket *websocket);

/* Receive the next message; pings are answered meanwhile. Returns 1; 0 if the other side closed the websocket (bine_websocket_code); or
 * -1: EINVAL, ETIMEDOUT, ECANCELED and what bine_interrupt was given, which lose nothing; EPROTO (it broke the rules, or a message is over
 * its limit; it has been told so), ECONNRESET (the connection ended without a close), EBUSY (another greenlet receives), or as recv(2) and
 * bine_tls_read. Switches: maybe. */
BINE_API int bine_websocket_receive(bine_websocket *websocket, bine_websocket_message *message, int64_t timeout);

/* Send a message, or a ping with at most 125 bytes. Any greenlet of the thread, also while another one receives or sends. Returns 0, or -1:
 * EINVAL, EPIPE (it has been closed, or an earlier send was cut short, which one that failed before its first byte was not), ENOMEM,
 * ETIMEDOUT (also: out of send_time), ECANCELED, or as send(2) and bine_tls_write. Switches: maybe. */
BINE_API int bine_websocket_send(bine_websocket *websocket, int kind, const void *data, size_t size);
BINE_API int bine_websocket_ping(bine_websocket *websocket, const void *data, size_t size);
/* Say that this side closes, with a code (1000: all is well; 1000 to 1003, 1007 to 1014, 3000 to 4999) and a reason of at most 123 bytes
 * (NULL: none). Receiving goes on until the other side has closed as well. As bine_websocket_send. Switches: maybe. */
BINE_API int bine_websocket_close(bine_websocket *websocket, int code, const char *reason);
/* The code that the other side closed with: 0: it has not; 1005: none was given. 0 for NULL. Switches: no. */
BINE_API int bine_websocket_code(const bine_websocket *websocket);

BINE_END

#endif
