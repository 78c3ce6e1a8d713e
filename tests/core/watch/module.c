/* A library that nobody patches. */
#include <unistd.h>

long module_read(int fd, void *buffer, unsigned long size);

__attribute__((noinline)) long module_read(int fd, void *buffer, unsigned long size)
{
    long got = read(fd, buffer, size);
    __asm__ volatile("" : "+r"(got)); /* no tail call */
    return got;
}
