/*
 * HTTP/1.1 for greenlets. It is a library of its own, libbine-http (link with -lbine-http
 * -lbine-tls -lbine). A server runs your function once for each request, in the greenlet of its
 * connection. A client keeps its connections. TLS is libbine-tls's, and the parser is llhttp.
 *
 *      static void hello(bine_http *http, void *arg)
 *      {
 *          bine_http_respond(http, 200, "text/plain", "hello, world\n", 13);
 *      }
 *
 *      bine_http_server_options options = {.listen.address = "127.0.0.1:8000"};
 *      bine_http_server *server = bine_http_server_new(&options, hello, NULL);
 *      bine_http_server_serve(server);
 *
 * A `bine_http` is one exchange: a request and its answer. The same functions read the incoming
 * message on both sides: the request on a server, the answer at a client. An exchange belongs to
 * the greenlet that got it. That greenlet may lend it to others of its thread, one at a time.
 *
 * Incoming messages are read strictly: a message that two programs could read in two ways is
 * refused. So is one that is larger or slower than its limits allow. The server itself answers the
 * requests that it refuses (400, 408, 413, 414, 417, 431, 501, 503, 505), and then closes the
 * connection.
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

/* These limits bound what the other side may do. A field that is 0 means the value that its comment
 * names. Times are in ns. */
