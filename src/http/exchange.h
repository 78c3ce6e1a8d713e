/* An exchange: what its parts share. */
#ifndef BINE_HTTP_EXCHANGE_H
#define BINE_HTTP_EXCHANGE_H

#include <bine/http.h>

#include "message.h"
#include "stream.h"
#include "text.h"

enum bine_http_progress {
    BINE_HTTP_UNANSWERED,
    BINE_HTTP_BEGUN,   /* the head and the length are settled */
    BINE_HTTP_ANSWERED /* nothing more can be sent */
};

enum {
    BINE_HTTP_DRAINED = 64 * 1024 /* the most bytes of a body that are read and dropped */
};

/* A server's answer. */
struct bine_http_answer {
    enum bine_http_progress progress;
    int status;
    bool close;        /* the connection is closed after it */
    bool broken;       /* it cannot be completed, and the client must see that */
    bool head_waits;   /* the head has not been sent, and leaves with the first piece */
    bool without_body; /* it has no body, whatever is written */
    bool has_length, chunked;
    uint64_t left; /* with has_length: the bytes that must still be written */
    uint64_t sent;
    struct bine_http_text head;   /* in the form in which it is sent */
    struct bine_http_text fields; /* the handler's own, each with its line end */
};

struct bine_http {
    struct bine_http_message in;
    struct bine_http_stream stream;
    const bine_http_limits *limits;
    int64_t body_deadline; /* 0: no wait for the body has begun */
    bool continued;        /* the client has been asked for its body */
    int broken;            /* why no more of the body can be read; 0: it can */
    /* The connection can no longer be used: it ended within a body, or carries another protocol
     * now. */
    bool lost;
    char *path; /* decoded, once it was asked for */
    struct bine_http_text body;

    /* These are for servers. */
    bine_http_server *server; /* NULL: the exchange is a client's */
    bine_connection *connection;
    struct bine_http_answer out;
    struct bine_websocket *websocket;
    bool resting;                      /* between two requests */
    struct bine_http *next, **pointer; /* the server's connections */

    /* These are for clients. */
    bine_http_client *client; /* NULL: the exchange is a server's */
    struct bine_http_link *link;
    char *url;
};

/* ---- answer.c ---- */

/* Forgets the last answer. */
void bine_http_answer_reset(struct bine_http *http);
/* Makes the head of an answer, and does not send it. length -1: not known. Returns 0 or -1 as
 * bine_http_begin does. */
int bine_http_answer_begin(struct bine_http *http, int status, const char *type, int64_t length);
/* Sends the head and `size` bytes of a file. Called after bine_http_answer_begin with this size. */
int bine_http_answer_file(struct bine_http *http, int file, off_t offset, size_t size);
/* Answers with a short text that names the status. */
int bine_http_answer_status(struct bine_http *http, int status);
/* The handler has returned. Completes what it began. */
void bine_http_answer_end(struct bine_http *http);
/* The connection carries another protocol from now on. Answers 101 with the fields that were
 * set. */
int bine_http_answer_switch(struct bine_http *http);

/* ---- input.c ---- */

/* Receives more of the message. Returns 1, 0 at the end of the connection, or -1. */
int bine_http_receive(struct bine_http *http, int64_t time);
/* Returns the error number for a message that was refused with this status. */
int bine_http_error_of(int status);
/* Reads and drops the rest of the body, if that is at most BINE_HTTP_DRAINED bytes, so that the
 * connection can stay. */
bool bine_http_drain(struct bine_http *http);
/* Frees what the exchange holds besides the connection, and forgets it. */
void bine_http_forget(struct bine_http *http);

/* ---- server.c ---- */

bool bine_http_server_is_stopping(const bine_http_server *server);

#endif
