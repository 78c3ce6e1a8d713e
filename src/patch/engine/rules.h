/*
 * Which objects are patched: the program's include and exclude rules.
 */
#ifndef BINE_PATCH_ENGINE_RULES_H
#define BINE_PATCH_ENGINE_RULES_H

#include <stdbool.h>

struct bine_image;

enum bine_rule_kind {
    BINE_RULE_EXCLUDE,
    BINE_RULE_INCLUDE,
    BINE_RULE_ONLY,           /* only these families */
    BINE_RULE_TIME_AND_LOCKS, /* nothing that concerns descriptors: see interpreter.h */
    BINE_RULE_LOCAL_KEYS,     /* the pthread keys of these objects are greenlet-local */
    BINE_RULE_PATIENT,        /* kills and timeouts do not end their waits: see variant.h */
    BINE_RULE_GREENLETS,      /* the threads that these objects make are greenlets */
    BINE_RULE_LOCAL_TLS,      /* the thread-local variables of these objects are greenlet-local */
};

/* Hooks that only some objects have: see variant.h. */
enum bine_variant {
    BINE_VARIANT_NONE,
    BINE_VARIANT_PATIENT,
    BINE_VARIANT_SEVERING,
};

/* Adds a rule. Returns 0, or ENOMEM. The pattern is copied. `families` is used for BINE_RULE_ONLY
 * only. Callers hold the patching lock. */
int bine_rules_add(enum bine_rule_kind kind, const char *pattern, unsigned families);
/* Takes the newest rule back, because it could not be put into effect. */
void bine_rules_drop_newest(void);

/* Is there an object whose calls on descriptors stay libc's because of a rule? Such an object may
 * change descriptors without Bine's knowledge. */
bool bine_rules_leaves_out(void);

/* May the object with this file name be patched? Exclude rules are stronger than include rules. */
bool bine_rules_allows(const char *name);

/* Are the thread-local variables of the object with this file name to be greenlet-local? */
bool bine_rules_local_tls(const char *name);

/* Is there a rule BINE_RULE_LOCAL_TLS? Any thread may call it, without the lock. */
bool bine_rules_any_local_tls(void);

/* Returns which of these families (inner ones included) are to be patched in the object. */
unsigned bine_rules_families(const struct bine_image *object, unsigned families);

/* Returns which hooks the object with this file name has instead of the ordinary ones: by a rule,
 * or because Bine knows the object. */
enum bine_variant bine_rules_variant(const char *name);

#endif
