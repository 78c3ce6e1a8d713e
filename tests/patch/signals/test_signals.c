/* Signals in a patched process (hazards 9 and 32). */
#include <bine.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patch/common.h"

static volatile sig_atomic_t count;

static void count_it(int number)
{
    count++;
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static void alarm_in(int64_t duration)
{
    struct itimerval timer = {.it_value = {duration / BINE_SECOND, duration % BINE_SECOND / 1000}};
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static int ends[2];

static void open_pipe(void)
{
    CHECK_EQ(pipe(ends), 0);
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static volatile uintptr_t frame;

/* Uses far more stack than the greenlet that is interrupted has. */
static void deep_handler(int number)
{
    char large[100 * 1024];
    memset(large, 1, sizeof large);
    frame = (uintptr_t)large;
    __asm__ volatile("" ::"r"(large) : "memory");
    count++;
} /* NOLINT(clang-analyzer-core.StackAddressEscape): `frame` is only compared */

static void *raise_here(void *arg)
{
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(raise(SIGUSR1), 0);
    return NULL;
}

TEST(hazard_32_handlers_do_not_run_on_small_stacks)
{
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, deep_handler, 0);
    bine_spawn_options small = {.stack_size = 16 * 1024};
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn_with(&small, raise_here, NULL);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(count, 6);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_32_nor_do_those_that_were_installed_before)
{
    install(SIGUSR1, deep_handler, 0);
    CHECK_OK(bine_patch_all());
    bine_spawn_options small = {.stack_size = 16 * 1024};
    CHECK_OK(bine_join(bine_spawn_with(&small, raise_here, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(count, 2);
    CHECK_OK(bine_unpatch_all());
}

static void *own_stack(void *arg)
{
    stack_t stack;
    CHECK_EQ(sigaltstack(NULL, &stack), 0);
    CHECK(!(stack.ss_flags & SS_DISABLE));
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_LT(frame - (uintptr_t)stack.ss_sp, stack.ss_size);
    return NULL;
}

TEST(a_handler_that_asked_for_the_alternate_stack_gets_the_programs)
{
    static char memory[256 * 1024];
    CHECK_EQ(sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = sizeof memory}, NULL), 0);
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, deep_handler, SA_ONSTACK);
    CHECK_OK(bine_join(bine_spawn(own_stack, NULL), NULL, BINE_FOREVER));
    CHECK_LT(frame - (uintptr_t)memory, sizeof memory);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_32_a_small_alternate_stack_gives_way_to_a_large_one)
{
    static char memory[16 * 1024];
    stack_t now;
    CHECK_EQ(sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = sizeof memory}, NULL), 0);
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, deep_handler, 0);
    CHECK_OK(bine_join(bine_spawn(raise_here, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(count, 2);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_NE(now.ss_sp, (void *)memory);
    CHECK_OK(bine_unpatch_all());
}

/* ---- what the program sees of its settings --------------------------------------------------- */

static void with_info(int number, siginfo_t *info, void *context)
{
    CHECK_EQ(info->si_signo, SIGUSR1);
    CHECK(context != NULL);
    count++;
}

static void check_settings(void)
{
    struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    CHECK_EQ(sigaction(SIGUSR1, &action, &old), 0);
    CHECK(old.sa_handler == SIG_DFL);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_sigaction == with_info);
    CHECK_EQ(old.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART); /* SA_RESTORER is the kernel's */
    CHECK_EQ(sigismember(&old.sa_mask, SIGUSR2), 1);
    CHECK_EQ(sigismember(&old.sa_mask, SIGTERM), 0);
    count = 0;
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, 1);
    CHECK((void *)signal(SIGUSR1, count_it) == (void *)with_info);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == count_it);
    CHECK_EQ(old.sa_flags & ~0x04000000, SA_RESTART);
    CHECK_EQ(sigismember(&old.sa_mask, SIGUSR1), 1);
    CHECK_EQ(siginterrupt(SIGUSR1, 1), 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK_EQ(old.sa_flags & ~0x04000000, 0);
    CHECK(signal(SIGUSR1, count_it) == count_it);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK_EQ(old.sa_flags & ~0x04000000, 0);
    CHECK_EQ(siginterrupt(SIGUSR1, 0), 0);
    CHECK(sysv_signal(SIGUSR1, count_it) == count_it);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, 2);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == SIG_DFL); /* it was for one time */
    CHECK(sigset(SIGUSR1, count_it) == SIG_DFL);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == count_it);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, 2);
    CHECK_EQ(sigrelse(SIGUSR1), 0);
    CHECK_EQ(count, 3);
    CHECK_EQ(sighold(SIGUSR1), 0);
    CHECK(sigset(SIGUSR1, count_it) == SIG_HOLD);
    CHECK_EQ(sigignore(SIGUSR1), 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == SIG_IGN);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    CHECK_ERROR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERROR(sigaction(12345, &action, NULL), EINVAL);
    CHECK(signal(SIGKILL, count_it) == SIG_ERR);
    CHECK_EQ(pthread_sigmask(77, &action.sa_mask, NULL), EINVAL);
    CHECK_ERROR(sigprocmask(77, &action.sa_mask, NULL), EINVAL);
    CHECK_ERROR(sighold(12345), EINVAL);
}

