/* Random scripts over pairs of connected descriptors: every call that moves bytes, on every kind of
 * file. */
#include <bine.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "differential.h"
#include "harness.h"
#include "io/descriptor/descriptor.h"

enum kind {
    UNIX_STREAM,
    UNIX_DATAGRAM,
    UNIX_SEQPACKET,
    TCP,
    PIPE,
    KINDS
};
static const char *const kind_names[] = {"unix stream", "unix datagram", "unix seqpacket", "tcp",
                                         "pipe"};

enum {
    BIG = 600000,
    SMALL = 64
};

struct world {
    const struct calls *calls;
    struct transcript *transcript;
    struct draw draw;
    enum kind kind;
    int fds[2];
    bool nonblocking[2], open[2], timed[2][2]; /* SO_RCVTIMEO, SO_SNDTIMEO */
    bool low_water;                            /* of one of them: its reader looks by the clock */
    bool over;                                 /* what follows would depend on how much the
                                                * kernel took */
    uint8_t counter[2];                        /* what each end writes next: the bytes count up */
    uint64_t sum;                              /* of what the worker's call received */
    char *buffer[2];                           /* the worker's, and the driver's */
};

static volatile sig_atomic_t pipe_signals;

static void on_sigpipe(int number)
{
    pipe_signals++;
}

/* ---- making the pair ------------------------------------------------------------------------- */

static void note(struct world *world, int end, enum bine_descriptor_kind kind)
{
    bine_descriptor_fresh(world->fds[end], kind, world->nonblocking[end]);
}

static void make_tcp(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, size = 16384, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(listener);
    CHECK_OK(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
    CHECK_OK(bind(listener, (struct sockaddr *)&address, sizeof address));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &length));
    CHECK_OK(listen(listener, 1));
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
    CHECK_OK(connect(fds[0], (struct sockaddr *)&address, sizeof address));
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK_OK(fds[1]);
    for (int i = 0; i < 2; i++)
        CHECK_OK(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    close(listener);
}

static void make_pair(struct world *world)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    enum bine_descriptor_kind kind = BINE_FD_SOCKET;
    switch (world->kind) {
    case TCP:
        make_tcp(world->fds);
        break;
    case PIPE:
        CHECK_OK(pipe2(world->fds, O_CLOEXEC));
        kind = BINE_FD_PIPE;
        break;
    default:
        CHECK_OK(socketpair(AF_UNIX, types[world->kind] | SOCK_CLOEXEC, 0, world->fds));
    }
    for (int end = 0; end < 2; end++) {
        world->open[end] = true;
        world->nonblocking[end] = draw_one_in(&world->draw, 5);
        if (world->nonblocking[end])
            CHECK_OK(fcntl(world->fds[end], F_SETFL, fcntl(world->fds[end], F_GETFL) | O_NONBLOCK));
        note(world, end, kind);
        if (kind != BINE_FD_SOCKET)
            continue;
        /* Timeouts short enough to be waited for, long enough to be told from none at all. */
        for (int option = 0; option < 2; option++) {
            struct timeval timeout = {0, 30000};
            if (!draw_one_in(&world->draw, 4))
                continue;
            int name = option ? SO_SNDTIMEO : SO_RCVTIMEO;
            CHECK_OK(setsockopt(world->fds[end], SOL_SOCKET, name, &timeout, sizeof timeout));
            bine_descriptor_option_changed(world->fds[end], SOL_SOCKET, name);
            world->timed[end][option] = true;
        }
        if (world->kind != UNIX_DATAGRAM && draw_one_in(&world->draw, 6)) {
            int low = 40;
            world->low_water = true;
            CHECK_OK(setsockopt(world->fds[end], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low));
            bine_descriptor_option_changed(world->fds[end], SOL_SOCKET, SO_RCVLOWAT);
        }
    }
    transcript_add(world->transcript, "%s%s%s\n", kind_names[world->kind],
                   world->nonblocking[0] ? ", 0 non-blocking" : "",
                   world->nonblocking[1] ? ", 1 non-blocking" : "");
}

