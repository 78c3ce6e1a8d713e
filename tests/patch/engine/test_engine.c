/* The ELF engine: which slots it finds, that it restores them byte for byte, and that it fails as a
 * whole or not at all. */
#include <bine.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "patch/common.h"
#include "patch/elf/image_list.h"
#include "patch/elf/relocation.h"
#include "patch/engine/engine.h"
#include "patch/table/table.h"

static const char *const variants[] = {"liblazy.so", "libnow.so", "libnoplt.so", "libsysv.so"};
enum {
    VARIANTS = sizeof variants / sizeof *variants
};

/* ---- failing on demand ----------------------------------------------------------------------- */

/* The linker sends the program's calls of these here (--wrap). -1: never; 0: the next call
 * fails. */
static long memory_calls_left = -1, protect_calls_left = -1;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_mprotect(void *start, size_t size, int protection);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_mprotect(void *start, size_t size, int protection);

static bool fails(long *left, int error)
{
    if (*left < 0)
        return false;
    if ((*left)-- > 0)
        return false;
    errno = error;
    return true;
}

static bool allocator_makes_hub; /* as one would that waits */

static void make_hub_if_asked(void)
{
    if (allocator_makes_hub) {
        allocator_makes_hub = false;
        bine_hub_get();
    }
}

void *__wrap_malloc(size_t size)
{
    make_hub_if_asked();
    return fails(&memory_calls_left, ENOMEM) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    make_hub_if_asked();
    return fails(&memory_calls_left, ENOMEM) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    make_hub_if_asked();
    return fails(&memory_calls_left, ENOMEM) ? NULL : __real_realloc(old, size);
}

int __wrap_mprotect(void *start, size_t size, int protection)
{
    return fails(&protect_calls_left, EACCES) ? -1 : __real_mprotect(start, size, protection);
}

/* ---- all slots of the process ---------------------------------------------------------------- */

struct snapshot {
    struct {
        void **slot;
        void *value;
    } list[200000];
    size_t count;
};

static struct snapshot before, after;

static int remember(const struct bine_relocation *relocation, void *arg)
{
    struct snapshot *snapshot = arg;
    CHECK_LT(snapshot->count, sizeof snapshot->list / sizeof *snapshot->list);
    snapshot->list[snapshot->count].slot = relocation->slot;
    snapshot->list[snapshot->count++].value = *relocation->slot;
    return 0;
}

static int remember_all(const struct bine_image *object, void *arg)
{
    /* Those bind their own calls when they please. */
    if (bine_image_is_system(object))
        return 0;
    return bine_relocations_walk(object, remember, arg);
}

static void take(struct snapshot *snapshot)
{
    snapshot->count = 0;
    bine_images_walk(remember_all, snapshot);
    CHECK_GT(snapshot->count, 100);
}

static void check_same(void)
{
    CHECK_EQ(after.count, before.count);
    for (size_t i = 0; i < before.count; i++) {
        CHECK_EQ((void *)after.list[i].slot, (void *)before.list[i].slot);
        CHECK_EQ(after.list[i].value, before.list[i].value);
    }
}

static size_t count_hooks(const struct snapshot *snapshot)
{
    size_t hooks = 0;
    for (size_t i = 0; i < snapshot->count; i++)
        for (size_t j = 0; j < bine_symbol_count; j++)
            if (snapshot->list[i].value == bine_symbols[j].hook) {
                hooks++;
                break;
            }
    return hooks;
}

/* Mappings of files only: the heap and the stacks come and go. */
static size_t protections(char *text, size_t room)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    size_t size = 0;
    char line[8192];
    while (fgets(line, sizeof line, maps))
        if (strchr(line, '/') && size + strlen(line) < room) {
            strcpy(text + size, line);
            size += strlen(line);
        }
    fclose(maps);
    return size;
}

static char maps_before[1 << 20], maps_after[1 << 20];

static void load_variants(void)
{
    for (int i = 0; i < VARIANTS; i++)
        open_beside(variants[i], RTLD_LAZY | RTLD_LOCAL);
}

/* ---- tests ----------------------------------------------------------------------------------- */

