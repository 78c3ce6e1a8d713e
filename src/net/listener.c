/* What stream and datagram servers share. See listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bine/io.h>

#include "core/across/errand.h"
#include "io/descriptor/descriptor.h"
#include "io/descriptor/sigpipe.h"
#include "libc/libc.h"
#include "sync/object.h"
#include "unix_file.h"

static void note_address(struct bine_listener *listener, bool own)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    if (getsockname(listener->fd, (struct sockaddr *)&address, &length) != 0)
        length = 0;
    bine_address_format((struct sockaddr *)&address, length, listener->address);
    if (address.ss_family == AF_INET)
        listener->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        listener->port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    listener->has_file = own && address.ss_family == AF_UNIX && listener->address[5] == '/' &&
                         lstat(listener->address + 5, &listener->file) == 0 &&
                         S_ISSOCK(listener->file.st_mode);
}

int bine_listener_open(struct bine_listener *listener, const bine_server_options *options, int type)
{
    *listener = (struct bine_listener){.hub = bine_hub_get(), .fd = -1};
    if (!listener->hub)
        return errno;
    listener->stopped = bine_event_new(0);
    listener->pool = bine_pool_new(options->limit, 0);
    int error =
        listener->stopped && listener->pool ? bine_listen(options, type, &listener->fd) : ENOMEM;
    if (error) {
        bine_event_free(listener->stopped);
        bine_pool_free(listener->pool);
        return error;
    }
    note_address(listener, options->address != NULL);
    listener->options = *options;
    listener->options.address = listener->address;
    listener->by_port =
        options->address && listener->port && (options->flags & BINE_SERVER_REUSE_PORT);
    return 0;
}

/* By a socket of its own on the same port, to which the kernel gives a share of the connections;
 * else by a copy of the descriptor: all take from one backlog. */
int bine_listener_share(struct bine_listener *listener, const struct bine_listener *other, int type)
{
    bine_server_options options = other->options;
    if (other->by_port)
        return bine_listener_open(listener, &options, type);
    options.address = NULL;
    options.fd = other->fd < 0 ? -1 : bine_libc.fcntl(other->fd, F_DUPFD_CLOEXEC, 3);
    if (options.fd < 0)
        return other->fd < 0 ? EBADF : errno;
    bine_descriptor_gone(options.fd);
    bine_descriptor_copied(other->fd, options.fd);
    int error = bine_listener_open(listener, &options, type);
    if (error)
        bine_close(options.fd);
    return error;
}

int bine_listener_check(const struct bine_listener *listener)
{
    if (!listener)
        return EINVAL;
    return listener->hub == bine_hub_here() ? 0 : EPERM;
}

/* The loop has ended: by stop, or because the descriptor cannot be accepted from any more. */
static void loop_ended(bine_greenlet *g, void *arg)
{
    struct bine_listener *listener = arg;
    if (!listener->stopping)
        bine_event_set(listener->stopped);
}

int bine_listener_start(struct bine_listener *listener, bine_run *run, void *arg, const char *site)
{
    if (listener->started && !listener->stopping)
        return 0;
    if (listener->fd < 0)
        return EPERM;
    listener->greenlet = bine_spawn_at(run, arg, site);
    if (!listener->greenlet)
        return errno;
    if (bine_link(listener->greenlet, loop_ended, listener) != 0) {
        bine_kill(listener->greenlet);
        bine_detach(listener->greenlet);
        listener->greenlet = NULL;
        return ENOMEM;
    }
    listener->started = true;
    if (!(listener->options.flags & BINE_SERVER_SIGPIPE))
        bine_sigpipe_survive();
    return 0;
}

int bine_listener_wait(struct bine_listener *listener)
{
    listener->waiting++;
    int error = bine_event_wait(listener->stopped, BINE_FOREVER) == 0 ? listener->error : errno;
    listener->waiting--;
    return error;
}

void bine_listener_close(struct bine_listener *listener)
{
    if (listener->fd < 0)
        return;
    if (listener->has_file)
        bine_unix_remove(listener->address + 5, &listener->file);
    bine_close(listener->fd);
    listener->fd = -1;
}

static struct bine_greenlet *begin_serving_waiting(struct bine_listener *listener, int64_t grace)
{
    /* A handler of this listener, which has no grace, waits for no other. */
    bool may_wait = grace > 0 && !bine_pool_contains(listener->pool, bine_getcurrent());
    if (!listener->started || !listener->serve_waiting || listener->fd < 0 || !may_wait)
        return NULL;
    return bine_spawn_at(listener->serve_waiting, listener, "serve those who wait\0");
}

