/*
 * Hooks of what libc keeps for each thread, and greenlets have of their own (exchange.h).
 */
#include "exchange.h"
#include "hook.h"

locale_t hook_uselocale(locale_t locale)
{
    struct bine_hub *hub = bine_hook_active(BINE_PATCH_THREAD_OR_GREENLETS) ? bine_hub_here() : NULL;
    return hub ? bine_exchange_locale(hub, locale) : bine_libc.uselocale(locale);
}
