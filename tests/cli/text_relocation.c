/* A library that keeps the address of a blocking function in its code, where there is no slot to
 * rewrite. */
extern const char in_code[];
const char *place(void);

__asm__(".pushsection .text\n\t.balign 8\n\t.globl in_code\n\t.hidden in_code\nin_code:\n\t.quad "
        "usleep\n\t.popsection");

const char *place(void)
{
    return in_code;
}
