/* Why the last call of a greenlet failed, in words. */
#ifndef BINE_TLS_REASON_H
#define BINE_TLS_REASON_H

/* The call that begins now has not failed. */
void bine_tls_reason_clear(void);

/* It fails for this reason. Without memory for the text there is none. */
void bine_tls_reason_say(const char *text);

/* It fails because of OpenSSL's error `code` (0: none); `detail` is added to OpenSSL's words, NULL: nothing. */
void bine_tls_reason_explain(unsigned long code, const char *detail);

#endif
