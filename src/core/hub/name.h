/* A greenlet's name, as people see it. */
#ifndef BINE_CORE_HUB_NAME_H
#define BINE_CORE_HUB_NAME_H

struct bine_greenlet;

/* Gives g a name from malloc, which g owns from now on. Control characters in it are replaced,
 * because names are shown on terminals. */
void bine_greenlet_take_name(struct bine_greenlet *g, char *name);

/* Greenlets that were spawned at `site` (this pointer) and have no name of their own get the name
 * that `describe` makes of their argument. `describe` returns memory from malloc, or NULL. It is
 * called only when the name is to be shown, while the greenlet lives. A second call with the same
 * arguments changes nothing. */
void bine_site_describe(const char *site, char *(*describe)(const void *arg));

#endif
