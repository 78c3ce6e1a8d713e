/* bine/patch.h as functions of the module, for bine.monkey. */
#ifndef BINE_EXT_PATCHING_H
#define BINE_EXT_PATCHING_H

#include "base/python.h"

int bine_patching_init(PyObject *module);

#endif
