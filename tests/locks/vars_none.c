/* A library without thread-local variables. */
int vars_none(void);

int vars_none(void)
{
    return 0;
}
