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

static void *hook_of_object(const void *hook, enum bine_variant variant)
{
    switch (variant) {
    case BINE_VARIANT_PATIENT:
        return bine_patient_hook(hook);
    case BINE_VARIANT_SEVERING:
        return bine_severing_hook(hook);
    case BINE_VARIANT_NONE:
        break;
    }
    return NULL;
}

void *bine_variant_hook(const struct bine_symbol *symbol, enum bine_variant variant)
{
    void *same = bine_same_calls ? bine_same_hook(symbol->hook) : NULL;
    void *other = same ? same : hook_of_object(symbol->hook, variant);
    return other ? other : bine_points_for(symbol->hook);
}

bool bine_variant_is_hook(const struct bine_symbol *symbol, const void *function)
{
    return bine_points_is(symbol->hook, function) ||
           (function && (function == bine_patient_hook(symbol->hook) ||
                         function == bine_severing_hook(symbol->hook) ||
                         function == bine_same_hook(symbol->hook)));
}
