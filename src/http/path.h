/* Paths of requests as names of files, and parts of files. */
#ifndef BINE_HTTP_PATH_H
#define BINE_HTTP_PATH_H

#include <stdbool.h>
#include <stdint.h>

/* May the decoded path, which begins with a slash, name a file below a directory? No empty parts, no "." and "..", and no part that begins
 * with a dot unless `dotfiles`. */
bool bine_http_path_is_safe(const char *path, bool dotfiles);

/* By the name's end; "application/octet-stream" for all that is not known. */
const char *bine_http_path_type(const char *path);

enum bine_http_range {
    BINE_HTTP_WHOLE, /* no range, or one that is not understood: RFC 9110 14.2 says to ignore it */
    BINE_HTTP_PART,  /* *begin and *size */
    BINE_HTTP_UNSATISFIABLE
};

/* The value of a Range field (NULL: none) for a file with *size bytes. */
enum bine_http_range bine_http_range_parse(const char *value, uint64_t *begin, uint64_t *size);

#endif
