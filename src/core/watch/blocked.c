/* The words of a report. See blocked.h. */
#include "blocked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/libc.h"

enum {
    LINE = 512
};

/* libc's own objects: a call is made by the first frame outside of them. */
static bool of_libc(const char *object)
{
    static const char *const names[] = {"libc.so",  "libc-", "libpthread",
                                        "ld-linux", "ld-2",  "[vdso]"};
    const char *base = bine_place_base(object);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(base, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool can_be_patched(const char *function)
{
    static const char *const names[] = {
#define BINE_LIBC(family, name) #name,
#include "libc/libc.def"
#undef BINE_LIBC
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], function) == 0)
            return true;
    return false;
}

static const char *plain_name(const struct bine_place *place)
{
    return place->function + strspn(place->function, "_");
}

/* "load+0x1c in libfoo.so" */
static void describe_place(const struct bine_place *place, bool exactly, char *text, size_t size)
{
    const char *object = place->object[0] ? bine_place_base(place->object) : "unnamed memory";
    if (!place->function[0])
        snprintf(text, size, "%s+%#lx", object, (unsigned long)place->offset);
    else if (exactly)
        snprintf(text, size, "%s+%#lx in %s", place->function, (unsigned long)place->offset,
                 object);
    else
        snprintf(text, size, "%s in %s", place->function, object);
}

/* What the first argument of the call names: "descriptor 7, /var/data". Empty if it names none. */
static void describe_descriptor(const struct bine_sample *sample, char *text, size_t size)
{
    static const long by_descriptor[] = {
        SYS_read,     SYS_write,    SYS_readv,     SYS_writev,    SYS_pread64,
        SYS_pwrite64, SYS_recvfrom, SYS_recvmsg,   SYS_sendto,    SYS_sendmsg,
        SYS_accept,   SYS_accept4,  SYS_connect,   SYS_flock,     SYS_fcntl,
        SYS_ioctl,    SYS_fsync,    SYS_fdatasync, SYS_fallocate, SYS_ftruncate,
    };
    *text = 0;
    for (size_t i = 0; i < sizeof by_descriptor / sizeof *by_descriptor; i++) {
        if (sample->call != by_descriptor[i])
            continue;
        char path[64], target[200];
        snprintf(path, sizeof path, "/proc/self/fd/%d", (int)sample->arguments[0]);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        snprintf(text, size, "  descriptor %d%s%s\n", (int)sample->arguments[0], n > 0 ? ": " : "",
                 target);
    }
}

/* glibc keeps the number of a mutex's owner 8 bytes behind its futex word. It is believed if there
 * is such a thread. */
