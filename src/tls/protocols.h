/* Application protocols (ALPN, RFC 7301) of a context. */
#ifndef BINE_TLS_PROTOCOLS_H
#define BINE_TLS_PROTOCOLS_H

#include "context.h"

/* Makes the context offer (client) or choose among (server) the protocols of a list such as
 * "h2,http/1.1". Returns 0 or an error number. EINVAL comes with a reason. */
int bine_tls_protocols_set(struct bine_tls_context *context, const char *list);

#endif
