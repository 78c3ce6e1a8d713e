/*
 * Is libc's FILE as this room expects? Its headers show the fields and not what they mean. Before stdio is patched they
 * are tried out on two streams over a pipe that nobody else has. A C library whose streams work in another way is not
 * patched.
 */
#ifndef BINE_IO_STDIO_STDIO_SURPRISE_H
#define BINE_IO_STDIO_STDIO_SURPRISE_H

/* 0; or ENOTSUP, and *what is the first thing that is not as expected: a constant string; or ENOMEM, EMFILE and the like
 * if it could not be tried out. Any thread. */
int bine_stdio_surprise(const char **what);

#endif
