/*
 * bine doctor [-v] [FILE...] says what Bine finds on this machine, and what it can do for a program
 * or library: each object that would be loaded, which blocking calls it imports and whether
 * patching covers them, and what no patching can reach. It reads files and runs nothing of them.
 *
 * Exit status: 0 all is covered, some perhaps in part; 1 something is not; 2 a file cannot be
 * judged.
 */
#include "doctor.h"

#include <bine.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "binary.h"
#include "dependencies.h"
#include "io/poller/poller.h"
#include "own_calls.h"
#include "patch/elf/image.h"
#include "patch/surprise.h"
#include "patch/table/table.h"
#include "runnable.h"
#include "system_calls.h"

static const struct {
    const char *name, *why;
} uncovered[] = {
#define BINE_UNCOVERED(name, why) {#name, why},
#include "patch/table/uncovered.def"
#undef BINE_UNCOVERED
};

/* ---- the machine ---------------------------------------------------------------------------- */

static void *doctor_nothing(void *arg)
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

/* Is libc's inside as patching expects? */
static void print_family(const char *label, unsigned family, const char *name)
{
    const char *what;
    int error = bine_patch_surprise(family, &what);
    if (error == ENOTSUP)
        printf("  %-22s NOT as expected: %s; %s cannot be patched\n", label, what, name);
    else
        printf("  %-22s %s\n", label, error ? strerror(error) : "as expected");
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
    bine_greenlet *g = bine_spawn(doctor_nothing, NULL);
    if (g)
        bine_join(g, NULL, BINE_FOREVER);
    const char *guard = bine_guard_name();
    printf("  %-22s %s%s\n", "stack guards", guard,
           strcmp(guard, "mprotect") == 0
               ? ": a mapping for each stack, vm.max_map_count bounds their number"
               : "");
    print_family("locks of libc", BINE_PATCH_THREAD, "the thread family");
    print_family("streams of libc", BINE_PATCH_STDIO, "the stdio family");
    print_file("vm.max_map_count", "/proc/sys/vm/max_map_count");
    print_file("kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled");
}

/* ---- one object ------------------------------------------------------------------------------ */

struct verdict {
    size_t covered, partly, missing;
};

