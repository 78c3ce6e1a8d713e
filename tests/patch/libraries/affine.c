/* See affine.h. */
#include "affine.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int affine_most;
static int inside;

static void enter(void)
{
    if (++inside > affine_most)
        affine_most = inside;
    usleep(500); /* patched: others run meanwhile */
}

static void leave(void)
{
    inside--;
    errno = 33;
}

PUBLIC void affine_reset(void)
{
    inside = affine_most = 0;
}

PUBLIC double affine_sum(int a, long b, double c, int d, int e, int f, int g, long h, double i,
                         const char *j)
{
    enter();
    double sum = a + b + c + d + e + f + g + h + i + j[0];
    leave();
    return sum;
}

PUBLIC struct affine_large affine_fill(long value)
{
    struct affine_large large;
    enter();
    for (int i = 0; i < 8; i++)
        large.values[i] = value + i;
    leave();
    return large;
}

PUBLIC long double affine_long_double(long double value)
{
    enter();
    leave();
    return value * 2;
}

PUBLIC int affine_variable(int count, ...)
{
    va_list arguments;
    double sum = 0;
    enter();
    va_start(arguments, count);
    for (int i = 0; i < count; i++)
        sum += va_arg(arguments, double);
    va_end(arguments);
    leave();
    return (int)sum;
}

PUBLIC void *affine_call_back(void *(*function)(void *), void *arg)
{
    enter();
    inside--; /* what is called back may call in again */
    void *result = function(arg);
    inside++;
    leave();
    return result;
}

PUBLIC void affine_jump(jmp_buf *where)
{
    enter();
    leave();
    longjmp(*where, 1);
}

PUBLIC int affine_tail(int value)
{
    return affine_variable(1, (double)value);
}
