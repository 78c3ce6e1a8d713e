/* Include and exclude rules. See scope.h. */
#include "scope.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    struct rule *next;
    enum bine_rule_kind kind;
    char pattern[];
};

static struct rule *newest;

int bine_scope_add(enum bine_rule_kind kind, const char *pattern)
{
    struct rule *rule = malloc(sizeof *rule + strlen(pattern) + 1);
    if (!rule)
        return ENOMEM;
    strcpy(rule->pattern, pattern);
    rule->kind = kind;
    rule->next = newest;
    newest = rule;
    return 0;
}

void bine_scope_drop_newest(void)
{
    struct rule *rule = newest;
    newest = rule->next;
    free(rule);
}

bool bine_scope_any(void)
{
    return newest != NULL;
}

bool bine_scope_allows(const char *name)
{
    bool included = false, only_included = false;
    for (const struct rule *rule = newest; rule; rule = rule->next) {
        bool matches = fnmatch(rule->pattern, name, 0) == 0;
        if (rule->kind == BINE_RULE_EXCLUDE && matches)
            return false;
        if (rule->kind == BINE_RULE_INCLUDE) {
            only_included = true;
            included |= matches;
        }
    }
    return included || !only_included;
}
