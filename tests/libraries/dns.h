/* A name server of this process's greenlets: every name has the address 127.0.0.1, after `delay`
 * ns. */
#ifndef BINE_TESTS_DNS_H
#define BINE_TESTS_DNS_H

/* Its port on 127.0.0.1 (UDP). */
int dns_start(long delay);
/* How many questions came. */
int dns_stop(void);

#endif
