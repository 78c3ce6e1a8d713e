/* The rules for a head, beyond what llhttp checks. */
#ifndef BINE_HTTP_RULES_H
#define BINE_HTTP_RULES_H

#include "message.h"

/* The head is complete: finds out how the body is framed. Returns false if the message is refused,
 * with status and reason. */
bool bine_http_rules_apply(struct bine_http_message *message);

/* Notes why the message is refused. Returns false. */
bool bine_http_refuse(struct bine_http_message *message, int status, const char *reason);

#endif
