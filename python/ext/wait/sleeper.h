/* Waits that any OS thread may end. */
#ifndef BINE_EXT_SLEEPER_H
#define BINE_EXT_SLEEPER_H

#include "carrier/carrier.h"

/* One greenlet that sleeps until it is woken by a caller that holds the GIL, on any thread. The
 * record lies on the greenlet's stack. The GIL guards it. */
struct bine_py_sleeper {
    struct bine_message message; /* first; to the sleeper's hub */
    struct bine_waiter waiter;   /* in the queue of what it sleeps for */
    struct bine_carrier *carrier;
    struct bine_hub *hub;
    struct bine_py_sleeper *next, *previous; /* all that sleep */
    struct bine_py_sleeper **noted;          /* a pointer to it elsewhere, cleared if the greenlet's
                                              * thread ends; or NULL */
    /* Take back what it was given, if it cannot keep it; or NULL. */
    void (*give_back)(struct bine_py_sleeper *sleeper);
    PyObject *object;  /* for give_back */
    _Atomic bool sent; /* the message is on its way */
    bool linked;       /* in the list of all */
    bool served;       /* it was given what it sleeps for,
                        * whatever its park returns */
};

int bine_sleepers_init(void);
/* The current greenlet, whose carrier that is, will sleep. Every begin needs an end, which may
 * switch and keeps a current exception. */
void bine_py_sleeper_begin(struct bine_py_sleeper *sleeper, struct bine_carrier *carrier);
void bine_py_sleeper_end(struct bine_py_sleeper *sleeper);
/* Sleep in the queue (NULL: in none). As bine_py_park: 0 when woken or served, ETIME, EINTR, -1
 * with an exception. The caller looks whether what it waits for has come, and may sleep again. */
int bine_py_sleep_in(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb,
                     uintptr_t object, int64_t deadline);
/* Sleep in the queue until bine_py_claim() serves the sleeper, and end it. 0, ETIME, or -1 with an
 * exception. */
int bine_py_take_from(struct bine_waiters *queue, struct bine_py_sleeper *sleeper, const char *verb,
                      void *object, int64_t deadline);
/* Sleep until the object is ready. 1: it is; 0: the deadline has passed; -1 with an exception. */
int bine_py_watch(struct bine_waitable *waitable, const char *verb, int64_t deadline);
/* Wake it. False: its thread is ending. */
bool bine_py_wake(struct bine_py_sleeper *sleeper);
/* Serve the first sleeper of the queue. NULL: there is none. */
struct bine_py_sleeper *bine_py_claim(struct bine_waiters *queue);

#endif
