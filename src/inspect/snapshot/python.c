/* See python.h. */
#include "python.h"

static bool read_target(void *target, uint64_t from, void *to, size_t size)
{
    return inspect_read(target, from, to, size);
}

static bool interpreter_of(struct inspect_target *target, const struct inspect_table *table,
                           struct bine_interpreter *in)
{
    const struct inspect_row *row = &table->interpreter;
    return row->there && row->size == sizeof *in &&
           inspect_read(target, row->value, in, sizeof *in);
}

bool inspect_python_text(struct inspect_target *target, const struct inspect_table *table,
                         uint64_t object, char *text, size_t size)
{
    struct bine_interpreter in;
    return interpreter_of(target, table, &in) &&
           bine_interpreter_text(&in, read_target, target, object, text, size);
}

bool inspect_python_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                         char *text, size_t size)
{
    struct bine_interpreter in;
    struct bine_function function;
    struct inspect_target *target = snapshot->target;
    return interpreter_of(target, inspect_table_of(snapshot, g), &in) &&
           bine_function_find(&in, read_target, target, g->python, &function) &&
           bine_function_text(&in, read_target, target, &function, text, size);
}
