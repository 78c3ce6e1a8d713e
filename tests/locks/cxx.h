/* What cxx.cpp offers to C. Results that are strings say what went wrong; NULL: nothing. */
#ifndef BINE_TESTS_LOCKS_CXX_H
#define BINE_TESTS_LOCKS_CXX_H

#ifdef __cplusplus
extern "C" {
#endif

const char *cxx_throw_and_catch(int id, int rounds);
int cxx_threads(int pairs, int count); /* how many items were consumed */
const char *cxx_locks(void);
int cxx_call_once(void); /* -1: the routine threw; else how often it was run */
int cxx_future(void);    /* 42 */

/* A function-local static. Its initialiser calls `wait` and gives it this value; if `wait` says no,
 * it throws. The value, or -1 if it threw. */
int cxx_static(int (*wait)(void *arg), void *arg, int value);
/* How often the initialiser was begun. */
int cxx_static_begun(void);

#ifdef __cplusplus
}
#endif

#endif
