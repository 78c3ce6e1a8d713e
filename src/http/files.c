/* Static files. The kernel keeps them below their directory (openat2 with RESOLVE_BENEATH),
 * whatever the path names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include <bine/file.h>
#include <bine/io.h>

#include "date.h"
#include "exchange.h"
#include "path.h"

#ifndef SYS_openat2 /* glibc's headers before 2.32 */
#define SYS_openat2 437
#endif

#define INDEX "index.html"

struct bine_http_files {
    int directory;
    unsigned flags;
};

/* O_NONBLOCK: a FIFO must not make the open wait. It means nothing for files. */
enum {
    OPEN = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
    TRIES = 16
};

bine_http_files *bine_http_files_new(const char *directory, unsigned flags)
{
    if (!directory || flags & ~(unsigned)BINE_HTTP_DOTFILES) {
        errno = EINVAL;
        return NULL;
    }
    struct bine_http_files *files = malloc(sizeof *files);
    if (!files)
        return NULL;
    *files =
        (struct bine_http_files){bine_open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), flags};
    if (files->directory < 0) {
        int error = errno;
        free(files);
        errno = error;
        return NULL;
    }
    return files;
}

void bine_http_files_free(bine_http_files *files)
{
    if (!files)
        return;
    bine_close(files->directory);
    free(files);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Where there is no openat2 (before Linux 5.6, or a filter forbids it): part for part, and no
 * symbolic links. */
static int open_by_parts(int directory, const char *name)
{
    int at = directory;
    for (;;) {
        char part[256];
        size_t size = strcspn(name, "/");
        if (size >= sizeof part) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(part, name, size);
        part[size] = '\0';
        bool last = name[size] == '\0';
        int next = bine_openat(at, part, OPEN | O_NOFOLLOW | (last ? 0 : O_DIRECTORY), 0);
        if (at != directory)
            bine_close(at);
        if (next < 0 || last)
            return next;
        at = next;
        name += size + 1;
    }
    if (at != directory)
        bine_close(at);
    return -1;
}

static int open_below(int directory, const char *name)
{
    struct open_how how = {.flags = OPEN, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd, tries = 0;
    /* EAGAIN: a directory was renamed meanwhile; or another process has a lease on the file, and
     * gives it up in its own time. */
    do
        fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < TRIES);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_parts(directory, name);
    return fd;
}

/* The file behind a path, and its name. -1: there is none. */
static int open_path(const struct bine_http_files *files, const char *path,
                     struct bine_http_text *name)
{
    size_t size = strlen(path);
    if (!bine_http_path_is_safe(path, files->flags & BINE_HTTP_DOTFILES)) {
        errno = ENOENT;
        return -1;
    }
    if (!bine_http_text_add(name, path + 1, size - 1) ||
        (path[size - 1] == '/' && !bine_http_text_add(name, INDEX, sizeof INDEX - 1)) ||
        !bine_http_text_add(name, "", 1))
        return -1;
    return open_below(files->directory, name->data);
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* Is the tag one of the list? A weak one will do for the same file. */
static bool lists(const char *list, const char *tag)
{
    size_t size = strlen(tag);
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = strstr(list, tag); at; at = strstr(at + 1, tag))
        if (at[size] == '\0' || at[size] == ',' || at[size] == ' ' || at[size] == '\t')
            return true;
    return false;
}

/* RFC 9110 13.2.2: the tag counts, if there is one, and the date does not. */
static bool is_unchanged(const struct bine_http *http, const char *tag, time_t changed)
{
    time_t since;
    const char *list = bine_http_header(http, "If-None-Match"),
               *date = bine_http_header(http, "If-Modified-Since");
    if (list)
        return lists(list, tag);
    return date && bine_http_date_parse(date, &since) && changed <= since;
}

/* A range is of the file that the client has begun to fetch, or there is none. */
static const char *range_wanted(const struct bine_http *http, const char *tag, const char *changed)
{
    const char *condition = bine_http_header(http, "If-Range");
    bool same = !condition || strcmp(condition, condition[0] == '"' ? tag : changed) == 0;
    return same && strcmp(http->in.method, "GET") == 0 ? bine_http_header(http, "Range") : NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static int send_range(struct bine_http *http, int file, const struct stat *about, const char *type,
                      const char *value)
{
    char text[80];
    uint64_t begin = 0, size = (uint64_t)about->st_size;
    enum bine_http_range range = bine_http_range_parse(value, &begin, &size);
    if (range == BINE_HTTP_UNSATISFIABLE) {
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)about->st_size);
        return bine_http_set_header(http, "Content-Range", text) == 0
                   ? bine_http_answer_status(http, 416)
                   : -1;
    }
    if (range == BINE_HTTP_PART) {
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)begin,
                 (unsigned long long)(begin + size - 1), (unsigned long long)about->st_size);
        if (bine_http_set_header(http, "Content-Range", text) != 0)
            return -1;
    }
    if (bine_http_answer_begin(http, range == BINE_HTTP_PART ? 206 : 200, type, (int64_t)size) != 0)
        return -1;
    return bine_http_answer_file(http, file, (off_t)begin, (size_t)size);
}

