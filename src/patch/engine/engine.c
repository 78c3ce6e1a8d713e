/*
 * The engine. See engine.h.
 *
 * One pass over all objects plans what to write (the slot, the value that it holds, the value that
 * it shall hold) and what each object's record will be. Then all is written. Only then the new
 * records replace the old. A failure on the way leaves everything as it was.
 */
#include "engine.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/hub/hub.h"
#include "image_record.h"
#include "libc/libc.h"
#include "libc/spin.h"
#include "limit.h"
#include "patch/elf/image_list.h"
#include "patch/elf/protection.h"
#include "patch/elf/relocation.h"
#include "patch/elf/slot.h"
#include "patch/table/interpreter.h"
#include "patch/table/table.h"
#include "patch/threads/points.h"
#include "rules.h"
#include "variant.h"

/* ---- the lock ------------------------------------------------------------------------------- */

/* This is no pthread mutex: those may be patched, and a waiter here must not run other greenlets,
 * as the holder may be inside the loader's lock. Nor may the holder park: the program's allocator,
 * which this code calls, may make a patched call. The lock is held for the length of one walk. */
static struct bine_spin taken;
/* the hub of the thread that holds the lock, NULL if it had none when it took it */
static struct bine_hub *holder;
static bool could_not_park; /* what it was before */

void bine_engine_lock(void)
{
    bine_spin_lock(&taken);
    holder = bine_hub_here();
    if (holder) {
        could_not_park = holder->no_park;
        holder->no_park = true;
    }
}

void bine_engine_unlock(void)
{
    if (holder)
        holder->no_park = could_not_park;
    bine_spin_unlock(&taken);
}

/* A child of fork must not find the lock held by a thread that it does not have. */
__attribute__((constructor)) static void keep_lock_over_fork(void)
{
    pthread_atfork(bine_engine_lock, bine_engine_unlock, bine_engine_unlock);
}

/* ---- what is being done --------------------------------------------------------------------- */

static struct bine_image_record *records; /* of all objects seen in the last walk */
static unsigned current_families;
static bool had_limits; /* in the last walk */
/* changes whenever families or rules do: an object scanned in this epoch is done */
static unsigned epoch = 1;
static unsigned long long seen_added, seen_removed;

struct objects {
    struct bine_image *list;
    size_t count, room;
};

struct plan {
    unsigned families;
    struct bine_protections protections;
    struct bine_changes changes;
    struct bine_image_record *records; /* what `records` will be */
    struct objects system;             /* in which libc's functions and the C++ runtime's live */
    struct objects limited;            /* those under a limit (limit.h) */
    struct bine_image program;
    bool program_known;
    /* Objects were unloaded since the last walk: one that lies where one was known need not be the
     * same, even if it comes from the same file (which may have been replaced). */
    bool some_unloaded;
    bool cancels;   /* some object calls pthread_cancel */
    bool overtaken; /* a slot was written by another thread between plan and change */

    /* The object that is being scanned. */
    const struct bine_image *object;
    const struct bine_image_record *old;
    struct bine_image_record *new;
    unsigned wanted;                              /* families to patch in it */
    enum bine_variant variant;                    /* its own kind of hooks */
    bool look_for_limited;                        /* there are limits, or were a moment ago */
    const struct bine_runtime_call *runtime_call; /* that the object may make, or NULL */
};

const struct bine_runtime_call *bine_runtime_call;

/* ---- which values are libc's ---------------------------------------------------------------- */

/* Does the program itself have a function of that name, which then is what libraries reach, too? */
static const ElfW(Sym) * program_symbol(const struct plan *plan, const char *name)
{
    return plan->program_known ? bine_image_symbol(&plan->program, name) : NULL;
}

/*
 * Slots are judged by what they hold, not by their name alone: a library may have a `connect` of
 * its own, and a pointer in data may have been set to something else since. What is libc's: the
 * function that we found at start, any version of it in a part of the C library, an interceptor of
 * a sanitizer, and the jump stubs that lead there.
 */
