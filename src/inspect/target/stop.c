/* See stop.h. */
#include "stop.h"

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum {
    ROUNDS = 4,    /* new threads may begin while others are stopped */
    PAUSES = 2000, /* of a millisecond, at most, for all threads */
};

static void read_registers(struct inspect_thread *thread)
{
    struct user_regs_struct registers;
    struct iovec vector = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, thread->tid, NT_PRSTATUS, &vector) < 0)
        return;
#if defined(__x86_64__)
    const unsigned long long values[16] = {
        registers.rax, registers.rdx, registers.rcx, registers.rbx, registers.rsi, registers.rdi,
        registers.rbp, registers.rsp, registers.r8,  registers.r9,  registers.r10, registers.r11,
        registers.r12, registers.r13, registers.r14, registers.r15};
    for (int i = 0; i < 16; i++)
        thread->values[i] = values[i];
    thread->pc = registers.rip;
    thread->known = 0xffff;
#elif defined(__aarch64__)
    for (int i = 0; i < 31; i++)
        thread->values[i] = registers.regs[i];
    thread->values[31] = registers.sp;
    thread->pc = registers.pc;
    thread->known = 0xffffffff;
#endif
}

static struct inspect_thread *thread_of(struct inspect_target *target, pid_t tid)
{
    for (size_t i = 0; i < target->thread_count; i++)
        if (target->threads[i].tid == tid)
            return &target->threads[i];
    return inspect_add_thread(target, tid);
}

/* Waits until the thread has stopped, and pauses at most so often. */
static void await_stop(struct inspect_thread *thread, int *pauses)
{
    int status;
    for (;;) {
        pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);
        if (got == thread->tid && WIFSTOPPED(status)) {
            thread->stopped = true;
            thread->signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
            read_registers(thread);
            return;
        }
        if (got != 0 || *pauses <= 0)
            return;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        --*pauses;
    }
}

void inspect_stop(struct inspect_target *target)
{
    char path[64];
    bool more = target->live;
    int pauses = PAUSES;
    snprintf(path, sizeof path, "/proc/%d/task", target->pid);
    for (int round = 0; more && round < ROUNDS; round++) {
        DIR *tasks = opendir(path);
        more = false;
        if (!tasks)
            return;
        for (struct dirent *entry; (entry = readdir(tasks));) {
            pid_t tid = entry->d_name[0] == '.' ? 0 : (pid_t)strtol(entry->d_name, NULL, 10);
            struct inspect_thread *thread = tid ? thread_of(target, tid) : NULL;
            if (!thread || thread->stopped || ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
                continue;
            more = true;
            if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0)
                await_stop(thread, &pauses);
        }
        closedir(tasks);
    }
}

void inspect_continue(struct inspect_target *target)
{
    for (size_t i = 0; i < target->thread_count; i++) {
        struct inspect_thread *thread = &target->threads[i];
        if (!thread->stopped)
            continue;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): a signal's number */
        ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)(intptr_t)thread->signal);
        thread->stopped = false;
    }
}
