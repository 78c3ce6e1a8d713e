/*
 * Is libc's FILE as this room expects? Its headers show the fields, but not their meaning. Before
 * stdio is patched they are tried out on two streams over a pipe that no other code has. A C
 * library whose streams work in another way is not patched.
 */
#ifndef BINE_IO_STDIO_STDIO_SURPRISE_H
#define BINE_IO_STDIO_STDIO_SURPRISE_H

/* Returns 0, or ENOTSUP. Then *what is a constant string that names the first thing that is not as
 * expected. Returns ENOMEM, EMFILE and the like if that could not be tried out. Any thread. */
int bine_stdio_surprise(const char **what);

#endif
