/* As Abseil's locks do: each thread waits for a word of its own. The library's name is Abseil's. */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local atomic_uint word;

__attribute__((visibility("default"))) atomic_uint *waits_word(void);
__attribute__((visibility("default"))) void waits_wait(void);
__attribute__((visibility("default"))) void waits_wake(atomic_uint *of);

atomic_uint *waits_word(void)
{
    return &word;
}

void waits_wait(void)
{
    while (!atomic_load(&word))
        syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

void waits_wake(atomic_uint *of)
{
    atomic_store(of, 1);
    syscall(SYS_futex, of, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