/* ---- the calls ------------------------------------------------------------------------------- */

enum verb {
    READ,
    READV,
    RECV,
    RECVFROM,
    RECVMSG,
    RECVMMSG,
    LAST_RECEIVE = RECVMMSG,
    WRITE,
    WRITEV,
    SEND,
    SENDTO,
    SENDMSG,
    SENDMMSG,
    POLL,
    SELECT,
    VERBS
};
static const char *const verb_names[] = {"read",     "readv",    "recv",   "recvfrom", "recvmsg",
                                         "recvmmsg", "write",    "writev", "send",     "sendto",
                                         "sendmsg",  "sendmmsg", "poll",   "select"};

struct call {
    struct world *world;
    enum verb verb;
    int end;
    size_t size;
    int flags;
    char *buffer;
    ssize_t result;
    int error;
    int extra; /* poll's bits, message flags, number of messages: whatever else the call said */
};

static void fill(struct world *world, int end, char *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer[i] = (char)(world->counter[end] + i);
}

static void split(struct iovec vector[3], char *buffer, size_t size)
{
    size_t third = size / 3;
    vector[0] = (struct iovec){buffer, third};
    vector[1] = (struct iovec){buffer + third, 0};
    vector[2] = (struct iovec){buffer + third, size - third};
}

static ssize_t receive_messages(const struct calls *calls, struct call *call)
{
    struct mmsghdr messages[3] = {0};
    struct iovec vectors[3];
    struct timespec timeout = {0, 1};
    for (int i = 0; i < 3; i++) {
        vectors[i] = (struct iovec){call->buffer + i * (call->size / 3), call->size / 3};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int fd = call->world->fds[call->end];
    ssize_t result = calls->recvmmsg(fd, messages, 3, call->flags,
                                     call->flags & MSG_WAITFORONE ? NULL : &timeout);
    for (ssize_t i = 0; i < result; i++)
        call->extra = call->extra * 1000 + (int)messages[i].msg_len;
    return result;
}

static ssize_t send_messages(const struct calls *calls, struct call *call)
{
    struct mmsghdr messages[3] = {0};
    struct iovec vectors[3];
    for (int i = 0; i < 3; i++) {
        vectors[i] = (struct iovec){call->buffer + i * (call->size / 3), call->size / 3};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    ssize_t result = calls->sendmmsg(call->world->fds[call->end], messages, 3, call->flags);
    for (ssize_t i = 0; i < result; i++)
        call->extra += (int)messages[i].msg_len;
    return result;
}

static ssize_t select_one(const struct calls *calls, struct call *call)
{
    fd_set sets[3];
    struct timeval timeout = {0, 20000};
    int fd = call->world->fds[call->end];
    bool forever = call->size & 2;
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        if (call->flags >> i & 1)
            FD_SET(fd, &sets[i]);
    }
    ssize_t result = calls->select(fd + 1, &sets[0], call->size & 1 ? &sets[1] : NULL, &sets[2],
                                   forever ? NULL : &timeout);
    for (int i = 0; i < 3; i++)
        call->extra |= (FD_ISSET(fd, &sets[i]) != 0) << i;
    /* What is left: nothing after the whole time; after less of it, how much depends on the
     * machine. */
    call->extra |= (timeout.tv_sec == 0 && timeout.tv_usec <= (result == 0 ? 0 : 20000)) << 4;
    return result;
}

static void run_call(const struct calls *calls, void *arg)
{
    struct call *call = arg;
    int fd = call->world->fds[call->end];
    struct iovec vector[3];
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 3};
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct pollfd question = {.fd = fd, .events = (short)call->flags};
    split(vector, call->buffer, call->size);
    errno = 0;
    switch (call->verb) {
    case READ:
        call->result = calls->read(fd, call->buffer, call->size);
        break;
    case READV:
        call->result = calls->readv(fd, vector, 3);
        break;
    case RECV:
        call->result = calls->recv(fd, call->buffer, call->size, call->flags);
        break;
    case RECVFROM:
        call->result = calls->recvfrom(fd, call->buffer, call->size, call->flags,
                                       (struct sockaddr *)&address, &length);
        break;
    case RECVMSG:
        call->result = calls->recvmsg(fd, &message, call->flags);
        call->extra = message.msg_flags;
        break;
    case RECVMMSG:
        call->result = receive_messages(calls, call);
        break;
    case WRITE:
        call->result = calls->write(fd, call->buffer, call->size);
        break;
    case WRITEV:
        call->result = calls->writev(fd, vector, 3);
        break;
    case SEND:
        call->result = calls->send(fd, call->buffer, call->size, call->flags);
        break;
    case SENDTO:
        call->result = calls->sendto(fd, call->buffer, call->size, call->flags, NULL, 0);
        break;
    case SENDMSG:
        call->result = calls->sendmsg(fd, &message, call->flags);
        break;
    case SENDMMSG:
        call->result = send_messages(calls, call);
        break;
    case POLL:
        call->result =
            calls->poll(&question, 1, (int)call->size % 3 * 10 - (call->size % 3 == 2 ? 21 : 0));
        call->extra = question.revents;
        break;
    default:
        call->result = select_one(calls, call);
        break;
    }
    call->error = call->result < 0 ? errno : 0;
}

