/*
 * Names: "<Greenlet at 0x7f..: f(5)>". A name is made when it is first asked for, since most are
 * never asked for.
 *
 * While BINE_G_NAMED is set g->name holds the bare name as it was given. Afterwards it holds the
 * full text. Behind the zero byte of the full text is one more byte: DESCRIBED if the text says
 * what a greenlet of an interpreter runs. That may be something else by the next time.
 */
#include "name.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "interpreter.h"

/* Small integers are what people pass as (void *)5; no object lives in the first page or wraps
 * around the last. */
static void format_argument(char *text, size_t size, const void *arg)
{
    intptr_t number = (intptr_t)arg;
    if (number > -4096 && number < 65536)
        snprintf(text, size, "%ld", (long)number);
    else
        snprintf(text, size, "%p", arg);
}

/* A terminal obeys what comes in names: bytes below space, DEL, and in UTF-8 U+0080 to U+009F. */
static void disarm(char *name)
{
    for (unsigned char *at = (unsigned char *)name; *at; at++) {
        if (*at < ' ' || *at == 0x7f)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
            at[0] = at[1] = '?';
    }
}

void bine_greenlet_take_name(struct bine_greenlet *g, char *name)
{
    disarm(name);
    free(g->name);
    g->name = name;
    g->flags |= BINE_G_NAMED | BINE_G_BELONGINGS;
}

enum {
    SITES = 8
};

static struct {
    const char *_Atomic site;
    char *(*describe)(const void *arg);
} sites[SITES];
static atomic_uint known_sites;

void bine_site_describe(const char *site, char *(*describe)(const void *arg))
{
    for (unsigned i = 0; i < SITES; i++)
        if (atomic_load(&sites[i].site) == site)
            return;
    unsigned i = atomic_fetch_add(&known_sites, 1);
    if (i < SITES) {
        sites[i].describe = describe;
        atomic_store(&sites[i].site, site);
    }
}

enum {
    GIVEN = 'g',
    DESCRIBED = 'd'
};

static const struct bine_interpreter *interpreter_of(const struct bine_greenlet *g)
{
    const struct bine_interpreter *in = atomic_load(&bine_interpreter);
    return in && (uintptr_t)g->site == in->site && g->state != BINE_DEAD ? in : NULL;
}

static char *described(const struct bine_greenlet *g)
{
    const struct bine_interpreter *in = interpreter_of(g);
    char text[BINE_FUNCTION_TEXT];
    if (in)
        return bine_function_name(in, bine_peek, NULL, (uintptr_t)g->arg, text, sizeof text)
                   ? strdup(text)
                   : NULL;
    for (unsigned i = 0; i < SITES && g->state != BINE_DEAD; i++)
        if (atomic_load(&sites[i].site) == g->site)
            return sites[i].describe(g->arg);
    return NULL;
}

static char *build(const struct bine_greenlet *g, const char *given)
{
    char argument[32], *text, *own = given ? NULL : described(g);
    int length;
    if (own) {
        disarm(own);
        length = asprintf(&text, "<Greenlet at %p: %s>%c%c", (const void *)g, own, 0, DESCRIBED);
        free(own);
    } else if (given) {
        length = asprintf(&text, "<Greenlet at %p: %s>%c%c", (const void *)g, given, 0, GIVEN);
    } else if (g->flags & BINE_G_ROOT) {
        length = asprintf(&text, "<Greenlet at %p: root>%c%c", (const void *)g, 0, GIVEN);
    } else {
        /* After its end `arg` holds the value. */
        if (g->state == BINE_DEAD)
            argument[0] = 0;
        else
            format_argument(argument, sizeof argument, g->arg);
        length = asprintf(&text, "<Greenlet at %p: %s(%s)>%c%c", (const void *)g, g->site, argument,
                          0, interpreter_of(g) ? DESCRIBED : GIVEN);
    }
    return length < 0 ? NULL : text;
}

const char *bine_name(bine_greenlet *g)
{
    if (!g)
        return "<no greenlet>";
    if (bine_greenlet_foreign(g))
        return "<Greenlet of another thread>"; /* its own may be renaming it */
    bool given = g->flags & BINE_G_NAMED;
    if (g->name && !given && (g->name[strlen(g->name) + 1] == GIVEN || !interpreter_of(g)))
        return g->name;
    char *text = build(g, given ? g->name : NULL);
    if (!text)
        return g->name ? g->name : g->site;
    if (!given && g->name && strcmp(g->name, text) == 0) {
        free(text);
        return g->name;
    }
    free(g->name);
    g->name = text;
    g->flags |= BINE_G_BELONGINGS;
    g->flags &= (uint8_t)~BINE_G_NAMED; /* the full text now */
    return text;
}

int bine_set_name(bine_greenlet *g, const char *name)
{
    int error = !g || !name ? EINVAL : bine_greenlet_foreign(g) ? EPERM : 0;
    if (error) {
        errno = error;
        return -1;
    }
    char *copy = strdup(name);
    if (!copy)
        return -1;
    bine_greenlet_take_name(g, copy);
    return 0;
}