static void describe_owner(const struct bine_sample *sample, const char *function, char *text,
                           size_t size)
{
    *text = 0;
    if (sample->call != SYS_futex || !strstr(function, "mutex"))
        return;
    int owner;
    char path[64], name[32] = "";
    if (!bine_sample_peek((const char *)sample->arguments[0] + 8, &owner, sizeof owner))
        return;
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", owner);
    FILE *file = owner > 0 ? fopen(path, "re") : NULL;
    if (!file)
        return;
    if (fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = 0;
    fclose(file);
    snprintf(text, size, "  the lock %#lx is held by thread %d (%s)\n", sample->arguments[0], owner,
             name);
}

/* Where the sample was taken, sorted by what matters. */
struct scene {
    struct bine_place at;     /* the innermost frame */
    struct bine_place call;   /* the outermost frame inside libc: the function that was called */
    struct bine_place caller; /* the first frame outside of libc and the sanitizer */
    bool in_libc, has_caller;
};

/* A sanitizer stands between the program and libc: its function is not the caller that can be
 * named for a mend. */
static bool of_sanitizer(const struct bine_place *place)
{
    const char *base = bine_place_base(place->object);
    return strncmp(base, "libasan", 7) == 0 || strncmp(base, "libtsan", 7) == 0 ||
           strncmp(place->function, "__interceptor_", 14) == 0;
}

static void set_scene(const struct bine_sample *sample, const struct bine_maps *maps,
                      struct scene *scene)
{
    *scene = (struct scene){0};
    for (int i = 0; i < sample->count && !scene->has_caller; i++) {
        struct bine_place place;
        /* a return address may be the first byte of the next function */
        if (!bine_place_find(maps, sample->frames[i] - (i > 0), &place))
            continue;
        if (i == 0)
            scene->at = place;
        if (of_libc(place.object)) {
            if (place.function[0] || !scene->call.function[0])
                scene->call = place;
            scene->in_libc = true;
        } else if (!scene->in_libc || !of_sanitizer(&place)) {
            scene->caller = place;
            scene->has_caller = true;
        }
    }
}

static bool is_bine(const struct bine_place *place)
{
    return strncmp(bine_place_base(place->object), "libbine", 7) == 0 ||
           strncmp(place->function, "bine_", 5) == 0;
}

static void describe_cause(const struct bine_sample *sample, const struct scene *scene, char *text,
                           size_t size)
{
    char caller[LINE / 2], number[32];
    const char *call = bine_sample_call_name(sample->call), *function = plain_name(&scene->call);
    describe_place(&scene->caller, false, caller, sizeof caller);
    if (!call) {
        snprintf(number, sizeof number, "system call %ld", sample->call);
        call = number;
    }
    if (!sample->count)
        snprintf(text, size, "what it does could not be read");
    else if (!sample->in_call && scene->in_libc && scene->has_caller)
        snprintf(text, size, "it computes in %s(), called by %s", *function ? function : "libc",
                 caller);
    else if (!sample->in_call)
        snprintf(text, size, "it computes in %s", caller);
    else if (!scene->in_libc)
        snprintf(text, size, "%s, a system call that %s makes itself, so it cannot be patched",
                 call, caller);
    else if (!scene->has_caller)
        snprintf(text, size, "%s, a system call inside libc", call);
    else if (strcmp(function, "syscall") == 0)
        snprintf(text, size,
                 "%s by syscall(), called by %s, which is not patched: see `bine doctor`", call,
                 caller);
    else if (is_bine(&scene->caller))
        snprintf(text, size,
                 "%s(), which Bine called for it: the kernel can not wait for this one otherwise",
                 *function ? function : call);
    else if (can_be_patched(function) || can_be_patched(scene->call.function))
        snprintf(text, size, "%s() called by %s, which is not patched: see `bine doctor`", function,
                 caller);
    else
        snprintf(text, size, "%s() called by %s (system call %s)", *function ? function : call,
                 caller, call);
}

static void put_frames(FILE *out, const struct bine_sample *sample, const struct bine_maps *maps)
{
    fprintf(out, "  stack%s:\n",
            sample->exact ? "" : " (return addresses found on it, some may be old)");
    for (int i = 0; i < sample->count; i++) {
        struct bine_place place;
        char text[LINE];
        if (!bine_place_find(maps, sample->frames[i] - (i > 0), &place))
            continue;
        describe_place(&place, true, text, sizeof text);
        fprintf(out, "    %s\n", text);
    }
}

char *bine_blocked_report(const struct bine_stuck *stuck, const struct bine_maps *maps,
                          const struct bine_sample *sample, char **cause)
{
    struct scene scene;
    char reason[LINE], detail[LINE], *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    set_scene(sample, maps, &scene);
    describe_cause(sample, &scene, reason, sizeof reason);
    fprintf(out, "bine: %s has let no other greenlet run for %.3f s\n", stuck->name,
            (double)stuck->duration / BINE_SECOND);
    fprintf(out, "  %s\n", reason);
    describe_descriptor(sample, detail, sizeof detail);
    fputs(detail, out);
    describe_owner(sample, scene.call.function, detail, sizeof detail);
    fputs(detail, out);
    if (sample->state == 'D')
        fprintf(
            out,
            "  the kernel lets nothing interrupt it: it waits for a disk, as a rule (state D)\n");
    if (stuck->processor >= 0)
        fprintf(out, "  of that time it computed for %.3f s\n",
                (double)stuck->processor / BINE_SECOND);
    fprintf(out, "  %u greenlet%s ready%s%s\n", stuck->ready, stuck->ready == 1 ? " is" : "s are",
            stuck->timer_due ? ", a timer is due" : "",
            stuck->events_due ? ", the poller has events" : "");
    put_frames(out, sample, maps);
    if (sample->runtime[0])
        fprintf(out, "  the interpreter's stack:\n%s%s", sample->runtime,
                sample->runtime[strlen(sample->runtime) - 1] == '\n' ? "" : "\n");
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    *cause = strdup(reason);
    if (*cause)
        return text;
    free(text);
    return NULL;
}
