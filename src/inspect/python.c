/* See python.h. */
#include "python.h"

#include <stdio.h>
#include <string.h>

/* Python keeps a text of ASCII behind its head, with a zero byte at its end.
 * Other texts, and what is no text, are not shown. */
bool inspect_python_text(struct inspect_target *target, const struct inspect_table *table,
                         uint64_t object, char *text, size_t size)
{
    uint64_t type, length;
    unsigned char zero = 1;
    if (!inspect_fetch(target, &table->py_object_type, object, &type) ||
        type != table->py_unicode_type.value ||
        !inspect_fetch(target, &table->py_ascii_length, object, &length) || !length ||
        length >= size || !inspect_read(target, object + table->py_ascii.size, text, length) ||
        !inspect_read(target, object + table->py_ascii.size + length, &zero, 1) || zero)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
            return false;
    text[length] = '\0';
    return true;
}

bool inspect_python_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                         char *text, size_t size)
{
    struct inspect_target *target = snapshot->target;
    const struct inspect_table *table = inspect_table_of(snapshot, g);
    uint64_t name, run, type;
    if (!table->py_ascii.there || !table->py_unicode_type.there)
        return false;
    if (inspect_fetch(target, &table->py_greenlet_name, g->python, &name) &&
        inspect_python_text(target, table, name, text, size))
        return true;
    if (!inspect_fetch(target, &table->py_greenlet_run, g->python, &run) ||
        !inspect_fetch(target, &table->py_object_type, run, &type))
        return false;
    if (type == table->py_method_type.value &&
        !(inspect_fetch(target, &table->py_method_function, run, &run) &&
          inspect_fetch(target, &table->py_object_type, run, &type)))
        return false;
    if (type == table->py_function_type.value &&
        inspect_fetch(target, &table->py_function_name, run, &name))
        return inspect_python_text(target, table, name, text, size);
    /* A function in C, a class, a partial ... */
    if (!inspect_fetch(target, &table->py_type_name, type, &name) ||
        !inspect_text(target, name, text, size) || !*text)
        return false;
    snprintf(text + strlen(text), size - strlen(text), " object");
    return true;
}
