/* A client library of the old kind: state per thread, calls that must not interleave. It notices
 * when they do. */
#ifndef BINE_TESTS_PATCH_AFFINE_H
#define BINE_TESTS_PATCH_AFFINE_H

#include <setjmp.h>

struct affine_large {
    long values[8];
};

extern int affine_most; /* the most that were ever inside at once */

void affine_reset(void);
/* Many arguments of every kind, some on the stack. */
double affine_sum(int a, long b, double c, int d, int e, int f, int g, long h, double i,
                  const char *j);
struct affine_large affine_fill(long value);
long double affine_long_double(long double value);
int affine_variable(int count, ...);
/* Calls back from inside. */
void *affine_call_back(void *(*function)(void *), void *arg);
void affine_jump(jmp_buf *where);
/* A tail call within the library. */
int affine_tail(int value);

#endif
