/* A question with a time limit. A second greenlet counts the seconds meanwhile. */
#include <bine.h>
#include <stdio.h>

static void *count_seconds(void *arg)
{
    for (int i = 1; bine_sleep(BINE_SECOND) == 0; i++)
        printf("%d s\n", i);
    return NULL;
}

int main(void)
{
    char name[100];
    char *answer = NULL;
    bool late;

    if (bine_patch_all() != 0) {
        perror("bine_patch_all");
        return 1;
    }
    puts("Your name? You have 2.5 seconds.");
    bine_greenlet *counter = bine_spawn(count_seconds, NULL);
    BINE_WITHIN(2500 * BINE_MS, &late)
    {
        answer = fgets(name, sizeof name, stdin); /* libc's, and blocking */
    }
    if (late)
        puts("Too late.");
    else
        printf("Hello, %s", answer ? answer : "nobody\n");
    bine_kill(counter);
    return bine_join(counter, NULL, BINE_FOREVER);
}
