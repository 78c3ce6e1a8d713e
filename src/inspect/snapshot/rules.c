/* See rules.h. */
#include "rules.h"

#include <dwarf.h>
#include <elf.h>
#include <stdlib.h>

enum {
    MOST_OPERATIONS = 64,
    DEPTH = 16, /* of the stack of an expression */
};

static struct inspect_rule expression(const Dwarf_Op *operations, size_t count)
{
    return (struct inspect_rule){INSPECT_EXPRESSION, 0, operations, count};
}

static void read_cfa(Dwarf_Frame *frame, struct inspect_rules *rules)
{
    Dwarf_Op *operations;
    size_t count;
    if (dwarf_frame_cfa(frame, &operations, &count) != 0 || !count)
        return;
    rules->there = true;
    if (count == 1 && operations->atom == DW_OP_bregx) {
        rules->cfa =
            (struct inspect_rule){INSPECT_IN_REGISTER, (int64_t)operations->number, NULL, 0};
        rules->cfa_offset = (int64_t)operations->number2;
    } else
        rules->cfa = expression(operations, count);
}

static struct inspect_rule read_register(Dwarf_Frame *frame, int number)
{
    Dwarf_Op room[3], *operations;
    size_t count;
    struct inspect_rule rule = {INSPECT_UNKNOWN, 0, NULL, 0};
    if (dwarf_frame_register(frame, number, room, &operations, &count) != 0)
        return rule;
    if (!count) {
        rule.how = operations ? INSPECT_UNKNOWN : INSPECT_SAME;
        return rule;
    }
    if (operations != room)
        return expression(operations, count);
    if (room[0].atom == DW_OP_regx)
        return (struct inspect_rule){INSPECT_IN_REGISTER, (int64_t)room[0].number, NULL, 0};
    if (room[0].atom != DW_OP_call_frame_cfa)
        return rule;
    size_t next = 1;
    if (next < count && room[next].atom == DW_OP_plus_uconst)
        rule.offset = (int64_t)room[next++].number;
    rule.how =
        next < count && room[next].atom == DW_OP_stack_value ? INSPECT_IS_CFA : INSPECT_AT_CFA;
    return rule;
}

void inspect_read_rules(Dwarf_CFI *cfi, uint64_t address, struct inspect_rules *rules)
{
    Dwarf_Frame *frame;
    bool signal = false;
    if (dwarf_cfi_addrframe(cfi, address, &frame) != 0)
        return;
    int return_register = dwarf_frame_info(frame, NULL, NULL, &signal);
    if (return_register >= 0 && return_register < INSPECT_REGISTERS) {
        rules->return_register = (unsigned)return_register;
        rules->signal = signal;
        for (int i = 0; i < INSPECT_REGISTERS; i++)
            rules->registers[i] = read_register(frame, i);
        read_cfa(frame, rules);
    }
    /* An expression of the CFA belongs to the frame, the others to the cache of the CFI. Frames are
     * few, one for each program counter, and live as long as the command. */
    if (!rules->there || rules->cfa.how != INSPECT_EXPRESSION)
        free(frame);
}

/* ---- expressions ----------------------------------------------------------------------------- */

struct machine {
    struct inspect_target *target;
    const struct inspect_registers *registers;
    uint64_t stack[DEPTH];
    unsigned depth;
    bool failed;
};

static void push(struct machine *machine, uint64_t value)
{
    if (machine->depth < DEPTH)
        machine->stack[machine->depth++] = value;
    else
        machine->failed = true;
}

static uint64_t pop(struct machine *machine)
{
    if (machine->depth)
        return machine->stack[--machine->depth];
    machine->failed = true;
    return 0;
}

static void push_register(struct machine *machine, uint64_t number, int64_t offset)
{
    /* On x86-64 the program counter has a number, too. */
    if (machine->target->machine == EM_X86_64 && number == 16)
        push(machine, machine->registers->pc + (uint64_t)offset);
    else if (number < INSPECT_REGISTERS && machine->registers->known >> number & 1)
        push(machine, machine->registers->values[number] + (uint64_t)offset);
    else
        machine->failed = true;
}

static void dereference(struct machine *machine, uint64_t size)
{
    uint64_t value = 0, address = pop(machine);
    if (size > sizeof value || !inspect_read(machine->target, address, &value, size))
        machine->failed = true;
    push(machine, value);
}

static void compute_two(struct machine *machine, unsigned atom)
{
    uint64_t right = pop(machine), left = pop(machine);
    int64_t a = (int64_t)left, b = (int64_t)right;
    switch (atom) {
    case DW_OP_plus:
        push(machine, left + right);
        return;
    case DW_OP_minus:
        push(machine, left - right);
        return;
    case DW_OP_mul:
        push(machine, left * right);
        return;
    case DW_OP_and:
        push(machine, left & right);
        return;
    case DW_OP_or:
        push(machine, left | right);
        return;
    case DW_OP_xor:
        push(machine, left ^ right);
        return;
    case DW_OP_shl:
        push(machine, right < 64 ? left << right : 0);
        return;
    case DW_OP_shr:
        push(machine, right < 64 ? left >> right : 0);
        return;
    case DW_OP_ge:
        push(machine, a >= b);
        return;
    case DW_OP_gt:
        push(machine, a > b);
        return;
    case DW_OP_le:
        push(machine, a <= b);
        return;
    case DW_OP_lt:
        push(machine, a < b);
        return;
    case DW_OP_eq:
        push(machine, left == right);
        return;
    case DW_OP_ne:
        push(machine, left != right);
        return;
    default:
        machine->failed = true;
    }
}

