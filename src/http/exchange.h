/* An exchange: what its parts share. */
#ifndef BINE_HTTP_EXCHANGE_H
#define BINE_HTTP_EXCHANGE_H

#include <bine/http.h>

#include "message.h"
#include "stream.h"
#include "text.h"

enum bine_http_progress {
    BINE_HTTP_UNANSWERED,
    BINE_HTTP_BEGUN,   /* head and length are settled */
    BINE_HTTP_ANSWERED /* there is nothing more to say */
};

enum {
    BINE_HTTP_DRAINED = 64 * 1024 /* of a body that nobody reads */
};

/* A server's answer. */
struct bine_http_answer {
    enum bine_http_progress progress;
    int status;
    bool close;        /* the connection, behind it */
    bool broken;       /* it cannot be completed: the client must see that */
    bool head_waits;   /* the head has not been sent: it leaves with the first piece */
    bool without_body; /* whatever is written */
    bool has_length, chunked;
    uint64_t left; /* has_length: what must be written yet */
    uint64_t sent;
    struct bine_http_text head;   /* as it is sent */
    struct bine_http_text fields; /* the handler's own, each with its line end */
};

struct bine_http {
    struct bine_http_message in;
    struct bine_http_stream stream;
    const bine_http_limits *limits;
    int64_t body_deadline; /* 0: no wait for the body has begun */
    bool continued;        /* the client has been asked for its body */
    int broken;            /* why no more of the body can be read; 0: it can */
    bool lost;  /* the connection is of no use any more: it ended within a body, or carries something else now */
    char *path; /* decoded, once it was asked for */
    struct bine_http_text body;

    /* Of servers. */
    bine_http_server *server; /* NULL: a client's */
    bine_connection *connection;
    struct bine_http_answer out;
    struct bine_websocket *websocket;
    bool resting;                      /* between two requests */
    struct bine_http *next, **pointer; /* the server's connections */

    /* Of clients. */
    bine_http_client *client; /* NULL: a server's */
    struct bine_http_link *link;
    char *url;
};

/* ---- answer.c ---- */

/* Forget the last answer. */
void bine_http_answer_reset(struct bine_http *http);
/* The head of an answer, not sent. length -1: not known. 0 or -1 as bine_http_begin. */
int bine_http_answer_begin(struct bine_http *http, int status, const char *type, int64_t length);
/* Send the head and `size` bytes of a file. Behind bine_http_answer_begin with this size. */
int bine_http_answer_file(struct bine_http *http, int file, off_t offset, size_t size);
/* A short text that names the status. */
int bine_http_answer_status(struct bine_http *http, int status);
/* The handler has returned: complete what it began. */
void bine_http_answer_end(struct bine_http *http);
/* The connection carries another protocol from now on: answer 101 with the fields that were set. */
int bine_http_answer_switch(struct bine_http *http);

/* ---- input.c ---- */

/* Receive more of the message. 1, 0 at the end of the connection, or -1. */
int bine_http_receive(struct bine_http *http, int64_t time);
/* The error number for a message that was refused with this status. */
int bine_http_error_of(int status);
/* Read and drop what is left of the body, if that is at most BINE_HTTP_DRAINED bytes, so that the connection can stay. */
bool bine_http_drain(struct bine_http *http);
/* Free what the exchange holds besides the connection, and forget it. */
void bine_http_forget(struct bine_http *http);

/* ---- server.c ---- */

bool bine_http_server_is_stopping(const bine_http_server *server);

#endif
