/* A library with a libcrypto of its own inside. */
#ifndef BINE_TESTS_LOCKS_OPENSSL_INSIDE_H
#define BINE_TESTS_LOCKS_OPENSSL_INSIDE_H

/* Puts an error into OpenSSL's queue. */
void openssl_inside_raise(int reason);
/* Takes the oldest error from the queue: its reason, or 0. */
int openssl_inside_take(void);

#endif
