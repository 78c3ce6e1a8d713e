/* Paths of requests as names of files, and parts of files. */
#ifndef BINE_HTTP_PATH_H
#define BINE_HTTP_PATH_H

#include <stdbool.h>
#include <stdint.h>

/* May the decoded path, which begins with a slash, name a file below a directory? It has no empty
 * parts, no "." and "..", and no part that begins with a dot unless `dotfiles`. */
bool bine_http_path_is_safe(const char *path, bool dotfiles);

/* Returns the type by the name's end. It is "application/octet-stream" if the end is not known. */
const char *bine_http_path_type(const char *path);

enum bine_http_range {
    /* There is no range, or one that is not understood: RFC 9110 14.2 says to ignore it. */
    BINE_HTTP_WHOLE,
    BINE_HTTP_PART, /* the part is in *begin and *size */
    BINE_HTTP_UNSATISFIABLE
};

/* Reads the value of a Range field (NULL: none) for a file with *size bytes. */
enum bine_http_range bine_http_range_parse(const char *value, uint64_t *begin, uint64_t *size);

#endif
