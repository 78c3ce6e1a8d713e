/* How a program confines itself by syscall(). */
#ifndef BINE_PATCH_HOOKS_HOOKS_CONFINE_H
#define BINE_PATCH_HOOKS_HOOKS_CONFINE_H

/* syscall(number, arguments...) has succeeded. Notes it if the call has confined the calling
 * thread. */
void bine_confine_by_number(long number, const long arguments[6]);

#endif
