/* Stacks: guards, reports by name, how many, giving memory back. */
#include <bine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "io/filter.h"
#include "newer.h"

static size_t status_kilobytes(const char *field)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[200];
    size_t value = 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtoul(line + strlen(field) + 1, NULL, 10);
    fclose(file);
    return value;
}

static size_t mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    size_t count = 0;
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

static void *parks(void *arg)
{
    bine_sleep(BINE_FOREVER);
    return arg;
}

static void park_many(size_t n)
{
    bine_greenlet **all = malloc(n * sizeof *all);
    size_t before = status_kilobytes("VmRSS:");
    for (size_t i = 0; i < n; i++) {
        all[i] = bine_spawn(parks, NULL);
        if (!all[i])
            FAIL("spawn %zu: %s", i, strerror(errno));
    }
    bine_sleep(0);
    size_t each = (status_kilobytes("VmRSS:") - before) * 1024 / n;
    if (!harness_instrumented() && n >= 1000)
        CHECK_LE(each, 4500u);
    CHECK_OK(bine_killall(all, n, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, n, 0));
    free(all);
}

/* hazard 18: guard pages must not exhaust vm.max_map_count (65,530), nor be left out silently. */
TEST(hazard_18_two_hundred_thousand_parked_with_guards, .seconds = 120)
{
    park_many(1);
    if (strcmp(bine_guard_name(), "madvise") != 0)
        SKIP("no MADV_GUARD_INSTALL here (Linux 6.13): some 32,000 stacks are the limit");
    if (harness_instrumented() || harness_memory() < ((size_t)2 << 30))
        SKIP("needs 2 GiB and native speed");
    park_many(200000);
    CHECK_LT(mappings(), 2000u);
}

TEST(a_million_parked, .seconds = 300, .only_by_name = true)
{
    if (harness_memory() < ((size_t)8 << 30))
        SKIP("needs 8 GiB");
    park_many(1000000);
}

static char child_output[2000];

