/*
 * A supervisor: it keeps services running. One that ends is begun again, after a pause that doubles
 * each time; one that ends too often takes the whole program down, so that whoever started it
 * (systemd) knows.
 *
 *     supervisor [FAILURES]
 *
 * This is a demonstration: the service "flaky" fails FAILURES times (3), then runs on. SIGTERM ends
 * all services and then the program.
 */
#include <bine.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the supervisor -------------------------------------------------------------------------- */

enum {
    MOST_RESTARTS = 5,
    MOST_SERVICES = 32
};
#define CALM_TIME (60 * BINE_SECOND) /* one that ran for so long is taken for healthy again */
#define FIRST_PAUSE (10 * BINE_MS)

struct service {
    const char *name;
    bine_run *run;
    void *arg;
    bine_greenlet *greenlet;
    int restarts;
    int64_t begun;
};

static int begin(struct service *service, int64_t pause)
{
    bine_spawn_options options = {.name = service->name, .delay = pause};
    service->greenlet = bine_spawn_with(&options, service->run, service->arg);
    service->begun = bine_deadline(pause);
    return service->greenlet ? 0 : -1;
}

/* It ended, since it returned or failed. Services are not meant to do either. */
static int begin_again(struct service *service, int error)
{
    if (bine_now() - service->begun > CALM_TIME)
        service->restarts = 0;
    printf("%s ended: %s\n", service->name, error ? strerror(error) : "it returned");
    if (++service->restarts > MOST_RESTARTS) {
        printf("%s ended too often\n", service->name);
        return -1;
    }
    return begin(service, FIRST_PAUSE << (service->restarts - 1));
}

/* Returns 0 when `stop` is set, -1 when it gives up; no service runs any more then. */
static int supervise(struct service *services, size_t n, bine_event *stop)
{
    bine_choice choices[MOST_SERVICES + 1] = {{.operation = BINE_CHOOSE_READY, .object = stop}};
    int result = n <= MOST_SERVICES ? 0 : -1;
    for (size_t i = 0; i < n && result == 0; i++)
        result = begin(&services[i], 0);
    while (result == 0) {
        for (size_t i = 0; i < n; i++)
            choices[i + 1] =
                (bine_choice){.operation = BINE_CHOOSE_JOIN, .object = services[i].greenlet};
        ssize_t chosen = bine_choose_first(choices, n + 1, BINE_FOREVER);
        if (chosen == 0)
            break;
        struct service *ended = &services[chosen > 0 ? chosen - 1 : 0];
        if (chosen > 0)
            ended->greenlet = NULL; /* the choice took the reference */
        result = chosen > 0 ? begin_again(ended, choices[chosen].error) : -1;
    }
    /* The other way round: who was begun later may need those before it. */
    for (size_t i = n; i-- > 0;) {
        bine_killall(&services[i].greenlet, 1, BINE_FOREVER);
        bine_detach(services[i].greenlet);
        services[i].greenlet = NULL;
    }
    return result;
}

/* ---- two services ---------------------------------------------------------------------------- */

static void *steady(void *arg)
{
    printf("steady runs\n");
    bine_sleep(BINE_FOREVER);
    printf("steady cleans up\n");
    return arg;
}

static void *flaky(void *arg)
{
    int *failures = arg;
    bine_sleep(5 * BINE_MS);
    if ((*failures)-- > 0)
        bine_fail(EIO);
    printf("flaky runs\n");
    bine_sleep(BINE_FOREVER);
    return arg;
}

int main(int count, char **arguments)
{
    int failures = count > 1 ? atoi(arguments[1]) : 3;
    struct service services[] = {{.name = "steady", .run = steady},
                                 {.name = "flaky", .run = flaky, .arg = &failures}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    bine_event *term = bine_signal_event_new(SIGTERM);
    int result = term ? supervise(services, sizeof services / sizeof *services, term) : -1;
    printf("supervisor: %s\n", result == 0 ? "stopped" : "gave up");
    return result != 0;
}