static void compute_one(struct machine *machine, const Dwarf_Op *operation)
{
    unsigned atom = operation->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        push(machine, atom - DW_OP_lit0);
    else if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        push_register(machine, atom - DW_OP_breg0, (int64_t)operation->number);
    else if (atom == DW_OP_bregx)
        push_register(machine, operation->number, (int64_t)operation->number2);
    else if ((atom >= DW_OP_const1u && atom <= DW_OP_consts) || atom == DW_OP_addr)
        push(machine, operation->number);
    else if (atom == DW_OP_plus_uconst)
        push(machine, pop(machine) + operation->number);
    else if (atom == DW_OP_deref)
        dereference(machine, 8);
    else if (atom == DW_OP_deref_size)
        dereference(machine, operation->number);
    else if (atom == DW_OP_dup) {
        uint64_t value = pop(machine);
        push(machine, value);
        push(machine, value);
    } else if (atom == DW_OP_drop)
        pop(machine);
    else if (atom != DW_OP_nop)
        compute_two(machine, atom);
}

bool inspect_compute(struct inspect_target *target, const struct inspect_registers *registers,
                     uint64_t cfa, const struct inspect_rule *rule, uint64_t *value, bool *is_value)
{
    struct machine machine = {.target = target, .registers = registers};
    *is_value = false;
    if (rule->count > MOST_OPERATIONS)
        return false;
    for (size_t i = 0; i < rule->count && !machine.failed; i++) {
        if (rule->operations[i].atom == DW_OP_stack_value)
            *is_value = true;
        else if (rule->operations[i].atom == DW_OP_call_frame_cfa)
            push(&machine, cfa);
        else
            compute_one(&machine, &rule->operations[i]);
    }
    *value = pop(&machine);
    return !machine.failed;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static bool find_cfa(struct inspect_target *target, const struct inspect_rules *rules,
                     const struct inspect_registers *registers, uint64_t *cfa)
{
    uint64_t number = (uint64_t)rules->cfa.offset;
    bool is_value;
    if (rules->cfa.how == INSPECT_EXPRESSION)
        return inspect_compute(target, registers, 0, &rules->cfa, cfa, &is_value);
    if (number >= INSPECT_REGISTERS || !(registers->known >> number & 1))
        return false;
    *cfa = registers->values[number] + (uint64_t)rules->cfa_offset;
    return true;
}

static bool find_value(struct inspect_target *target, const struct inspect_registers *registers,
                       uint64_t cfa, const struct inspect_rule *rule, unsigned number,
                       uint64_t *value)
{
    uint64_t from = rule->how == INSPECT_SAME ? number : (uint64_t)rule->offset;
    bool is_value;
    switch (rule->how) {
    case INSPECT_SAME:
    case INSPECT_IN_REGISTER:
        *value = from < INSPECT_REGISTERS ? registers->values[from] : 0;
        return from < INSPECT_REGISTERS && registers->known >> from & 1;
    case INSPECT_AT_CFA:
        return inspect_word(target, cfa + (uint64_t)rule->offset, value);
    case INSPECT_IS_CFA:
        *value = cfa + (uint64_t)rule->offset;
        return true;
    case INSPECT_EXPRESSION:
        return inspect_compute(target, registers, cfa, rule, value, &is_value) &&
               (is_value || inspect_word(target, *value, value));
    default:
        return false;
    }
}

bool inspect_leave_frame(struct inspect_target *target, const struct inspect_rules *rules,
                         struct inspect_registers *registers, bool *whole)
{
    struct inspect_registers caller = {0};
    uint64_t cfa;
    unsigned stack = target->machine == EM_X86_64 ? 7 : 31;
    const struct inspect_rule *back = &rules->registers[rules->return_register];
    *whole = back->how == INSPECT_UNKNOWN;
    if (*whole || !find_cfa(target, rules, registers, &cfa) ||
        !find_value(target, registers, cfa, back, rules->return_register, &caller.pc))
        return false;
    for (unsigned i = 0; i < INSPECT_REGISTERS; i++)
        if (rules->registers[i].how != INSPECT_UNKNOWN &&
            find_value(target, registers, cfa, &rules->registers[i], i, &caller.values[i]))
            caller.known |= UINT64_C(1) << i;
    if (!(caller.known >> stack & 1) || rules->registers[stack].how == INSPECT_SAME) {
        caller.values[stack] = cfa;
        caller.known |= UINT64_C(1) << stack;
    }
    /* Frames lie one above the other, but for those that signal handlers interrupted. */
    if (!rules->signal && registers->known >> stack & 1 &&
        caller.values[stack] < registers->values[stack])
        return false;
    *whole = caller.pc == 0;
    *registers = caller;
    return caller.pc != 0;
}
