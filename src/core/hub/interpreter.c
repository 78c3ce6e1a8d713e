/* See interpreter.h. */
#include "interpreter.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

_Atomic(const struct bine_interpreter *) bine_interpreter;
const char bine_idle_verb[] = "carrier";

bool bine_peek(void *unused, uint64_t from, void *to, size_t size)
{
    (void)unused;
    /* cppcheck-suppress ctuuninitvar; it is written to */
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)from, size};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool word(bine_memory_reader *read, void *context, uint64_t object, uint32_t offset,
                 uint64_t *value)
{
    *value = 0;
    return object && object <= UINT64_MAX - offset &&
           read(context, object + offset, value, sizeof *value);
}

bool bine_function_find(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        uint64_t object, struct bine_function *function)
{
    uint64_t called, type;
    *function = (struct bine_function){0};
    if (!word(read, context, object, in->name, &function->name) ||
        !word(read, context, object, in->run, &called))
        return false;
    if (!called) /* of a class that says by itself what it runs */
        called = object;
    if (!word(read, context, called, in->type, &type))
        return false;
    if (type == in->method_type && (!word(read, context, called, in->method_function, &called) ||
                                    !word(read, context, called, in->type, &type)))
        return false;
    if (type != in->function_type)
        function->type = type;
    else if (!word(read, context, called, in->function_code, &function->code) ||
             !word(read, context, called, in->function_name, &function->qualified))
        return false;
    return true;
}

/* A text of ASCII keeps its characters behind its head, with a zero byte at their end. Others keep
 * something else there, and are not shown. */
bool bine_interpreter_text(const struct bine_interpreter *in, bine_memory_reader *read,
                           void *context, uint64_t object, char *text, size_t size)
{
    uint64_t type, length;
    if (!word(read, context, object, in->type, &type) || type != in->text_type ||
        !word(read, context, object, in->text_length, &length) || !length || length >= size ||
        object > UINT64_MAX - in->text_head ||
        !read(context, object + in->text_head, text, length + 1) || text[length])
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
            return false;
    return true;
}

/* " at app.py:7", behind the name. */
static void put_place(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                      uint64_t code, char *text, size_t size)
{
    char file[1024];
    uint64_t type, object;
    int32_t line;
    if (!word(read, context, code, in->type, &type) || type != in->code_type ||
        !word(read, context, code, in->code_file, &object) ||
        !bine_interpreter_text(in, read, context, object, file, sizeof file) ||
        !read(context, code + in->code_line, &line, sizeof line))
        return;
    const char *slash = strrchr(file, '/');
    size_t used = strlen(text);
    snprintf(text + used, size - used, " at %s:%d", slash ? slash + 1 : file, (int)line);
}

static bool put_type(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                     uint64_t type, char *text, size_t size)
{
    char name[64] = "";
    uint64_t at;
    if (!word(read, context, type, in->type_name, &at) || !at)
        return false;
    for (size_t i = 0; i < sizeof name - 1 && read(context, at + i, &name[i], 1) && name[i]; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    snprintf(text, size, "%s object", name);
    return *name;
}

bool bine_function_text(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        const struct bine_function *function, char *text, size_t size)
{
    uint64_t type, name;
    *text = '\0';
    if (function->name && bine_interpreter_text(in, read, context, function->name, text, size))
        return true;
    if (function->type)
        return put_type(in, read, context, function->type, text, size);
    /* Not of a code object that has been freed meanwhile. */
    bool code = word(read, context, function->code, in->type, &type) && type == in->code_type &&
                word(read, context, function->code, in->code_name, &name);
    if (!(function->qualified &&
          bine_interpreter_text(in, read, context, function->qualified, text, size)) &&
        !(code && bine_interpreter_text(in, read, context, name, text, size)))
        return false;
    put_place(in, read, context, function->code, text, size);
    return true;
}

bool bine_function_name(const struct bine_interpreter *in, bine_memory_reader *read, void *context,
                        uint64_t arg, char *text, size_t size)
{
    struct bine_function function;
    uint64_t object;
    return word(read, context, arg, in->running, &object) && object &&
           bine_function_find(in, read, context, object, &function) &&
           bine_function_text(in, read, context, &function, text, size);
}
