/* A library that runs a shell in a way that patching does not reach. */
#include <wordexp.h>

int ask(const char *words, wordexp_t *result);
int ask(const char *words, wordexp_t *result)
{
    return wordexp(words, result, 0);
}