static const char *why_uncovered(const char *name)
{
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (strcmp(uncovered[i].name, name) == 0)
            return uncovered[i].why;
    return NULL;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

__attribute__((format(printf, 2, 3))) static void print_fault(size_t *count, const char *format,
                                                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    (*count)++;
}

static void examine_import(const struct binary_import *import, bool verbose,
                           struct verdict *verdict)
{
    const char *name = import->name, *why = why_uncovered(name);
    bool hooked = bine_symbol_find(name) != NULL;
    if (strcmp(name, "syscall") == 0) {
        print_fault(
            &verdict->partly,
            "  in part       syscall: some numbers are served, others block: see docs/limits.md\n");
    } else if (hooked && import->without_slot) {
        print_fault(&verdict->missing,
                    "  NOT covered   %s: called where there is no slot (text relocations)\n", name);
    } else if (hooked) {
        verdict->covered++;
        if (verbose)
            printf("  covered       %s\n", name);
    } else if (why) {
        print_fault(&verdict->missing, "  NOT covered   %s: %s\n", name, why);
    }
}

static void examine_own_calls(const struct binary *binary, struct verdict *verdict)
{
    struct own_calls calls;
    own_calls_find(binary, &calls);
    for (size_t i = 0; i < calls.count; i++) {
        const char *call = blocking_system_call(calls.numbers[i]);
        if (call)
            print_fault(&verdict->missing,
                        "  NOT covered   its own code makes the system call %s: no call to patch; "
                        "use bine_offload\n",
                        call);
    }
    if (calls.unsure)
        print_fault(
            &verdict->partly,
            "  in part       it may make system calls of its own: this bine was built without a "
            "disassembler (Capstone) that could tell\n");
}

static struct verdict examine_object(const struct binary *binary, const char *path, bool verbose)
{
    struct verdict verdict = {0};
    printf("%s\n", path);
    if (bine_image_name_is_system(file_name(path))) {
        printf("  beneath Bine: never patched, and need not be\n");
        return verdict;
    }
    if (binary->interpreter && strncmp(file_name(binary->interpreter), "ld-linux", 8) != 0)
        print_fault(&verdict.missing, "  NOT covered   its loader is %s, not the GNU C library's\n",
                    binary->interpreter);
    for (size_t i = 0; i < binary->import_count; i++)
        examine_import(&binary->imports[i], verbose, &verdict);
    examine_own_calls(binary, &verdict);
    printf("  %zu calls covered, %zu in part, %zu not\n", verdict.covered, verdict.partly,
           verdict.missing);
    return verdict;
}

/* ---- a file with all that it loads ----------------------------------------------------------- */

/* The worst of these is the result for a file, and the exit status. */
enum {
    COVERED = 0,
    MISSING = 1,
    UNKNOWN = 2
};

struct findings {
    int worst;
    bool partly;
};

static void add_finding(struct findings *findings, int status)
{
    if (status > findings->worst)
        findings->worst = status;
}

static void add_verdict(struct findings *findings, struct verdict verdict)
{
    add_finding(findings, verdict.missing ? MISSING : COVERED);
    findings->partly |= verdict.partly > 0;
}

/* `binary` belongs to the list of dependencies afterwards, which frees it. */
static void examine_with_dependencies(const struct binary *binary, bool verbose,
                                      struct findings *findings)
{
    struct dependencies dependencies;
    if (dependencies_find(&dependencies, binary) < 0) {
        printf("  what it loads could not be listed: %s\n", strerror(errno));
        add_finding(findings, UNKNOWN);
        return;
    }
    for (size_t i = 0; i < dependencies.count; i++) {
        const struct dependency *each = &dependencies.list[i];
        if (each->problem) {
            printf("%s\n  %s\n", each->path, each->problem);
            add_finding(findings, UNKNOWN);
        } else {
            add_verdict(findings, examine_object(&each->binary, each->path, verbose));
        }
    }
    dependencies_free(&dependencies);
}

/* A name without a slash is a program of PATH, as in a shell, or else a file of this folder. */
static const char *find_file(const char *name, char *room, size_t size)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') || !path)
        return name;
    while (*path) {
        size_t length = strcspn(path, ":");
        int written = snprintf(room, size, "%.*s/%s", (int)length, path, name);
        if (length && written > 0 && (size_t)written < size && access(room, X_OK) == 0)
            return room;
        path += length + (path[length] == ':');
    }
    return name;
}

/* A library is not asked about. */
static void examine_runnable(const char *path)
{
    char room[4096];
    const char *refusal = access(path, X_OK) == 0 ? runnable_refusal(path, room, sizeof room) : "";
    if (!refusal)
        printf("bine run: can run it\n");
    else if (*refusal && !strstr(refusal, "a library"))
        printf("bine run: cannot run it: %s\n", refusal);
}

static void examine(const char *name, bool verbose, struct findings *findings)
{
    char room[4096];
    const char *path = find_file(name, room, sizeof room);
    struct binary binary;
    if (binary_open(&binary, path) < 0) {
        printf("%s\n  cannot be judged: %s\n", path, binary.fault ? binary.fault : strerror(errno));
        add_finding(findings, UNKNOWN);
    } else if (binary.static_program) {
        printf("%s\n  NOT covered   a static program: its calls of the C library have no slots to "
               "patch\n",
               path);
        add_finding(findings, MISSING);
        binary_close(&binary);
    } else {
        examine_with_dependencies(&binary, verbose, findings);
        examine_runnable(path);
    }
}

static const char *closing_words(struct findings findings)
{
    switch (findings.worst) {
    case COVERED:
        return findings.partly ? "Covered, but for the calls that are said to be so in part."
                               : "All covered.";
    case MISSING:
        return "Some calls are not covered: see above, and docs/limits.md for ways round them.";
    default:
        return "Some files could not be judged.";
    }
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
        fprintf(stderr, "bine doctor: unknown option %s\nusage: bine doctor [-v] [FILE...]\n",
                arguments[0]);
        return 2;
    }
    if (count && strcmp(arguments[0], "--") == 0) {
        count--;
        arguments++;
    }
    examine_machine();
    struct findings findings = {COVERED, false};
    for (int i = 0; i < count; i++) {
        printf("\n");
        examine(arguments[i], verbose, &findings);
    }
    if (count)
        printf("\n%s\n", closing_words(findings));
    return findings.worst;
}
