/* Events to spans. See trace_json.h. */
#include "trace_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/hub/trace.h"
#include "trace_memory.h"

enum {
    MOST_RINGS = 4096,
    NAME = BINE_FUNCTION_TEXT
};

enum span {
    NOTHING, /* not seen yet, or ended */
    RUNNING,
    SUSPENDED, /* it turns the hub: the next event tells whether it parks */
    WOKEN,     /* it has been woken in that turn */
    READY,
    PARKED
};

struct track {
    uint64_t greenlet;
    uint64_t number; /* the track's, as a thread of the trace; 0: the place is free */
    enum span span;
    double since;          /* us */
    double woken;          /* us; for WOKEN */
    uint64_t verb, object; /* of a park */
    uint64_t arrow;        /* from the waker; 0: none */
};

struct writer {
    pid_t pid;
    FILE *out;
    struct bine_trace_control control;
    struct bine_interpreter interpreter; /* all zero: the process has none */
    struct bine_trace ring;
    struct bine_trace_event *events;
    uint64_t count;
    double rate;          /* us for a tick */
    double began;         /* us, of the ring */
    struct track *tracks; /* by hash; the room is a power of two */
    size_t room, used;
    struct track *current;
    uint64_t hub_track, next_track, next_arrow;
    double turn_began, turn_ended; /* us, of the last turn */
    int64_t until;                 /* as for bine_trace_write_json; or now, if hubs record */
    uint32_t block;                /* the next of the ring's blocks that is to be written */
    bool in_turn;
    bool any, failed;
};

/* ---- text ------------------------------------------------------------------------------------ */

static void put_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ' || *at > 0x7e)
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
}

static void begin_event(struct writer *writer, const char *kind, uint64_t track, double when)
{
    fprintf(writer->out, "%s\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%llu,\"ts\":%.3f",
            writer->any ? "," : "", kind, (int)writer->pid, (unsigned long long)track, when);
    writer->any = true;
}

static void put_span(struct writer *writer, uint64_t track, double from, double to,
                     const char *kind, const char *name)
{
    begin_event(writer, "X", track, from);
    fprintf(writer->out, ",\"dur\":%.3f,\"cat\":\"%s\",\"name\":\"", to > from ? to - from : 0,
            kind);
    put_text(writer->out, name);
    fputs("\"}", writer->out);
}

static void put_name(struct writer *writer, uint64_t track, const char *name)
{
    begin_event(writer, "M", track, 0);
    fputs(",\"name\":\"thread_name\",\"args\":{\"name\":\"", writer->out);
    put_text(writer->out, name);
    fputs("\"}}", writer->out);
}

static void put_arrow(struct writer *writer, const char *end, uint64_t track, double when,
                      uint64_t arrow)
{
    begin_event(writer, end, track, when);
    fprintf(writer->out, ",\"id\":%llu,\"cat\":\"wake\",\"name\":\"wake\"%s}",
            (unsigned long long)arrow, *end == 'f' ? ",\"bp\":\"e\"" : "");
}

/* ---- greenlets ------------------------------------------------------------------------------- */

static struct track *place_of(struct track *tracks, size_t room, uint64_t greenlet)
{
    size_t at = (size_t)(greenlet * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);
    while (tracks[at].number && tracks[at].greenlet != greenlet)
        at = (at + 1) & (room - 1);
    return &tracks[at];
}

static bool grow(struct writer *writer)
{
    size_t room = writer->room ? writer->room * 2 : 256;
    struct track *tracks = calloc(room, sizeof *tracks);
    if (!tracks)
        return false;
    uint64_t current = writer->current ? writer->current->greenlet : 0;
    for (size_t i = 0; i < writer->room; i++)
        if (writer->tracks[i].number)
            *place_of(tracks, room, writer->tracks[i].greenlet) = writer->tracks[i];
    free(writer->tracks);
    writer->tracks = tracks;
    writer->room = room;
    writer->current = writer->current ? place_of(tracks, room, current) : NULL;
    return true;
}

