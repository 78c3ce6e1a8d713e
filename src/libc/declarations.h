/*
 * Prototypes of every libc function that can be patched. They include functions that no public
 * header declares: the fortified entry points (_chk) that gcc emits under _FORTIFY_SOURCE, and
 * glibc's double-underscore aliases.
 */
#ifndef BINE_LIBC_DECLARATIONS_H
#define BINE_LIBC_DECLARATIONS_H

#undef _FORTIFY_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <locale.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <shadow.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* These are macros when optimising. The functions are meant. */
#undef fread_unlocked
#undef fwrite_unlocked

/* Some headers of some versions of libc declare some of these. They are declared again on
 * purpose. */
/* NOLINTBEGIN(readability-redundant-declaration) */
int capset(void *header, const void *data); /* libcap has the header */
/* The functions that _FORTIFY_SOURCE calls instead. The last size is that of the object, which the
 * call must not exceed. */
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t buffer_size);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t buffer_size, int flags,
                       struct sockaddr *address, socklen_t *length);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t fds_size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t fds_size);

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ssize_t __pread_chk(int fd, void *buffer, size_t size, off_t offset, size_t buffer_size);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off64_t offset, size_t buffer_size);
char *__fgets_chk(char *line, size_t buffer_size, int size, FILE *file);
char *__fgets_unlocked_chk(char *line, size_t buffer_size, int size, FILE *file);
size_t __fread_chk(void *buffer, size_t buffer_size, size_t size, size_t count, FILE *file);
size_t __fread_unlocked_chk(void *buffer, size_t buffer_size, size_t size, size_t count,
                            FILE *file);
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __vprintf_chk(int flag, const char *format, va_list arguments);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments);
int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list arguments);
int __vsnprintf_chk(char *text, size_t size, int flag, size_t buffer_size, const char *format,
                    va_list arguments);

/* The functions that stdio's inlined ones call when a buffer is empty or full, and scanf by the
 * standards' years. */
int __uflow(FILE *file);
int __underflow(FILE *file);
int __overflow(FILE *file, int byte);
int _IO_getc(FILE *file);
int _IO_putc(int byte, FILE *file);
int __isoc99_scanf(const char *format, ...);
int __isoc99_fscanf(FILE *file, const char *format, ...);
int __isoc99_vscanf(const char *format, va_list arguments);
int __isoc99_vfscanf(FILE *file, const char *format, va_list arguments);
int __isoc23_scanf(const char *format, ...);
int __isoc23_fscanf(FILE *file, const char *format, ...);
int __isoc23_vscanf(const char *format, va_list arguments);
int __isoc23_vfscanf(FILE *file, const char *format, va_list arguments);

/* The same of wide characters. */
wint_t __wuflow(FILE *file);
wint_t __wunderflow(FILE *file);
wint_t __woverflow(FILE *file, wint_t character);
wchar_t *__fgetws_chk(wchar_t *line, size_t buffer_size, int size, FILE *file);
wchar_t *__fgetws_unlocked_chk(wchar_t *line, size_t buffer_size, int size, FILE *file);
int __wprintf_chk(int flag, const wchar_t *format, ...);
int __fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...);
int __vwprintf_chk(int flag, const wchar_t *format, va_list arguments);
int __vfwprintf_chk(FILE *file, int flag, const wchar_t *format, va_list arguments);
int __vswprintf_chk(wchar_t *text, size_t size, int flag, size_t buffer_size, const wchar_t *format,
                    va_list arguments);
int __isoc99_wscanf(const wchar_t *format, ...);
int __isoc99_fwscanf(FILE *file, const wchar_t *format, ...);
int __isoc99_vwscanf(const wchar_t *format, va_list arguments);
int __isoc99_vfwscanf(FILE *file, const wchar_t *format, va_list arguments);
int __isoc23_wscanf(const wchar_t *format, ...);
int __isoc23_fwscanf(FILE *file, const wchar_t *format, ...);
int __isoc23_vwscanf(const wchar_t *format, va_list arguments);
int __isoc23_vfwscanf(FILE *file, const wchar_t *format, va_list arguments);

/* glibc's other names for the same functions. */
__typeof__(read) __read;
__typeof__(write) __write;
__typeof__(open) __open;
__typeof__(open) __open64;
__typeof__(pread) __pread64;
__typeof__(pwrite) __pwrite64;
__typeof__(getdelim) __getdelim;
__typeof__(wait) __wait;
__typeof__(waitpid) __waitpid;
__typeof__(wait4) __wait4;
__typeof__(send) __send;
__typeof__(connect) __connect;
__typeof__(close) __close;
__typeof__(dup2) __dup2;
__typeof__(pipe) __pipe;
__typeof__(fcntl) __fcntl;
__typeof__(nanosleep) __nanosleep;
__typeof__(sched_yield) __sched_yield;
__typeof__(poll) __poll;
__typeof__(select) __select;
__typeof__(pthread_mutex_lock) __pthread_mutex_lock;
__typeof__(pthread_mutex_trylock) __pthread_mutex_trylock;
__typeof__(pthread_mutex_unlock) __pthread_mutex_unlock;
__typeof__(pthread_rwlock_rdlock) __pthread_rwlock_rdlock;
__typeof__(pthread_rwlock_tryrdlock) __pthread_rwlock_tryrdlock;
__typeof__(pthread_rwlock_wrlock) __pthread_rwlock_wrlock;
__typeof__(pthread_rwlock_trywrlock) __pthread_rwlock_trywrlock;
__typeof__(pthread_rwlock_unlock) __pthread_rwlock_unlock;
__typeof__(pthread_once) __pthread_once;
__typeof__(pthread_getspecific) __pthread_getspecific;
__typeof__(pthread_setspecific) __pthread_setspecific;
__typeof__(pthread_key_create) __pthread_key_create;

