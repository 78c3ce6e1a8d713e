/* The registers with which a backtrace begins. See unwind.h. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "unwind.h"

/* The stack pointer's number. */
static unsigned stack_register(unsigned machine)
{
    return machine == EM_X86_64 ? 7 : 31;
}

bool inspect_saved_registers(struct inspect_target *target, const struct inspect_table *table,
                             const struct inspect_greenlet *g, struct inspect_registers *registers)
{
    *registers = (struct inspect_registers){0};
    if (!g->sp || g->current || g->state == INSPECT_NEW || !table->context_size.there ||
        !inspect_word(target, g->sp + table->context_pc.value, &registers->pc))
        return false;
    for (unsigned i = 0; i < INSPECT_REGISTERS; i++)
        if (table->context[i].there &&
            inspect_word(target, g->sp + table->context[i].value, &registers->values[i]))
            registers->known |= UINT64_C(1) << i;
    unsigned stack = stack_register(target->machine);
    registers->values[stack] = g->sp + table->context_size.value;
    registers->known |= UINT64_C(1) << stack;
    return true;
}

/* /proc/PID/task/TID/syscall of a thread that is blocked: the call and its arguments, the stack
 * pointer and the program counter. */
static bool blocked_registers(const struct inspect_target *target, pid_t tid,
                              struct inspect_registers *registers)
{
    char path[64], line[256] = "";
    unsigned long long sp, pc;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", target->pid, tid);
    FILE *file = fopen(path, "re");
    bool right = file && fgets(line, sizeof line, file) &&
                 (sscanf(line, "%*d %*s %*s %*s %*s %*s %*s %llx %llx", &sp, &pc) == 2 ||
                  sscanf(line, "-1 %llx %llx", &sp, &pc) == 2);
    if (file)
        fclose(file);
    if (!right)
        return false;
    unsigned stack = stack_register(target->machine);
    registers->values[stack] = sp;
    registers->known = UINT64_C(1) << stack;
    registers->pc = pc;
    return true;
}

bool inspect_thread_registers(struct inspect_target *target, pid_t tid,
                              struct inspect_registers *registers)
{
    *registers = (struct inspect_registers){0};
    for (size_t i = 0; i < target->thread_count; i++) {
        const struct inspect_thread *thread = &target->threads[i];
        if (thread->tid != tid || !thread->known)
            continue;
        registers->known = thread->known;
        memcpy(registers->values, thread->values, sizeof registers->values);
        registers->pc = thread->pc;
        return true;
    }
    return target->live && blocked_registers(target, tid, registers);
}

uint64_t inspect_lowest_frame(const struct inspect_snapshot *snapshot,
                              const struct inspect_greenlet *g)
{
    struct inspect_registers registers;
    unsigned stack = snapshot->target->machine == EM_X86_64 ? 7 : 31;
    if (!g->current)
        return g->sp;
    return inspect_thread_registers(snapshot->target, snapshot->hubs[g->hub].tid, &registers)
               ? registers.values[stack]
               : 0;
}
