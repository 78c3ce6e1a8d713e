/* The works on Bine's objects, for the table in core.c. */
#ifndef BENCH_BINE_OBJECTS_H
#define BENCH_BINE_OBJECTS_H

void channel(long count);
void queue(long count);
void lock_handoff(long count);
void pool_map(long count);
void cross_hub(long count);
void choose_job(long count);
void choose_ready(long count);
void choose_waiting(long count);

#endif
