/*
 * Websockets (RFC 6455). wslay reads and writes frames, puts messages together and checks them.
 * This file carries the bytes, lets one greenlet at a time send, and keeps messages for the
 * greenlet that receives, because wslay may find several at once.
 */
#include "websocket.h"

#include <errno.h>
#include <limits.h>
#include <strings.h>
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <wslay/wslay.h>

#include <bine/clock.h>
#include <bine/greenlet.h>
#include <bine/semaphore.h>

#include "link.h"

enum {
    MESSAGE = 1 << 20, /* the limit, unless the program says otherwise */
    BLOCK = 4096,
    REASON = 123,
    PING = 125
};

struct waiting {
    struct waiting *next;
    int kind;
    size_t size;
    char data[];
};

struct bine_websocket {
    struct bine_http *http;
    wslay_event_context_ptr context;
    char *protocol; /* NULL: none was agreed upon */
    bine_semaphore *sending;
    struct bine_http_text output; /* frames that go out; of the greenlet that sends */
    struct waiting *first, **last, *current;
    const char *input; /* received and not yet read by wslay */
    size_t input_size;
    int error;      /* why nothing can be sent any more; 0: it can */
    int broken;     /* why nothing can be received any more; 0: it can */
    int code;       /* the other side's, 0: it has not closed */
    unsigned users; /* greenlets inside a call */
    bool receiving, out_of_memory, refused;
    char block[BLOCK];
};

static int websocket_fail(int error)
{
    errno = error;
    return -1;
}

/* ---- what wslay asks for --------------------------------------------------------------------- */

