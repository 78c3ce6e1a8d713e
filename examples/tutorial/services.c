/* Two services that run until Ctrl-C or SIGTERM, and clean up before the program ends. */
#include <bine.h>
#include <stdio.h>

static void *serve(void *name)
{
    bine_sleep(BINE_FOREVER); /* its work, until it is killed: then the sleep fails */
    printf("%s cleans up\n", (char *)name);
    return NULL;
}

int main(void)
{
    bine_event *signals[] = {bine_signal_event_new(SIGINT), bine_signal_event_new(SIGTERM)};
    bine_scope *scope = bine_scope_begin(BINE_FOREVER);
    bine_scope_spawn(scope, serve, "the first");
    bine_scope_spawn(scope, serve, "the second");
    puts("running");
    fflush(stdout);

    bine_wait((void **)signals, 2, NULL, 1, BINE_FOREVER); /* for one of the two */
    bine_scope_cancel(scope, 0);                           /* kills both services */
    int result = bine_scope_end(scope);                    /* and waits until they have ended */
    puts("ended");
    return result;
}
