/* The memory of the parking lot's records (parking_lot.h), and what a fork does with it. */
#ifndef BINE_LOCKS_LOT_RECORDS_H
#define BINE_LOCKS_LOT_RECORDS_H

#include "parking_lot.h"

/* Takes a record out of its bucket. The bucket's lock is held. */
void bine_lot_take(struct bine_lot_bucket *bucket, struct bine_lot_record *record);
/* Gives back the memory of a record that is in no bucket. */
void bine_lot_free(struct bine_lot_record *record);

/* Called around a fork, so that the child finds the list of free records intact. */
void bine_lot_lock_records(void);
void bine_lot_unlock_records(void);

#endif
