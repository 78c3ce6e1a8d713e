/* What each hook looks at before it does anything. See hook.h. */
#include "hook.h"

atomic_uint bine_patch_active;
_Thread_local int bine_vforked;
atomic_ulong bine_patch_from_hub;