/* ---- the script ------------------------------------------------------------------------------ */

static size_t draw_size(struct world *world)
{
    switch (draw(&world->draw, 8)) {
    case 0:
        return 0;
    case 1:
        return world->kind == UNIX_DATAGRAM || world->kind == UNIX_SEQPACKET ? 3000 : BIG;
    case 2:
        return 4096;
    default:
        return 1 + draw(&world->draw, 100);
    }
}

static void draw_call(struct world *world, struct call *call)
{
    static const int receive_flags[] = {0,
                                        0,
                                        0,
                                        MSG_PEEK,
                                        MSG_WAITALL,
                                        MSG_DONTWAIT,
                                        MSG_PEEK | MSG_WAITALL,
                                        MSG_TRUNC,
                                        MSG_ERRQUEUE | MSG_DONTWAIT};
    static const int send_flags[] = {0, 0, MSG_NOSIGNAL, MSG_DONTWAIT, 0};
    do {
        call->end = (int)draw(&world->draw, 2);
        call->verb = draw(&world->draw, VERBS);
    } while (!world->open[call->end]);
    call->size = draw_size(world);
    if (call->verb <= LAST_RECEIVE)
        call->flags =
            receive_flags[draw(&world->draw, sizeof receive_flags / sizeof *receive_flags)];
    else
        call->flags = send_flags[draw(&world->draw, sizeof send_flags / sizeof *send_flags)];
    if (call->verb == RECVMMSG) {
        call->flags = draw_one_in(&world->draw, 2) ? MSG_WAITFORONE : 0;
        call->size = 300;
    }
    if (call->verb == SENDMMSG)
        call->size = call->size > 6000 ? 6000 : call->size;
    if (call->verb == POLL)
        call->flags = ((int)draw(&world->draw, 0x400) &
                       (POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM)) |
                      (draw_one_in(&world->draw, 3) ? POLLRDHUP : 0);
    if (call->verb == SELECT) {
        call->flags = (int)draw(&world->draw, 8);
        if (!(call->flags & 1)) /* nothing would ever wake it */
            call->size &= ~(size_t)2;
    }
    /* TCP with data that is only peeked at beyond the window, or sent in parts that depend on the
     * weather: compare what is certain. A message to nowhere and amounts that fit are certain. */
    if (call->verb > LAST_RECEIVE && call->verb < POLL && world->kind == TCP && call->size == BIG)
        call->flags &= ~MSG_DONTWAIT;
    if (call->verb > LAST_RECEIVE && call->verb < POLL)
        fill(world, call->end, call->buffer, call->size);
    else
        memset(call->buffer, 0, call->size);
}

