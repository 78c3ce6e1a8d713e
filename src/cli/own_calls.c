/*
 * The table of functions that unwinders use (.eh_frame_hdr) tells where instructions begin. From
 * there a disassembler (Capstone) reads on to the bytes in question, so that bytes inside another
 * instruction are not taken for a system call. On aarch64 all instructions have one length. See
 * own_calls.h.
 */
#include "own_calls.h"

#include <string.h>

#if defined(__x86_64__) && defined(BINE_WITH_CAPSTONE)
#include <capstone/capstone.h>
#endif

#if defined(__x86_64__) && !defined(BINE_WITH_CAPSTONE)

void own_calls_find(const struct binary *binary, struct own_calls *calls)
{
    *calls = (struct own_calls){0};
    for (size_t i = 0; i < binary->segment_count; i++) {
        const Elf64_Phdr *segment = &binary->segments[i];
        const void *code = binary_part(binary, segment->p_offset, segment->p_filesz);
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X && code)
            calls->unsure |= memmem(code, segment->p_filesz, "\x0f\x05", 2) != NULL;
    }
}

#else

static void own_calls_note(struct own_calls *calls, uint32_t number)
{
    if (number >= 1024)
        return;
    for (size_t i = 0; i < calls->count; i++)
        if (calls->numbers[i] == number)
            return;
    if (calls->count < sizeof calls->numbers / sizeof *calls->numbers)
        calls->numbers[calls->count++] = (uint16_t)number;
}

/* The segment's code, or NULL if it has none. Segments of a sound file do not overlap; those of
 * another may each be the whole file: no more is searched than the file holds. */
static const unsigned char *code_of(const struct binary *binary, const Elf64_Phdr *segment,
                                    uint64_t *searched)
{
    const unsigned char *code = binary_part(binary, segment->p_offset, segment->p_filesz);
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || !code)
        return NULL;
    *searched += segment->p_filesz;
    return *searched <= binary->size ? code : NULL;
}

#if defined(__x86_64__)

/* The number is loaded at most so many instructions before the system call. */
enum {
    LOADED_BEFORE = 12
};

/* ---- where functions begin ------------------------------------------------------------------- */

struct functions {
    uint64_t header; /* address of .eh_frame_hdr, which the table is relative to */
    /* pairs of 32-bit offsets, sorted by the first: a function, and its unwinding */
    const unsigned char *table;
    size_t count;
};