static bool read_memory(void *writer, uint64_t from, void *to, size_t size)
{
    return bine_trace_read(((const struct writer *)writer)->pid, from, to, size);
}

static void name_by_site(const struct writer *writer, uint64_t site, uint64_t arg, char *name)
{
    char function[NAME / 2];
    bine_trace_read_text(writer->pid, site, function, sizeof function);
    snprintf(name, NAME, (int64_t)arg > -4096 && arg < 65536 ? "%s(%lld)" : "%s(%#llx)", function,
             (long long)arg);
}

/* Of a greenlet whose spawn is not in the ring. Its record says more, if it has not ended. */
static void name_by_record(struct writer *writer, uint64_t greenlet, char *name)
{
    const struct bine_trace_control *control = &writer->control;
    const struct bine_interpreter *in = &writer->interpreter;
    uint64_t text = 0, site = 0, arg = 0;
    uint8_t flags = 0;
    bool known = bine_trace_read(writer->pid, greenlet + control->greenlet_flags, &flags, 1) &&
                 bine_trace_read(writer->pid, greenlet + control->greenlet_name, &text, 8) &&
                 bine_trace_read(writer->pid, greenlet + control->greenlet_site, &site, 8) &&
                 bine_trace_read(writer->pid, greenlet + control->greenlet_arg, &arg, 8);
    if (!known)
        snprintf(name, NAME, "%#llx", (unsigned long long)greenlet);
    else if (flags & control->flag_root)
        snprintf(name, NAME, "root");
    else if (site && site == in->site && !(flags & control->flag_named) &&
             bine_function_name(in, read_memory, writer, arg, name, NAME))
        return;
    else if (text && flags & control->flag_belongings)
        bine_trace_read_text(writer->pid, text, name, NAME);
    else
        name_by_site(writer, site, arg, name);
}