static void *check_settings_here(void *arg)
{
    check_settings();
    return NULL;
}

TEST(settings_are_reported_as_they_were_made)
{
    check_settings(); /* libc's own, to know that the test is right */
    CHECK_OK(bine_patch_all());
    check_settings();
    CHECK_OK(bine_join(bine_spawn(check_settings_here, NULL), NULL, BINE_FOREVER));
    CHECK_OK(bine_unpatch_all());
}

TEST(unpatching_gives_the_kernel_back_what_the_program_set)
{
    struct sigaction old;
    CHECK_OK(bine_patch_all());
    struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_sigaction == with_info);
    CHECK_EQ(old.sa_flags & ~0x04000000, SA_SIGINFO);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, 1);
}

/* ---- who is woken ---------------------------------------------------------------------------- */

static void *write_later(void *arg)
{
    CHECK_OK(bine_sleep(60 * BINE_MS));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return NULL;
}

/* read() in the root, a signal after 20 ms, a byte after 60 ms. */
static void check_interrupted_read(int flags, bool patched)
{
    char got;
    open_pipe();
    install(SIGALRM, count_it, flags);
    bine_greenlet *g = NULL;
    pid_t child = -1;
    if (patched) {
        g = bine_spawn(write_later, NULL);
    } else {
        child = fork();
        if (child == 0) {
            usleep(60000);
            _exit(write(ends[1], "x", 1) != 1);
        }
    }
    count = 0;
    alarm_in(20 * BINE_MS);
    if (flags & SA_RESTART)
        CHECK_EQ(read(ends[0], &got, 1), 1);
    else
        CHECK_ERROR(read(ends[0], &got, 1), EINTR);
    CHECK_EQ(count, 1);
    if (g)
        CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    else
        CHECK_EQ(waitpid(child, NULL, 0), child);
    close_pipe();
}

TEST(hazard_32_a_signal_ends_the_roots_call_as_in_libc)
{
    check_interrupted_read(0, false);
    check_interrupted_read(SA_RESTART, false);
    CHECK_OK(bine_patch_all());
    check_interrupted_read(0, true);
    check_interrupted_read(SA_RESTART, true);
    CHECK_OK(bine_unpatch_all());
}

static void *raise_while_main_waits(void *arg)
{
    CHECK_EQ(raise(SIGUSR1), 0);
    return NULL;
}