/* Functions that are newer or older than the headers at compile time. The table's entry is NULL
 * where the libc at run time has none. */
#undef epoll_pwait2
int epoll_pwait2(int fd, struct epoll_event *events, int size, const struct timespec *timeout,
                 const sigset_t *mask);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
#undef pthread_yield
int pthread_yield(void);
int __xstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat(int version, const char *path, struct stat *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat(int version, int directory, const char *path, struct stat *status, int flags);
int __fxstatat64(int version, int directory, const char *path, struct stat64 *status, int flags);

/* Signals: names that the headers hide, redirect or leave out. */
__typeof__(sigaction) __sigaction;
__typeof__(sigsuspend) __sigsuspend;
__sighandler_t bsd_signal(int number, __sighandler_t handler);
__sighandler_t sysv_signal(int number, __sighandler_t handler);
__sighandler_t __sysv_signal(int number, __sighandler_t handler);
int __sigpause(int number_or_bits, int is_number);
int __xpg_sigpause(int number);

pid_t __vfork(void);
int __clone(int (*run)(void *arg), void *stack, int flags, void *arg, ...);

/* The resolver (resolv(3)): its header is a thicket of macros. */
struct __res_state;
int res_query(const char *name, int class, int type, unsigned char *answer, int size);
int res_search(const char *name, int class, int type, unsigned char *answer, int size);
int res_querydomain(const char *name, const char *domain, int class, int type,
                    unsigned char *answer, int size);
int res_send(const unsigned char *query, int length, unsigned char *answer, int size);
int res_nquery(struct __res_state *state, const char *name, int class, int type,
               unsigned char *answer, int size);
int res_nsearch(struct __res_state *state, const char *name, int class, int type,
                unsigned char *answer, int size);
int res_nquerydomain(struct __res_state *state, const char *name, const char *domain, int class,
                     int type, unsigned char *answer, int size);
int res_nsend(struct __res_state *state, const unsigned char *query, int length,
              unsigned char *answer, int size);
__typeof__(res_query) __res_query;
__typeof__(res_search) __res_search;
__typeof__(res_querydomain) __res_querydomain;
__typeof__(res_send) __res_send;
__typeof__(res_nquery) __res_nquery;
__typeof__(res_nsearch) __res_nsearch;
__typeof__(res_nquerydomain) __res_nquerydomain;
__typeof__(res_nsend) __res_nsend;

locale_t __uselocale(locale_t locale);

/* what C's pthread_cleanup_push is made of */
void __pthread_register_cancel(__pthread_unwind_buf_t *buffer);
void __pthread_unregister_cancel(__pthread_unwind_buf_t *buffer);
void __pthread_register_cancel_defer(__pthread_unwind_buf_t *buffer);
void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *buffer);
void __pthread_unwind_next(__pthread_unwind_buf_t *buffer) __attribute__((noreturn));

/* thread-local variables with destructors (Itanium C++ ABI) */
int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *library);

void __syslog_chk(int priority, int flag, const char *format, ...);
void __vsyslog_chk(int priority, int flag, const char *format, va_list arguments);

/* Old names of stdio. */
__typeof__(fclose) _IO_fclose;
__typeof__(fflush) _IO_fflush;
__typeof__(fgets) _IO_fgets;
__typeof__(fopen) _IO_fopen;
__typeof__(fprintf) _IO_fprintf;
__typeof__(fputs) _IO_fputs;
__typeof__(fread) _IO_fread;
__typeof__(fwrite) _IO_fwrite;
__typeof__(popen) _IO_popen;
__typeof__(printf) _IO_printf;
__typeof__(puts) _IO_puts;
__typeof__(vfprintf) _IO_vfprintf;
__typeof__(flockfile) _IO_flockfile;
__typeof__(ftrylockfile) _IO_ftrylockfile;
__typeof__(funlockfile) _IO_funlockfile;
__typeof__(vfscanf) __vfscanf;

ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t buffer_size);
ssize_t __readlinkat_chk(int directory, const char *path, char *buffer, size_t size,
                         size_t buffer_size);
/* The C++ runtime's (Itanium C++ ABI 3.3.3). */
int __cxa_guard_acquire(uint64_t *guard);
void __cxa_guard_release(uint64_t *guard);
void __cxa_guard_abort(uint64_t *guard);

mqd_t __mq_open_2(const char *name, int flags);

/* NOLINTEND(readability-redundant-declaration) */

#endif
