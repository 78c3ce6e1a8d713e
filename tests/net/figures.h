/* What a server counts, as a value. */
#ifndef BINE_TESTS_FIGURES_H
#define BINE_TESTS_FIGURES_H

#include <bine.h>

#include "harness.h"

static inline bine_server_figures figures_of(const bine_server *server)
{
    bine_server_figures figures;
    CHECK_OK(bine_server_read_figures(server, &figures, sizeof figures));
    return figures;
}

#endif
