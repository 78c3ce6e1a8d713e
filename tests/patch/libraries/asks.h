/* A library that reports a failed call and keeps its connection, as libpq does, and is called as
 * libpq is in wheels. Each call: 0, or the errno. */
#ifndef BINE_TESTS_ASKS_H
#define BINE_TESTS_ASKS_H

int asks_poll(int fd);
int asks_recv(int fd);
int asks_recv_at_once(int fd);
/* Sends until that fails. */
int asks_send(int fd);

#endif
