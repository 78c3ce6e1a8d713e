/*
 * What a greenlet has opened and not closed by its end: timeout scopes, shields, the scopes of
 * src/sync. The runtime closes these, since the destructors of the greenlet's locals may wait. It
 * reports them if the greenlet's function returned without closing them. It does not after
 * bine_exit and bine_fail, which leave blocks that could not close any more.
 *
 * The frames of a function that returned are gone, and timeout scopes lie there. So the runtime
 * does not look at them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hub.h"
#include "libc/libc.h"

static const struct bine_block_class *block_class;

void bine_greenlet_on_left_open(const struct bine_block_class *class)
{
    block_class = class;
}

static void say(struct bine_greenlet *g, const char *when, const char *what, const char *call)
{
    int saved = errno;
    char line[512];
    const char *place = g->site[0] ? g->site + strlen(g->site) + 1 : "";
    int length =
        snprintf(line, sizeof line - 1, "bine: %s%s%s, %s with %s open: a call of %s is missing",
                 bine_name(g), *place ? ", spawned at " : "", place, when, what, call);
    length = length < (int)sizeof line - 1 ? length : (int)sizeof line - 2;
    line[length] = '\n';
    (void)!bine_libc.write(STDERR_FILENO, line, (size_t)length + 1);
    errno = saved;
}

void bine_greenlet_report_open(struct bine_greenlet *g)
{
    if (block_class && block_class->any(g))
        say(g, "ended", "a scope", "bine_scope_end");
    else if (g->attention & BINE_A_SCOPE)
        say(g, "ended", "a timeout", "bine_timeout_end");
    if (g->attention & BINE_A_SHIELD)
        say(g, "ended", "a shield", "bine_shield_end");
}

void bine_greenlet_report_block(struct bine_greenlet *g)
{
    say(g, "left a block of BINE_WITHIN", "a timeout or a scope",
        "bine_timeout_end or bine_scope_end");
}

void bine_greenlet_close_open(struct bine_greenlet *g)
{
    g->timeouts = NULL;
    g->shields = 0;
    g->attention &= (uint8_t) ~(BINE_A_SCOPE | BINE_A_SHIELD);
    if (block_class)
        block_class->close(g);
}
