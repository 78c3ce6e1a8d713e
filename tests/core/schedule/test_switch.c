/* What follows a greenlet through a switch, and what unwinders see. */
#include <bine.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "core/hub/hub.h"
#include "core/schedule/exceptions.h"
#include "harness.h"

static void *keeps_errno(void *value)
{
    for (int i = 0; i < 100; i++) {
        errno = (int)(intptr_t)value;
        bine_sleep(i % 10 ? 0 : BINE_US);
        CHECK_EQ(errno, (int)(intptr_t)value);
    }
    return NULL;
}

TEST(hazard_02_errno_belongs_to_the_greenlet)
{
    bine_greenlet *all[20];
    for (intptr_t i = 0; i < 20; i++)
        all[i] = bine_spawn(keeps_errno, (void *)(i + 1));
    errno = 77;
    CHECK_OK(bine_joinall(all, 20, BINE_FOREVER));
    CHECK_EQ(errno, 77);
}

static void *fresh_errno(void *arg)
{
    CHECK_EQ(errno, 0);
    return arg;
}

TEST(hazard_02_a_fresh_greenlet_has_a_clean_errno)
{
    errno = EIO;
    CHECK_OK(bine_join(bine_spawn(fresh_errno, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(errno, EIO);
}

static pthread_t home;
static _Thread_local int of_thread;

static void *stays(void *arg)
{
    int *address = &of_thread;
    for (int i = 0; i < 50; i++) {
        bine_sleep(i % 5 ? 0 : 10 * BINE_US);
        CHECK(pthread_equal(pthread_self(), home));
        CHECK(address == &of_thread);
    }
    return arg;
}

TEST(hazard_02_greenlets_never_change_thread)
{
    bine_greenlet *all[10];
    home = pthread_self();
    for (int i = 0; i < 10; i++)
        all[i] = bine_spawn(stays, NULL);
    CHECK_OK(bine_joinall(all, 10, BINE_FOREVER));
}

static struct bine_exception_globals *exception_globals;

/* Dirties the part of the stack on which a park would find what it believes to have saved. */
static __attribute__((noinline)) void leave_rubbish(void)
{
    volatile char rubbish[512];
    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = (char)0xa5;
}

static void *parks_before_the_runtime_comes(void *arg)
{
    leave_rubbish();
    CHECK_OK(bine_sleep(2 * BINE_MS));
    CHECK(exception_globals && !exception_globals->caught && !exception_globals->uncaught);
    return arg;
}

TEST(hazard_03_a_cxx_runtime_may_be_loaded_while_greenlets_are_parked)
{
    bine_greenlet *g = bine_spawn(parks_before_the_runtime_comes, NULL);
    CHECK_OK(bine_sleep(0));
    void *library = dlopen("libstdc++.so.6", RTLD_NOW);
    CHECK(library != NULL);
    void *(*globals)(void) = NULL;
    *(void **)&globals = dlsym(library, "__cxa_get_globals");
    CHECK(globals != NULL);
    bine_exceptions_find();
    exception_globals = globals();
    *exception_globals = (struct bine_exception_globals){&globals, 3};
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK(exception_globals->caught == (void *)&globals && exception_globals->uncaught == 3);
    *exception_globals = (struct bine_exception_globals){NULL, 0};
}

#if defined(__x86_64__)
/* Every control bit of MXCSR and the x87 control word that the ABI makes callee-saved, in random
 * patterns. */
static void *keeps_control_words(void *seed)
{
    unsigned random = (unsigned)(intptr_t)seed * 2654435761u;
    for (int i = 0; i < 200; i++) {
        random = random * 1664525 + 1013904223;
        /* Exceptions stay masked: 1/0 elsewhere must not trap. */
        unsigned mxcsr = ((random >> 8) & 0xe040) | 0x1f80;
        unsigned short x87 = (unsigned short)(0x037f | (random >> 16 & 0x0c00));
        _mm_setcsr(mxcsr);
        __asm__ volatile("fldcw %0" : : "m"(x87));
        bine_sleep(i % 10 ? 0 : BINE_US);
        unsigned short now;
        __asm__ volatile("fnstcw %0" : "=m"(now));
        CHECK_EQ(_mm_getcsr() & 0xffc0u, mxcsr & 0xffc0u);
        CHECK_EQ((unsigned)now, (unsigned)x87);
    }
    return NULL;
}

static void *has_initial_control_words(void *arg)
{
    unsigned short now;
    __asm__ volatile("fnstcw %0" : "=m"(now));
    CHECK_EQ(_mm_getcsr() & 0xffc0u, 0x1f80u);
    CHECK_EQ((unsigned)now, 0x037fu);
    return arg;
}

TEST(hazard_20_control_words_follow_the_greenlet)
{
    harness_not_under_valgrind("its processor has no more control bits than those of rounding");
    bine_greenlet *all[40];
    for (intptr_t i = 0; i < 40; i++)
        all[i] = i % 2 ? bine_spawn(keeps_control_words, (void *)i)
                       : bine_spawn_later(i * 20 * BINE_US, has_initial_control_words, NULL);
    CHECK_OK(bine_joinall(all, 40, BINE_FOREVER));
    has_initial_control_words(NULL);
}
#endif

static void *rounds(void *mode)
{
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(fesetround((int)(intptr_t)mode), 0);
        bine_sleep(0);
        CHECK_EQ(fegetround(), (int)(intptr_t)mode);
    }
    return NULL;
}

TEST(hazard_20_rounding_modes_follow_the_greenlet)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    bine_greenlet *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = bine_spawn(rounds, (void *)(intptr_t)modes[i]);
    CHECK_OK(bine_joinall(all, 4, BINE_FOREVER));
    CHECK_EQ(fegetround(), FE_TONEAREST);
}

/* Values in every callee-saved register, through asm so that the compiler cannot move them to the
 * stack. */
static void *keeps_registers(void *arg)
{
#if defined(__x86_64__)
    for (long i = 0; i < 100; i++) {
        long seed = (long)(intptr_t)arg * 1000 + i, bad = 0;
        /* bine_sleep(0): a call from asm clobbers what the ABI lets it clobber. The stack is
         * 16-byte aligned there. */
        __asm__ volatile(
            "movq %%rsp, %%rax\n\tsubq $136, %%rsp\n\tandq $-16, %%rsp\n\tpushq %%rax\n\t"
            "pushq %%rbp\n\tpushq %%rbx\n\tpushq %%r12\n\tpushq %%r13\n\tpushq %%r14\n\t"
            "pushq %%r15\n\tpushq %[seed]\n\t"
            "movq (%%rsp), %%rbx\n\tleaq 1(%%rbx), %%rbp\n\tleaq 2(%%rbx), %%r12\n\t"
            "leaq 3(%%rbx), %%r13\n\tleaq 4(%%rbx), %%r14\n\tleaq 5(%%rbx), %%r15\n\t"
            "xorl %%edi, %%edi\n\tcall bine_sleep@PLT\n\t"
            "popq %%rcx\n\txorl %%eax, %%eax\n\t"
            "subq %%rcx, %%rbx\n\torq %%rbx, %%rax\n\t"
            "subq %%rcx, %%rbp\n\tdecq %%rbp\n\torq %%rbp, %%rax\n\t"
            "subq %%rcx, %%r12\n\tsubq $2, %%r12\n\torq %%r12, %%rax\n\t"
            "subq %%rcx, %%r13\n\tsubq $3, %%r13\n\torq %%r13, %%rax\n\t"
            "subq %%rcx, %%r14\n\tsubq $4, %%r14\n\torq %%r14, %%rax\n\t"
            "subq %%rcx, %%r15\n\tsubq $5, %%r15\n\torq %%r15, %%rax\n\t"
            "popq %%r15\n\tpopq %%r14\n\tpopq %%r13\n\tpopq %%r12\n\tpopq %%rbx\n\tpopq %%rbp\n\t"
            "popq %%rsp\n\t"
            : "=&a"(bad), [seed] "+D"(seed)
            :
            : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2",
              "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
              "xmm13", "xmm14", "xmm15");
        CHECK_EQ(bad, 0);
    }
#elif defined(__aarch64__)
    for (long i = 0; i < 100; i++) {
        register double d8 __asm__("d8") = (double)i + (double)(intptr_t)arg;
        register long x19 __asm__("x19") = i * 7 + (long)(intptr_t)arg;
        __asm__ volatile("" : "+w"(d8), "+r"(x19));
        bine_sleep(0);
        __asm__ volatile("" : "+w"(d8), "+r"(x19));
        CHECK_EQ(x19, i * 7 + (long)(intptr_t)arg);
        CHECK_EQ(d8, (double)i + (double)(intptr_t)arg);
    }
#endif
    return NULL;
}

TEST(hazard_20_callee_saved_registers_survive)
{
    bine_greenlet *all[10];
    for (intptr_t i = 0; i < 10; i++)
        all[i] = bine_spawn(keeps_registers, (void *)i);
    CHECK_OK(bine_joinall(all, 10, BINE_FOREVER));
}

static void *aligned(void *arg)
{
    _Alignas(64) volatile char block[64];
    block[0] = 1;
    CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0u);
    CHECK_EQ((uintptr_t)block % 64, 0u);
    char text[64];
    snprintf(text, sizeof text, "%f %Lf", 1.5, 2.5L); /* movaps on a misaligned stack would fault */
    CHECK_STRING(text, "1.500000 2.500000");
    return arg;
}

TEST(hazard_20_stacks_are_aligned)
{
    bine_greenlet *all[64];
    for (int i = 0; i < 64; i++)
        all[i] = bine_spawn(aligned, NULL);
    CHECK_OK(bine_joinall(all, 64, BINE_FOREVER));
}

static void *backtraces(void *arg)
{
    void *frames[200];
    int n = backtrace(frames, 200);
    CHECK_GT(n, 1);
    CHECK_LT(n, 20);
    bine_sleep(0);
    n = backtrace(frames, 200);
    CHECK_LT(n, 20);
    return arg;
}

TEST(hazard_22_backtraces_end_at_the_entry_frame)
{
    bine_greenlet *all[] = {bine_spawn(backtraces, NULL), bine_spawn(backtraces, NULL)};
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
}

/* hazard 21: objects must not claim IBT or shadow-stack support that the switch does not have. */
TEST(hazard_21_no_false_elf_property)
{
#ifdef BINE_SWITCH_OBJECT
    char command[400];
    snprintf(command, sizeof command, "readelf -n '%s' 2>/dev/null | grep -q SHSTK",
             BINE_SWITCH_OBJECT);
    CHECK_NE(system(command), 0);
#else
    FAIL("the build did not say which object to look at");
#endif
}
