/* What choices need of a mailbox. */
#ifndef BINE_SYNC_MAILBOX_H
#define BINE_SYNC_MAILBOX_H

#include <bine/mailbox.h>

#include "object.h"
#include "party.h"

extern const struct bine_object_class bine_mailbox_class;

/* Receives for a party without waiting. 0 and EPIPE decide the party. After EAGAIN the next sender
 * rings. */
int bine_mailbox_receive_as(struct bine_mailbox *mailbox, void **item, struct bine_party *party);
struct bine_waiters *bine_mailbox_receivers(struct bine_mailbox *mailbox);

#endif
