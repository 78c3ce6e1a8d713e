/*
 * Reader: lines, counts and delimited pieces of a stream. Its buffer is bounded, so that a peer
 * cannot make it grow without end.
 *
 *      bine_reader *reader = bine_reader_new(fd, 0);
 *      char *line;
 *      while (bine_reader_line(reader, &line, NULL) == 1)
 *          printf("%s\n", line);
 *      bine_reader_free(reader);
 *
 * A reader reads ahead: do not read the descriptor beside it. Limit its time by timeout scopes
 * (bine_timeout_begin). A read that a timeout or a kill cut short loses nothing: the next call
 * continues where it stopped.
 *
 * Data that a call returns by pointer lies in the reader's buffer. The caller may write to it, and
 * it is valid until the next call with that reader. One greenlet at a time uses a reader (EBUSY),
 * on any thread, also on one without a hub.
 */
#ifndef BINE_READER_H
#define BINE_READER_H

#include <sys/types.h>

#include "base.h"

BINE_BEGIN

typedef struct bine_reader bine_reader;

/* A reader gets its bytes from this function. It has read(2)'s contract: it returns at least 1 and
 * at most `size`, 0 at the end, or -1 with errno. */
typedef ssize_t bine_reader_source(void *source, void *buffer, size_t size);

/* Make a reader of a descriptor, which stays the caller's: a socket, a pipe, a terminal, a file.
 * `limit` is how many bytes a line or piece may have, its end included, and how many are buffered
 * at most. 0 means 65,536. Fails with EINVAL (fd is negative) or ENOMEM. Free it with
 * bine_reader_free. Switches: no. */
BINE_API bine_reader *bine_reader_new(int fd, size_t limit);
/* Make a reader of the bytes that `read(source, ...)` brings. bine_tls_reader_new (tls.h) makes one
 * of a TLS connection. Fails with EINVAL (read is NULL) or ENOMEM. Otherwise it works as
 * bine_reader_new does. */
BINE_API bine_reader *bine_reader_new_from(bine_reader_source *read, void *source, size_t limit);
/* Free the reader. NULL is ignored. Returns 0, or -1 with EBUSY (a greenlet is inside a call with
 * it). Switches: no. */
BINE_API int bine_reader_free(bine_reader *reader);

/*
 * All calls that follow return -1 with errno:
 *
 *  - EINVAL: reader is NULL, or an argument is impossible
 *  - EBUSY: another greenlet is inside a call with this reader
 *  - ENODATA: the stream ended in the middle of the line or piece. The bytes that have come stay;
 *    bine_reader_peek or bine_reader_read returns them
 *  - EMSGSIZE: the line or piece is longer than the limit; nothing was taken
 *  - ECANCELED, ETIMEDOUT, EDEADLK, EINTR, EAGAIN, ENOMEM, and the error given to bine_interrupt:
 *    the caller's wait ended, and not the stream. The next call continues
 *  - others: as read(2) or the source, also ETIMEDOUT of a TCP that gave up. A reader keeps these,
 *    as it keeps the end: all later calls that need more bytes fail in the same way. It keeps
 *    neither ETIMEDOUT nor ECANCELED of a source, since it cannot know their reason
 *
 * They switch only if they have to read. Switches: maybe.
 */

/* Store the next line in *line, and its length in *size (may be NULL). A line ends with "\n" or
 * "\r\n", which is taken off; a zero byte stands behind the line. A line may have zero bytes in it.
 * Returns 1, or 0 at the end of the stream. */
BINE_API int bine_reader_line(bine_reader *reader, char **line, size_t *size);

/* Does the same up to any delimiter of 1 to `limit` bytes, such as "\r\n\r\n" or "\0". The
 * delimiter is taken off as well. */
BINE_API int bine_reader_until(bine_reader *reader, const void *delimiter, size_t delimiter_size,
                               char **piece, size_t *size);

/* Store a pointer to exactly `size` bytes in *piece, without copying them. `size` is at most the
 * limit; a larger one fails with EMSGSIZE. 0 bytes are there at once. Returns 1, or 0 at the end of
 * the stream. */
BINE_API int bine_reader_count(bine_reader *reader, size_t size, char **piece);

/* Copy at most `size` bytes into the caller's buffer, those that are buffered first. The call waits
 * only for the first byte. Returns how many, or 0 at the end. */
BINE_API ssize_t bine_reader_read(bine_reader *reader, void *buffer, size_t size);

/* Copy `size` bytes, however many, into the caller's buffer. Returns size. Returns fewer if the
 * stream ended, or reading failed, after the first of them. The next call that needs more bytes
 * says which, unless the reason was a timeout scope that has ended by then. Returns 0 at the
 * end. */
BINE_API ssize_t bine_reader_read_all(bine_reader *reader, void *buffer, size_t size);

/* Read until at least `least` bytes are buffered (1 to the limit; any other number fails with
 * EINVAL), and store a pointer to them in *data. It takes nothing. It is for parsers. Returns how
 * many bytes are buffered. That is fewer than `least` only at the end of the stream, and 0 if
 * nothing is left. */
BINE_API ssize_t bine_reader_peek(bine_reader *reader, size_t least, char **data);
/* Take `size` of the buffered bytes away. Returns 0, or -1 with EINVAL (fewer bytes are buffered)
 * or EBUSY. Switches: no. */
BINE_API int bine_reader_skip(bine_reader *reader, size_t size);
/* Returns how many bytes are buffered: a read of so many does not wait. Returns 0 for NULL.
 * Switches: no. */
BINE_API size_t bine_reader_buffered(const bine_reader *reader);

BINE_END

#endif