/* Close, and wait for the handlers, within the time of grace. 0 or an error number. */
static int end_gently(struct bine_listener *listener, int64_t grace)
{
    int64_t deadline = bine_hub_deadline(listener->hub, grace);
    struct bine_greenlet *waiting = begin_serving_waiting(listener, grace);
    int error = 0;
    if (waiting && bine_join(waiting, NULL, grace) != 0) {
        error = errno;
        bine_kill(waiting);
        bine_shield_begin();
        bine_join(waiting, NULL, BINE_FOREVER);
        bine_shield_end();
    }
    bine_listener_close(listener);
    int64_t left = deadline == INT64_MAX ? BINE_FOREVER : deadline - bine_hub_now(listener->hub);
    if (!error && bine_pool_join(listener->pool, left > 0 ? left : 0) != 0)
        error = errno;
    return error;
}

static int stop_here(struct bine_listener *listener, int64_t grace)
{
    if (listener->stopping) {
        if (!bine_event_is_set(listener->stopped)) {
            listener->waiting++;
            bine_event_wait(listener->stopped, BINE_FOREVER);
            listener->waiting--;
        }
        return 0;
    }
    listener->stopping = true;
    listener->waiting++;
    if (listener->greenlet) {
        bine_kill(listener->greenlet);
        bine_shield_begin();
        bine_join(listener->greenlet, NULL, BINE_FOREVER);
        bine_shield_end();
        listener->greenlet = NULL;
    }
    int error = end_gently(listener, grace);
    if (error && bine_pool_count(listener->pool) > 0) {
        bine_shield_begin();
        bine_pool_kill(listener->pool, BINE_FOREVER);
        bine_shield_end();
    }
    listener->waiting--;
    bine_event_set(listener->stopped);
    return error;
}

static int listener_stop_there(struct bine_errand *errand)
{
    return stop_here(errand->object, (int64_t)errand->number);
}

int bine_listener_stop(struct bine_listener *listener, int64_t grace)
{
    int error = grace < 0 ? EINVAL : bine_listener_check(listener);
    if (error != EPERM)
        return error ? error : stop_here(listener, grace);
    return bine_errand(listener->hub, &(struct bine_errand){.run = listener_stop_there,
                                                            .verb = "stop server",
                                                            .object = listener,
                                                            .number = (size_t)grace,
                                                            .timeout = BINE_FOREVER});
}

int bine_listener_check_free(const struct bine_listener *listener)
{
    return listener ? bine_object_check_free(listener->stopped) : EINVAL;
}

int bine_listener_free(struct bine_listener *listener)
{
    bool orphan = bine_object_orphan(listener->stopped);
    if (orphan)
        listener->greenlet = NULL; /* it has gone with its thread */
    else if (listener->waiting || bine_pool_count(listener->pool) > 0 ||
             (listener->greenlet && !bine_dead(listener->greenlet)))
        return EBUSY;
    bine_detach(listener->greenlet);
    bine_listener_close(listener);
    bine_event_free(listener->stopped);
    bine_pool_free(listener->pool);
    return 0;
}

/* The connection stays in the backlog and would be reported at once again: accepting would spin
 * (hazards 29 and 90). Connections that end meanwhile give descriptors back. 0 or an error
 * number. */
static int listener_pause_a_while(struct bine_listener *listener)
{
    listener->pause = listener->pause ? listener->pause * 2 : BINE_MS;
    if (listener->pause > BINE_SECOND / 4)
        listener->pause = BINE_SECOND / 4;
    return bine_sleep(listener->pause) == 0 ? 0 : errno;
}

bool bine_listener_go_on(struct bine_listener *listener, int error)
{
    enum {
        FEW = 16 /* in a row: each may be the trouble of one connection */
    };
    enum bine_trouble trouble = bine_listen_trouble(error);
    if (trouble == BINE_TROUBLE_PASSING && listener->troubles++ < FEW)
        return true;
    listener->short_of_files += trouble == BINE_TROUBLE_SHORTAGE;
    if (trouble != BINE_TROUBLE_FINAL) {
        error = listener_pause_a_while(listener);
        if (!error)
            return true;
    }
    listener->error = listener->stopping ? 0 : error;
    return false;
}
