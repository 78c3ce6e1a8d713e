/*
 * The reader. Bytes lie in [start, end) of the buffer, which is made at the first read and doubles
 * up to the limit. A piece that is returned by pointer stays in place until the next call, which
 * may move the bytes to the front to make room.
 */
#include <bine/reader.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bine/greenlet.h>
#include <bine/io.h>

#include "core/schedule/park.h"

enum {
    FIRST = 4096, /* bytes of the buffer at first */
    LIMIT = 65536
};

struct bine_reader {
    bine_reader_source *read;
    void *source;
    int fd; /* if read is NULL */
    bool busy;
    bool ended;
    /* what ended a read that had bytes to show: the next one fails with it; 0: nothing */
    int untold;
    int error; /* that it keeps; 0: none */
    size_t limit;
    char *buffer;
    size_t room, start, end;
};

static int reader_refused(int error)
{
    errno = error;
    return -1;
}

bine_reader *bine_reader_new_from(bine_reader_source *read, void *source, size_t limit)
{
    if (!read) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->read = read;
    reader->source = source;
    reader->fd = -1;
    reader->limit = limit ? limit : LIMIT;
    return reader;
}

static ssize_t read_descriptor(void *source, void *buffer, size_t size)
{
    return bine_read(((struct bine_reader *)source)->fd, buffer, size);
}

bine_reader *bine_reader_new(int fd, size_t limit)
{
    if (fd < 0) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_reader *reader = bine_reader_new_from(read_descriptor, NULL, limit);
    if (reader) {
        reader->source = reader;
        reader->fd = fd;
    }
    return reader;
}