TEST(hazard_32_a_signal_while_another_greenlet_runs_wakes_the_root)
{
    char got;
    CHECK_OK(bine_patch_all());
    open_pipe();
    install(SIGUSR1, count_it, 0);
    bine_greenlet *g = bine_spawn(raise_while_main_waits, NULL);
    CHECK_ERROR(read(ends[0], &got, 1), EINTR);
    CHECK_EQ(count, 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close_pipe();
    CHECK_OK(bine_unpatch_all());
}

TEST(a_signal_before_a_call_does_not_end_it)
{
    char got;
    CHECK_OK(bine_patch_all());
    open_pipe();
    install(SIGUSR1, count_it, 0);
    bine_greenlet *g = bine_spawn(write_later, NULL);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(read(ends[0], &got, 1), 1);
    CHECK_EQ(count, 1);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    close_pipe();
    CHECK_OK(bine_unpatch_all());
}

TEST(sleeping_is_interrupted_with_the_time_that_is_left)
{
    CHECK_OK(bine_patch_all());
    install(SIGALRM, count_it, SA_RESTART);
    alarm_in(20 * BINE_MS);
    struct timespec left = {0};
    CHECK_ERROR(nanosleep(&(struct timespec){.tv_sec = 100}, &left), EINTR);
    CHECK_GE(left.tv_sec, 50);
    CHECK_LT(left.tv_sec, 100);
    CHECK_OK(bine_unpatch_all());
}

/* ---- handlers and greenlets ------------------------------------------------------------------ */

static sigjmp_buf back;

static void jump_out(int number)
{
    siglongjmp(back, 1);
}

static char order[32];

static void *note_b(void *arg)
{
    strcat(order, "b");
    return NULL;
}

static void *jump_and_sleep(void *arg)
{
    if (sigsetjmp(back, 1) == 0) {
        raise(SIGUSR1);
        FAIL("the handler returned");
    }
    strcat(order, "a");
    CHECK_EQ(usleep(1000), 0);
    strcat(order, "c");
    return NULL;
}

TEST(after_leaving_a_handler_by_siglongjmp_calls_step_aside_again)
{
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, jump_out, 0);
    bine_greenlet *both[] = {bine_spawn(jump_and_sleep, NULL), bine_spawn(note_b, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, "abc");
    CHECK_OK(bine_unpatch_all());
}

static void sleep_in_handler(int number)
{
    usleep(2000); /* blocks: the alternate stack is one for all */
    strcat(order, "h");
}

static void *raise_and_note(void *arg)
{
    raise(SIGUSR1);
    strcat(order, "a");
    return NULL;
}

TEST(a_handler_never_switches)
{
    CHECK_OK(bine_patch_all());
    install(SIGUSR1, sleep_in_handler, 0);
    bine_greenlet *both[] = {bine_spawn(raise_and_note, NULL), bine_spawn(note_b, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, "hab");
    CHECK_OK(bine_unpatch_all());
}

/* ---- handlers where the family is not patched ------------------------------------------------ */

static int turns_of_others, turns_in_handler;

static void *count_turns(void *rounds)
{
    for (int i = 0; i < (int)(intptr_t)rounds; i++) {
        turns_of_others++;
        bine_sleep(0);
    }
    return NULL;
}

static void let_others_run(int number)
{
    (void)number;
    int before = turns_of_others;
    usleep(2000);
    sched_yield();
    turns_in_handler += turns_of_others - before;
}

/* A handler runs where it interrupts, perhaps in the middle of the queues: nothing may be switched
 * from there. */
static void handle_without_the_family(bool before_patching)
{
    struct sigaction action = {.sa_handler = let_others_run};
    if (before_patching)
        CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_OK(bine_patch(BINE_PATCH_TIME));
    if (!before_patching)
        CHECK(signal(SIGUSR1, let_others_run) != SIG_ERR);
    bine_greenlet *g = bine_spawn(count_turns, (void *)50);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(turns_in_handler, 0);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(turns_of_others, 50);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK_EQ((void *)now.sa_handler, (void *)let_others_run);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK_EQ((void *)now.sa_handler, (void *)let_others_run);
}

TEST(hazard_108_a_handler_does_not_switch_where_its_family_is_not_patched)
{
    handle_without_the_family(false);
}

TEST(hazard_108_a_handler_set_before_does_not_switch_either)
{
    handle_without_the_family(true);
}
