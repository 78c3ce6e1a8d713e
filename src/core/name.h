/* A greenlet's name for people. */
#ifndef BINE_CORE_NAME_H
#define BINE_CORE_NAME_H

struct bine_greenlet;

/* Give g a malloc'ed name; g owns it from now on. */
void bine_greenlet_take_name(struct bine_greenlet *g, char *name);

#endif