/* Never NULL, unless there is no memory. */
static struct track *track_of(struct writer *writer, uint64_t greenlet, bool named)
{
    if (writer->used * 2 >= writer->room && !grow(writer)) {
        writer->failed = true;
        return NULL;
    }
    struct track *track = place_of(writer->tracks, writer->room, greenlet);
    if (track->number)
        return track;
    *track = (struct track){.greenlet = greenlet, .number = writer->next_track++};
    writer->used++;
    if (!named) {
        char name[NAME];
        name_by_record(writer, greenlet, name);
        put_name(writer, track->number, name);
    }
    return track;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void end_span(struct writer *writer, struct track *track, double when)
{
    char verb[64], name[NAME];
    if (track->span == RUNNING) {
        put_span(writer, track->number, track->since, when, "run", "running");
    } else if (track->span == READY) {
        put_span(writer, track->number, track->since, when, "ready", "ready");
    } else if (track->span == PARKED) {
        bine_trace_read_text(writer->pid, track->verb, verb, sizeof verb);
        snprintf(name, sizeof name, track->object < 65536 ? "%s %lld" : "%s %#llx", verb,
                 (long long)track->object);
        put_span(writer, track->number, track->since, when, "park", name);
    }
}

static void change(struct writer *writer, struct track *track, enum span span, double when)
{
    end_span(writer, track, when);
    track->span = span;
    track->since = when;
}

static void on_wake(struct writer *writer, struct track *track, uint64_t by, double when)
{
    static const char *const causes[] = {"", "timer", "poller", "message"};
    struct track *waker = NULL;
    uint64_t from = writer->hub_track;
    if (by > BINE_TRACE_BY_MESSAGE && (waker = track_of(writer, by, false)))
        from = waker->number;
    else if (by >= BINE_TRACE_BY_TIMER && by <= BINE_TRACE_BY_MESSAGE)
        put_span(writer, from, when, when, "wake", causes[by]);
    track = place_of(writer->tracks, writer->room, track->greenlet); /* it may have moved */
    if (track->span == SUSPENDED || track->span == WOKEN) {
        track->span = WOKEN;
        track->woken = when;
    } else {
        change(writer, track, READY, when);
    }
    track->arrow = writer->next_arrow++;
    /* An arrow begins in the span that holds the moment. */
    put_arrow(writer, "s", from, when > 0.001 ? when - 0.001 : when, track->arrow);
}

static void on_spawn(struct writer *writer, struct track *track,
                     const struct bine_trace_event *event, double when)
{
    char name[NAME];
    name_by_site(writer, event->b, event->c, name);
    if (track->span != NOTHING)
        end_span(writer, track, when);
    /* The record may have served another greenlet before. */
    *track = (struct track){
        .greenlet = event->a, .number = writer->next_track++, .span = NOTHING, .since = when};
    put_name(writer, track->number, name);
    on_wake(writer, track, writer->current ? writer->current->greenlet : 0, when);
}

static void leave(struct writer *writer, struct track *from, const struct bine_trace_event *event,
                  double when)
{
    enum span span = from->span;
    if (span == RUNNING)
        change(writer, from, READY, when);
    from->verb = event->b;
    from->object = event->c;
    from->span = event->b ? PARKED : READY;
    if (span == WOKEN)
        change(writer, from, READY, from->woken);
}

static void on_switch(struct writer *writer, struct track *to, const struct bine_trace_event *event,
                      double when)
{
    if (writer->current)
        leave(writer, writer->current, event, when);
    change(writer, to, RUNNING, when);
    if (to->arrow)
        put_arrow(writer, "f", to->number, when, to->arrow);
    to->arrow = 0;
    writer->current = to;
}

static void on_turn(struct writer *writer, bool begins, double when)
{
    if (begins) {
        if (writer->current && writer->current->span == RUNNING)
            change(writer, writer->current, SUSPENDED, when);
        writer->turn_began = when;
    } else if (writer->in_turn) {
        put_span(writer, writer->hub_track, writer->turn_began, when, "turn", "turn");
        writer->turn_ended = when;
    }
    writer->in_turn = begins;
}

/* The current greenlet has gone on after the turn. */
static void resume(struct writer *writer)
{
    struct track *current = writer->current;
    if (!writer->in_turn && current && current->span == SUSPENDED) {
        current->span = RUNNING;
        current->since = writer->turn_ended;
    }
}

static void put_mark(struct writer *writer, const struct track *track, double when,
                     const char *name)
{
    begin_event(writer, "i", track->number, when);
    fprintf(writer->out, ",\"s\":\"t\",\"name\":\"%s\"}", name);
}

static void put_offload(struct writer *writer, const char *end, uint64_t job, double when)
{
    begin_event(writer, end, writer->hub_track, when);
    fprintf(writer->out, ",\"id\":\"%#llx\",\"cat\":\"offload\",\"name\":\"offload\"}",
            (unsigned long long)job);
}

/* The blocks that were reported before this moment, on the line of the greenlet that ran. */
static void put_blocks(struct writer *writer, double until)
{
    const struct bine_trace *ring = &writer->ring;
    for (; writer->block != atomic_load(&ring->block_count); writer->block++) {
        struct bine_trace_block block = ring->blocks[writer->block % BINE_TRACE_BLOCKS];
        char text[BINE_TRACE_CAUSE + 64];
        double when = writer->began + (double)(block.ticks - ring->began_ticks) * writer->rate;
        if (when > until)
            return;
        if (block.ticks < ring->began_ticks || !writer->current)
            continue; /* of an earlier recording */
        block.cause[sizeof block.cause - 1] = '\0';
        snprintf(text, sizeof text, "blocks the hub for %.3f s: %s",
                 (double)block.duration / BINE_SECOND, block.cause);
        begin_event(writer, "i", writer->current->number, when);
        fputs(",\"s\":\"t\",\"cat\":\"block\",\"name\":\"", writer->out);
        put_text(writer->out, text);
        fputs("\"}", writer->out);
    }
}

/* A name comes in parts of 16 bytes, right behind the spawn. */
static void on_name(struct writer *writer, const struct track *track, uint64_t at)
{
    char name[64 + 1] = "";
    if (at + 1 < writer->count && (uint8_t)writer->events[at + 1].when == BINE_TRACE_NAME &&
        writer->events[at + 1].a == track->greenlet)
        return; /* the last part puts all of it */
    uint64_t first = at;
    while (at - first < 4 && first > 0 &&
           (uint8_t)writer->events[first - 1].when == BINE_TRACE_NAME &&
           writer->events[first - 1].a == track->greenlet)
        first--;
    for (uint64_t i = first; i <= at && i - first < 4; i++)
        memcpy(name + (i - first) * 16, &writer->events[i].b, 16);
    put_name(writer, track->number, name);
}

static void on_function(struct writer *writer, const struct track *track,
                        const struct bine_trace_event *event)
{
    char name[NAME];
    struct bine_function function = {.code = event->b, .type = event->c};
    if (bine_function_text(&writer->interpreter, read_memory, writer, &function, name, sizeof name))
        put_name(writer, track->number, name);
}

static void read_interpreter(struct writer *writer)
{
    uint64_t address = 0;
    if (!bine_trace_read(writer->pid, (uintptr_t)writer->control.interpreter, &address,
                         sizeof address) ||
        !address ||
        !bine_trace_read(writer->pid, address, &writer->interpreter, sizeof writer->interpreter))
        writer->interpreter = (struct bine_interpreter){0};
}

static void convert(struct writer *writer, uint64_t at)
{
    const struct bine_trace_event *event = &writer->events[at];
    enum bine_trace_kind kind = (uint8_t)event->when;
    double when = writer->began + (double)(event->when >> 8) * writer->rate;
    put_blocks(writer, when);
    if (kind == BINE_TRACE_TURN || kind == BINE_TRACE_TURNED) {
        on_turn(writer, kind == BINE_TRACE_TURN, when);
        return;
    }
    if (kind != BINE_TRACE_SWITCH)
        resume(writer);
    if (kind == BINE_TRACE_OFFLOAD || kind == BINE_TRACE_OFFLOADED) {
        put_offload(writer, kind == BINE_TRACE_OFFLOAD ? "b" : "e", event->a, when);
        return;
    }
    struct track *track = track_of(writer, event->a, kind == BINE_TRACE_SPAWN);
    if (!track)
        return;
    if (kind == BINE_TRACE_SWITCH)
        on_switch(writer, track, event, when);
    else if (kind == BINE_TRACE_WAKE)
        on_wake(writer, track, event->b, when);
    else if (kind == BINE_TRACE_SPAWN)
        on_spawn(writer, track, event, when);
    else if (kind == BINE_TRACE_NAME)
        on_name(writer, track, at);
    else if (kind == BINE_TRACE_FUNCTION)
        on_function(writer, track, event);
    else if (kind == BINE_TRACE_KILL)
        put_mark(writer, track, when, "killed");
    else if (kind == BINE_TRACE_END) {
        change(writer, track, NOTHING, when);
        put_mark(writer, track, when, "end");
        if (writer->current == track)
            writer->current = NULL;
    }
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* Reads what the ring holds, the oldest first. What was overwritten meanwhile is left out. */
static int read_events(struct writer *writer, uintptr_t address)
{
    struct bine_trace *ring = &writer->ring;
    uint64_t room = ring->room;
    if (room < 2 || room > UINT64_C(1) << 24 || room & (room - 1))
        return EPROTO;
    struct bine_trace_event *ordered = malloc(room * sizeof *ordered);
    writer->events = malloc(room * sizeof *writer->events);
    struct bine_trace after;
    int error = !ordered || !writer->events ? ENOMEM : 0;
    if (!error && (!bine_trace_read(writer->pid, (uintptr_t)ring->events, writer->events,
                                    room * sizeof *ordered) ||
                   !bine_trace_read(writer->pid, address, &after, sizeof after)))
        error = errno;
    if (error) {
        free(ordered);
        free(writer->events);
        writer->events = NULL;
        return error;
    }
    uint64_t last = atomic_load(&ring->written), now = atomic_load(&after.written);
    /* One more may be half written. */
    uint64_t first = now + 1 > room ? now + 1 - room : 0;
    writer->count = 0;
    /* `now` is less if the ring has begun anew. */
    for (uint64_t i = first; i < last && i < now; i++)
        ordered[writer->count++] = writer->events[i & (room - 1)];
    free(writer->events);
    writer->events = ordered;
    return 0;
}

/* The thread of a hub that has ended does nothing any more. */
static bool thread_lives(const struct writer *writer)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%lld", (int)writer->pid,
             (long long)writer->ring.tid);
    return access(path, F_OK) == 0;
}

