/* The interpreter as an object to patch: its thread states are greenlets'. */
#include "interpreter.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "gil.h"
#include "patch/table/interpreter.h"

#if PY_VERSION_HEX < 0x030C0000

bool bine_check_is_blind;

/* The making of an interpreter may raise no event (without a current thread state none is), but its
 * initialisation raises many. */
static int hear(const char *event, PyObject *args, void *data)
{
    (void)event, (void)args, (void)data;
    bine_look_for_subinterpreter();
    return 0;
}

/* Has there been a subinterpreter before us? */
static void try_check(void)
{
    PyThreadState *state = PyEval_SaveThread();
    bine_check_is_blind = PyGILState_Check();
    PyEval_RestoreThread(state);
}

#endif

/* Its file's name. "": the program (Debian's python3 is linked statically, although it has a
 * library beside it). */
static const char *interpreter_name;
static uintptr_t interpreter_begin, interpreter_end; /* its code */

const char *bine_interpreter_object(void)
{
    return interpreter_name;
}

bool bine_states_by_key;

bool bine_disabled(void)
{
    const char *said = secure_getenv("BINE_DISABLE");
    return said && *said && strcmp(said, "0") != 0;
}

bool bine_inside_interpreter(const void *caller)
{
    return (uintptr_t)caller >= interpreter_begin && (uintptr_t)caller < interpreter_end;
}

static int find_interpreter(struct dl_phdr_info *object, size_t size, void *data)
{
    uintptr_t inside = (uintptr_t)PyThreadState_New;
    (void)size, (void)data;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        uintptr_t begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr,
                  end = begin + object->dlpi_phdr[i].p_memsz;
        if (object->dlpi_phdr[i].p_type == PT_LOAD && inside >= begin && inside < end) {
            const char *slash = strrchr(object->dlpi_name, '/');
            interpreter_name = slash ? slash + 1 : object->dlpi_name;
            interpreter_begin = begin;
            interpreter_end = end;
            return 1;
        }
    }
    return 0;
}

int bine_interpreter_init(void)
{
#if PY_VERSION_HEX < 0x030C0000
    static bool listening;
    if (!listening && PySys_AddAuditHook(hear, NULL) < 0)
        return -1;
    listening = true;
    try_check();
#endif
    dl_iterate_phdr(find_interpreter, NULL);
    /* The thread state that PyGILState finds is the greenlet's, before anything is patched. */
    bine_states_by_key = !bine_disabled();
    if (bine_states_by_key &&
        (bine_patch_local_keys(interpreter_name) < 0 || bine_patch_keys_always() < 0)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}
