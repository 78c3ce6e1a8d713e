/* Variables of a thread, by whichever access model this library is compiled for. */
#include <stddef.h>

int *variable_a(void);
char *variable_b(void);
size_t variable_b_size(void);

static _Thread_local int a = 7;
#ifndef SIZE
#define SIZE 3000
#endif
static _Thread_local char b[SIZE];
_Thread_local int shared_variable = 11;

int *variable_a(void)
{
    return &a;
}

char *variable_b(void)
{
    return b;
}

size_t variable_b_size(void)
{
    shared_variable++;
    return sizeof b;
}