int bine_reader_free(bine_reader *reader)
{
    if (!reader)
        return 0;
    if (reader->busy)
        return reader_refused(EBUSY);
    free(reader->buffer);
    free(reader);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Did the caller's wait end, and not the stream? A source may have clocks and kills of its own. */
static bool is_passing(const struct bine_reader *reader, int error, unsigned interruptions)
{
    return bine_error_passes(error, interruptions) ||
           (reader->read != read_descriptor && (error == ETIMEDOUT || error == ECANCELED));
}

/* Returns how many bytes, 0 at the end, or -1. */
static ssize_t read_source(struct bine_reader *reader, void *buffer, size_t size)
{
    if (reader->error)
        return reader_refused(reader->error);
    if (reader->untold) {
        int error = reader->untold;
        reader->untold = 0;
        return reader_refused(error);
    }
    if (reader->ended)
        return 0;
    reader->busy = true;
    unsigned interruptions = bine_interruptions();
    ssize_t got = reader->read(reader->source, buffer, size);
    reader->busy = false;
    if (got > 0)
        return got;
    if (got < 0 && !is_passing(reader, errno, interruptions))
        reader->error = errno;
    reader->ended = got == 0;
    return got < 0 ? -1 : 0;
}

static size_t buffered(const struct bine_reader *reader)
{
    return reader->end - reader->start;
}

/* NULL as long as nothing has been read. */
static char *first(const struct bine_reader *reader)
{
    return reader->buffer ? reader->buffer + reader->start : NULL;
}

/* Make room for at least one byte more. The caller has seen that the limit allows one. 0 or -1. */
static int make_room(struct bine_reader *reader)
{
    if (reader->start == reader->end)
        reader->start = reader->end = 0;
    if (reader->end < reader->room)
        return 0;
    /* Moving is cheap as long as it frees half of the buffer. */
    if (reader->start > 0 && reader->start >= reader->room / 2) {
        memmove(reader->buffer, reader->buffer + reader->start, buffered(reader));
        reader->end -= reader->start;
        reader->start = 0;
        return 0;
    }
    size_t most = reader->limit > FIRST ? reader->limit : FIRST;
    size_t room = reader->room ? reader->room : FIRST / 2;
    room = room > most / 2 ? most : 2 * room;
    if (room > reader->room) {
        char *buffer = realloc(reader->buffer, room);
        if (!buffer)
            return reader_refused(ENOMEM);
        reader->buffer = buffer;
        reader->room = room;
    }
    if (reader->end == reader->room) {
        memmove(reader->buffer, reader->buffer + reader->start, buffered(reader));
        reader->end -= reader->start;
        reader->start = 0;
    }
    return 0;
}

/* Read more behind what is buffered. 1, 0 at the end, or -1. */
static int read_more(struct bine_reader *reader)
{
    if (make_room(reader) != 0)
        return -1;
    ssize_t got = read_source(reader, reader->buffer + reader->end, reader->room - reader->end);
    if (got > 0)
        reader->end += (size_t)got;
    return got > 0 ? 1 : (int)got;
}

/* 0 or an error number. */
static int reader_check(const struct bine_reader *reader, bool possible)
{
    if (!reader || !possible)
        return EINVAL;
    return reader->busy ? EBUSY : 0;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

int bine_reader_until(bine_reader *reader, const void *delimiter, size_t delimiter_size,
                      char **piece, size_t *size)
{
    int error = reader_check(reader, reader && delimiter && delimiter_size &&
                                         delimiter_size <= reader->limit && piece);
    if (error)
        return reader_refused(error);
    for (size_t seen = 0;;) {
        char *begin = first(reader);
        size_t within = buffered(reader) < reader->limit ? buffered(reader) : reader->limit;
        char *found = within - seen >= delimiter_size
                          ? memmem(begin + seen, within - seen, delimiter, delimiter_size)
                          : NULL;
        if (found) {
            *piece = begin;
            if (size)
                *size = (size_t)(found - begin);
            *found = '\0';
            reader->start += (size_t)(found - begin) + delimiter_size;
            return 1;
        }
        if (within == reader->limit)
            return reader_refused(EMSGSIZE);
        if (within >= delimiter_size)
            seen = within - delimiter_size + 1;
        int more = read_more(reader);
        if (more < 0)
            return -1;
        if (more == 0)
            return within ? reader_refused(ENODATA) : 0;
    }
}

int bine_reader_line(bine_reader *reader, char **line, size_t *size)
{
    size_t length;
    int result = bine_reader_until(reader, "\n", 1, line, &length);
    if (result != 1)
        return result;
    if (length > 0 && (*line)[length - 1] == '\r')
        (*line)[--length] = '\0';
    if (size)
        *size = length;
    return 1;
}

ssize_t bine_reader_peek(bine_reader *reader, size_t least, char **data)
{
    int error = reader_check(reader, reader && data && least && least <= reader->limit);
    if (error)
        return reader_refused(error);
    while (buffered(reader) < least) {
        int more = read_more(reader);
        if (more < 0)
            return -1;
        if (more == 0)
            break;
    }
    *data = first(reader);
    return (ssize_t)buffered(reader);
}

int bine_reader_skip(bine_reader *reader, size_t size)
{
    int error = reader_check(reader, reader && size <= buffered(reader));
    if (error)
        return reader_refused(error);
    reader->start += size;
    return 0;
}

int bine_reader_count(bine_reader *reader, size_t size, char **piece)
{
    int error = reader_check(reader, piece != NULL);
    if (!error && size > reader->limit)
        error = EMSGSIZE;
    if (error)
        return reader_refused(error);
    if (size == 0) {
        *piece = reader->buffer ? first(reader) : "";
        return 1;
    }
    ssize_t there = bine_reader_peek(reader, size, piece);
    if (there < 0 || (size_t)there < size)
        return there > 0 ? reader_refused(ENODATA) : (int)there;
    reader->start += size;
    return 1;
}

/* ---- into the caller's buffer ---------------------------------------------------------------- */

static size_t reader_take(struct bine_reader *reader, void *buffer, size_t size)
{
    size_t taken = buffered(reader) < size ? buffered(reader) : size;
    if (taken)
        memcpy(buffer, first(reader), taken);
    reader->start += taken;
    return taken;
}

/* Behind what was buffered: much goes straight to the caller, little through the buffer. */
static ssize_t read_through(struct bine_reader *reader, void *buffer, size_t size)
{
    if (size >= FIRST)
        return read_source(reader, buffer, size);
    int more = read_more(reader);
    return more > 0 ? (ssize_t)reader_take(reader, buffer, size) : more;
}

ssize_t bine_reader_read(bine_reader *reader, void *buffer, size_t size)
{
    int error = reader_check(reader, buffer || !size);
    if (error)
        return reader_refused(error);
    size_t taken = reader_take(reader, buffer, size);
    return taken || !size ? (ssize_t)taken : read_through(reader, buffer, size);
}

/* Kills, scopes that are out of time, and what the stream itself fails with are told again by
 * themselves. An interrupt is not. */
static bool is_told_again(const struct bine_reader *reader, int error, unsigned interruptions)
{
    struct bine_hub *hub = bine_hub_here();
    return reader->error || (hub && bine_cancelled_for_good(hub)) ||
           (error != EINTR && bine_interruptions() == interruptions);
}

ssize_t bine_reader_read_all(bine_reader *reader, void *buffer, size_t size)
{
    int error = reader_check(reader, buffer || !size);
    if (error)
        return reader_refused(error);
    int saved = errno;
    size_t taken = reader_take(reader, buffer, size);
    unsigned interruptions = bine_interruptions();
    while (taken < size) {
        ssize_t got = read_through(reader, (char *)buffer + taken, size - taken);
        if (got <= 0 && taken == 0)
            return got;
        if (got < 0 && !is_told_again(reader, errno, interruptions))
            reader->untold = errno;
        if (got <= 0)
            break;
        taken += (size_t)got;
    }
    errno = saved;
    return (ssize_t)taken;
}

size_t bine_reader_buffered(const bine_reader *reader)
{
    return reader ? buffered(reader) : 0;
}
