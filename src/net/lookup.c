/* Look-ups for addresses, with errno's errors. See address.h. */
#include <bine/names.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static int error_of(int status)
{
    switch (status) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_FAIL:
        return EIO;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SYSTEM:
        return errno ? errno : EIO;
    case EAI_FAMILY:
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return EADDRNOTAVAIL;
    default: /* EAI_NONAME, EAI_SERVICE */
        return ENOENT;
    }
}

int bine_address_look_up(const struct bine_address_parts *parts, int type, bool passive,
                         struct addrinfo **list)
{
    struct addrinfo hints = {.ai_socktype = type, .ai_flags = passive ? AI_PASSIVE : 0};
    if (parts->bracketed) {
        hints.ai_family = AF_INET6;
        hints.ai_flags |= AI_NUMERICHOST;
    }
    if (!parts->host[0] && passive)
        hints.ai_family = AF_INET;
    if (parts->service[strspn(parts->service, "0123456789")] == '\0')
        hints.ai_flags |= AI_NUMERICSERV;
    int saved = errno, error;
    errno = 0;
    error = error_of(
        bine_getaddrinfo(parts->host[0] ? parts->host : NULL, parts->service, &hints, list));
    errno = saved;
    return error;
}
