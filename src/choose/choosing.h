/* Choices that are more than takers and watchers at objects of the greenlet's own hub. These are
 * made as parties. */
#ifndef BINE_CHOOSE_CHOOSING_H
#define BINE_CHOOSE_CHOOSING_H

#include <bine/choose.h>

struct bine_hub;

/* Does what bine_choose does for the current greenlet, with timeout >= 0. Tries the deeds from
 * `start` on, upwards or downwards, and those of one hub together unless `in_order`. */
ssize_t bine_choosing_run(struct bine_hub *hub, bine_choice *choices, size_t n, int64_t timeout,
                          size_t start, bool down, bool in_order);

#endif
