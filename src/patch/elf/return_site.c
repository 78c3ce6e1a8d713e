/* Looks for a return instruction. See return_site.h. */
#include "return_site.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

void *bine_return_site_find(const unsigned char *start, const unsigned char *end)
{
    /* `ret` is one byte, and any byte of that value will do. But unwinders look up the instruction
     * *before* a return address: best is one whose frame description is that of the `ret`, as in
     * `endbr64; ret` and `xor eax, eax; ret`. */
    const unsigned char *any = NULL;
    for (const unsigned char *place = start; place < end; place++) {
        place = memchr(place, 0xc3, (size_t)(end - place));
        if (!place)
            break;
        if (place - start >= 4 && memcmp(place - 4, "\xf3\x0f\x1e\xfa", 4) == 0)
            return (void *)place;
        if (!any)
            any = place;
    }
    return (void *)any;
}

#elif defined(__aarch64__)

void *bine_return_site_find(const unsigned char *start, const unsigned char *end)
{
    /* ldp x29, x30, [sp], #16; ret - perhaps with a check of the signed return address, which ours
     * is not: only the plain pair. */
    const uint32_t *place = (const uint32_t *)(((uintptr_t)start + 3) & ~(uintptr_t)3);
    for (; (const unsigned char *)(place + 2) <= end; place++)
        if (place[0] == 0xa8c17bfd && place[1] == 0xd65f03c0)
            return (void *)place;
    return (void *)0;
}

#else

void *bine_return_site_find(const unsigned char *start, const unsigned char *end)
{
    (void)start, (void)end;
    return (void *)0;
}

#endif