static bool leads_to_libc(const struct plan *plan, const struct bine_relocation *relocation,
                          const struct bine_symbol *symbol, void *value)
{
    if (value == *symbol->original)
        return true;
    const ElfW(Sym) *lent = program_symbol(plan, symbol->name);
    if (bine_image_contains(plan->object, value)) {
        /* The stub of a call that has not been bound yet, if no function of the program's own will
         * be found first. */
        bool own = lent && lent->st_shndx != SHN_UNDEF &&
                   (void *)(plan->program.base + lent->st_value) != *symbol->original;
        return relocation->kind == BINE_RELOCATION_JUMP && !relocation->defined_here && !own;
    }
    /* A program with fixed addresses lends its own jump stub out as the function's address. */
    if (lent && lent->st_shndx == SHN_UNDEF && lent->st_value &&
        (void *)(plan->program.base + lent->st_value) == value)
        return true;
    for (size_t i = 0; i < plan->system.count; i++)
        if (bine_image_contains(&plan->system.list[i], value))
            return bine_image_defines_at(&plan->system.list[i], symbol->name, value);
    return false;
}

/* Does the slot still lead to the stub that binds it at the first call? */
static bool is_unbound(const struct plan *plan, const struct bine_relocation *relocation,
                       void *value)
{
    return relocation->kind == BINE_RELOCATION_JUMP && !relocation->defined_here &&
           bine_image_contains(plan->object, value);
}

