/* Asks the dynamic loader by `ld.so --list` (ld.so(8)). See dependencies.h. */
#include "dependencies.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int add(char ***list, size_t *count, const char *text, size_t length)
{
    char **longer = realloc(*list, (*count + 1) * sizeof *longer);
    if (!longer)
        return -1;
    *list = longer;
    char *copy = strndup(text, length);
    if (!copy)
        return -1;
    longer[(*count)++] = copy;
    return 0;
}

/* "\tlibm.so.6 => /lib/libm.so.6 (0x...)", "\t/lib/ld.so (0x...)", "\tlibx.so => not found" */
static int read_line(struct dependencies *dependencies, char *line)
{
    char *name = line + strspn(line, "\t ");
    char *arrow = strstr(name, " => "), *path = arrow ? arrow + 4 : name;
    if (arrow && strncmp(path, "not found", 9) == 0)
        return add(&dependencies->missing, &dependencies->missing_count, name, (size_t)(arrow - name));
    char *end = strstr(path, " (0x");
    if (!end || *path != '/')
        return 0;
    return add(&dependencies->paths, &dependencies->count, path, (size_t)(end - path));
}

static int spawn_loader(const char *loader, const char *object, int *output, pid_t *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *arguments[] = {(char *)loader, "--list", (char *)object, NULL};
    int error = posix_spawn(child, loader, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error)
        close(ends[0]);
    *output = ends[0];
    return error;
}

int dependencies_list(struct dependencies *dependencies, const char *loader, const char *object)
{
    *dependencies = (struct dependencies){0};
    int output = -1, status;
    pid_t child = -1;
    int error = spawn_loader(loader, object, &output, &child);
    if (error) {
        errno = error;
        return -1;
    }
    FILE *lines = fdopen(output, "r");
    char *line = NULL;
    size_t room = 0;
    while (lines && !error && getline(&line, &room, lines) > 0)
        if (read_line(dependencies, line) < 0)
            error = ENOMEM;
    free(line);
    if (lines)
        fclose(lines);
    waitpid(child, &status, 0);
    if (!error)
        return 0;
    dependencies_free(dependencies);
    errno = error;
    return -1;
}

void dependencies_free(struct dependencies *dependencies)
{
    for (size_t i = 0; i < dependencies->count; i++)
        free(dependencies->paths[i]);
    for (size_t i = 0; i < dependencies->missing_count; i++)
        free(dependencies->missing[i]);
    free(dependencies->paths);
    free(dependencies->missing);
    *dependencies = (struct dependencies){0};
}
