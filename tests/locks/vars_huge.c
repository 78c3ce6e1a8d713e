/* A library with more thread-local variables than a stack should hold. */
int *vars_huge(void);

static _Thread_local int huge[100000];

int *vars_huge(void)
{
    return huge;
}
