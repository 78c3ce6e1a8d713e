/*
 * Running out, at every place where one can run out: a scenario is repeated in processes of their
 * own with its first allocation failing, then its second, and so on until it has no further one.
 * "Allocation" is whatever the list in failing.c wraps: memory, mappings, descriptors of the
 * runtime, threads.
 *
 * For programs that link the runtime statically, with link_args: failing_link_args
 * (tests/meson.build) and '../failing.c' among the sources.
 *
 *      static void scenario(void)
 *      {
 *          bine_greenlet *g = bine_spawn(f, NULL);
 *          if (!g)
 *              return failing_excuse();    // errno says so, and an allocation has failed
 *          CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
 *      }
 *      TEST(spawn_reports_exhaustion) { CHECK_GT(failing_each(scenario), 3u); }
 *
 * A scenario gives back whatever it got, also when a later step failed. It is called several times
 * in each process: with that allocation failing, with that and all later ones failing, and in
 * between with none (what failed must not have broken anything).
 */
#ifndef BINE_TESTS_FAILING_H
#define BINE_TESTS_FAILING_H

#include "harness.h"

/* Returns how many allocations the scenario makes when none fails. */
unsigned failing_each(void (*scenario)(void));
/* A step of the scenario failed: check that it had a reason to, and said so by errno. */
void failing_excuse(void);
/* Has an allocation failed since the scenario began? */
bool failing_struck(void);
/* Let the n-th allocation from now fail (0: none), and every one after it, too, if `all`. */
void failing_at(unsigned n, bool all);

#endif
