/*
 * Which objects are patched: the user's include and exclude rules.
 */
#ifndef BINE_PATCH_SCOPE_H
#define BINE_PATCH_SCOPE_H

#include <stdbool.h>

enum bine_rule_kind { BINE_RULE_EXCLUDE, BINE_RULE_INCLUDE };

/* 0, or ENOMEM. The pattern is copied. Callers hold the patching lock. */
int bine_scope_add(enum bine_rule_kind kind, const char *pattern);
/* Take the newest rule back: it could not be put into effect. */
void bine_scope_drop_newest(void);

/* Are there any rules? */
bool bine_scope_any(void);

/* May the object with this file name be patched? Exclude rules are stronger than include rules. */
bool bine_scope_allows(const char *name);

#endif
