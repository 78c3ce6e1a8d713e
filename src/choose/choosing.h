/* The long path of bine_choose, for choices with an object of another hub, or with an operation
 * that the short path (choose.c) does not know. A choice is a party here (src/sync/party.h). */
#ifndef BINE_CHOOSE_CHOOSING_H
#define BINE_CHOOSE_CHOOSING_H

#include <bine/choose.h>

struct bine_hub;

/* Does what bine_choose does for the current greenlet, with timeout >= 0. Tries the deeds from
 * `start` on, upwards or downwards, and those of one hub together unless `in_order`. */
ssize_t bine_choosing_run(struct bine_hub *hub, bine_choice *choices, size_t n, int64_t timeout,
                          size_t start, bool down, bool in_order);

#endif