TEST(unpatching_restores_every_slot_and_every_page)
{
    load_variants();
    take(&before);
    size_t size = protections(maps_before, sizeof maps_before);
    CHECK_EQ(count_hooks(&before), 0);
    CHECK_OK(bine_patch_all());
    CHECK_EQ(bine_patched(), BINE_PATCH_ALL);
    take(&after);
    CHECK_EQ(count_hooks(&after), bine_engine_slots());
    CHECK_GT(bine_engine_slots(), VARIANTS * 4);
    CHECK_EQ(protections(maps_after, sizeof maps_after), size);
    CHECK_MEMORY(maps_after, maps_before, size);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(bine_patched(), 0);
    take(&after);
    CHECK_EQ(bine_engine_slots(), 0);
    check_same();
    CHECK_EQ(protections(maps_after, sizeof maps_after), size);
    CHECK_MEMORY(maps_after, maps_before, size);
}

TEST(patching_twice_is_patching_once)
{
    load_variants();
    take(&before);
    CHECK_OK(bine_patch_socket());
    size_t slots = bine_engine_slots();
    CHECK_OK(bine_patch_socket());
    CHECK_EQ(bine_engine_slots(), slots);
    CHECK_OK(bine_unpatch(BINE_PATCH_SOCKET));
    CHECK_OK(bine_unpatch(BINE_PATCH_SOCKET));
    take(&after);
    check_same();
}

TEST(families_come_and_go_one_by_one)
{
    load_variants();
    take(&before);
    size_t slots = 0;
    for (unsigned family = 1; family < BINE_PATCH_ALL; family <<= 1) {
        CHECK_OK(bine_patch(family));
        CHECK(bine_patched() & family);
        CHECK_GE(bine_engine_slots(), slots);
        slots = bine_engine_slots();
    }
    for (unsigned family = 1; family < BINE_PATCH_ALL; family <<= 1) {
        CHECK_OK(bine_unpatch(family));
        CHECK(!(bine_patched() & family));
        CHECK_LE(bine_engine_slots(), slots);
        slots = bine_engine_slots();
    }
    take(&after);
    check_same();
}

TEST(semaphores_alone_are_patched_where_a_rule_names_them)
{
    load_variants();
    take(&before);
    CHECK_OK(bine_patch_only("", BINE_PATCH_TIME));
    CHECK_OK(bine_patch(BINE_PATCH_TIME));
    size_t slots = bine_engine_slots();
    CHECK_OK(bine_patch(BINE_PATCH_SEMAPHORE));
    CHECK(bine_patched() & BINE_PATCH_SEMAPHORE);
    CHECK_EQ(bine_engine_slots(), slots);
    CHECK_OK(bine_patch_only("libbine_test_no_such*", BINE_PATCH_SEMAPHORE));
    CHECK_EQ(bine_engine_slots(), slots);
    CHECK_OK(bine_patch_only("*", BINE_PATCH_ALL | BINE_PATCH_SEMAPHORE));
    size_t with_semaphores = bine_engine_slots();
    CHECK_OK(bine_patch_thread()); /* brings them along, and takes none of them away when it goes */
    CHECK_OK(bine_unpatch(BINE_PATCH_THREAD));
    CHECK_EQ(bine_engine_slots(), with_semaphores);
    CHECK_OK(bine_unpatch_all());
    take(&after);
    check_same();
}

TEST(unknown_families_are_refused)
{
    CHECK_ERROR(bine_patch(1u << 31), EINVAL);
    CHECK_ERROR(bine_unpatch(BINE_PATCH_ALL + 1), EINVAL);
    CHECK_EQ(bine_patched(), 0);
    CHECK_ERROR(bine_patch_exclude(NULL), EINVAL);
    CHECK_ERROR(bine_patch_include(NULL), EINVAL);
}

TEST(originals_are_found_by_name)
{
    CHECK_EQ(bine_original("usleep"), dlsym(RTLD_DEFAULT, "usleep"));
    CHECK_OK(bine_patch_all());
    CHECK_EQ(bine_original("usleep"), dlsym(RTLD_NEXT, "usleep"));
    CHECK_ERROR(bine_original("no_such_function"), ENOENT);
    CHECK_ERROR(bine_original(NULL), EINVAL);
    CHECK_OK(bine_unpatch_all());
}

