/* Include and exclude rules. See rules.h. */
#include "rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "patch/elf/image.h"
#include "patch/table/table.h"
#include "patch/threads/thread_greenlets.h"

struct rule {
    struct rule *next;
    enum bine_rule_kind kind;
    unsigned families;
    char pattern[];
};

static struct rule *newest;
static atomic_uint local_tls_rules;

int bine_rules_add(enum bine_rule_kind kind, const char *pattern, unsigned families)
{
    size_t size = strlen(pattern) + 1;
    struct rule *rule = malloc(sizeof *rule + size);
    if (!rule)
        return ENOMEM;
    memcpy(rule->pattern, pattern, size);
    rule->kind = kind;
    rule->families = families;
    rule->next = newest;
    newest = rule;
    if (kind == BINE_RULE_LOCAL_TLS)
        atomic_fetch_add(&local_tls_rules, 1);
    return 0;
}

void bine_rules_drop_newest(void)
{
    struct rule *rule = newest;
    newest = rule->next;
    if (rule->kind == BINE_RULE_LOCAL_TLS)
        atomic_fetch_sub(&local_tls_rules, 1);
    free(rule);
}

bool bine_rules_leaves_out(void)
{
    for (const struct rule *rule = newest; rule; rule = rule->next) {
        bool only_part = rule->kind == BINE_RULE_ONLY &&
                         !(bine_families_with_inner(rule->families) & BINE_PATCH_DESCRIPTOR);
        if (rule->kind == BINE_RULE_EXCLUDE || rule->kind == BINE_RULE_INCLUDE || only_part)
            return true;
    }
    return false;
}

bool bine_rules_allows(const char *name)
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

bool bine_rules_local_tls(const char *name)
{
    for (const struct rule *rule = newest; rule; rule = rule->next)
        if (rule->kind == BINE_RULE_LOCAL_TLS && fnmatch(rule->pattern, name, 0) == 0)
            return true;
    return false;
}

bool bine_rules_any_local_tls(void)
{
    return atomic_load_explicit(&local_tls_rules, memory_order_relaxed) != 0;
}

/* `patterns` end with NULL. */
static bool matches_any(const char *name, const char *const *patterns)
{
    while (*patterns && fnmatch(*patterns, name, 0) != 0)
        patterns++;
    return *patterns != NULL;
}

/*
 * Objects whose locks wait by futex on a word of the *thread*, of which two greenlets of it would
 * wait at once: their waits stay the thread's. Abseil's Mutex, and what has Abseil inside.
 */
static const char *const wait_per_thread[] = {
    "libabsl_*", "libgrpc*", "cygrpc*", "libtensorflow*", "_pywrap_tensorflow*", NULL};

/* Of packages of Debian and wheels of PyPI. */
static const char *const patient[] = {
    "libzmq.so*", "libzmq-*.so*", "libnng.so*", "libnng-*.so*",      "libnanomsg.so*",
    "libuv.so*",  "libuv-*.so*",  "_zmq.*.so",  "loop.cpython-*.so", NULL};
static const char *const severing[] = {"libpq.so*", "libpq-*.so*", NULL};

enum bine_variant bine_rules_variant(const char *name)
{
    if (matches_any(name, patient))
        return BINE_VARIANT_PATIENT;
    for (const struct rule *rule = newest; rule; rule = rule->next)
        if (rule->kind == BINE_RULE_PATIENT && fnmatch(rule->pattern, name, 0) == 0)
            return BINE_VARIANT_PATIENT;
    return matches_any(name, severing) ? BINE_VARIANT_SEVERING : BINE_VARIANT_NONE;
}

static bool defines(const struct bine_image *object, const char *name)
{
    const ElfW(Sym) *symbol = bine_image_symbol(object, name);
    return symbol && symbol->st_shndx != SHN_UNDEF;
}

/* OpenSSL keeps its error queue and its random generators under pthread keys (hazard 8). It may be
 * linked into another library statically. An interpreter with OpenSSL inside has keys of its own,
 * by which it knows its threads. */
static bool has_openssl(const struct bine_image *object)
{
    return fnmatch("libcrypto*.so*", object->name, 0) == 0 ||
           (defines(object, "ERR_get_error") && !defines(object, "Py_GetVersion"));
}

unsigned bine_rules_families(const struct bine_image *object, unsigned families)
{
    const char *name = object->name;
    /* Destructors of thread-local variables are registered by the C++ runtime for all objects:
     * rules of objects do not count. */
    unsigned everywhere = families & BINE_PATCH_LOCAL_TLS;
    if (!bine_rules_allows(name))
        return everywhere;
    unsigned special = has_openssl(object) ? BINE_PATCH_LOCAL_KEYS : 0;
    unsigned ordinary = ~(unsigned)(BINE_PATCH_LOCAL_KEYS | BINE_PATCH_GREENLETS);
    /* Semaphores without the other locks are for the objects whose rules name them. */
    if (!(families & BINE_PATCH_THREAD))
        ordinary &= ~(unsigned)BINE_PATCH_SEMAPHORE;
    bool own_threads = false;
    for (const struct rule *rule = newest; rule; rule = rule->next) {
        if (rule->kind == BINE_RULE_EXCLUDE || rule->kind == BINE_RULE_INCLUDE ||
            rule->kind == BINE_RULE_LOCAL_TLS || rule->kind == BINE_RULE_PATIENT ||
            fnmatch(rule->pattern, name, 0) != 0)
            continue;
        if (rule->kind == BINE_RULE_LOCAL_KEYS)
            special |= BINE_PATCH_LOCAL_KEYS;
        else if (rule->kind == BINE_RULE_TIME_AND_LOCKS)
            ordinary &=
                BINE_PATCH_TIME | BINE_PATCH_THREAD | BINE_PATCH_SEMAPHORE | BINE_PATCH_LOADER;
        else if (rule->kind == BINE_RULE_GREENLETS) {
            /* Threads have their own keys. */
            special |= BINE_PATCH_GREENLETS |
                       (families & BINE_PATCH_GREENLETS ? BINE_PATCH_LOCAL_KEYS : 0);
            own_threads = atomic_load(&bine_threads_own);
        } else {
            ordinary &= bine_families_with_inner(rule->families);
            special |= rule->families & BINE_PATCH_SEMAPHORE;
        }
    }
    /* A greenlet with a thread of its own has a word of its own. */
    if (!own_threads && matches_any(name, wait_per_thread))
        ordinary &= ~(unsigned)BINE_PATCH_SYSCALL;
    return (families & (ordinary | special)) | everywhere;
}