static int32_t word(const unsigned char *bytes)
{
    int32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Only the encoding that linkers write: 32-bit offsets from the section's begin. */
static struct functions find_functions(const struct binary *binary)
{
    for (size_t i = 0; i < binary->segment_count; i++) {
        const Elf64_Phdr *segment = &binary->segments[i];
        const unsigned char *bytes = binary_part(binary, segment->p_offset, segment->p_filesz);
        if (segment->p_type != PT_GNU_EH_FRAME || !bytes || segment->p_filesz < 12 ||
            memcmp(bytes, "\x01\x1b\x03\x3b", 4) != 0)
            continue;
        size_t count = (uint32_t)word(bytes + 8), room = (segment->p_filesz - 12) / 8;
        return (struct functions){segment->p_vaddr, bytes + 12, count < room ? count : room};
    }
    return (struct functions){0};
}

/* The function that this address lies in, or `lowest` if none is known that begins after that. */
static uint64_t function_at(const struct functions *functions, uint64_t address, uint64_t lowest)
{
    size_t low = 0, high = functions->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (functions->header + (uint64_t)(int64_t)word(functions->table + 8 * middle) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t begin =
        low ? functions->header + (uint64_t)(int64_t)word(functions->table + 8 * (low - 1))
            : lowest;
    return begin > lowest && begin <= address ? begin : lowest;
}

/* ---- following the code ---------------------------------------------------------------------- */

/* Disassembly that goes on from one place in question to the next. */
struct sweep {
    csh engine;
    cs_insn *instruction;
    const uint8_t *at;
    size_t left;
    uint64_t address;
    int64_t number; /* the constant in eax; -1: not known */
    unsigned age;   /* instructions since it was loaded */
};

static bool is_register(const cs_x86_op *operand, x86_reg narrow, x86_reg wide)
{
    return operand->type == X86_OP_REG && (operand->reg == narrow || operand->reg == wide);
}

static void follow_number(struct sweep *sweep)
{
    const cs_insn *instruction = sweep->instruction;
    const cs_x86 *x86 = &instruction->detail->x86;
    const cs_x86_op *operands = x86->operands;
    cs_regs read, written;
    uint8_t read_count, written_count;
    sweep->age++;
    if (instruction->id == X86_INS_MOV && is_register(&operands[0], X86_REG_EAX, X86_REG_RAX) &&
        operands[1].type == X86_OP_IMM) {
        sweep->number = operands[1].imm;
        sweep->age = 0;
    } else if (instruction->id == X86_INS_XOR &&
               is_register(&operands[0], X86_REG_EAX, X86_REG_RAX) &&
               is_register(&operands[1], X86_REG_EAX, X86_REG_RAX)) {
        sweep->number = 0;
        sweep->age = 0;
    } else if (instruction->id == X86_INS_CALL) {
        sweep->number = -1;
    } else if (cs_regs_access(sweep->engine, instruction, read, &read_count, written,
                              &written_count) == CS_ERR_OK) {
        for (uint8_t i = 0; i < written_count; i++)
            if (written[i] == X86_REG_EAX || written[i] == X86_REG_RAX ||
                written[i] == X86_REG_AX || written[i] == X86_REG_AL)
                sweep->number = -1;
    }
}

/* Go on to the instruction at `place`. True: one begins there and is a system call. */
static bool advance(struct sweep *sweep, uint64_t place)
{
    while (sweep->left && sweep->address <= place) {
        uint64_t begin = sweep->address;
        if (!cs_disasm_iter(sweep->engine, &sweep->at, &sweep->left, &sweep->address,
                            sweep->instruction)) {
            sweep->at++; /* data between functions */
            sweep->left--;
            sweep->address++;
            sweep->number = -1;
            continue;
        }
        if (begin == place)
            return sweep->instruction->id == X86_INS_SYSCALL;
        follow_number(sweep);
    }
    return false;
}

static void search_segment(const struct functions *functions, struct sweep *sweep,
                           const Elf64_Phdr *segment, const unsigned char *code,
                           struct own_calls *calls)
{
    const unsigned char *end = code + segment->p_filesz;
    sweep->address = segment->p_vaddr;
    sweep->at = code;
    sweep->left = segment->p_filesz;
    for (const unsigned char *found = code;
         (found = memmem(found, (size_t)(end - found), "\x0f\x05", 2)); found += 2) {
        uint64_t place = segment->p_vaddr + (uint64_t)(found - code);
        uint64_t begin = function_at(functions, place, segment->p_vaddr);
        if (begin > sweep->address) {
            sweep->address = begin;
            sweep->at = code + (begin - segment->p_vaddr);
            sweep->left = (size_t)(end - sweep->at);
            sweep->number = -1;
        }
        if (advance(sweep, place) && sweep->number >= 0 && sweep->age <= LOADED_BEFORE)
            own_calls_note(calls, (uint32_t)sweep->number);
    }
}

void own_calls_find(const struct binary *binary, struct own_calls *calls)
{
    struct functions functions = find_functions(binary);
    struct sweep sweep = {.number = -1};
    uint64_t searched = 0;
    *calls = (struct own_calls){0};
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &sweep.engine) != CS_ERR_OK)
        return;
    cs_option(sweep.engine, CS_OPT_DETAIL, CS_OPT_ON);
    sweep.instruction = cs_malloc(sweep.engine);
    for (size_t i = 0; i < binary->segment_count && sweep.instruction; i++) {
        const unsigned char *code = code_of(binary, &binary->segments[i], &searched);
        if (code)
            search_segment(&functions, &sweep, &binary->segments[i], code, calls);
    }
    if (sweep.instruction)
        cs_free(sweep.instruction, 1);
    cs_close(&sweep.engine);
}

#elif defined(__aarch64__)

/* mov x8 or w8, #number; up to three other instructions; svc #0 */
static void search_segment(const unsigned char *code, size_t size, struct own_calls *calls)
{
    uint32_t words[5] = {0};
    for (size_t at = 0; at + 4 <= size; at += 4) {
        memmove(words + 1, words, sizeof words - sizeof *words);
        memcpy(words, code + at, 4);
        for (size_t back = 1; words[0] == 0xd4000001 && back < 5; back++)
            if ((words[back] & 0x7fe0001f) == 0x52800008) {
                own_calls_note(calls, words[back] >> 5 & 0xffff);
                break;
            }
    }
}

void own_calls_find(const struct binary *binary, struct own_calls *calls)
{
    uint64_t searched = 0;
    *calls = (struct own_calls){0};
    for (size_t i = 0; i < binary->segment_count; i++) {
        const unsigned char *code = code_of(binary, &binary->segments[i], &searched);
        if (code)
            search_segment(code, binary->segments[i].p_filesz, calls);
    }
}

#endif
#endif
