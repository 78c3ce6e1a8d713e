/* Paths of requests as names of files, and parts of files. */
#include "path.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

bool bine_http_path_is_safe(const char *path, bool dotfiles)
{
    if (*path != '/')
        return false;
    while (*path == '/') {
        const char *part = ++path;
        path += strcspn(path, "/");
        size_t size = (size_t)(path - part);
        if (size == 0)
            return *path == '\0'; /* a slash at the end */
        if (part[0] == '.' && (!dotfiles || size == 1 || (size == 2 && part[1] == '.')))
            return false;
    }
    return true;
}

const char *bine_http_path_type(const char *path)
{
    static const struct {
        char end[8];
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".htm", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".csv", "text/csv; charset=utf-8"},
        {".xml", "application/xml"},
        {".json", "application/json"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".avif", "image/avif"},
        {".ico", "image/x-icon"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".mp3", "audio/mpeg"},
        {".ogg", "audio/ogg"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
    };
    const char *end = strrchr(path, '.');
    if (end && !strchr(end, '/'))
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcasecmp(end, types[i].end) == 0)
                return types[i].type;
    return "application/octet-stream";
}

/* Digits from *text on; false: there are none, or too many. */
static bool number(const char **text, uint64_t *value)
{
    const char *begin = *text;
    for (*value = 0; **text >= '0' && **text <= '9'; ++*text)
        *value = *value * 10 + (uint64_t)(**text - '0');
    return *text > begin && *text - begin <= 18;
}

enum bine_http_range bine_http_range_parse(const char *value, uint64_t *begin, uint64_t *size)
{
    uint64_t first = 0, last = UINT64_MAX;
    if (!value || strncasecmp(value, "bytes=", 6) != 0)
        return BINE_HTTP_WHOLE;
    value += 6;
    bool from_end = *value == '-';
    if (!from_end && (!number(&value, &first) || *value != '-'))
        return BINE_HTTP_WHOLE;
    value++;
    bool has_last = *value != '\0';
    if (has_last && (!number(&value, &last) || *value != '\0'))
        return BINE_HTTP_WHOLE; /* several ranges, or none */
    if ((from_end && !has_last) || (!from_end && last < first))
        return BINE_HTTP_WHOLE;
    if (*size == 0 || (from_end ? last == 0 : first >= *size))
        return BINE_HTTP_UNSATISFIABLE;
    if (from_end)
        first = last < *size ? *size - last : 0;
    uint64_t left = *size - first;
    *begin = first;
    *size = from_end || last - first >= left ? left : last - first + 1;
    return BINE_HTTP_PART;
}
