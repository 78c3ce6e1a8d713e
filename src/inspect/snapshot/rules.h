/* How the frame at a program counter is left, by the call frame information of its object. */
#ifndef BINE_INSPECT_SNAPSHOT_RULES_H
#define BINE_INSPECT_SNAPSHOT_RULES_H

#include <elfutils/libdw.h>

#include "unwind.h"

enum inspect_how {
    INSPECT_UNKNOWN, /* the caller's value is lost */
    INSPECT_SAME,
    INSPECT_AT_CFA,      /* saved at CFA + offset */
    INSPECT_IS_CFA,      /* is CFA + offset */
    INSPECT_IN_REGISTER, /* in the register `offset` */
    INSPECT_EXPRESSION,
};

struct inspect_rule {
    enum inspect_how how;
    int64_t offset;
    const Dwarf_Op *operations; /* of an expression, for as long as the unwinder lives */
    size_t count;
};

/* The rules of one program counter. */
struct inspect_rules {
    uint64_t pc;
    bool there;
    bool signal;              /* the frame that the kernel makes for a signal handler */
    unsigned return_register; /* which register's caller's value is the return address */
    struct inspect_rule cfa;  /* IN_REGISTER with cfa_offset, or EXPRESSION */
    int64_t cfa_offset;
    struct inspect_rule registers[INSPECT_REGISTERS];
};

/* Fills in the rules for the address, relative to the object. rules->there says whether there are
 * any. */
void inspect_read_rules(Dwarf_CFI *cfi, uint64_t address, struct inspect_rules *rules);

/* Computes an expression. Returns false if it holds what is not known here. */
bool inspect_compute(struct inspect_target *target, const struct inspect_registers *registers,
                     uint64_t cfa, const struct inspect_rule *rule, uint64_t *value,
                     bool *is_value);

/* Leaves a frame: `registers` become those of the caller. Returns false at the end. *whole says
 * that it is the proper end. */
bool inspect_leave_frame(struct inspect_target *target, const struct inspect_rules *rules,
                         struct inspect_registers *registers, bool *whole);

#endif
