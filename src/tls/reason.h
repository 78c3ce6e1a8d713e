/* Why the last call of a greenlet failed, in words. */
#ifndef BINE_TLS_REASON_H
#define BINE_TLS_REASON_H

/* Called when a call begins: it has not failed. */
void bine_tls_reason_clear(void);

/* The call fails for this reason. If there is no memory for the text there is no reason. */
void bine_tls_reason_say(const char *text);

/* The call fails because of OpenSSL's error `code` (0: none). `detail` is added to OpenSSL's words.
 * NULL: nothing is. */
void bine_tls_reason_explain(unsigned long code, const char *detail);

#endif
