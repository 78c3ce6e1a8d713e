/* Which programs `bine run` can run. See runnable.h. */
#include "runnable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "binary.h"

enum {
    SCRIPTS_MOST = 4, /* as the kernel */
    LINE = 256
};

/* Reads a script's interpreter. Returns 0 if it is no script, 1 if it is, -1 if it names none. */
static int read_interpreter(const char *path, char *interpreter)
{
    FILE *file = fopen(path, "re");
    char line[LINE];
    size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file)
        fclose(file);
    line[length] = '\0';
    if (strncmp(line, "#!", 2) != 0)
        return 0;
    const char *name = line + 2 + strspn(line + 2, " \t");
    length = strcspn(name, " \t\n");
    memcpy(interpreter, name, length);
    interpreter[length] = '\0';
    return length ? 1 : -1;
}

/* The loader ignores what is preloaded where a program gains rights. */
static const char *gains_rights(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return strerror(errno);
    if (status.st_mode & S_ISUID && status.st_uid != getuid())
        return "it is setuid: the loader ignores what is preloaded";
    if (status.st_mode & S_ISGID && status.st_mode & S_IXGRP && status.st_gid != getgid())
        return "it is setgid: the loader ignores what is preloaded";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "it has file capabilities: the loader ignores what is preloaded";
    return NULL;
}

static const char *judge(const struct binary *binary, char *room, size_t size)
{
    if (binary->static_program)
        return "it is linked statically: its calls of the C library have no slots to patch";
    if (!binary->interpreter)
        return "it is a library, not a program";
    const char *name = strrchr(binary->interpreter, '/');
    name = name ? name + 1 : binary->interpreter;
    if (strcmp(name, "ld-linux-x86-64.so.2") == 0)
        return NULL;
    snprintf(room, size, "its loader is %s: only the GNU C library for x86-64 is known",
             binary->interpreter);
    return room;
}

const char *runnable_refusal(const char *path, char *room, size_t size)
{
    char interpreter[LINE];
    for (int scripts = 0;; scripts++) {
        int script = read_interpreter(path, interpreter);
        if (script < 0)
            return "it is a script that names no interpreter";
        if (!script)
            break;
        if (scripts == SCRIPTS_MOST)
            return "it is a script of scripts of scripts";
        /* The caller's path stays as it is. */
        snprintf(room, size, "%s", interpreter);
        path = room;
    }
    const char *rights = gains_rights(path);
    if (rights)
        return rights;
    struct binary binary;
    if (binary_open(&binary, path) < 0)
        return binary.fault ? binary.fault : strerror(errno);
    const char *refusal = judge(&binary, room, size);
    binary_close(&binary);
    return refusal;
}

static const char *try(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return NULL;
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    return access(path, X_OK) == 0 ? path : NULL;
}

const char *runnable_find(const char *name, char *room, size_t size)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return try(name);
    if (!path)
        path = "/bin:/usr/bin";
    int error = ENOENT;
    while (*path && *name) {
        size_t length = strcspn(path, ":");
        int written =
            snprintf(room, size, "%.*s/%s", length ? (int)length : 1, length ? path : ".", name);
        if (written > 0 && (size_t)written < size) {
            if (try(room))
                return room;
            if (errno == EACCES)
                error = EACCES;
        }
        path += length + (path[length] == ':');
    }
    errno = error;
    return NULL;
}