typedef struct bine_http_limits {
    size_t line; /* bytes of a request's target: 8,192 */
    /* Bytes of a head, which is the first line and the fields: 16,384. The trailers behind
     * chunks may have as many. */
    size_t head;
    uint64_t body; /* bytes of a body: 1 MiB for servers, no limit for clients */
    /* From the first byte of a head to its last, for a client also until the first; also for a
     * TLS handshake: 10 s. */
    int64_t head_time;
    /* For a whole body to come in, including the time between the caller's reads: 60 s. */
    int64_t body_time;
    int64_t send_time; /* For the other side to take one piece of at most 256 KiB: 60 s. */
    int64_t idle_time; /* Between two exchanges of a connection: 60 s. */
    /* For servers: from the first byte of a request to the last one of its answer: no limit. */
    int64_t request_time;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_http_limits;

/* ---- what came in: a server's request, a client's answer ------------------------------------- */

/* Returns the value of the first field of this name (in any case), without the space around it.
 * Returns NULL if there is none, and for NULL. The text is valid as long as the exchange.
 * Switches: no. */
BINE_API const char *bine_http_header(const bine_http *http, const char *name);
/* Store the name and the value of the field with this index, counted from 0 in the order in which
 * the fields came. Returns false if there is none, and for NULL. Switches: no. */
BINE_API bool bine_http_header_at(const bine_http *http, size_t index, const char **name,
                                  const char **value);

/* Returns the number of bytes of the body as announced, also when they have been read. Returns -1
 * if only the body's end will tell (chunks), 0 for NULL. Switches: no. */
BINE_API int64_t bine_http_length(const bine_http *http);

/* Read at most `size` bytes of the body. Returns how many, or 0 at its end. Otherwise returns -1
 * with EINVAL, EMSGSIZE (the body is over its limit), EPROTO (malformed chunks), ECONNRESET (the
 * connection ended within the body), ETIMEDOUT (also if body_time has passed), ECANCELED, or as
 * recv(2) and bine_tls_read. An error that ended only the caller's wait loses nothing, and the next
 * read continues. All others are for good. If the client holds the body back (Expect:
 * 100-continue), the first read asks for it. Switches: maybe. */
BINE_API ssize_t bine_http_read(bine_http *http, void *buffer, size_t size);
/* Returns the whole rest of the body, with a NUL behind it, and stores its size in *size (may be
 * NULL). The exchange owns it. Fails as bine_http_read, and with ENOMEM. Switches: maybe. */
BINE_API char *bine_http_read_all(bine_http *http, size_t *size);

/* ---- servers --------------------------------------------------------------------------------- */

typedef struct bine_http_server bine_http_server;

/* Runs once for each request. When it returns without an answer, the client gets status 500. When
 * the server stops, the handler's greenlet is killed after the time of grace: its calls fail with
 * ECANCELED. */
typedef void bine_http_handler(bine_http *http, void *arg);

/* This is the outcome of a request, for an access log. */
typedef struct bine_http_record {
    const bine_connection *connection;
    const char *method, *target; /* "" if the request was refused before they were known */
    int status;                  /* of the answer; 0 if there was none */
    uint64_t sent;               /* bytes of the answer, its head included */
    int64_t duration; /* ns from the first byte of the request to the end of the answer */
    /* Why the server refused the request or cut it short. NULL if it did not. */
    const char *reason;
} bine_http_record;

typedef struct bine_http_server_options {
    bine_server_options listen; /* where, and how many connections: as for bine_server_new */
    /* For HTTPS: a server's context, which must outlive the server. NULL serves plain HTTP. */
    bine_tls_context *tls;
    bine_http_limits limits;
    /* `log` is called after each exchange, `error` for each exchange that the server refused or cut
     * short, in the greenlet of the connection. They may switch. NULL is not called. */
    void (*log)(const bine_http_record *record, void *arg);
    void (*error)(const bine_http_record *record, void *arg);
    void *hook_arg;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_http_server_options;

/* Make a server that is bound and listens, but accepts nothing yet. Fails as bine_server_new, and
 * with EINVAL also for a negative time. Free it with bine_http_server_free. Switches: no. */
BINE_API bine_http_server *bine_http_server_new(const bine_http_server_options *options,
                                                bine_http_handler *handler, void *arg);
/* Make another server of the calling thread, at the same place and with the same options, handler
 * and argument: as bine_server_share. Switches: no. */
BINE_API bine_http_server *bine_http_server_share(const bine_http_server *server);
/* These do what bine_server_start, bine_server_serve, bine_server_free, bine_server_address and
 * bine_server_port do. */
BINE_API int bine_http_server_start(bine_http_server *server);
BINE_API int bine_http_server_serve(bine_http_server *server);
BINE_API int bine_http_server_free(bine_http_server *server);
BINE_API const char *bine_http_server_address(const bine_http_server *server);
BINE_API int bine_http_server_port(const bine_http_server *server);
/* Stop as bine_server_stop does. Connections that rest between two requests are closed at once.
 * Requests that have begun have the time of grace (ns), and their connections are closed after the
 * answer. Any thread may call it. Switches: yes. */
BINE_API int bine_http_server_stop(bine_http_server *server, int64_t grace);

/* ---- a server's exchange --------------------------------------------------------------------- */

/* Return the method, such as "GET", and the target as the client sent it, such as "/a%20b?c=d".
 * Both are valid as long as the exchange. They fail with EINVAL. Switches: no. */
BINE_API const char *bine_http_method(const bine_http *http);
BINE_API const char *bine_http_target(const bine_http *http);
/* bine_http_path returns the target's path with percent signs decoded, such as "/a b". It fails
 * with EINVAL if the target has no path, is malformed, or has a NUL in it. bine_http_query returns
 * the text behind the question mark as it was sent, such as "c=d", or NULL if there is none. Both
 * are valid as long as the exchange. Switches: no. */
BINE_API const char *bine_http_path(bine_http *http);
BINE_API const char *bine_http_query(const bine_http *http);
/* Return the connection that the request came by, and its TLS, which is NULL for a plain
 * connection. Do not read, write or close them. They fail with EINVAL. Switches: no. */
BINE_API bine_connection *bine_http_connection(const bine_http *http);
BINE_API bine_tls *bine_http_tls(const bine_http *http);

/* Add a field to the answer, before the answer has begun. Name and value are copied. Returns 0, or
 * -1 with EALREADY (the answer has begun), ENOMEM, or EINVAL: the name is no token, the value has a
 * control character in it, or the field is the library's (Content-Length, Transfer-Encoding,
 * Connection, Date). Switches: no. */
BINE_API int bine_http_set_header(bine_http *http, const char *name, const char *value);

/* Answer with a status (200 to 599), a Content-Type (NULL sends none) and the whole body. Head and
 * body leave in one write. The answer to HEAD is sent without its body. Returns 0, or -1 with
 * EINVAL (204 and 304 have no body), EALREADY (the request has been answered), ENOMEM, ETIMEDOUT
 * (also if send_time has passed), ECANCELED, or as send(2) and bine_tls_write. After these last
 * ones the connection is over. Switches: maybe. */
BINE_API int bine_http_respond(bine_http *http, int status, const char *type, const void *body,
                               size_t size);

/* Answer in pieces: bine_http_begin takes status, type and length, then bine_http_write writes the
 * pieces. If the length is -1, it is not known: the body goes in chunks, or for a client of
 * HTTP/1.0 ends with the connection. The head leaves with the first piece. The answer ends when the
 * handler returns. If less than the length was written, or if a write failed, the answer is broken
 * off, so that the client sees that it is not whole. Both return 0, or -1 as bine_http_respond.
 * bine_http_write also fails with EMSGSIZE (more than the length; it sent nothing of it).
 * bine_http_begin does not switch; bine_http_write may. */
BINE_API int bine_http_begin(bine_http *http, int status, const char *type, int64_t length);
BINE_API int bine_http_write(bine_http *http, const void *data, size_t size);
/* Say that the answer cannot be completed. The connection is closed when the handler returns, so
 * that the client sees it. Returns 0, or -1 with EINVAL. Switches: no. */
BINE_API int bine_http_abort(bine_http *http);

/* ---- clients --------------------------------------------------------------------------------- */

typedef struct bine_http_client bine_http_client;

typedef struct bine_http_client_options {
    /* For https: a client's context, which must outlive the client. NULL allows plain http only. */
    bine_tls_context *tls;
    bine_http_limits limits; /* head_time is also for connecting */
    size_t keep; /* The largest number of connections at rest that are kept. 0 means 16. */
    /* The largest number of redirects that are followed. 0 means 10, and -1 means none. */
    int redirects;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_http_client_options;

typedef struct bine_http_request {
    const char *method; /* NULL means "GET" */
    const char *url;    /* "http://host:port/path?query" or https */
    /* Name, value, name, value ..., NULL. NULL sends none. They may not be Host,
     * Content-Length, Transfer-Encoding, Connection, Expect or Upgrade. */
    const char *const *headers;
    const void *body;
    size_t size;
    /* Used in place of body and size: it is called for the next piece of the body, which goes in
     * chunks. It returns how many bytes it stored, 0 at the end, or -1 with errno; then the request
     * fails. */
    ssize_t (*read)(void *arg, void *buffer, size_t size);
    void *arg;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_http_request;

/* Make a client of the calling thread. With options NULL it takes all defaults. Fails with EINVAL,
 * ENOMEM, or EAGAIN (no hub could be made). Free it with bine_http_client_free. Switches: no. */
BINE_API bine_http_client *bine_http_client_new(const bine_http_client_options *options);
/* Free the client and close the connections that it keeps. NULL is ignored. Returns 0, or -1 with
 * EPERM (the client is another thread's) or EBUSY (an exchange has not been closed, or is being
 * fetched). Switches: maybe. */
BINE_API int bine_http_client_free(bine_http_client *client);

/*
 * Send a request and wait for the head of its answer, whatever its status, for at most `timeout`
 * (ns) in all. Redirects are followed, but not from https to http. Fields with secrets
 * (Authorization, Cookie) do not go to another host. If the server closes a kept connection at this
 * very moment, the client replaces the connection and sends the request again, for methods that may
 * be repeated. Read the body by bine_http_read, then end the exchange by bine_http_close. Several
 * greenlets may use one client. Fails with:
 *
 *  - EINVAL: an argument is wrong, or the URL, the method or a header is malformed
 *  - EPERM: the client is another thread's
 *  - EPROTONOSUPPORT: the URL is https, but the client has no context
 *  - EPROTO: the answer is malformed, two programs could read it in two ways, or its head is over
 *    its limit; or TLS failed (bine_tls_reason)
 *  - EMSGSIZE: the answer announces a body that is over its limit
 *  - ECONNRESET: the server ended the connection before the head was there
 *  - ETIMEDOUT, ECANCELED, ENOMEM, and as bine_dial, bine_tls_connect, recv(2), send(2) and the
 *    caller's read
 *
 * Switches: yes.
 */
BINE_API bine_http *bine_http_fetch(bine_http_client *client, const bine_http_request *request,
                                    int64_t timeout);
/* Does the same for GET, without fields or a body. Returns and fails as bine_http_fetch.
 * Switches: yes. */
BINE_API bine_http *bine_http_get(bine_http_client *client, const char *url, int64_t timeout);

/* bine_http_status returns the status of the answer, or -1 with EINVAL. bine_http_url returns the
 * URL that the answer came from after all redirects, which is valid as long as the exchange. It
 * fails with EINVAL. The EINVAL also means that the exchange is not a client's. Switches: no. */
BINE_API int bine_http_status(const bine_http *http);
BINE_API const char *bine_http_url(const bine_http *http);
/* End a client's exchange. Its connection is kept if the body has been read to its end, and closed
 * otherwise. NULL is ignored. Returns 0, or -1 with EINVAL (the exchange is a server's).
 * Switches: maybe. */
BINE_API int bine_http_close(bine_http *http);

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct bine_http_files bine_http_files;

enum {
    BINE_HTTP_DOTFILES = 1 << 0, /* also serve names that begin with a dot */
};

/* Open the files below a directory. Fails with EINVAL, ENOMEM, or as open(2) of the directory. Any
 * thread may use the result; one thread frees it. Free it with bine_http_files_free.
 * Switches: maybe. */
BINE_API bine_http_files *bine_http_files_new(const char *directory, unsigned flags);
/* Free it. NULL is ignored. Switches: no. */
BINE_API void bine_http_files_free(bine_http_files *files);

/* This is a handler whose arg is a bine_http_files. It answers GET and HEAD with the file that the
 * path names below the directory, or with "index.html" for a path that ends with "/". It obeys
 * ranges (one a request), If-None-Match, If-Modified-Since and If-Range. It answers 404 for a path
 * that leads out of the directory ("..", a symbolic link), for a name that begins with a dot
 * (without BINE_HTTP_DOTFILES), and for a file that is not regular. Switches: maybe. */
BINE_API void bine_http_files_serve(bine_http *http, void *files);
/* Does the same for a path of the caller's, such as "/a/b.txt", in place of the request's. Returns
 * 0, or -1 as bine_http_respond. For a file that is not found it has answered with 404.
 * Switches: maybe. */
BINE_API int bine_http_files_send(bine_http_files *files, bine_http *http, const char *path);

/* ---- figures --------------------------------------------------------------------------------- */

/* This is a handler whose arg is not used. It answers with the figures of all hubs of the process,
 * as Prometheus reads them (bine/metrics.h), and with status 503 if there is no memory. Put it on
 * an address of its own, or call it from a handler. Switches: maybe. */
BINE_API void bine_http_metrics(bine_http *http, void *unused);

/* ---- websockets ------------------------------------------------------------------------------ */

typedef struct bine_websocket bine_websocket;

enum {
    BINE_WEBSOCKET_TEXT = 1, /* UTF-8; incoming text is checked */
    BINE_WEBSOCKET_BINARY = 2,
};

typedef struct bine_websocket_options {
    size_t message; /* The largest number of bytes of an incoming message. 0 means 1 MiB. */
    /* Sec-WebSocket-Protocol. A server answers with this one, if the client offers it. A client
     * offers these: "chat, superchat". NULL means none. */
    const char *protocol;
    /* For a client: the place where the status of the server's answer is stored. NULL stores it
     * nowhere. */
    int *status;
    uintptr_t reserved[4]; /* 0; more fields may be added here */
} bine_websocket_options;

typedef struct bine_websocket_message {
    int kind;         /* BINE_WEBSOCKET_TEXT or BINE_WEBSOCKET_BINARY */
    const char *data; /* with a NUL behind it; valid until the next message is received */
    size_t size;
    uintptr_t reserved[2]; /* Bine sets it to 0; more fields may be added here */
} bine_websocket_message;

/* Make the connection of a request a websocket: answer the handshake, with the fields that were
 * set. The websocket ends with the exchange, which owns it. Calls that other greenlets have begun
 * with it then fail (EPIPE, ECONNRESET). The handler itself decides before this call whether a page
 * from elsewhere (Origin) may do this. Fails with EINVAL, EPROTO (the request asks for no
 * websocket; it has been answered with status 400 or 426), EALREADY, ENOMEM, or as
 * bine_http_respond. Switches: maybe. */
BINE_API bine_websocket *bine_websocket_accept(bine_http *http,
                                               const bine_websocket_options *options);

/*
 * Open a websocket to a server, as a client, within `timeout` (ns), on a connection of its own. The
 * call uses the URL ("ws://host/path", "wss://", or http and https) and the headers of the request.
 * It does not follow redirects. With options NULL it takes all defaults. The client's limits hold.
 * Free the websocket with bine_websocket_free, before the client. Fails as bine_http_fetch, and
 * with:
 *
 *  - EINVAL: also for a method besides GET, a body, a field Sec-WebSocket-..., or a malformed list
 *    of protocols
 *  - ECONNREFUSED: the server's answer is not 101; its status is then in *options->status. Or
 *    nobody listens; *options->status then stays as it was
 *  - EPROTO: also if the answer does not fit this handshake, or agrees to something that was not
 *    offered
 *
 * Switches: yes.
 */
BINE_API bine_websocket *bine_websocket_connect(bine_http_client *client,
                                                const bine_http_request *request,
                                                const bine_websocket_options *options,
                                                int64_t timeout);
/* End a client's websocket: say that it closes (1000), if neither side has yet, and close the
 * connection. Calls that other greenlets have begun with it then fail (EPIPE, ECONNRESET), and the
 * call waits until they have left. Messages that the server has still to send are lost. To receive
 * them, call bine_websocket_close and receive until 0 comes. NULL is ignored. Returns 0, or -1 with
 * EINVAL (the websocket is a server's, which ends with its exchange). Switches: maybe. */
BINE_API int bine_websocket_free(bine_websocket *websocket);
/* Returns the protocol that was agreed upon, or "" if none was, and for NULL. The text is valid as
 * long as the websocket. Switches: no. */
BINE_API const char *bine_websocket_protocol(const bine_websocket *websocket);

/*
 * Receive the next message, and answer pings meanwhile. Returns 1, or 0 if the other side closed
 * the websocket (bine_websocket_code). Otherwise returns -1 with:
 *
 *  - EINVAL
 *  - ETIMEDOUT, ECANCELED, and the error given to bine_interrupt: these lose nothing
 *  - EPROTO: the other side broke the rules, or a message is over its limit; the call has told the
 *    other side so
 *  - ECONNRESET: the connection ended without a close
 *  - EBUSY: another greenlet receives
 *  - the errors of recv(2) and bine_tls_read
 *
 * Switches: maybe.
 */
BINE_API int bine_websocket_receive(bine_websocket *websocket, bine_websocket_message *message,
                                    int64_t timeout);

/* Send a message, or a ping with at most 125 bytes. Any greenlet of the thread may call these, also
 * while another one receives or sends. Returns 0, or -1 with EINVAL, EPIPE (the websocket has been
 * closed, or an earlier send was cut short), ENOMEM, ETIMEDOUT (also if send_time has passed),
 * ECANCELED, or as send(2) and bine_tls_write. A send that failed before its first byte was not cut
 * short. Switches: maybe. */
BINE_API int bine_websocket_send(bine_websocket *websocket, int kind, const void *data,
                                 size_t size);
BINE_API int bine_websocket_ping(bine_websocket *websocket, const void *data, size_t size);
/* Say that this side closes, with a code (1000 means that all is well; 1000 to 1003, 1007 to 1014,
 * 3000 to 4999) and a reason of at most 123 bytes (NULL means none). Receiving stays possible until
 * the other side has closed as well. Returns and fails as bine_websocket_send. Switches: maybe. */
BINE_API int bine_websocket_close(bine_websocket *websocket, int code, const char *reason);
/* Returns the code that the other side closed with. Returns 0 if it has not closed, and for NULL,
 * and 1005 if it gave no code. Switches: no. */
BINE_API int bine_websocket_code(const bine_websocket *websocket);

BINE_END

#endif