/* Take all that waits at an end. */
static void drain(struct world *world, int end)
{
    if (!world->open[end])
        return;
    for (;;) {
        ssize_t got;
        if (world->kind == PIPE) {
            int pending = 0;
            if (end != 0 || ioctl(world->fds[0], FIONREAD, &pending) < 0 || pending == 0)
                return;
            got = read(world->fds[0], world->buffer[1], BIG);
        } else {
            got = recv(world->fds[end], world->buffer[1], BIG, MSG_DONTWAIT);
        }
        if (got <= 0)
            return;
    }
}

static void give(struct world *world, int end, size_t size)
{
    if (!world->open[end])
        return;
    fill(world, end, world->buffer[1], size);
    ssize_t given;
    if (world->kind == PIPE) {
        struct pollfd room = {.fd = world->fds[1], .events = POLLOUT};
        if (end != 1 || poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT) ||
            room.revents & POLLERR)
            return;
        given = write(world->fds[1], world->buffer[1], size);
    } else {
        given = send(world->fds[end], world->buffer[1], size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (given > 0)
        world->counter[end] += (uint8_t)given;
}

static void end_of(struct world *world, int end)
{
    if (!world->open[end])
        return;
    world->open[end] = false;
    CHECK_OK(world->calls->close(world->fds[end]));
}

/* Will the worker's call come back by itself? Then nothing is done to release it: the two would
 * race. */
static bool comes_back(const struct world *world, const struct call *call)
{
    if (call->verb == POLL)
        return call->size % 3 != 2;
    if (call->verb == SELECT)
        return !(call->size & 2);
    return world->timed[call->end][call->verb > LAST_RECEIVE];
}

/* What the driver does while the worker's call waits: something that may release it, and at last
 * something that must. */
static void release(struct stage *stage, struct world *world, const struct call *call)
{
    int other = !call->end;
    bool abrupt = draw_one_in(&world->draw, 5);
    for (int tries = 0; !comes_back(world, call) && stage->look(stage); tries++) {
        uint32_t what = tries > 12 ? 100 : draw(&world->draw, 8);
        if (call->verb > LAST_RECEIVE && call->verb < POLL) {
            /* A sender waits for room. Or the other end goes away, at once: how much would have
             * gone before is not certain. */
            if (abrupt)
                end_of(world, other);
            else
                drain(world, other);
        } else if (call->verb == RECVMMSG && what != 100) {
            give(world, other, 40);
        } else if (what < 6) {
            give(world, other, 1 + 3 * what * what);
        } else if (what == 6 && world->kind != PIPE && world->open[other]) {
            shutdown(world->fds[other], SHUT_WR);
        } else {
            end_of(world, other);
            if (what == 100 && world->kind == UNIX_DATAGRAM)
                shutdown(world->fds[call->end], SHUT_RDWR);
        }
    }
    stage->finish(stage);
    if (call->verb > LAST_RECEIVE && call->verb < POLL) {
        drain(world, other); /* or what is left would depend on who was faster */
        world->over = world->kind == TCP;
    }
}

static uint64_t sum_of(const char *buffer, size_t size)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (uint8_t)buffer[i]) * 1099511628211u;
    return sum;
}

