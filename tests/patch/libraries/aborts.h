/* A library that ends the process at an error that it does not know. Each waits, and returns 0. */
int aborts_poll(int fd, int timeout);
int aborts_epoll(int epoll);
int aborts_read(int fd);
int aborts_wait(void);
void aborts_wake(void);
int aborts_semaphore(void);
void aborts_post(void);
