/* bine.watchdog(seconds). */
#ifndef BINE_EXT_WATCHDOG_H
#define BINE_EXT_WATCHDOG_H

#include "base/python.h"

int bine_watchdog_init(PyObject *module);

#endif
