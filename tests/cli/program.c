/* A program that does nothing: how it is linked is of interest. */
int main(void)
{
    return 0;
}
