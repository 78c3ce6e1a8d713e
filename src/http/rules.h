/* What a head must keep to, beyond what llhttp checks. */
#ifndef BINE_HTTP_RULES_H
#define BINE_HTTP_RULES_H

#include "message.h"

/* The head is there: find out how the body is framed. False: it is refused, with status and reason. */
bool bine_http_rules_apply(struct bine_http_message *message);

/* Note why the message is refused; false. */
bool bine_http_refuse(struct bine_http_message *message, int status, const char *reason);

#endif
