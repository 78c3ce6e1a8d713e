/*
 * The reader: the first half of the input says which calls are made and in which pieces the second
 * half comes. What the calls give is, in order, what came.
 *
 * SOURCES: -Isrc src/net/reader.c
 * LIBRARIES: -l:libbine.a -luring
 * SANITIZE: address,undefined
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bine/io.h>
#include <bine/reader.h>

struct input {
    const uint8_t *calls, *data;
    size_t calls_left, left;
};

static unsigned draw(struct input *input)
{
    if (!input->calls_left)
        return 0;
    input->calls_left--;
    return *input->calls++;
}

static ssize_t come(void *arg, void *buffer, size_t size)
{
    struct input *input = arg;
    size_t piece = 1 + draw(input);
    if (piece == 256) {
        errno = EAGAIN;
        return -1;
    }
    piece = piece < size ? piece : size;
    piece = piece < input->left ? piece : input->left;
    memcpy(buffer, input->data, piece);
    input->data += piece;
    input->left -= piece;
    return (ssize_t)piece;
}

/* Of descriptors: not reached. */
ssize_t bine_read(int fd, void *buffer, size_t size)
{
    abort();
}

static void expect(const uint8_t **at, const uint8_t *end, const void *got, size_t size)
{
    if (size > (size_t)(end - *at) || memcmp(*at, got, size) != 0)
        abort();
    *at += size;
}

static void call(bine_reader *reader, struct input *input, const uint8_t **at, const uint8_t *end)
{
    char *piece, buffer[300];
    const char *delimiters[] = {"\n", "\r\n\r\n", "ab"};
    const char *delimiter = delimiters[draw(input) % 3];
    size_t size, wanted = draw(input);
    ssize_t got;
    switch (draw(input) % 6) {
    case 0:
        if (bine_reader_line(reader, &piece, &size) == 1) {
            expect(at, end, piece, size);
            *at += **at == '\r';
            expect(at, end, "\n", 1);
        }
        break;
    case 1:
        if (bine_reader_until(reader, delimiter, strlen(delimiter), &piece, &size) == 1) {
            expect(at, end, piece, size);
            expect(at, end, delimiter, strlen(delimiter));
        }
        break;
    case 2:
        if (bine_reader_count(reader, wanted, &piece) == 1)
            expect(at, end, piece, wanted);
        break;
    case 3:
        if ((got = bine_reader_read(reader, buffer, wanted)) > 0)
            expect(at, end, buffer, (size_t)got);
        break;
    case 4:
        if ((got = bine_reader_read_all(reader, buffer, wanted)) > 0)
            expect(at, end, buffer, (size_t)got);
        break;
    default:
        got = bine_reader_peek(reader, wanted, &piece);
        size = got > 0 ? (size_t)got / 2 : 0;
        if (got > 0)
            expect(at, end, piece, size);
        if (size && bine_reader_skip(reader, size) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {
        .calls = data, .calls_left = size / 2, .data = data + size / 2, .left = size - size / 2};
    const uint8_t *at = input.data, *end = data + size;
    bine_reader *reader = bine_reader_new_from(come, &input, 1 + draw(&input) * draw(&input));
    while (reader && input.calls_left)
        call(reader, &input, &at, end);
    if (reader && bine_reader_buffered(reader) != (size_t)(input.data - at))
        abort();
    bine_reader_free(reader);
    return 0;
}