static void step(struct stage *stage, struct world *world)
{
    struct call call = {.world = world, .buffer = world->buffer[0]};
    /* How often the driver draws must not matter to what comes after. */
    uint64_t next = world->draw.state + 1000;
    draw_call(world, &call);
    stage->slow =
        world->low_water || (call.flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL);
    struct work work = {run_call, &call};
    int signals = pipe_signals;
    bool waited = stage->begin(stage, &work);
    if (waited)
        release(stage, world, &call);
    else
        stage->finish(stage);
    transcript_add(world->transcript, "%s(%d, %zu, %#x)", verb_names[call.verb], call.end,
                   call.size, call.flags);
    /* How much TCP takes depends on when its memory is given back, and how much of it has come on
     * the machine. */
    if (world->kind == TCP && call.size == BIG && call.verb > LAST_RECEIVE && call.verb < POLL &&
        call.result > 0) {
        world->over = true;
        call.result = call.result == BIG ? BIG : 1;
    }
    /* Full, or nearly: whether another byte finds room depends on how the kernel came by its
     * pages. */
    if (call.verb > LAST_RECEIVE && call.verb < POLL && call.result > 0 &&
        call.result < (ssize_t)call.size && call.verb != SENDMMSG)
        world->over = true;
    transcript_result(world->transcript, call.result, call.error);
    transcript_add(world->transcript, " extra %#x%s", call.extra,
                   waited && !comes_back(world, &call) ? " waited" : "");
    if (pipe_signals != signals)
        transcript_add(world->transcript, " SIGPIPE %d", (int)pipe_signals - signals);
    if (call.verb <= LAST_RECEIVE && call.result > 0) {
        size_t filled = call.verb == RECVMMSG ? call.size : (size_t)call.result;
        transcript_add(
            world->transcript, " sum %016llx",
            (unsigned long long)sum_of(call.buffer, filled < call.size ? filled : call.size));
    }
    transcript_add(world->transcript, "\n");
    world->draw.state = next;
    if (call.verb > LAST_RECEIVE && call.verb < POLL && call.result > 0)
        world->counter[call.end] += (uint8_t)(call.verb == SENDMMSG ? call.extra : call.result);
}

static void play(struct stage *stage, uint64_t seed, struct transcript *transcript, enum kind kind)
{
    struct world world = {
        .calls = stage->calls, .transcript = transcript, .draw = {seed}, .kind = kind};
    struct sigaction action = {.sa_handler = on_sigpipe}, before;
    CHECK_OK(sigaction(SIGPIPE, &action, &before));
    world.buffer[0] = malloc(BIG);
    world.buffer[1] = malloc(BIG);
    CHECK(world.buffer[0] && world.buffer[1]);
    make_pair(&world);
    for (int steps = 0; steps < 14 && !world.over && (world.open[0] || world.open[1]); steps++)
        step(stage, &world);
    for (int end = 0; end < 2; end++)
        end_of(&world, end);
    free(world.buffer[0]);
    free(world.buffer[1]);
    CHECK_OK(sigaction(SIGPIPE, &before, NULL));
}

static void play_unix_stream(struct stage *stage, uint64_t seed, struct transcript *transcript)
{
    play(stage, seed, transcript, UNIX_STREAM);
}

static void play_unix_datagram(struct stage *stage, uint64_t seed, struct transcript *transcript)
{
    play(stage, seed, transcript, UNIX_DATAGRAM);
}

static void play_unix_seqpacket(struct stage *stage, uint64_t seed, struct transcript *transcript)
{
    play(stage, seed, transcript, UNIX_SEQPACKET);
}

static void play_tcp(struct stage *stage, uint64_t seed, struct transcript *transcript)
{
    play(stage, seed, transcript, TCP);
}

static void play_pipe(struct stage *stage, uint64_t seed, struct transcript *transcript)
{
    play(stage, seed, transcript, PIPE);
}

enum {
    SEEDS = 20
};

TEST(unix_stream_sockets_behave_as_libc, .seconds = 60)
{
    harness_not_under_emulator("its recvmmsg does not know MSG_WAITFORONE");
    differential(play_unix_stream, 1, SEEDS);
}

TEST(unix_datagram_sockets_behave_as_libc, .seconds = 60)
{
    harness_not_under_emulator("its recvmmsg does not know MSG_WAITFORONE");
    differential(play_unix_datagram, 1, SEEDS);
}

TEST(unix_seqpacket_sockets_behave_as_libc, .seconds = 60)
{
    harness_not_under_emulator("its recvmmsg does not know MSG_WAITFORONE");
    differential(play_unix_seqpacket, 1, SEEDS);
}

TEST(tcp_sockets_behave_as_libc, .seconds = 60)
{
    harness_not_under_emulator("its recvmmsg does not know MSG_WAITFORONE");
    differential(play_tcp, 1, SEEDS);
}

TEST(pipes_behave_as_libc, .seconds = 60)
{
    harness_not_under_emulator(
        "it has no preadv2, so calls that fail at once elsewhere wait first");
    differential(play_pipe, 1, SEEDS);
}
