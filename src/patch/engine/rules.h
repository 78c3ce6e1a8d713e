/*
 * Which objects are patched: the user's include and exclude rules.
 */
#ifndef BINE_PATCH_ENGINE_RULES_H
#define BINE_PATCH_ENGINE_RULES_H

#include <stdbool.h>

enum bine_rule_kind {
    BINE_RULE_EXCLUDE,
    BINE_RULE_INCLUDE,
    BINE_RULE_ONLY,           /* only these families */
    BINE_RULE_TIME_AND_LOCKS, /* nothing that has to do with descriptors: see interpreter.h */
    BINE_RULE_LOCAL_KEYS,     /* the pthread keys of these objects are greenlet-local */
    BINE_RULE_PATIENT,        /* kills and timeouts do not end waits in these objects: see variant.h */
    BINE_RULE_GREENLETS,      /* the threads that these objects make are greenlets */
    BINE_RULE_LOCAL_TLS,      /* the thread-local variables of these objects are greenlet-local */
};

/* Hooks of an object's own: see variant.h. */
enum bine_variant {
    BINE_VARIANT_NONE,
    BINE_VARIANT_PATIENT,
    BINE_VARIANT_SEVERING,
};

/* 0, or ENOMEM. The pattern is copied; families count for BINE_RULE_ONLY. Callers hold the patching lock. */
int bine_rules_add(enum bine_rule_kind kind, const char *pattern, unsigned families);
/* Take the newest rule back: it could not be put into effect. */
void bine_rules_drop_newest(void);

/* Is there an object that may change descriptors without our knowing, because of a rule? */
bool bine_rules_leaves_out(void);

/* May the object with this file name be patched? Exclude rules are stronger than include rules. */
bool bine_rules_allows(const char *name);

/* Are the thread-local variables of the object with this file name to be greenlet-local? */
bool bine_rules_local_tls(const char *name);

/* Is there a rule of that kind? Any thread, without the lock. */
bool bine_rules_any_local_tls(void);

/* Which of these families (inner ones included) are to be patched in the object with this file name. */
unsigned bine_rules_families(const char *name, unsigned families);

/* Which hooks the object with this file name has instead of the ordinary ones: by a rule, or because it is known. */
enum bine_variant bine_rules_variant(const char *name);

#endif
