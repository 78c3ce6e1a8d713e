/* A library that makes system calls by itself: there is no call of libc to patch. */
#include <sys/syscall.h>

long raw_read(long fd, void *buffer, long size);
long raw_read(long fd, void *buffer, long size)
{
#if defined(__x86_64__)
    long result = SYS_read;
    __asm__ volatile("mov %[number], %%eax\n\tsyscall"
                     : "=&a"(result)
                     : [number] "i"(SYS_read), "D"(fd), "S"(buffer), "d"(size)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long x0 __asm__("x0") = fd;
    register void *x1 __asm__("x1") = buffer;
    register long x2 __asm__("x2") = size;
    __asm__ volatile("mov x8, %[number]\n\tsvc #0"
                     : "+r"(x0)
                     : "r"(x1), "r"(x2), [number] "i"(SYS_read)
                     : "x8", "memory");
    return x0;
#endif
}
