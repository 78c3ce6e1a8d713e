/* Seconds of Python as deadlines of the hub's clock, and back. */
#include "deadline.h"

#include <math.h>

#include "core/schedule/schedule.h"

int bine_py_deadline_of(PyObject *seconds, int64_t *deadline)
{
    if (!seconds || seconds == Py_None) {
        *deadline = INT64_MAX;
        return 0;
    }
    double value =
        PyLong_CheckExact(seconds) ? PyLong_AsDouble(seconds) : PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(value)) {
        PyErr_SetString(PyExc_ValueError, "seconds must not be NaN");
        return -1;
    }
    if (value >= 9e9)
        *deadline = INT64_MAX;
    else
        *deadline = value <= 0 ? 0 : bine_hub_deadline(bine_hub_here(), (int64_t)ceil(value * 1e9));
    return 0;
}

int64_t bine_py_left(int64_t deadline)
{
    if (deadline == INT64_MAX)
        return BINE_FOREVER;
    if (deadline <= 0)
        return 0;
    int64_t now = bine_hub_now(bine_hub_here());
    return deadline > now ? deadline - now : 0;
}
