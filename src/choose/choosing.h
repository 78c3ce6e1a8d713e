/* Choices among more than objects of one's own hub that are takers and watchers: those go through here, as parties. */
#ifndef BINE_CHOOSE_CHOOSING_H
#define BINE_CHOOSE_CHOOSING_H

#include <bine/choose.h>

struct bine_hub;

/* As bine_choose of the greenlet that runs, with timeout >= 0. The deeds are tried from `start` on, upwards or downwards, those of one hub together
 * unless `in_order`. */
ssize_t bine_choosing_run(struct bine_hub *hub, bine_choice *choices, size_t n, int64_t timeout, size_t start,
                          bool down, bool in_order);

#endif
