/* Linked statically: nothing of it can be patched. */
int main(void)
{
    return 0;
}
