/* What the Python extension knows of a greenlet. */
#ifndef BINE_INSPECT_SNAPSHOT_PYTHON_H
#define BINE_INSPECT_SNAPSHOT_PYTHON_H

#include "core/hub/interpreter.h"
#include "snapshot.h"

/* The name of a Python greenlet, as bine_function_text writes it. Returns false if it cannot be
 * told. */
bool inspect_python_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                         char *text, size_t size);
/* The text of a str object, if it is ASCII and fits. */
bool inspect_python_text(struct inspect_target *target, const struct inspect_table *table,
                         uint64_t object, char *text, size_t size);

#endif