static ssize_t give_input(wslay_event_context_ptr context, uint8_t *data, size_t size, int flags,
                          void *arg)
{
    struct bine_websocket *websocket = arg;
    size_t part = websocket->input_size < size ? websocket->input_size : size;
    if (part == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(data, websocket->input, part);
    websocket->input += part;
    websocket->input_size -= part;
    return (ssize_t)part;
}

static ssize_t take_output(wslay_event_context_ptr context, const uint8_t *data, size_t size,
                           int flags, void *arg)
{
    struct bine_websocket *websocket = arg;
    if (bine_http_text_add(&websocket->output, (const char *)data, size))
        return (ssize_t)size;
    wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void take_message(wslay_event_context_ptr context,
                         const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
    struct bine_websocket *websocket = arg;
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        websocket->code = message->status_code ? message->status_code : 1005;
        return;
    }
    if (wslay_is_ctrl_frame(message->opcode))
        return; /* wslay answers pings; no greenlet waits for a pong */
    struct waiting *waiting = malloc(sizeof *waiting + message->msg_length + 1);
    if (!waiting) {
        websocket->out_of_memory = true;
        return;
    }
    waiting->next = NULL;
    waiting->kind =
        message->opcode == WSLAY_TEXT_FRAME ? BINE_WEBSOCKET_TEXT : BINE_WEBSOCKET_BINARY;
    waiting->size = message->msg_length;
    if (message->msg_length)
        memcpy(waiting->data, message->msg, message->msg_length);
    waiting->data[message->msg_length] = '\0';
    *websocket->last = waiting;
    websocket->last = &waiting->next;
}

/* For clients. A mask that others do not know keeps them from making a proxy in between take a
 * frame for something else. */
static int make_mask(wslay_event_context_ptr context, uint8_t *mask, size_t size, void *arg)
{
    if (RAND_bytes(mask, (int)size) == 1)
        return 0;
    wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static const struct wslay_event_callbacks callbacks = {.recv_callback = give_input,
                                                       .send_callback = take_output,
                                                       .genmask_callback = make_mask,
                                                       .on_msg_recv_callback = take_message};

/* ---- sending --------------------------------------------------------------------------------- */

/* Send the frames that wslay has, in this greenlet's turn. 0 or -1. */
static int send_frames(struct bine_websocket *websocket)
{
    websocket->output.size = 0;
    int error = websocket->error;
    if (!error && wslay_event_send(websocket->context) != 0)
        error = ENOMEM;
    struct iovec vector = {websocket->output.data, websocket->output.size};
    if (!error && websocket->output.size > 0 &&
        bine_http_stream_send(&websocket->http->stream, &vector, 1,
                              websocket->http->limits->send_time) != 0) {
        error = errno;
        websocket->error = EPIPE; /* a frame may have been cut */
    } else if (error) {
        websocket->error = error;
    } else {
        websocket->http->out.sent += vector.iov_len;
    }
    return error ? websocket_fail(error) : 0;
}

static int queue(struct bine_websocket *websocket, const struct wslay_event_msg *message)
{
    websocket->users++;
    if (bine_semaphore_acquire(websocket->sending, BINE_FOREVER) != 0) {
        websocket->users--;
        return -1;
    }
    int error = websocket->error;
    if (!error && bine_check() != 0)
        error = errno; /* nothing has been sent: other greenlets may continue */
    if (!error) {
        int queued = wslay_event_queue_msg(websocket->context, message);
        error = queued == 0 ? 0 : queued == WSLAY_ERR_NOMEM ? ENOMEM : EPIPE;
    }
    int result = error ? websocket_fail(error) : send_frames(websocket);
    error = errno;
    bine_semaphore_release(websocket->sending);
    websocket->users--;
    errno = error;
    return result;
}

int bine_websocket_send(bine_websocket *websocket, int kind, const void *data, size_t size)
{
    if (!websocket || (!data && size) ||
        (kind != BINE_WEBSOCKET_TEXT && kind != BINE_WEBSOCKET_BINARY))
        return websocket_fail(EINVAL);
    uint8_t opcode = kind == BINE_WEBSOCKET_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
    return queue(websocket, &(struct wslay_event_msg){opcode, data, size});
}

int bine_websocket_ping(bine_websocket *websocket, const void *data, size_t size)
{
    if (!websocket || (!data && size) || size > PING)
        return websocket_fail(EINVAL);
    return queue(websocket, &(struct wslay_event_msg){WSLAY_PING, data, size});
}

/* May an endpoint send it (RFC 6455, 7.4)? 1004 is reserved, 1005, 1006 and 1015 are for what was
 * not said. */
static bool is_code(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

int bine_websocket_close(bine_websocket *websocket, int code, const char *reason)
{
    if (!reason)
        reason = "";
    size_t size = strlen(reason);
    if (!websocket || !is_code(code) || size > REASON)
        return websocket_fail(EINVAL);
    uint8_t data[2 + REASON] = {(uint8_t)(code >> 8), (uint8_t)code};
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a frame has no NUL */
    memcpy(data + 2, reason, size);
    return queue(websocket, &(struct wslay_event_msg){WSLAY_CONNECTION_CLOSE, data, 2 + size});
}

int bine_websocket_code(const bine_websocket *websocket)
{
    return websocket ? websocket->code : 0;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* What reading made wslay say: pongs, the answer to a close, or why it refuses. */
static int send_answers(struct bine_websocket *websocket)
{
    if (!wslay_event_want_write(websocket->context))
        return 0;
    if (bine_semaphore_acquire(websocket->sending, BINE_FOREVER) != 0)
        return -1;
    int result = send_frames(websocket), error = errno;
    bine_semaphore_release(websocket->sending);
    errno = error;
    return result;
}

/* The other side sent what is no frame. wslay's own close would not say why. -1 with EPROTO. */
static int refuse_frame(struct bine_websocket *websocket)
{
    unsigned char frame[8] = {0x88, 2, 1002 >> 8, 1002 & 0xff}, mask[4];
    struct iovec vector = {frame, 4};
    if (websocket->http->client && RAND_bytes(mask, sizeof mask) == 1) {
        frame[1] |= 0x80;
        memcpy(frame + 2, mask, sizeof mask);
        frame[6] = (1002 >> 8) ^ mask[0];
        frame[7] = (1002 & 0xff) ^ mask[1];
        vector.iov_len = 8;
    }
    if (bine_semaphore_acquire(websocket->sending, BINE_FOREVER) != 0)
        return -1;
    if (!websocket->error && !wslay_event_get_close_sent(websocket->context))
        bine_http_stream_send(&websocket->http->stream, &vector, 1,
                              websocket->http->limits->send_time);
    websocket->error = EPIPE;
    bine_semaphore_release(websocket->sending);
    return websocket_fail(EPROTO);
}

/* What has been received goes to wslay, and what that says to the other side. 0 or -1. */
static int read_input(struct bine_websocket *websocket)
{
    int result =
        websocket->refused ? WSLAY_ERR_CALLBACK_FAILURE : wslay_event_recv(websocket->context);
    if (result == WSLAY_ERR_CALLBACK_FAILURE) { /* give_input never fails */
        websocket->refused = true;
        return refuse_frame(websocket);
    }
    if (result != 0 || websocket->out_of_memory)
        return websocket_fail(ENOMEM);
    return send_answers(websocket);
}

/* 1: a message waits; 0: closed; -1. */
static int websocket_receive(struct bine_websocket *websocket, int64_t timeout)
{
    int64_t deadline = bine_deadline(timeout);
    for (bool again = false;; again = true) {
        if (read_input(websocket) != 0 && !(websocket->refused && websocket->first))
            return -1;
        if (websocket->first)
            return 1;
        if (websocket->code)
            return 0;
        if (!wslay_event_get_read_enabled(websocket->context))
            return websocket_fail(EPROTO);
        /* What comes at once needs no wait, which would be what fails. */
        if (again && bine_left(deadline) == 0)
            return websocket_fail(ETIMEDOUT);
        if (websocket->broken)
            return websocket_fail(websocket->broken);
        unsigned interruptions = bine_interruptions();
        ssize_t got = bine_http_stream_receive(&websocket->http->stream, websocket->block, BLOCK,
                                               bine_left(deadline));
        if (got == 0 || (got < 0 && !bine_error_passes(errno, interruptions)))
            websocket->broken = got == 0 ? ECONNRESET : errno;
        if (got <= 0)
            return got == 0 ? websocket_fail(ECONNRESET) : -1;
        websocket->input = websocket->block;
        websocket->input_size = (size_t)got;
    }
}

int bine_websocket_receive(bine_websocket *websocket, bine_websocket_message *message,
                           int64_t timeout)
{
    if (!websocket || !message || timeout < 0)
        return websocket_fail(EINVAL);
    if (websocket->receiving)
        return websocket_fail(EBUSY);
    free(websocket->current);
    websocket->current = NULL;
    websocket->receiving = true;
    websocket->users++;
    int result = websocket->first ? 1 : websocket_receive(websocket, timeout);
    websocket->users--;
    websocket->receiving = false;
    if (result != 1)
        return result;
    struct waiting *waiting = websocket->current = websocket->first;
    websocket->first = waiting->next;
    if (!websocket->first)
        websocket->last = &websocket->first;
    *message = (bine_websocket_message){waiting->kind, waiting->data, waiting->size, {0}};
    return 1;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void free_websocket(struct bine_websocket *websocket)
{
    for (struct waiting *waiting; (waiting = websocket->first);) {
        websocket->first = waiting->next;
        free(waiting);
    }
    free(websocket->current);
    free(websocket->output.data);
    free(websocket->protocol);
    bine_semaphore_free(websocket->sending);
    if (websocket->context)
        wslay_event_context_free(websocket->context);
    free(websocket);
}

struct bine_websocket *bine_http_websocket_new(struct bine_http *http, size_t message,
                                               const char *protocol)
{
    struct bine_websocket *websocket = calloc(1, sizeof *websocket);
    if (!websocket)
        return NULL;
    websocket->http = http;
    websocket->last = &websocket->first;
    websocket->sending = bine_semaphore_new(1, 0);
    bool good = websocket->sending && (!protocol || (websocket->protocol = strdup(protocol)));
    if (good &&
        (http->server
             ? wslay_event_context_server_init(&websocket->context, &callbacks, websocket)
             : wslay_event_context_client_init(&websocket->context, &callbacks, websocket)) != 0) {
        websocket->context = NULL;
        good = false;
    }
    if (!good) {
        free_websocket(websocket);
        errno = ENOMEM;
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(websocket->context, message ? message : MESSAGE);
    return websocket;
}

void bine_http_websocket_begin(struct bine_websocket *websocket)
{
    struct bine_http *http = websocket->http;
    websocket->input = http->in.buffer + http->in.parsed;
    websocket->input_size = http->in.used - http->in.parsed;
    http->lost = true;
    http->websocket = websocket;
}

const char *bine_websocket_protocol(const bine_websocket *websocket)
{
    return websocket && websocket->protocol ? websocket->protocol : "";
}

void bine_http_websocket_answer(const char *key, char answer[BINE_WEBSOCKET_ANSWER + 1])
{
    enum {
        KEY = BINE_WEBSOCKET_KEY
    };
    char text[KEY + 37];
    unsigned char hash[SHA_DIGEST_LENGTH];
    memcpy(text, key, KEY);
    memcpy(text + KEY, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
    SHA1((unsigned char *)text, KEY + 36, hash);
    EVP_EncodeBlock((unsigned char *)answer, hash, sizeof hash);
}

/* The status to refuse the request with; 0: it asks for a websocket. */
static int check_request(const struct bine_http *http)
{
    const char *upgrade = bine_http_header(http, "Upgrade"),
               *key = bine_http_header(http, "Sec-WebSocket-Key");
    const char *version = bine_http_header(http, "Sec-WebSocket-Version");
    bool asked = http->in.parser.flags & F_CONNECTION_UPGRADE && upgrade &&
                 strcasecmp(upgrade, "websocket") == 0;
    if (!asked || strcmp(http->in.method, "GET") != 0 || http->in.minor == 0 || !http->in.complete)
        return 400;
    if (!version || strcmp(version, "13") != 0)
        return 426;
    return key && strlen(key) == BINE_WEBSOCKET_KEY &&
                   strspn(key,
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") ==
                       strlen(key)
               ? 0
               : 400;
}

static bine_websocket *websocket_refuse(struct bine_http *http, int status)
{
    if (status == 426 && bine_http_set_header(http, "Sec-WebSocket-Version", "13") != 0)
        return NULL;
    if (bine_http_answer_status(http, status) == 0)
        errno = EPROTO;
    return NULL;
}

bine_websocket *bine_websocket_accept(bine_http *http, const bine_websocket_options *options)
{
    static const bine_websocket_options defaults;
    char accept[BINE_WEBSOCKET_ANSWER + 1];
    if (!http || !http->server ||
        (options && options->protocol && !bine_http_is_token(options->protocol)) ||
        (options && BINE_RESERVED_USED(options))) {
        errno = EINVAL;
        return NULL;
    }
    if (http->out.progress != BINE_HTTP_UNANSWERED) {
        errno = EALREADY;
        return NULL;
    }
    options = options ? options : &defaults;
    int status = check_request(http);
    if (status)
        return websocket_refuse(http, status);
    struct bine_websocket *websocket =
        bine_http_websocket_new(http, options->message, options->protocol);
    if (!websocket)
        return NULL;
    bine_http_websocket_answer(bine_http_header(http, "Sec-WebSocket-Key"), accept);
    if (bine_http_set_header(http, "Upgrade", "websocket") != 0 ||
        bine_http_set_header(http, "Sec-WebSocket-Accept", accept) != 0 ||
        (options->protocol &&
         bine_http_set_header(http, "Sec-WebSocket-Protocol", options->protocol) != 0) ||
        bine_http_answer_switch(http) != 0) {
        int error = errno;
        free_websocket(websocket);
        errno = error;
        return NULL;
    }
    bine_http_websocket_begin(websocket);
    return websocket;
}

/* Other greenlets are inside calls. They fail: what they use goes with the exchange, which is
 * over. */
static void expel_users(struct bine_websocket *websocket)
{
    websocket->error = EPIPE;
    shutdown(websocket->http->stream.fd, SHUT_RDWR);
    bine_shield_begin();
    while (websocket->users > 0)
        bine_sleep(0);
    bine_shield_end();
}

void bine_http_websocket_end(struct bine_http *http)
{
    struct bine_websocket *websocket = http->websocket;
    if (!websocket->error && !wslay_event_get_close_sent(websocket->context) && bine_check() == 0)
        bine_websocket_close(websocket, 1000, NULL);
    if (websocket->users > 0)
        expel_users(websocket);
    free_websocket(websocket);
    http->websocket = NULL;
}

int bine_websocket_free(bine_websocket *websocket)
{
    if (!websocket)
        return 0;
    struct bine_http *http = websocket->http;
    if (http->server)
        return websocket_fail(EINVAL);
    bine_http_websocket_end(http);
    bine_http_client_end(http);
    return 0;
}
