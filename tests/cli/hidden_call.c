/*
 * A library that makes no system call of its own, although its code holds the bytes of one: in the
 * constant of an instruction, right after the number of read is loaded.
 */
unsigned not_a_call(void);
unsigned not_a_call(void)
{
#if defined(__x86_64__)
    unsigned result;
    __asm__("mov $0, %%eax\n\tmov $0x050f, %%edx\n\tadd %%edx, %%eax" : "=a"(result) : : "edx");
    return result;
#else
    return 0;
#endif
}
