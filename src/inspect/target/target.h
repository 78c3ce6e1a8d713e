/*
 * What is looked into: a live process or a core file. Both are memory, mappings and threads here,
 * and everything above this header reads both in the same way.
 *
 * Nothing in that memory is trusted. Each read is checked and may fail, each list that is followed
 * has a bound, and sizes that are found are limits that the reader may refuse.
 */
#ifndef BINE_INSPECT_TARGET_TARGET_H
#define BINE_INSPECT_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inspect_mapping {
    uint64_t start, end;
    uint64_t offset; /* where the mapping begins in the file */
    bool readable, writable, executable;
    char *path; /* "" if it has no file */
};

enum {
    /* DWARF's numbers: on x86-64 the 16 registers and the program counter, on aarch64 31 registers,
     * the stack pointer and the program counter. */
    INSPECT_REGISTERS = 33,
};

struct inspect_thread {
    pid_t tid;
    bool stopped;                       /* by inspect_stop */
    int signal;                         /* that was about to be delivered when it stopped */
    uint64_t known;                     /* a bit for each register whose value is known */
    uint64_t values[INSPECT_REGISTERS]; /* by DWARF's numbers */
    uint64_t pc;
};

struct inspect_target;

/* Where pages come from. */
struct inspect_source {
    /* Reads one page. Returns false if it is not there. */
    bool (*page)(struct inspect_target *target, uint64_t address, void *page);
    /* Returns the first page from this one on that may hold something; UINT64_MAX if none does. It
     * may be this one. NULL: the source does not know. */
    uint64_t (*next)(const struct inspect_target *target, uint64_t address);
    void (*close)(struct inspect_target *target);
};

enum {
    INSPECT_PAGE = 4096
};

struct inspect_target {
    const struct inspect_source *source;
    void *own; /* the source's */
    bool live;
    pid_t pid;
    unsigned machine; /* ELF's EM_* */
    /* CLOCK_MONOTONIC in ns when it was opened. Negative if it is not known: in a core. */
    int64_t now;
    struct inspect_mapping *mappings; /* by address */
    size_t mapping_count;
    struct inspect_thread *threads;
    size_t thread_count;
    struct inspect_page *pages; /* what was read before */
    unsigned reading;           /* inspect_forget has been called so often */
};

/* Opens the process with this number or the core file with this name. Returns NULL after saying on
 * standard error why it cannot be looked into, in one sentence. */
struct inspect_target *inspect_open(const char *what);
void inspect_close(struct inspect_target *target);

/* Reads all of it, or returns false. */
bool inspect_read(struct inspect_target *target, uint64_t address, void *buffer, size_t size);
bool inspect_word(struct inspect_target *target, uint64_t address, uint64_t *word);
/* Reads a text that ends with a zero byte. At most size - 1 bytes are kept. What a terminal would
 * obey is replaced. Returns false, with an empty text, if the memory is not there. */
bool inspect_text(struct inspect_target *target, uint64_t address, char *text, size_t size);
/* Forgets what was read before, so that it is read anew. */
void inspect_forget(struct inspect_target *target);
/* Searches ranges of memory by address. Each has `size` bytes and begins with its start and its
 * end, both uint64_t. Returns the place of the first that ends after the address, or `count`. */
size_t inspect_first_after(const void *ranges, size_t count, size_t size, uint64_t address);
/* Returns the mapping that holds the address, or NULL. */
const struct inspect_mapping *inspect_mapping_of(const struct inspect_target *target,
                                                 uint64_t address);

/* Replaces control characters, and what is not UTF-8, in a text that will be shown. */
void inspect_disarm(char *text);

/* For the sources. They append to the target, or return false for lack of memory. */
struct inspect_target *inspect_new(const struct inspect_source *source);
bool inspect_add_mapping(struct inspect_target *target, struct inspect_mapping mapping,
                         const char *path);
struct inspect_thread *inspect_add_thread(struct inspect_target *target, pid_t tid);
/* Sorts the mappings. */
void inspect_settle(struct inspect_target *target);

/* live.c and core.c. Return NULL after saying why. */
struct inspect_target *inspect_open_process(pid_t pid);
struct inspect_target *inspect_open_core(const char *path);

#endif