static char *put_hex(char *to, uint64_t number)
{
    int shift = 60;
    while (shift > 0 && !(number >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[number >> shift & 15];
    return to;
}

/* The file's time and size. `tag` has room for three numbers of 16 digits, and five more bytes. */
static void format_tag(const struct stat *about, char *tag)
{
    *tag++ = '"';
    tag = put_hex(tag, (uint64_t)about->st_mtim.tv_sec);
    *tag++ = '.';
    tag = put_hex(tag, (uint64_t)about->st_mtim.tv_nsec);
    *tag++ = '-';
    tag = put_hex(tag, (uint64_t)about->st_size);
    memcpy(tag, "\"", 2);
}

static int send_file(struct bine_http *http, int file, const struct stat *about, const char *name)
{
    char tag[3 * 16 + 5], changed[BINE_HTTP_DATE + 1];
    format_tag(about, tag);
    bine_http_date_format(about->st_mtim.tv_sec, changed);
    if (bine_http_set_header(http, "Last-Modified", changed) != 0 ||
        bine_http_set_header(http, "ETag", tag) != 0)
        return -1;
    if (is_unchanged(http, tag, about->st_mtim.tv_sec))
        return bine_http_respond(http, 304, NULL, NULL, 0);
    if (bine_http_set_header(http, "Accept-Ranges", "bytes") != 0)
        return -1;
    return send_range(http, file, about, bine_http_path_type(name),
                      range_wanted(http, tag, changed));
}

/* A directory's name is to end with a slash, or what its page refers to would be looked for beside
 * it. */
static int send_to_directory(struct bine_http *http)
{
    const char *target = bine_http_target(http), *query = bine_http_query(http);
    size_t size = query ? (size_t)(query - 1 - target) : strlen(target);
    struct bine_http_text location = {NULL, 0, 0};
    int result = -1;
    /* "//host" would be another server's; browsers read "/\\host" as that. */
    if (target[0] != '/' || target[1] == '/' || target[1] == '\\')
        return bine_http_answer_status(http, 404);
    if (bine_http_text_add(&location, target, size) && bine_http_text_add(&location, "/", 2))
        result = bine_http_set_header(http, "Location", location.data);
    int error = errno;
    free(location.data);
    errno = error;
    return result == 0 ? bine_http_answer_status(http, 301) : -1;
}

static int status_of(int error)
{
    switch (error) {
    case ECANCELED:
    case ETIMEDOUT:
        return 0;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        /* also for a file that may not be read: the client need not know that it is there */
        return 404;
    }
}

static int files_answer(bine_http_files *files, bine_http *http, const char *path, bool own)
{
    struct bine_http_text name = {NULL, 0, 0};
    struct stat about;
    int file = open_path(files, path, &name), result;
    if (file < 0) {
        int status = status_of(errno);
        result = status ? bine_http_answer_status(http, status) : -1;
    } else if (fstat(file, &about) == 0 && S_ISREG(about.st_mode)) {
        result = send_file(http, file, &about, name.data);
    } else if (S_ISDIR(about.st_mode) && !own && path[strlen(path) - 1] != '/') {
        result = send_to_directory(http);
    } else {
        result = bine_http_answer_status(http, 404);
    }
    int error = errno;
    if (file >= 0)
        bine_close(file);
    free(name.data);
    errno = error;
    return result;
}

int bine_http_files_send(bine_http_files *files, bine_http *http, const char *path)
{
    if (!files || !http || !http->server || !path || path[0] != '/') {
        errno = EINVAL;
        return -1;
    }
    if (http->out.progress != BINE_HTTP_UNANSWERED) {
        errno = EALREADY;
        return -1;
    }
    return files_answer(files, http, path, true);
}

void bine_http_files_serve(bine_http *http, void *files)
{
    if (!files || !http || !http->server)
        return;
    bool readable = strcmp(http->in.method, "GET") == 0 || strcmp(http->in.method, "HEAD") == 0;
    if (!readable) {
        if (bine_http_set_header(http, "Allow", "GET, HEAD") == 0)
            bine_http_answer_status(http, 405);
        return;
    }
    const char *path = bine_http_path(http);
    if (path)
        files_answer(files, http, path, false);
    else
        bine_http_answer_status(http, 400);
}
