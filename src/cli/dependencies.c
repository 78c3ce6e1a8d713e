/*
 * The order in which ld.so looks for a name without a slash: DT_RPATH of the object and of those
 * that loaded it (unless the object has DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, the cache, the
 * system's directories. See dependencies.h.
 *
 * The system's own ldconfig reads the cache, in an environment of its own and for a second at most.
 */
#include "dependencies.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define CACHE_KIND "x86-64"
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define CACHE_KIND "AArch64"
#define MULTIARCH "aarch64-linux-gnu"
#endif

enum {
    OBJECTS_MOST = 4096,
    PLACES_MOST = 100000,
    CACHE_MOST = 16 << 20, /* bytes; a large system's cache prints as 200 KB */
    CACHE_PATIENCE = 5000  /* ms */
};

/* ---- the cache ------------------------------------------------------------------------------- */

static char *read_pipe(int fd)
{
    char *text = malloc(CACHE_MOST + 1);
    size_t size = 0;
    struct pollfd waited = {fd, POLLIN, 0};
    while (text && size < CACHE_MOST && poll(&waited, 1, CACHE_PATIENCE) > 0) {
        ssize_t got = read(fd, text + size, CACHE_MOST - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    if (text)
        text[size] = '\0';
    return text;
}

/* What `ldconfig -p` prints; "" if there is none. NULL: no memory. */
static char *read_cache(void)
{
    static const char *const programs[] = {"/sbin/ldconfig", "/usr/sbin/ldconfig"};
    const char *program = access(programs[0], X_OK) == 0 ? programs[0] : programs[1];
    char *arguments[] = {(char *)"ldconfig", (char *)"-p", NULL},
         *environment[] = {(char *)"LC_ALL=C", NULL};
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return calloc(1, 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    int error = posix_spawn(&child, program, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    char *text = error ? calloc(1, 1) : read_pipe(ends[0]);
    close(ends[0]);
    if (!error) {
        kill(child, SIGKILL); /* it has ended, or is not waited for */
        waitpid(child, NULL, 0);
    }
    return text;
}

/* "\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1". Variants for some processors
 * ("hwcap") import the same. */
static bool cached(const char *cache, const char *name, char *path, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = cache, *end; *line; line = *end ? end + 1 : end) {
        end = strchrnul(line, '\n');
        const char *entry = line + strspn(line, "\t ");
        if (strncmp(entry, name, length) != 0 || entry[length] != ' ')
            continue;
        const char *arrow = memmem(entry, (size_t)(end - entry), " => ", 4);
        if (!arrow ||
            !memmem(entry, (size_t)(arrow - entry), "," CACHE_KIND, sizeof "," CACHE_KIND - 1) ||
            memmem(entry, (size_t)(arrow - entry), "hwcap", 5))
            continue;
        int written = snprintf(path, size, "%.*s", (int)(end - arrow - 4), arrow + 4);
        return written > 0 && (size_t)written < size;
    }
    return false;
}

/* ---- search paths ---------------------------------------------------------------------------- */

/* A directory of a search path with $ORIGIN and $LIB replaced. False: it does not fit, or has a
 * token that is not known here. */
static bool expand(const char *text, size_t length, const char *origin, char *into, size_t size)
{
    static const struct {
        const char *token;
        const char *value; /* NULL: the origin */
    } tokens[] = {{"$ORIGIN", NULL},
                  {"${ORIGIN}", NULL},
                  {"$LIB", "lib/" MULTIARCH},
                  {"${LIB}", "lib/" MULTIARCH}};
    size_t used = 0;
    for (const char *at = text, *end = text + length; at < end;) {
        const char *value = at;
        size_t skip = 1, count = 1;
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens && *at == '$'; i++) {
            size_t token = strlen(tokens[i].token);
            if ((size_t)(end - at) < token || strncmp(at, tokens[i].token, token) != 0)
                continue;
            value = tokens[i].value ? tokens[i].value : origin;
            skip = token;
            count = strlen(value);
            break;
        }
        if ((*at == '$' && skip == 1) || used + count + 1 > size)
            return false;
        memcpy(into + used, value, count);
        used += count;
        at += skip;
    }
    into[used] = '\0';
    return true;
}

/* Open the library there. False: no file of that name that this machine's loader would take. */
static bool dependencies_attempt(struct dependencies *all, struct dependency *found,
                                 const char *path)
{
    if (all->places++ >= PLACES_MOST || binary_open(&found->binary, path) < 0)
        return false;
    found->path = strdup(path);
    return true;
}

static bool search(struct dependencies *all, struct dependency *found, const char *paths,
                   const char *separators, const char *origin, const char *name)
{
    while (paths && *paths) {
        size_t length = strcspn(paths, separators);
        char directory[PATH_MAX], path[PATH_MAX];
        /* An empty directory is the current one. */
        if (expand(length ? paths : ".", length ? length : 1, origin, directory,
                   sizeof directory) &&
            (size_t)snprintf(path, sizeof path, "%s/%s", directory, name) < sizeof path &&
            dependencies_attempt(all, found, path))
            return true;
        paths += length + (paths[length] != '\0');
    }
    return false;
}

static bool search_rpaths(struct dependencies *all, size_t by, struct dependency *found,
                          const char *name)
{
    if (all->list[by].binary.runpath)
        return false;
    for (size_t depth = 0; depth <= all->count; depth++) {
        const struct dependency *object = &all->list[by];
        if (!object->binary.runpath &&
            search(all, found, object->binary.rpath, ":", object->directory, name))
            return true;
        if (object->loaded_by == by)
            break;
        by = object->loaded_by;
    }
    return false;
}

static bool look_up(struct dependencies *all, size_t by, struct dependency *found, const char *name)
{
    static const char system_directories[] =
        "/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib";
    const struct dependency *object = &all->list[by];
    char path[PATH_MAX];
    if (strchr(name, '/'))
        return expand(name, strlen(name), object->directory, path, sizeof path) &&
               dependencies_attempt(all, found, path);
    return search_rpaths(all, by, found, name) ||
           search(all, found, getenv("LD_LIBRARY_PATH"), ":;", object->directory, name) ||
           search(all, found, object->binary.runpath, ":", object->directory, name) ||
           (cached(all->cache, name, path, sizeof path) &&
            dependencies_attempt(all, found, path)) ||
           search(all, found, system_directories, ":", "", name);
}

/* ---- the list -------------------------------------------------------------------------------- */

static bool known(const struct dependencies *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct dependency *each = &all->list[i];
        const char *slash = each->path ? strrchr(each->path, '/') : NULL,
                   *soname = each->binary.soname;
        if ((each->path && strcmp(each->path, name) == 0) ||
            (slash && strcmp(slash + 1, name) == 0) || (soname && strcmp(soname, name) == 0))
            return true;
    }
    return false;
}

static char *directory_of(const char *path)
{
    char *whole = realpath(path, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
    if (!slash) {
        free(whole);
        return strdup(".");
    }
    slash[slash == whole] = '\0';
    return whole;
}

/* Append it, complete: false if there is no memory for it. */
static bool dependencies_append(struct dependencies *all, struct dependency *new)
{
    struct dependency *longer = realloc(all->list, (all->count + 1) * sizeof *longer);
    if (longer)
        all->list = longer;
    if (longer && new->path)
        new->directory = directory_of(new->path);
    if (!new->directory) {
        binary_close(&new->binary);
        free(new->path);
        return false;
    }
    all->list[all->count++] = *new;
    return true;
}

static int add_needed(struct dependencies *all, size_t by, const char *name)
{
    struct dependency found = {.loaded_by = by};
    if (known(all, name))
        return 0;
    if (!look_up(all, by, &found, name)) {
        found.problem =
            all->places >= PLACES_MOST ? "not looked for: too many search paths" : "not found";
        found.path = strdup(name);
    }
    /* cppcheck-suppress memleak; the list has it */
    return dependencies_append(all, &found) ? 0 : -1;
}

int dependencies_find(struct dependencies *dependencies, const struct binary *object)
{
    struct dependency first = {.path = strdup(object->path), .binary = *object};
    *dependencies = (struct dependencies){.cache = read_cache()};
    bool complete = dependencies_append(dependencies, &first) && dependencies->cache;
    for (size_t i = 0; complete && i < dependencies->count; i++)
        for (size_t k = 0; complete && k < dependencies->list[i].binary.needed_count; k++)
            complete = dependencies->count >= OBJECTS_MOST ||
                       add_needed(dependencies, i, dependencies->list[i].binary.needed[k]) == 0;
    if (complete)
        return 0;
    dependencies_free(dependencies);
    errno = ENOMEM;
    return -1;
}

void dependencies_free(struct dependencies *dependencies)
{
    for (size_t i = 0; i < dependencies->count; i++) {
        binary_close(&dependencies->list[i].binary);
        free(dependencies->list[i].path);
        free(dependencies->list[i].directory);
    }
    free(dependencies->list);
    free(dependencies->cache);
    *dependencies = (struct dependencies){0};
}
