/* What cxx20.cpp offers to C. */
#ifndef BINE_TESTS_LOCKS_CXX20_H
#define BINE_TESTS_LOCKS_CXX20_H

#ifdef __cplusplus
extern "C" {
#endif

enum cxx20_kind {
    CXX20_FUTURE,
    CXX20_TIMED_FUTURE,
    CXX20_LATCH,
    CXX20_BARRIER,
    CXX20_SEMAPHORE,
    CXX20_ATOMIC,
    CXX20_KINDS
};

int cxx20_wait(int kind);     /* two of these ... */
void cxx20_release(int kind); /* ... need one of these. 1: as it should be */
int cxx20_async(void);        /* 5, of another thread */

#ifdef __cplusplus
}
#endif

#endif
