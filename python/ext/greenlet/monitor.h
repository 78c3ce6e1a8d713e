/* What a monitoring thread sees of greenlets, as functions of the module. */
#ifndef BINE_EXT_MONITOR_H
#define BINE_EXT_MONITOR_H

#include "base/python.h"

int bine_monitor_init(PyObject *module);

#endif