static void end_all(struct writer *writer)
{
    double when =
        writer->count
            ? writer->began + (double)(writer->events[writer->count - 1].when >> 8) * writer->rate
            : writer->began;
    if ((double)writer->until / 1000 > when && thread_lives(writer))
        when = (double)writer->until / 1000;
    put_blocks(writer, when);
    for (size_t i = 0; i < writer->room; i++)
        if (writer->tracks[i].number && writer->tracks[i].span != NOTHING)
            end_span(writer, &writer->tracks[i], when);
}

static void convert_ring(struct writer *writer)
{
    struct timespec now;
    char name[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ticks = bine_trace_ticks() - writer->ring.began_ticks;
    int64_t passed = now.tv_sec * BINE_SECOND + now.tv_nsec - writer->ring.began;
    writer->rate = ticks ? (double)passed / 1000 / (double)ticks : 0;
    writer->began = (double)writer->ring.began / 1000;
    writer->hub_track = writer->next_track++;
    writer->current = NULL;
    writer->in_turn = false;
    uint32_t blocks = atomic_load(&writer->ring.block_count);
    writer->block = blocks > BINE_TRACE_BLOCKS ? blocks - BINE_TRACE_BLOCKS : 0;
    snprintf(name, sizeof name, "hub of thread %lld", (long long)writer->ring.tid);
    put_name(writer, writer->hub_track, name);
    for (uint64_t i = 0; i < writer->count && !writer->failed; i++)
        convert(writer, i);
    end_all(writer);
    free(writer->tracks);
    writer->tracks = NULL;
    writer->room = writer->used = 0;
}

int bine_trace_write_json(pid_t pid, uintptr_t control, int64_t until, FILE *out)
{
    struct writer writer = {
        .pid = pid, .out = out, .next_track = 1, .next_arrow = 1, .until = until};
    struct timespec now;
    if (!bine_trace_read(pid, control, &writer.control, sizeof writer.control))
        return errno;
    if (memcmp(writer.control.magic, BINE_TRACE_MAGIC, sizeof BINE_TRACE_MAGIC) != 0 ||
        writer.control.version != BINE_TRACE_VERSION)
        return EPROTO;
    if (!until && atomic_load(&writer.control.wanted) & 1 &&
        clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        writer.until = now.tv_sec * BINE_SECOND + now.tv_nsec;
    read_interpreter(&writer);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    uintptr_t next = (uintptr_t)atomic_load(&writer.control.rings);
    int error = 0;
    for (int i = 0; next && i < MOST_RINGS && !error; i++) {
        uintptr_t address = next;
        if (!bine_trace_read(pid, address, &writer.ring, sizeof writer.ring))
            return errno;
        next = (uintptr_t)writer.ring.next;
        error = read_events(&writer, address);
        if (!error)
            convert_ring(&writer);
        free(writer.events);
        writer.events = NULL;
    }
    fputs("\n]}\n", out);
    return error ? error : writer.failed ? ENOMEM : 0;
}
