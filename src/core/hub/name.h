/* A greenlet's name for people. */
#ifndef BINE_CORE_HUB_NAME_H
#define BINE_CORE_HUB_NAME_H

struct bine_greenlet;

/* Give g a malloc'ed name; g owns it from now on. Control characters in it are replaced: names are shown on terminals. */
void bine_greenlet_take_name(struct bine_greenlet *g, char *name);

/* Greenlets that were spawned at `site` (this pointer) and have no name of their own are called what `describe` makes of their
 * argument: malloc'ed, or NULL. It is asked only if somebody wants to see the name, while the greenlet lives. Saying the
 * same again changes nothing. */
void bine_site_describe(const char *site, char *(*describe)(const void *arg));

#endif
