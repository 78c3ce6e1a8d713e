/*
 * Greenlets that run functions of a language's interpreter. All of them are spawned at one place,
 * in C, so their names are those of the interpreter's functions. The interpreter's extension says
 * where its records keep what a name is made of. Readers follow that in this process, in another
 * one (watch/trace_json.c) and in a core (inspect/snapshot/python.c). Nothing is written for them.
 */
#ifndef BINE_CORE_HUB_INTERPRETER_H
#define BINE_CORE_HUB_INTERPRETER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types are addresses of the interpreter's type objects. All the others are offsets. */
struct bine_interpreter {
    uint64_t site; /* the greenlets that run its functions were spawned there */
    uint64_t function_type, method_type, code_type, text_type;
    uint32_t running;                         /* in the spawn's argument: the greenlet's object */
    uint32_t name, run;                       /* in that object */
    uint32_t type, type_name;                 /* in every object, and in a type */
    uint32_t method_function;                 /* in a method */
    uint32_t function_code, function_name;    /* in a function */
    uint32_t code_name, code_file, code_line; /* in a code object */
    uint32_t text_length, text_head; /* in a text: its length, and where its characters begin */
};

/* The objects that a name is made of. Each may be 0. */
struct bine_function {
    uint64_t name;      /* a text: the name that the program gave the greenlet */
    uint64_t qualified; /* a text: the name of the function, with that of its class */
    uint64_t code;      /* of the function */
    uint64_t type;      /* of what is called, if it is no function */
};

enum {
    BINE_FUNCTION_TEXT = 160 /* the room for a name */
};

/* Copies memory. Returns false if not all of it is there. */
typedef bool bine_memory_reader(void *context, uint64_t from, void *to, size_t size);

/* Finds what a greenlet's object runs. Returns false if nothing is known of it. */
bool bine_function_find(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        uint64_t object, struct bine_function *function);
/* Writes the name that was given, or "Server.handle at app.py:7", or "partial object". Returns
 * false if the objects are none of the interpreter's. */
bool bine_function_text(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        const struct bine_function *function, char *text, size_t size);
/* The characters of a text object, if all of them are printable ASCII and it has room. */
bool bine_interpreter_text(const struct bine_interpreter *in, bine_memory_reader *read,
                           void *context, uint64_t object, char *text, size_t size);
/* Does both for a greenlet that was spawned at in->site with this argument. */
bool bine_function_name(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        uint64_t arg, char *text, size_t size);

/* The interpreter of this process, or NULL. Its extension sets it once. */
extern _Atomic(const struct bine_interpreter *) bine_interpreter;

/* A reader of this process's memory, which another thread may unmap. */
bool bine_peek(void *unused, uint64_t from, void *to, size_t size);

/* The verb of a greenlet that waits for something new to run. To those who look it has ended, and
 * when it is woken it is another one. */
extern const char bine_idle_verb[];

#endif