/* The function of a limited library that the slot leads to, or NULL; *limit is its limit. */
static void *leads_to_limited(const struct plan *plan, const struct bine_relocation *relocation,
                              void *value, struct bine_limit **limit)
{
    bool unbound = is_unbound(plan, relocation, value);
    for (size_t i = 0; i < plan->limited.count; i++) {
        const struct bine_image *object = &plan->limited.list[i];
        if (object->base == plan->object->base || (!unbound && !bine_image_contains(object, value)))
            continue;
        const ElfW(Sym) *symbol = bine_image_symbol(object, relocation->name);
        if (!symbol || symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
            continue;
        *limit = bine_limit_of(object->name);
        return unbound ? (void *)(object->base + symbol->st_value) : value;
    }
    return NULL;
}

static int add_object(struct objects *objects, const struct bine_image *object)
{
    if (objects->count == objects->room) {
        size_t room = objects->room ? 2 * objects->room : 16;
        struct bine_image *list = realloc(objects->list, room * sizeof *list);
        if (!list)
            return ENOMEM;
        objects->list = list;
        objects->room = room;
    }
    objects->list[objects->count++] = *object;
    return 0;
}

static int find_system(const struct bine_image *object, void *arg)
{
    struct plan *plan = arg;
    if (!object->other_namespace && *object->path == '\0' && !plan->program_known) {
        plan->program = *object;
        plan->program_known = true;
    }
    if (bine_image_is_system(object) || bine_image_is_cxx_runtime(object))
        return add_object(&plan->system, object);
    if (!object->other_namespace && bine_limit_of(object->name))
        return add_object(&plan->limited, object);
    return 0;
}

/* ---- scanning ------------------------------------------------------------------------------- */

static int protection_of(const struct plan *plan, const void *address)
{
    int protection = bine_protection_of(&plan->protections, (uintptr_t)address);
    return protection >= 0 ? protection : bine_image_protection(plan->object, (uintptr_t)address);
}

static int plan_change(struct plan *plan, void **slot, void *from, void *to)
{
    uintptr_t address = (uintptr_t)slot;
    struct bine_change change = {
        .slot = slot,
        .from = from,
        .to = to,
        .protection = protection_of(plan, slot),
        .closes = address >= plan->object->relro_start && address < plan->object->relro_end,
    };
    return bine_changes_add(&plan->changes, change);
}

/* The slot shall hold `hook` (NULL: what it held without us), and holds `value`, which is ours if
 * `patched`. */
static int want(struct plan *plan, const struct bine_relocation *relocation, void *value,
                bool patched, void *hook, void *original)
{
    void *old = value;
    if (patched) {
        const struct bine_slot_record *kept = bine_image_record_find(plan->old, relocation->slot);
        old = kept ? kept->old : original;
    }
    void *wanted = hook ? hook : old;
    int error = wanted != value ? plan_change(plan, relocation->slot, value, wanted) : 0;
    return error || !hook ? error : bine_image_record_add(plan->new, relocation->slot, old);
}

static int look_at_limited(struct plan *plan, const struct bine_relocation *relocation, void *value)
{
    struct bine_limit *limit;
    void *function = bine_limit_function(value), *hook = NULL;
    bool patched = function != NULL;
    void *target = leads_to_limited(plan, relocation, patched ? function : value, &limit);
    if (target) {
        hook = bine_limit_thunk(limit, target);
        if (!hook)
            return ENOMEM;
    }
    return patched || hook ? want(plan, relocation, value, patched, hook, function) : 0;
}

static int look_at_runtime_call(struct plan *plan, const struct bine_relocation *relocation,
                                void *value)
{
    const struct bine_runtime_call *call = plan->runtime_call;
    bool wanted = (plan->wanted & BINE_PATCH_THREAD) != 0, patched = value == call->instead;
    if (!patched && (!wanted || (value != call->original && !is_unbound(plan, relocation, value))))
        return 0;
    return want(plan, relocation, value, patched, wanted ? call->instead : NULL, call->original);
}

static int engine_look_at(const struct bine_relocation *relocation, void *arg)
{
    struct plan *plan = arg;
    const struct bine_symbol *symbol = bine_symbol_find(relocation->name);
    bool runtime_call =
        plan->runtime_call && strcmp(plan->runtime_call->name, relocation->name) == 0;
    if (!symbol && !plan->look_for_limited && !runtime_call)
        return 0;
    if (protection_of(plan, relocation->slot) < 0)
        return 0;
    void *value = __atomic_load_n(relocation->slot, __ATOMIC_RELAXED);
    if (runtime_call)
        return look_at_runtime_call(plan, relocation, value);
    if (!symbol)
        return look_at_limited(plan, relocation, value);
    /* Parts of glibc call each other by private versions: their affair. */
    if (!*symbol->original || bine_image_wants_private(plan->object, relocation->symbol))
        return 0;
    bool wanted = (symbol->family & plan->wanted) != 0,
         patched = bine_variant_is_hook(symbol, value);
    if (!patched && (!wanted || !leads_to_libc(plan, relocation, symbol, value)))
        return 0;
    if (wanted && symbol->hook == (void *)hook_pthread_cancel)
        plan->cancels = true;
    return want(plan, relocation, value, patched,
                wanted ? bine_variant_hook(symbol, plan->variant) : NULL, *symbol->original);
}

/* The loader closes an object when it has relocated it: one that is open still is being loaded by
 * another thread, and will be looked at again. */
static bool is_finished(const struct plan *plan, const struct bine_image *object)
{
    if (object->relro_start >= object->relro_end || *object->path == '\0')
        return true;
    int protection = bine_protection_of(&plan->protections, object->relro_start);
    return protection < 0 || !(protection & PROT_WRITE);
}

/* libc and the loader call an allocator at places where no greenlet may park, as in the middle of
 * dlopen, whose state is the thread's. The program itself is patched even if it brings an
 * allocator. */
static bool is_allocator(const struct bine_image *object)
{
    const ElfW(Sym) *symbol = *object->path ? bine_image_symbol(object, "malloc") : NULL;
    return symbol && symbol->st_shndx != SHN_UNDEF;
}

static int engine_scan(const struct bine_image *object, void *arg)
{
    struct plan *plan = arg;
    struct bine_image_record *old = bine_image_record_of(records, object);
    struct bine_image_record *new = bine_image_record_new(object);
    if (!new)
        return ENOMEM;
    new->next = plan->records;
    plan->records = new;
    /* Objects of other namespaces have a libc, and an errno, of their own: our hooks would set the
     * wrong one. */
    if (bine_image_is_system(object) || object->other_namespace) {
        new->system = !object->other_namespace;
        new->epoch = epoch;
        return 0;
    }
    if (is_allocator(object)) {
        new->epoch = epoch;
        return 0;
    }
    if (old && old->epoch == epoch && !plan->some_unloaded) {
        new->unchanged = true; /* takes over the old one's slots when all is done */
        new->epoch = epoch;
        return 0;
    }
    plan->object = object;
    plan->old = old;
    plan->new = new;
    plan->wanted = bine_rules_families(object, plan->families);
    plan->variant = bine_rules_variant(object->name);
    bool calls_runtime =
        bine_runtime_call && fnmatch(bine_runtime_call->object, object->name, 0) == 0;
    plan->runtime_call = calls_runtime ? bine_runtime_call : NULL;
    int error = bine_relocations_walk(object, engine_look_at, plan);
    if (error)
        return error;
    bine_image_record_sort(new);
    new->epoch = is_finished(plan, object) ? epoch : 0;
    return 0;
}

/* ---- carrying it out ------------------------------------------------------------------------ */

/* A slot that another thread bound between plan and change was left alone; its object is looked at
 * once more. */
static void settle(struct plan *plan)
{
    for (struct bine_image_record *record = plan->records; record; record = record->next) {
        struct bine_image_record *old = bine_image_record_like(records, record);
        if (record->unchanged && old)
            bine_image_record_take_slots(record, old);
        for (size_t i = 0; i < record->count;) {
            const struct bine_change *change =
                bine_changes_find(&plan->changes, record->slots[i].slot);
            if (change && !change->made) {
                bine_image_record_remove(record, i);
                record->epoch = 0;
                plan->overtaken = true;
            } else {
                i++;
            }
        }
        if (old && !plan->some_unloaded)
            record->gadget = old->gadget;
    }
}

static int engine_carry_out(void *arg)
{
    struct plan *plan = arg;
    int error = bine_images_walk(find_system, plan);
    if (!error)
        error = bine_protections_read(&plan->protections);
    if (!error)
        error = bine_images_walk(engine_scan, plan);
    if (!error)
        error = bine_changes_make(&plan->changes);
    if (!error)
        settle(plan);
    return error;
}

static int apply_once(unsigned families, bool *overtaken, bool *cancels)
{
    unsigned long long added, removed;
    bine_images_changes(&added, &removed);
    struct plan plan = {
        .families = families,
        .some_unloaded = removed != seen_removed,
        .look_for_limited = had_limits || bine_limit_any(),
    };
    int error = bine_images_hold(engine_carry_out, &plan);
    if (error) {
        bine_image_records_free(plan.records);
    } else {
        bine_image_records_free(records);
        records = plan.records;
        current_families = families;
        had_limits = bine_limit_any();
        seen_added = added;
        seen_removed = removed;
    }
    bine_changes_free(&plan.changes);
    bine_protections_free(&plan.protections);
    free(plan.system.list);
    free(plan.limited.list);
    *cancels = plan.cancels;
    *overtaken = plan.overtaken;
    return error;
}

int bine_engine_apply(unsigned families, bool anew)
{
    unsigned old_epoch = epoch;
    if (anew || families != current_families)
        epoch = epoch + 1 ? epoch + 1 : 1;
    bool overtaken, cancels;
    int error = apply_once(families, &overtaken, &cancels);
    if (error) {
        epoch = old_epoch;
        return error;
    }
    if (cancels && !bine_points_wanted()) {
        /* From here on calls are cancellation points: look at all slots again. For lack of memory
         * some are not. */
        bine_points_want();
        epoch = epoch + 1 ? epoch + 1 : 1;
        if (apply_once(families, &overtaken, &cancels) != 0)
            return 0;
    }
    /* Each slot is bound once only, so that a second look finds them all; a third cannot hurt. */
    for (int i = 0; i < 2 && overtaken; i++)
        if (apply_once(families, &overtaken, &cancels) != 0)
            break;
    return 0;
}

int bine_engine_follow(void)
{
    if (!current_families && !had_limits)
        return 0;
    unsigned long long added, removed;
    bine_images_changes(&added, &removed);
    bool unfinished = false;
    for (const struct bine_image_record *record = records; record; record = record->next)
        unfinished |= record->epoch == 0;
    if (added == seen_added && removed == seen_removed && !unfinished)
        return 0;
    return bine_engine_apply(current_families, false);
}

bool bine_engine_is_libcs(const struct bine_symbol *symbol, const void *function)
{
    if (!function || function == *symbol->original)
        return function != NULL;
    for (const struct bine_image_record *record = records; record; record = record->next)
        if (record->system && (uintptr_t)function >= record->start &&
            (uintptr_t)function < record->end)
            return true;
    return false;
}

void *bine_engine_limited(void *function)
{
    for (const struct bine_image_record *record = records; record; record = record->next) {
        if ((uintptr_t)function < record->code.start || (uintptr_t)function >= record->code.end)
            continue;
        const char *slash = strrchr(record->path, '/');
        struct bine_limit *limit = bine_limit_of(slash ? slash + 1 : record->path);
        void *thunk = limit ? bine_limit_thunk(limit, function) : NULL;
        return thunk ? thunk : function;
    }
    return function;
}

size_t bine_engine_slots(void)
{
    size_t count = 0;
    for (const struct bine_image_record *record = records; record; record = record->next)
        count += record->count;
    return count;
}

void *bine_engine_return_in(const void *address)
{
    for (struct bine_image_record *record = records; record; record = record->next)
        if ((uintptr_t)address >= record->start && (uintptr_t)address < record->end)
            return bine_image_record_return_site(record);
    return NULL;
}
