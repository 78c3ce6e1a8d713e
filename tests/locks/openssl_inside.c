/* See openssl_inside.h. Linked with libcrypto.a, as the ssl module of interpreters that bring
 * everything with them. */
#include "openssl_inside.h"

#include <openssl/err.h>

#ifndef ERR_raise /* OpenSSL 3 */
#define ERR_raise(library, reason) ERR_put_error(library, 0, reason, __FILE__, __LINE__)
#endif

void openssl_inside_raise(int reason)
{
    ERR_raise(ERR_LIB_USER, reason);
}

int openssl_inside_take(void)
{
    return ERR_GET_REASON(ERR_get_error());
}
