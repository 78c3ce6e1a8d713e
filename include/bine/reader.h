/*
 * Reader: lines, counts and delimited pieces of a stream, through a buffer that is bounded, so that a peer cannot
 * make it grow without end.
 *
 *      bine_reader *reader = bine_reader_new(fd, 0);
 *      char *line;
 *      while (bine_reader_line(reader, &line, NULL) == 1)
 *          printf("%s\n", line);
 *      bine_reader_free(reader);
 *
 * It reads ahead: do not read the descriptor beside it. Time limits are timeout scopes (bine_timeout_begin). A read
 * that a timeout or a kill cut short loses nothing: the next call goes on where it was.
 *
 * Data that a call returns by pointer lies in the reader's buffer, may be written to, and is valid until the next
 * call with that reader. A reader is used by one greenlet at a time (EBUSY), on any thread, also one without a hub.
 */
#ifndef BINE_READER_H
#define BINE_READER_H

#include <sys/types.h>

#include "base.h"

BINE_BEGIN

typedef struct bine_reader bine_reader;

/* Where its bytes come from: read(2)'s contract. Returns at least 1 and at most `size`, 0 at the end, or -1 with errno. */
typedef ssize_t bine_reader_source(void *source, void *buffer, size_t size);

/*
 * A reader of a descriptor, which stays the caller's: a socket, a pipe, a terminal, a file. `limit`: bytes that a line
 * or piece may have, its end included, and the most that is buffered; 0: 65,536. NULL: EINVAL (fd negative), ENOMEM.
 * Free with bine_reader_free. Switches: no.
 */
BINE_API bine_reader *bine_reader_new(int fd, size_t limit);
/* The same of whatever `read(source, ...)` brings. bine_tls_reader_new (tls.h) makes one of a TLS connection. NULL:
 * EINVAL (read NULL), ENOMEM. */
BINE_API bine_reader *bine_reader_new_from(bine_reader_source *read, void *source, size_t limit);
/* NULL is ignored. -1: EBUSY (a greenlet is inside a call with it). Switches: no. */
BINE_API int bine_reader_free(bine_reader *reader);

/*
 * All that follow return -1 with errno:
 *   EINVAL      reader NULL, or an impossible argument
 *   EBUSY       another greenlet is inside a call with this reader
 *   ENODATA     the stream ended in the middle of the line or piece; what there is of it stays and can be had by
 *               bine_reader_peek or bine_reader_read
 *   EMSGSIZE    it is longer than the limit; nothing was taken
 *   ECANCELED, ETIMEDOUT, EDEADLK, EINTR, EAGAIN, ENOMEM, and whatever bine_interrupt was given: the caller's wait ended and
 *               not the stream. The next call goes on
 *   others      as read(2) or the source, also ETIMEDOUT of a TCP that gave up. A reader keeps these, as it keeps the
 *               end: all later calls that need more bytes fail in the same way. Of a source it keeps neither ETIMEDOUT nor
 *               ECANCELED, whose reason it cannot know
 * They switch only if they have to read. Switches: maybe.
 */

/* The next line, ended by "\n" or "\r\n": stores it without that, and with a zero byte behind it, in *line, and how
 * long it is in *size (may be NULL; a line may have zero bytes in it). Returns 1, or 0 at the end of the stream. */
BINE_API int bine_reader_line(bine_reader *reader, char **line, size_t *size);

/* The same up to any delimiter of 1 to `limit` bytes, which is taken off as well: "\r\n\r\n", "\0". */
BINE_API int bine_reader_until(bine_reader *reader, const void *delimiter, size_t delimiter_size, char **piece,
                               size_t *size);

/* Exactly `size` bytes, at most the limit (else EMSGSIZE), into *piece without copying; 0 bytes are there at once.
 * Returns 1, or 0 at the end of the stream. */
BINE_API int bine_reader_count(bine_reader *reader, size_t size, char **piece);

/* At most `size` bytes into the caller's buffer, those that are buffered first; waits only for the first. Returns how
 * many, 0 at the end. */
BINE_API ssize_t bine_reader_read(bine_reader *reader, void *buffer, size_t size);

/* `size` bytes, however many, into the caller's buffer. Returns size; fewer if the stream ended, or reading failed,
 * after the first of them: the next call that needs more bytes says which, unless it was a timeout scope that has ended
 * by then. 0 at the end. */
BINE_API ssize_t bine_reader_read_all(bine_reader *reader, void *buffer, size_t size);

/* What is buffered, at least `least` bytes (1 to the limit, else EINVAL): reads until there are as many. Takes nothing.
 * For parsers. Returns how many there are at *data; fewer than `least` only at the end of the stream, 0: nothing is left. */
BINE_API ssize_t bine_reader_peek(bine_reader *reader, size_t least, char **data);
/* Take `size` bytes of those away. -1: EINVAL (as many are not buffered), EBUSY. Switches: no. */
BINE_API int bine_reader_skip(bine_reader *reader, size_t size);
/* How many bytes are buffered: so many can be had without a wait. 0 for NULL. Switches: no. */
BINE_API size_t bine_reader_buffered(const bine_reader *reader);

BINE_END

#endif
