/* See variant.h. */
#include "variant.h"

#include <stdlib.h>

#include "patch/threads/points.h"

bool bine_same_calls;

__attribute__((constructor(102))) static void read_setting(void)
{
    const char *setting = secure_getenv("BINE_SAME_CALLS");
    bine_same_calls = setting && *setting && *setting != '0';
}

void *bine_variant_hook(const struct bine_symbol *symbol, bool patient)
{
    void *same = bine_same_calls ? bine_same_hook(symbol->hook) : NULL;
    void *other = same ? same : patient ? bine_patient_hook(symbol->hook) : NULL;
    return other ? other : bine_points_for(symbol->hook);
}

bool bine_variant_is_hook(const struct bine_symbol *symbol, const void *function)
{
    return bine_points_is(symbol->hook, function) ||
           (function && (function == bine_patient_hook(symbol->hook) || function == bine_same_hook(symbol->hook)));
}
