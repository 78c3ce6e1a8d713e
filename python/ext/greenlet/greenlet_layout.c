/* Where the extension's and the interpreter's records keep what readers from outside show. */
#include "carrier/carry.h"
#include "core/hub/interpreter.h"
#include "greenlet_parts.h"
#include "libc/layout.h"

#if PY_VERSION_HEX >= 0x030D0000
/* The interpreter's structure, which begins with where things are for readers from outside. It is
 * exported, but declared in internal headers only. */
extern const char _PyRuntime[] __attribute__((weak)); /* NOLINT(bugprone-reserved-identifier) */
#endif

#if PY_VERSION_HEX >= 0x030B0000
#define NAME_OF_CODE co_qualname
#else
#define NAME_OF_CODE co_name
#endif

/* A greenlet's name is that of the function that it runs. */
static const struct bine_interpreter interpreter = {
    .site = (uintptr_t)bine_carrier_site,
    .function_type = (uintptr_t)&PyFunction_Type,
    .method_type = (uintptr_t)&PyMethod_Type,
    .code_type = (uintptr_t)&PyCode_Type,
    .text_type = (uintptr_t)&PyUnicode_Type,
    .running = offsetof(struct bine_carrier, running),
    .name = offsetof(Greenlet, name),
    .run = offsetof(Greenlet, run),
    .type = offsetof(PyObject, ob_type),
    .type_name = offsetof(PyTypeObject, tp_name),
    .method_function = offsetof(PyMethodObject, im_func),
    .function_code = offsetof(PyFunctionObject, func_code),
    .function_name = offsetof(PyFunctionObject, func_qualname),
    .code_name = offsetof(PyCodeObject, NAME_OF_CODE),
    .code_file = offsetof(PyCodeObject, co_filename),
    .code_line = offsetof(PyCodeObject, co_firstlineno),
    .text_length = offsetof(PyASCIIObject, length),
    .text_head = sizeof(PyASCIIObject),
};

/* For readers from outside. */
BINE_LAYOUT(python_rows) = {
    BINE_FIELD("carrier", struct bine_carrier, running),
    BINE_FIELD("carrier", struct bine_carrier, state),
#if PY_VERSION_HEX >= 0x030D0000
    {"py_runtime", (uintptr_t)_PyRuntime, 0, BINE_LAYOUT_ADDRESS},
#endif
    BINE_ADDRESS("interpreter", interpreter),
};

void bine_greenlet_show_names(void)
{
    atomic_store(&bine_interpreter, &interpreter);
}