/* Run in a child, collect what it writes to standard error, return its wait status. */
static int in_child(void (*body)(void))
{
    int pipes[2];
    CHECK_OK(pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        body();
        _exit(0);
    }
    close(pipes[1]);
    size_t size = 0;
    for (ssize_t n; (n = read(pipes[0], child_output + size, sizeof child_output - 1 - size)) > 0;)
        size += (size_t)n;
    child_output[size] = 0;
    close(pipes[0]);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char frame[1000];
    frame[0] = (char)depth;
    __asm__ volatile("" ::"r"(frame) : "memory"); /* all of it: clang keeps what is used only */
    return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

static void *recurses(void *arg)
{
    recurse((int)(intptr_t)arg);
    return NULL;
}

static void overflow(void)
{
    bine_spawn_options options = {.name = "fetch-7", .stack_size = 64 * 1024};
    bine_join(bine_spawn_with(&options, recurses, (void *)1000000), NULL, BINE_FOREVER);
}

TEST(hazard_19_an_overflow_is_reported_by_name)
{
    if (harness_instrumented())
        SKIP("the sanitizer or emulator reports overflows in its own way");
    int status = in_child(overflow);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
    CHECK(strstr(child_output, "greenlet \"fetch-7\" overflowed its 64 KiB stack") != NULL);
    CHECK(strstr(child_output, "test_stack.c:") != NULL);
}

static void overflow_with_mprotect(void)
{
    setenv("BINE_GUARD", "mprotect", 1);
    overflow();
}

TEST(hazard_18_the_fallback_guards_too)
{
    if (harness_instrumented())
        SKIP("the sanitizer or emulator reports overflows in its own way");
    int status = in_child(overflow_with_mprotect);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(strstr(child_output, "fetch-7") != NULL);
}

static void *tells_where_it_is(void *arg)
{
    volatile char here = 0;
    *(volatile char **)arg = &here;
    bine_sleep(BINE_FOREVER);
    return (void *)(intptr_t)here;
}

enum {
    GUARD_INSTALL = 102 /* MADV_GUARD_INSTALL, which headers before Linux 6.13 have not */
};

static bool madvise_guards(int writable)
{
    enum {
        PAGE = 4096
    };
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    CHECK_OK(madvise(page, PAGE, GUARD_INSTALL));
    bool guarded = write(writable, page, 1) < 0;
    CHECK_OK(munmap(page, PAGE));
    return guarded;
}

/* Guards come by ones, twos, fours ... and where a slab ends: each stack is to have its own. The
 * kernel tells what cannot be read. */
static void every_stack_has_its_guard(void)
{
    enum {
        N = 400,
        SIZE = 65536,
        PAGE = 4096
    };
    bine_spawn_options options = {.stack_size = SIZE};
    static volatile char *where[N];
    static bine_greenlet *all[N];
    errno = EDOM;
    for (int i = 0; i < N; i++)
        CHECK((all[i] = bine_spawn_with(&options, tells_where_it_is, (void *)&where[i])) != NULL);
    CHECK_EQ(errno, EDOM); /* whichever way of guarding was refused first */
    bine_sleep(0);
    int pipes[2];
    CHECK_OK(pipe(pipes));
    if (strcmp(bine_guard_name(), "madvise") == 0 && !madvise_guards(pipes[1]))
        SKIP("an emulator: madvise succeeds and guards nothing");
    for (int i = 0; i < N; i++) {
        size_t usable = 0;
        char byte;
        while (usable <= SIZE + PAGE && write(pipes[1], (const char *)where[i] - usable, 1) == 1) {
            CHECK_EQ(read(pipes[0], &byte, 1), 1);
            usable += PAGE;
        }
        CHECK_EQ(errno, EFAULT);
        CHECK_LE(usable, (size_t)SIZE + PAGE);
        CHECK_GE(usable, (size_t)SIZE); /* what was asked for: the guard lies outside */
    }
    close(pipes[0]);
    close(pipes[1]);
    CHECK_OK(bine_killall(all, N, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, N, 0));
}

TEST(hazard_18_every_stack_has_its_guard)
{
    every_stack_has_its_guard();
}

TEST(hazard_18_so_it_has_where_many_at_once_are_refused)
{
    harness_refuse(SYS_process_madvise, false);
    every_stack_has_its_guard();
}

static void *overflows_not(void *nothing)
{
    return nothing;
}

/* The filter comes before the first stack, or after some: programs confine themselves. */
static void guards_by_mprotect(int error, bool late)
{
    harness_not_under_emulator("it passes these calls on in ways of its own");
    if (late)
        CHECK_OK(bine_join(bine_spawn(overflows_not, NULL), NULL, BINE_FOREVER));
    filter_fails(SYS_process_madvise, error);
    filter_argument_fails(SYS_madvise, 2, GUARD_INSTALL, error);
    every_stack_has_its_guard();
    CHECK_STRING(bine_guard_name(), "mprotect");
}

TEST(hazard_18_so_it_has_in_a_kernel_that_knows_no_guards)
{
    guards_by_mprotect(EINVAL, false);
}

TEST(hazard_18_so_it_has_where_a_filter_forbids_guards)
{
    guards_by_mprotect(EPERM, false);
}

TEST(hazard_18_so_it_has_where_a_filter_does_not_know_guards)
{
    guards_by_mprotect(ENOSYS, false);
}

TEST(hazard_18_so_it_has_where_a_filter_forbids_guards_later)
{
    guards_by_mprotect(EPERM, true);
}

TEST(hazard_18_so_it_has_one_at_a_time)
{
    setenv("BINE_GUARD", "madvise", 1);
    harness_refuse(SYS_process_madvise, true);
    every_stack_has_its_guard();
}

TEST(hazard_18_so_it_has_by_mprotect)
{
    setenv("BINE_GUARD", "mprotect", 1);
    every_stack_has_its_guard();
    CHECK(strcmp(bine_guard_name(), "mprotect") == 0);
}

static void mprotect_until_it_ends(void)
{
    setenv("BINE_GUARD", "mprotect", 1);
    static bine_greenlet *all[40000];
    size_t n = 0;
    while (n < 40000 && (all[n] = bine_spawn(parks, NULL)))
        n++;
    if (n == 40000 || errno != ENOMEM)
        _exit(1);
    /* What there is still works. */
    bine_sleep(0);
    if (bine_killall(all, n, BINE_FOREVER) < 0 || bine_joinall(all, n, 0) < 0)
        _exit(2);
    if (strcmp(bine_guard_name(), "mprotect") != 0)
        _exit(3);
}

TEST(hazard_18_with_mprotect_too_many_is_enomem_and_nothing_is_lost, .seconds = 60)
{
    if (harness_instrumented())
        SKIP("needs native speed");
    int status = in_child(mprotect_until_it_ends);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

/* A frame that begins near the end of its stack and is larger than `size`, of which only the far
 * end is touched. */
static __attribute__((noinline)) int jumps(size_t size)
{
    volatile char *frame = __builtin_alloca(size);
    for (int i = 0; i < 1000; i++)
        frame[i] = 'X';
    return frame[0];
}

static void *steps_over(void *size)
{
    return (void *)(intptr_t)jumps((size_t)size);
}

enum {
    NEIGHBOURS = 20,
    DEEP = 200000
};
static volatile int overwritten;

static void *fills_its_stack(void *arg)
{
    volatile char frame[DEEP];
    memset((void *)frame, 'v', DEEP);
    bine_sleep(20 * BINE_MS);
    for (int i = 0; i < DEEP; i++)
        overwritten += frame[i] != 'v';
    return arg;
}

static void jump_of(size_t stack_size, size_t frame)
{
    bine_spawn_options options = {.name = "jumper", .stack_size = stack_size};
    bine_greenlet *all[2 * NEIGHBOURS + 1];
    for (int i = 0; i < NEIGHBOURS; i++)
        all[i] = bine_spawn(fills_its_stack, NULL);
    all[NEIGHBOURS] = bine_spawn_with(&options, steps_over, (void *)frame);
    for (int i = 0; i < NEIGHBOURS; i++)
        all[NEIGHBOURS + 1 + i] = bine_spawn(fills_its_stack, NULL);
    bine_joinall(all, 2 * NEIGHBOURS + 1, BINE_FOREVER);
    _exit(overwritten ? 3 : 4);
}

static void jump_of_the_default_stack(void)
{
    jump_of(0, 400000);
}

static void jump_of_a_large_stack(void)
{
    jump_of(8 << 20, (8 << 20) + 1500000);
}

static void jump_by_mprotect(void)
{
    setenv("BINE_GUARD", "mprotect", 1);
    jump_of(0, 1500000);
}

static void check_reported(void (*body)(void), const char *report)
{
    if (harness_instrumented())
        SKIP("the sanitizer or emulator reports overflows in its own way");
    int status = in_child(body);
    if (WIFEXITED(status))
        FAIL("%s",
             WEXITSTATUS(status) == 3 ? "a neighbour's stack was overwritten" : "nobody noticed");
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
    CHECK(strstr(child_output, report) != NULL);
}

TEST(hazard_41_a_frame_larger_than_the_default_stack_is_reported_by_name)
{
    check_reported(jump_of_the_default_stack, "greenlet \"jumper\" overflowed its 256 KiB stack");
}

TEST(hazard_41_so_is_a_frame_of_more_than_a_megabyte_at_the_end_of_a_large_stack)
{
    check_reported(jump_of_a_large_stack, "greenlet \"jumper\" overflowed its 8192 KiB stack");
}

TEST(hazard_41_so_it_is_where_guards_are_made_by_mprotect_only)
{
    check_reported(jump_by_mprotect, "greenlet \"jumper\" overflowed its 256 KiB stack");
}

static void *uses_all_of_it(void *size)
{
    /* All but what its caller has used. */
    volatile char *frame = __builtin_alloca((size_t)size - 4096);
    for (size_t at = 0; at < (size_t)size - 4096; at += 4096)
        frame[at] = 1;
    return NULL;
}

TEST(hazard_98_a_greenlet_gets_the_stack_that_it_asked_for)
{
    for (size_t size = 16384; size <= (size_t)64 << 20; size *= 2) {
        bine_spawn_options options = {.stack_size = size};
        CHECK_OK(
            bine_join(bine_spawn_with(&options, uses_all_of_it, (void *)size), NULL, BINE_FOREVER));
    }
}

TEST(hazard_41_large_stacks_take_few_mappings, .seconds = 60)
{
    enum {
        N = 10000
    };
    bine_spawn_options options = {.stack_size = 8 << 20};
    park_many(1);
    if (strcmp(bine_guard_name(), "madvise") != 0)
        SKIP("no MADV_GUARD_INSTALL here (Linux 6.13)");
    if (harness_instrumented())
        SKIP("needs native speed");
    bine_greenlet **all = malloc(N * sizeof *all);
    for (int i = 0; i < N; i++)
        CHECK((all[i] = bine_spawn_with(&options, parks, NULL)) != NULL);
    bine_sleep(0);
    CHECK_LT(mappings(), 10000u); /* 4,096 wide guards, two each; the others lie in the mapping */
    CHECK_OK(bine_killall(all, N, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, N, 0));
    free(all);
}

TEST(hazard_41_where_address_space_is_short_fewer_stacks_are_made_at_a_time)
{
    if (harness_instrumented())
        SKIP("needs an address space of its own");
    struct rlimit limit = {.rlim_cur = (size_t)256 << 20, .rlim_max = (size_t)256 << 20};
    bine_getcurrent();
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    bine_spawn_options options = {.stack_size = 64 << 20};
    bine_greenlet *g = bine_spawn_with(&options, parks, NULL);
    CHECK(g != NULL);
    bine_spawn_options too_large = {.stack_size = 512 << 20};
    CHECK(bine_spawn_with(&too_large, parks, NULL) == NULL);
    CHECK_EQ(errno, ENOMEM);
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
}

static void *prints_large_double(void *arg)
{
    char *text = NULL;
    /* 33 KB deep in glibc's printf. */
    CHECK_GT(asprintf(&text, "%.*f %Lf", 400, 1.7976931348623157e308, 1.18e4932L), 300);
    free(text);
    return arg;
}

TEST(hazard_19_printf_of_large_doubles_fits_the_default_stack)
{
    CHECK_OK(bine_join(bine_spawn(prints_large_double, NULL), NULL, BINE_FOREVER));
}

static void *touches(void *arg)
{
    recurse((int)(intptr_t)arg);
    size_t mark = bine_stack_high_water(bine_getcurrent());
    return (void *)mark;
}

TEST(the_high_water_mark_is_what_was_touched)
{
    void *little, *much;
    CHECK_OK(bine_join(bine_spawn(touches, (void *)1), &little, BINE_FOREVER));
    CHECK_OK(bine_join(bine_spawn(touches, (void *)100), &much, BINE_FOREVER));
    if (harness_instrumented())
        SKIP("frames are larger under instruments");
    CHECK_LT((size_t)little, 32768u);
    CHECK_GE((size_t)much, 100000u);
    CHECK_LT((size_t)much, 200000u);
    CHECK_EQ(bine_stack_high_water(bine_getcurrent()), 0u);
    CHECK_EQ(bine_stack_high_water(NULL), 0u);
}

TEST(the_pool_gives_memory_back, .seconds = 60)
{
    if (harness_instrumented())
        SKIP("needs native memory");
    enum {
        N = 20000
    };
    bine_greenlet **all = malloc(N * sizeof *all);
    for (int i = 0; i < N; i++)
        all[i] = bine_spawn(parks, NULL);
    bine_sleep(0);
    size_t full = status_kilobytes("VmRSS:");
    CHECK_OK(bine_killall(all, N, BINE_FOREVER));
    CHECK_OK(bine_joinall(all, N, 0));
    for (int i = 0; i < 14; i++)
        bine_sleep(510 * BINE_MS);
    CHECK_LT(status_kilobytes("VmRSS:"), full / 4);
    free(all);
}

static void *sized(void *arg)
{
    recurse((int)(intptr_t)arg);
    bine_sleep(0);
    return arg;
}

TEST(stacks_of_every_size_work_side_by_side)
{
    bine_greenlet *all[60];
    for (int i = 0; i < 60; i++) {
        size_t size = (size_t)16384 << i % 12;
        bine_spawn_options options = {.stack_size = size};
        intptr_t depth = (intptr_t)(size / 2000);
        all[i] = bine_spawn_with(&options, sized, (void *)(depth > 8 ? depth - 8 : 0));
        CHECK(all[i] != NULL);
    }
    CHECK_OK(bine_joinall(all, 60, BINE_FOREVER));
}

static void crash(void)
{
    bine_getcurrent();
    volatile uintptr_t nowhere = 16;
    *(volatile int *)nowhere = 1;
}

TEST(another_segmentation_fault_is_not_taken_for_an_overflow)
{
    if (harness_instrumented())
        SKIP("the sanitizer or emulator reports it in its own way");
    int status = in_child(crash);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(strstr(child_output, "overflow") == NULL);
}
