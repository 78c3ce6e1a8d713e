/*
 * bine doctor [-v] [FILE...]: what Bine finds on this machine, and what it can do for a program or library: each
 * object that would be loaded, which blocking calls it imports and whether patching covers them, and what no patching
 * can reach.
 *
 * Exit status: 0 all covered; 1 something is not; 2 a file cannot be judged.
 */
#include "doctor.h"

#include <bine.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../io/poller.h"
#include "../patch/table.h"
#include "binary.h"
#include "dependencies.h"
#include "system_calls.h"

static const struct {
    const char *name, *why;
} uncovered[] = {
#define BINE_UNCOVERED(name, why) {#name, why},
#include "../patch/uncovered.def"
#undef BINE_UNCOVERED
};

/* ---- the machine ---------------------------------------------------------------------------- */

static void *nothing(void *arg)
{
    return arg;
}

static void print_file(const char *label, const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fgets(text, sizeof text, file))
        printf("  %-22s %s", label, text);
    fclose(file);
}

static void examine_machine(void)
{
    struct utsname names;
    uname(&names);
    printf("machine\n");
    printf("  %-22s %s %s %s\n", "system", names.sysname, names.release, names.machine);
    printf("  %-22s %s\n", "C library", gnu_get_libc_version());
    printf("  %-22s %s\n", "bine", bine_version());
    struct bine_hub *hub = bine_hub_get();
    struct bine_poller *poller = hub ? bine_poller_of(hub) : NULL;
    const char *why = bine_poller_why();
    if (poller)
        printf("  %-22s %s%s%s\n", "poller", poller->class->name, *why ? ": " : "", why);
    else
        printf("  %-22s none: %s\n", "poller", strerror(errno));
    bine_greenlet *g = bine_spawn(nothing, NULL);
    if (g)
        bine_join(g, NULL, BINE_FOREVER);
    const char *guard = bine_guard_name();
    printf("  %-22s %s%s\n", "stack guards", guard,
           strcmp(guard, "mprotect") == 0 ? ": a mapping for each stack, vm.max_map_count bounds their number" : "");
    print_file("vm.max_map_count", "/proc/sys/vm/max_map_count");
    print_file("kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled");
}

/* ---- one object ------------------------------------------------------------------------------- */

struct verdict {
    size_t covered, missing;
};

static const char *why_uncovered(const char *name)
{
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (strcmp(uncovered[i].name, name) == 0)
            return uncovered[i].why;
    return NULL;
}

/* Of Bine or the C library, whose own calls are never patched: their callers' calls of them are. */
static bool is_beneath(const struct binary *binary)
{
    static const char *const beginnings[] = {"libc.so",    "libc-2",     "ld-linux",   "ld-2",
                                             "libpthread", "libbine.so", "liburing.so"};
    const char *slash = strrchr(binary->path, '/'), *name = slash ? slash + 1 : binary->path;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static struct verdict examine_object(const struct binary *binary, bool verbose)
{
    struct verdict verdict = {0, 0};
    printf("%s\n", binary->path);
    if (is_beneath(binary)) {
        printf("  beneath Bine: never patched, and need not be\n");
        return verdict;
    }
    for (size_t i = 0; i < binary->import_count; i++) {
        const char *name = binary->imports[i], *why = why_uncovered(name);
        if (bine_symbol_find(name)) {
            verdict.covered++;
            if (verbose)
                printf("  covered       %s\n", name);
        } else if (why) {
            verdict.missing++;
            printf("  NOT covered   %s: %s\n", name, why);
        }
    }
    for (size_t i = 0; i < binary->call_count; i++) {
        const char *call = blocking_system_call(binary->calls[i]);
        if (call) {
            verdict.missing++;
            printf("  NOT covered   its own code makes the system call %s: no call to patch; use bine_offload\n", call);
        }
    }
    printf("  %zu calls covered, %zu not\n", verdict.covered, verdict.missing);
    return verdict;
}

/* ---- a file with all that it loads --------------------------------------------------------------- */

static const char *own_loader(void)
{
    struct binary self;
    static char loader[4096];
    if (binary_open(&self, "/proc/self/exe") < 0)
        return NULL;
    snprintf(loader, sizeof loader, "%s", self.interpreter ? self.interpreter : "");
    binary_close(&self);
    return *loader ? loader : NULL;
}

static int examine_dependency(const char *path, bool verbose)
{
    struct binary binary;
    if (binary_open(&binary, path) < 0) {
        printf("%s\n  cannot be judged: %s\n", path, binary.fault ? binary.fault : strerror(errno));
        return 2;
    }
    struct verdict verdict = examine_object(&binary, verbose);
    binary_close(&binary);
    return verdict.missing ? 1 : 0;
}

static int worse(int a, int b)
{
    return a > b ? a : b;
}

static int examine_with_dependencies(const struct binary *binary, bool verbose)
{
    int status = examine_object(binary, verbose).missing ? 1 : 0;
    struct dependencies dependencies;
    const char *loader = binary->interpreter ? binary->interpreter : own_loader();
    if (!loader || dependencies_list(&dependencies, loader, binary->path) < 0) {
        printf("  what it loads could not be listed: %s\n", strerror(errno));
        return worse(status, 2);
    }
    for (size_t i = 0; i < dependencies.missing_count; i++) {
        printf("%s\n  not found by the loader\n", dependencies.missing[i]);
        status = 2;
    }
    for (size_t i = 0; i < dependencies.count; i++)
        status = worse(status, examine_dependency(dependencies.paths[i], verbose));
    dependencies_free(&dependencies);
    return status;
}

/* A program may be named as in a shell. */
static const char *find_file(const char *name, char *room, size_t size)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') || access(name, R_OK) == 0 || !path)
        return name;
    while (*path) {
        size_t length = strcspn(path, ":");
        int written = snprintf(room, size, "%.*s/%s", (int)length, path, name);
        if (written > 0 && (size_t)written < size && access(room, R_OK) == 0)
            return room;
        path += length + (path[length] == ':');
    }
    return name;
}

static int examine(const char *name, bool verbose)
{
    char room[4096];
    const char *path = find_file(name, room, sizeof room);
    struct binary binary;
    if (binary_open(&binary, path) < 0) {
        printf("%s\n  cannot be judged: %s\n", path, binary.fault ? binary.fault : strerror(errno));
        return 2;
    }
    int status;
    if (binary.static_program) {
        printf("%s\n  NOT covered   a static program: its calls of the C library have no slots to patch\n", path);
        status = 1;
    } else {
        status = examine_with_dependencies(&binary, verbose);
    }
    binary_close(&binary);
    return status;
}

int doctor(int count, char **arguments)
{
    bool verbose = false;
    if (count && strcmp(arguments[0], "-v") == 0) {
        verbose = true;
        count--;
        arguments++;
    }
    if (count && arguments[0][0] == '-' && strcmp(arguments[0], "--") != 0) {
        fprintf(stderr, "bine doctor: unknown option %s\nusage: bine doctor [-v] [FILE...]\n", arguments[0]);
        return 2;
    }
    if (count && strcmp(arguments[0], "--") == 0) {
        count--;
        arguments++;
    }
    examine_machine();
    int status = 0;
    for (int i = 0; i < count; i++) {
        printf("\n");
        status = worse(status, examine(arguments[i], verbose));
    }
    if (count)
        printf("\n%s\n", status == 0 ? "All covered."
                         : status == 1
                             ? "Some calls are not covered: see above, and docs/limits.md for ways round them."
                             : "Some files could not be judged.");
    return status;
}
