/*
 * A live process. Its memory is read while it runs, by process_vm_readv, which takes the permission
 * that a debugger takes.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static bool live_page(struct inspect_target *target, uint64_t address, void *page)
{
    struct iovec to = {page, INSPECT_PAGE};
    struct iovec from = {(void *)(uintptr_t)address,
                         INSPECT_PAGE}; /* NOLINT(performance-no-int-to-ptr) */
    return process_vm_readv(target->pid, &to, 1, &from, 1, 0) == INSPECT_PAGE;
}

static void live_close(struct inspect_target *target)
{
    (void)target;
}

static const struct inspect_source live_source = {live_page, NULL, live_close};

static bool read_maps(struct inspect_target *target)
{
    char path[64], *line = NULL;
    size_t room = 0;
    bool right = true;
    snprintf(path, sizeof path, "/proc/%d/maps", target->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return false;
    while (right && getline(&line, &room, maps) > 0) {
        unsigned long long start, end, offset;
        char rights[5];
        int name = 0;
        if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, rights, &offset, &name) < 4)
            continue;
        line[strcspn(line, "\n")] = '\0';
        struct inspect_mapping mapping = {
            start, end, offset, rights[0] == 'r', rights[1] == 'w', rights[2] == 'x', NULL};
        right = inspect_add_mapping(target, mapping, name && line[name] == '/' ? line + name : "");
    }
    free(line);
    fclose(maps);
    return right;
}

static bool read_threads(struct inspect_target *target)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", target->pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return false;
    for (struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.' &&
            !inspect_add_thread(target, (pid_t)strtol(entry->d_name, NULL, 10)))
            break;
    closedir(tasks);
    return true;
}

/* The machine of the program, by its ELF header. */
static bool read_machine(struct inspect_target *target)
{
    char path[64];
    Elf64_Ehdr header;
    snprintf(path, sizeof path, "/proc/%d/exe", target->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, &header, sizeof header);
    close(fd);
    if (n != sizeof header || header.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    target->machine = header.e_machine;
    return true;
}

static void refuse(pid_t pid, int error)
{
    char scope = 0;
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, &scope, 1) != 1)
            scope = 0;
        close(fd);
    }
    if (error == ESRCH || error == ENOENT)
        fprintf(stderr, "bine: there is no process %d\n", pid);
    else if ((error == EPERM || error == EACCES) && scope && scope != '0')
        fprintf(stderr,
                "bine: looking into process %d is not permitted: it takes the rights of a "
                "debugger, and "
                "/proc/sys/kernel/yama/ptrace_scope is %c (try sudo)\n",
                pid, scope);
    else if (error == EPERM || error == EACCES)
        fprintf(stderr,
                "bine: looking into process %d is not permitted: it takes the rights of a "
                "debugger, and the process "
                "belongs to another user or has set itself not dumpable\n",
                pid);
    else
        fprintf(stderr, "bine: process %d cannot be looked into: %s\n", pid, strerror(error));
}

/* Reads a byte of the process: tells whether that is permitted. */
static int try_memory(const struct inspect_target *target)
{
    unsigned char byte;
    for (size_t i = 0; i < target->mapping_count; i++) {
        if (!target->mappings[i].readable)
            continue;
        struct iovec to = {&byte, 1};
        struct iovec from = {(void *)(uintptr_t)target->mappings[i].start,
                             1}; /* NOLINT(performance-no-int-to-ptr) */
        if (process_vm_readv(target->pid, &to, 1, &from, 1, 0) == 1)
            return 0;
        if (errno != EFAULT && errno != EIO)
            return errno;
    }
    return ESRCH; /* it has ended: a zombie has no mappings */
}

struct inspect_target *inspect_open_process(pid_t pid)
{
    struct timespec now;
    struct inspect_target *target = inspect_new(&live_source);
    int error = ENOMEM;
    if (!target)
        goto failed;
    target->live = true;
    target->pid = pid;
    errno = 0;
    if (!read_maps(target) || !read_threads(target)) {
        error = errno ? errno : ENOMEM;
        goto failed;
    }
    inspect_settle(target);
    if ((error = try_memory(target)))
        goto failed;
    if (!read_machine(target)) {
        fprintf(stderr, "bine: process %d is not a program of 64 bits\n", pid);
        inspect_close(target);
        return NULL;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    target->now = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    return target;

failed:
    refuse(pid, error);
    inspect_close(target);
    return NULL;
}
