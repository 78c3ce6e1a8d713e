/* Links: functions that are called when a greenlet ends. */
#include <errno.h>
#include <stdlib.h>

#include "hub.h"

struct bine_link {
    struct bine_link *next;
    bine_link_function *function;
    void *arg;
};

int bine_link(bine_greenlet *g, bine_link_function *function, void *arg)
{
    int error = !g || !function ? EINVAL : bine_greenlet_foreign(g) ? EPERM : 0;
    if (error) {
        errno = error;
        return -1;
    }
    if (g->state == BINE_DEAD) {
        function(g, arg);
        return 0;
    }
    struct bine_link *link = malloc(sizeof *link), **last = &g->links;
    if (!link)
        return -1;
    *link = (struct bine_link){NULL, function, arg};
    while (*last)
        last = &(*last)->next;
    *last = link;
    g->flags |= BINE_G_BELONGINGS;
    return 0;
}

int bine_unlink(bine_greenlet *g, bine_link_function *function, void *arg)
{
    int error = !g || !function ? EINVAL : bine_greenlet_foreign(g) ? EPERM : 0;
    if (error) {
        errno = error;
        return -1;
    }
    for (struct bine_link **at = &g->links; *at; at = &(*at)->next) {
        struct bine_link *link = *at;
        if (link->function == function && link->arg == arg) {
            *at = link->next;
            free(link);
            return 0;
        }
    }
    errno = ENOENT;
    return -1;
}

/* A link may unlink others or itself: always take the first. */
void bine_links_run(struct bine_greenlet *g)
{
    while (g->links) {
        struct bine_link *link = g->links;
        g->links = link->next;
        link->function(g, link->arg);
        free(link);
    }
}

void bine_links_free(struct bine_greenlet *g)
{
    while (g->links) {
        struct bine_link *link = g->links;
        g->links = link->next;
        free(link);
    }
}
