/*
 * How sanitizers are told of stack switches, kept next to the switch (hazard 22). Empty in ordinary
 * builds.
 */
#ifndef BINE_CORE_HUB_SANITIZER_H
#define BINE_CORE_HUB_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define BINE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BINE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BINE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BINE_TSAN 1
#endif
#endif

#ifdef BINE_TSAN
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* For functions that, as the sanitizer sees it, finish on another stack than the one that they
 * began on. */
#if defined(BINE_ASAN)
#define BINE_NO_SANITIZE __attribute__((no_sanitize_address))
#elif defined(BINE_TSAN)
#define BINE_NO_SANITIZE __attribute__((no_sanitize_thread))
#else
#define BINE_NO_SANITIZE
#endif

struct bine_sanitizer {
#ifdef BINE_ASAN
    const void *bottom; /* of the stack this greenlet runs on */
    size_t size;
    void *fake_stack;
#endif
#ifdef BINE_TSAN
    void *fiber;
#endif
};

#ifdef BINE_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **old_bottom, size_t *old_size);
#endif
#ifdef BINE_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

/* ThreadSanitizer makes the fiber the current one while it destroys it. It keeps signals with the
 * current fiber until it calls their handlers. So a signal that came meanwhile would be lost with
 * the fiber: signals are blocked here. */
static inline void bine_sanitizer_destroy_fiber(void *fiber)
{
    uint64_t all = UINT64_MAX, before;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    __tsan_destroy_fiber(fiber);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}
#endif

#endif
