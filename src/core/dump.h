/* Reports for people. */
#ifndef BINE_CORE_DUMP_H
#define BINE_CORE_DUMP_H

struct bine_hub;

/* Say on standard error that nothing can go on, and who waits for what, unless BINE_DEADLOCK_DUMP=0. */
void bine_report_deadlock(struct bine_hub *hub);

#endif