TEST(when_memory_runs_out_nothing_is_patched)
{
    load_variants();
    CHECK_OK(bine_patch_all()); /* whatever is allocated once only */
    CHECK_OK(bine_unpatch_all());
    take(&before);
    long calls = 0;
    for (;; calls++) {
        CHECK_LT(calls, 10000);
        memory_calls_left = calls;
        int result = bine_patch_all();
        int error = errno;
        bool reached = memory_calls_left < 0;
        memory_calls_left = -1;
        if (result == 0 && !reached)
            break;
        CHECK_EQ(result, -1);
        CHECK_EQ(error, ENOMEM);
        CHECK_EQ(bine_patched(), 0);
        take(&after);
        check_same();
    }
    CHECK_GT(calls, 3);
    take(&after);
    CHECK_GT(count_hooks(&after), 0);
    /* And taking it back fails as cleanly: everything stays patched. */
    for (calls = 0;; calls++) {
        CHECK_LT(calls, 10000);
        memory_calls_left = calls;
        int result = bine_unpatch_all();
        bool reached = memory_calls_left < 0;
        memory_calls_left = -1;
        if (result == 0 && !reached)
            break;
        CHECK_EQ(result, -1);
        CHECK_EQ(bine_patched(), BINE_PATCH_ALL);
        size_t hooks = count_hooks(&after);
        take(&after);
        CHECK_EQ(count_hooks(&after), hooks);
    }
    take(&after);
    check_same();
}

TEST(when_a_page_cannot_be_opened_nothing_is_patched)
{
    load_variants();
    take(&before);
    size_t size = protections(maps_before, sizeof maps_before);
    /* Odd calls close a page again. A refusal there is undone by opening it once more, so that page
     * stays open if the kernel refuses that, too; ours refuses once. */
    long calls = 0;
    for (;; calls++) {
        CHECK_LT(calls, 10000);
        protect_calls_left = calls;
        int result = bine_patch_all();
        int error = errno;
        bool reached = protect_calls_left < 0;
        protect_calls_left = -1;
        if (result == 0 && !reached)
            break;
        CHECK_EQ(result, -1);
        CHECK_EQ(error, EPERM);
        CHECK_EQ(bine_patched(), 0);
        take(&after);
        check_same();
        CHECK_EQ(protections(maps_after, sizeof maps_after), size);
        CHECK_MEMORY(maps_after, maps_before, size);
    }
    CHECK_GT(calls, 3);
    CHECK_OK(bine_unpatch_all());
    take(&after);
    check_same();
}

TEST(a_pointer_that_the_program_set_itself_is_left_alone)
{
    void *handle = open_beside("liblazy.so", RTLD_NOW);
    const struct library *library = library_of(handle);
    void *mine = (void *)unknown_families_are_refused;
    library->set_open_table(mine);
    CHECK_OK(bine_patch_all());
    CHECK_EQ(library->from_open_table(), mine);
    /* Set while patched: unpatching must not overwrite it. */
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(library->from_open_table(), mine);
    library->set_open_table(bine_original("usleep"));
    CHECK_OK(bine_patch_all());
    CHECK_NE(library->from_open_table(), bine_original("usleep"));
    library->set_open_table(mine);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(library->from_open_table(), mine);
}

/* ---- other threads call through the slots meanwhile ------------------------------------------ */

static atomic_bool done;

static void *call_all_the_time(void *arg)
{
    const struct library *library = arg;
    long calls = 0;
    while (!atomic_load(&done)) {
        if (library->nap(0) != 0)
            return NULL;
        calls++;
    }
    return (void *)(calls + 1);
}

TEST(threads_call_through_slots_while_they_are_rewritten, .seconds = 60)
{
    const struct library *library = library_of(open_beside("libnow.so", RTLD_NOW));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, call_all_the_time, (void *)library), 0);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(bine_patch_all());
        CHECK_OK(bine_unpatch_all());
    }
    atomic_store(&done, true);
    for (int i = 0; i < 3; i++) {
        void *calls;
        CHECK_EQ(pthread_join(threads[i], &calls), 0);
        CHECK_NE(calls, NULL);
    }
}

/* ---- the engine's lock ----------------------------------------------------------------------- */

static void patch_in_link(bine_greenlet *g, void *unused)
{
    (void)g, (void)unused;
    CHECK_OK(bine_patch(BINE_PATCH_TIME));
}

static void *make_hub_while_patching(void *unused)
{
    (void)unused;
    allocator_makes_hub = true;
    CHECK_OK(bine_patch(BINE_PATCH_SELECT));
    CHECK(!allocator_makes_hub);
    CHECK_OK(bine_sleep(BINE_MS));
    return NULL;
}

static void *do_nothing(void *unused)
{
    return unused;
}

/* The holder's hub may not park; what that hub was allowed before must not be given to a hub that
 * came meanwhile. */
TEST(hazard_116_a_hub_made_while_its_thread_patches_may_park)
{
    bine_greenlet *g = bine_spawn(do_nothing, NULL);
    CHECK_OK(bine_link(g, patch_in_link, NULL));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, make_hub_while_patching, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_OK(bine_unpatch_all());
}
