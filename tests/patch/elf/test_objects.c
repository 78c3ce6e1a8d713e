/* However an object reaches libc and whenever it is loaded, its calls step aside once patched
 * (hazards 11 and 13). */
#include <bine.h>
#include <sys/wait.h>

#include "patch/common.h"
#include "patch/table/table.h"

static const char *const variants[] = {"liblazy.so", "libnow.so", "libnoplt.so", "libsysv.so"};
enum {
    VARIANTS = sizeof variants / sizeof *variants
};

/* Every address of usleep that the library can come by is the hook's (or none is). */
static void check_addresses(const struct library *library, bool patched)
{
    void *wanted = patched ? (void *)hook_usleep : bine_original("usleep");
    CHECK_EQ(library->address(), wanted);
    CHECK_EQ(library->from_closed_table(), wanted);
    CHECK_EQ(library->from_open_table(), wanted);
    CHECK_EQ(library->look_up(RTLD_DEFAULT, "usleep"), wanted);
}

static char order[64];

static void *nap_in(void *arg)
{
    const struct library *library = arg;
    strcat(order, "a");
    CHECK_EQ(library->nap(20000), 0);
    strcat(order, "c");
    return NULL;
}

static void *run_meanwhile(void *arg)
{
    strcat(order, "b");
    return NULL;
}

/* While one greenlet sleeps inside the library another runs. */
static void check_steps_aside(const struct library *library, bool patched)
{
    order[0] = '\0';
    bine_greenlet *both[] = {bine_spawn(nap_in, (void *)library), bine_spawn(run_meanwhile, NULL)};
    CHECK_OK(bine_joinall(both, 2, BINE_FOREVER));
    CHECK_STRING(order, patched ? "abc" : "acb");
}

static void check_all_ways(const char *file, int flags)
{
    /* Loaded, then patched. */
    void *handle = open_beside(file, flags);
    const struct library *library = library_of(handle);
    check_addresses(library, false);
    check_steps_aside(library, false);
    CHECK_OK(bine_patch_all());
    check_addresses(library, true);
    check_steps_aside(library, true);
    CHECK_OK(bine_unpatch_all());
    check_addresses(library, false);
    check_steps_aside(library, false);
    CHECK_EQ(dlclose(handle), 0);
    /* Patched, then loaded. */
    CHECK_OK(bine_patch_all());
    handle = open_beside(file, flags);
    library = library_of(handle);
    check_addresses(library, true);
    check_steps_aside(library, true);
    CHECK_EQ(dlclose(handle), 0);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_11_every_kind_of_slot_in_any_order)
{
    for (int i = 0; i < VARIANTS; i++) {
        check_all_ways(variants[i], RTLD_LAZY | RTLD_LOCAL);
        check_all_ways(variants[i], RTLD_NOW | RTLD_LOCAL);
    }
}

TEST(hazard_11_deepbind_does_not_matter)
{
    if (SANITIZED)
        SKIP("sanitizers do not go with RTLD_DEEPBIND");
    for (int i = 0; i < VARIANTS; i++) {
        check_all_ways(variants[i], RTLD_LAZY | RTLD_DEEPBIND);
        check_all_ways(variants[i], RTLD_NOW | RTLD_DEEPBIND);
    }
}

TEST(a_library_loaded_again_at_the_same_place_is_patched_again)
{
    CHECK_OK(bine_patch_all());
    for (int i = 0; i < 20; i++) {
        void *handle = open_beside(variants[i % VARIANTS], RTLD_NOW);
        check_addresses(library_of(handle), true);
        CHECK_EQ(dlclose(handle), 0);
    }
    CHECK_OK(bine_unpatch_all());
}

TEST(the_program_itself_is_patched)
{
    int (*volatile function)(useconds_t) = usleep;
    int (*original)(useconds_t) = function;
    CHECK_OK(bine_patch_all());
    order[0] = '\0';
    static const struct library program = {.nap = usleep};
    check_steps_aside(&program, true);
    CHECK_OK(bine_unpatch_all());
    function = usleep;
    CHECK_EQ((void *)function, (void *)original);
}

/* ---- names --------------------------------------------------------------------------------- */

static void check_own(const char *file)
{
    if (SANITIZED)
        SKIP("sanitizers do not go with RTLD_DEEPBIND");
    void *handle = open_beside(file, RTLD_NOW | RTLD_DEEPBIND);
    int (*call)(unsigned) = (int (*)(unsigned))dlsym(handle, "own_names_call");
    CHECK_EQ(call(7), 1007);
    CHECK_OK(bine_patch_all());
    CHECK_EQ(call(7), 1007);
    /* Nor does looking it up by name lead anywhere else. */
    int (*own)(unsigned) = (int (*)(unsigned))dlsym(handle, "usleep");
    CHECK_EQ(own(7), 1007);
    CHECK_OK(bine_unpatch_all());
    CHECK_EQ(call(7), 1007);
    CHECK_EQ(dlclose(handle), 0);
}

TEST(hazard_13_a_function_of_the_librarys_own_with_libcs_name_is_left_alone)
{
    check_own("libown.so");
    check_own("libownplt.so");
}

TEST(hazard_13_versions_are_ignored)
{
    CHECK_OK(bine_patch_all());
    const struct library *library = library_of(open_beside("libnow.so", RTLD_NOW));
#if defined(__x86_64__)
    const char *version = "GLIBC_2.2.5";
#else
    const char *version = "GLIBC_2.17";
#endif
    CHECK_EQ(library->look_up_version(RTLD_DEFAULT, "usleep", version), (void *)hook_usleep);
    CHECK_EQ(library->look_up_version(RTLD_DEFAULT, "usleep", "NO_SUCH_VERSION"), NULL);
    CHECK_OK(bine_unpatch_all());
}

TEST(hazard_13_every_original_is_there_or_its_symbol_is_left_alone)
{
    for (size_t i = 0; i < bine_symbol_count; i++) {
        const struct bine_symbol *symbol = &bine_symbols[i];
        CHECK(symbol->hook != NULL);
        CHECK_EQ(bine_symbol_find(symbol->name), symbol);
        /* Some names are for old programs only, and dlsym does not find them: their original is
         * that of the usual name. */
        if (dlsym(RTLD_DEFAULT, symbol->name))
            CHECK(*symbol->original != NULL);
    }
    CHECK_EQ(bine_symbol_find("no_such_symbol"), NULL);
    CHECK_EQ(bine_symbol_find(""), NULL);
}

static const char *const uncovered[] = {
#define BINE_UNCOVERED(name, why) #name,
#include "patch/table/uncovered.def"
#undef BINE_UNCOVERED
};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (strcmp(uncovered[i], name) == 0)
            return true;
    return bine_symbol_find(name) != NULL;
}

/* form holds one %s. */
static void format_name(char *room, size_t size, const char *form, const char *name)
{
    const char *place = strstr(form, "%s");
    snprintf(room, size, "%.*s%s%s", (int)(place - form), form, name, place + 2);
}

/* Compilers, headers and _FORTIFY_SOURCE turn one name into another: none of those may be
 * missing. */
TEST(hazard_04_every_variant_of_a_patched_name_is_known)
{
    static const char *const forms[] = {
        "__%s",     "%s64",      "__%s_chk",    "__%s64",      "__%s64_chk", "_IO_%s", "__%s_2",
        "__%s64_2", "__libc_%s", "%s_unlocked", "__isoc99_%s", "%sv2",       "_%s"};
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    CHECK(libc != NULL);
    unsigned missing = 0;
    for (size_t i = 0; i < bine_symbol_count; i++)
        for (size_t j = 0; j < sizeof forms / sizeof *forms; j++) {
            char name[128];
            format_name(name, sizeof name, forms[j], bine_symbols[i].name);
            /* _IO_getline is a helper of fgets with another contract. */
            if (dlsym(libc, name) && !dlvsym(libc, name, "GLIBC_PRIVATE") && !is_known(name) &&
                strcmp(name, "_IO_getline") != 0) {
                fprintf(stderr, "%s is exported by libc and not in the table\n", name);
                missing++;
            }
        }
    dlclose(libc);
    CHECK_EQ(missing, 0);
}

TEST(hazard_04_a_name_is_patched_or_known_to_be_uncovered_not_both)
{
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (bine_symbol_find(uncovered[i]))
            FAIL("%s is in both lists", uncovered[i]);
}

/* ---- scope --------------------------------------------------------------------------------- */

TEST(excluded_objects_keep_libc)
{
    const struct library *first = library_of(open_beside("liblazy.so", RTLD_NOW));
    CHECK_OK(bine_patch_all());
    check_addresses(first, true);
    CHECK_OK(bine_patch_exclude("lib[ln]*.so")); /* at once */
    check_addresses(first, false);
    check_steps_aside(first, false);
    const struct library *later = library_of(open_beside("libnow.so", RTLD_NOW));
    check_addresses(later, false); /* later, too */
    const struct library *other = library_of(open_beside("libsysv.so", RTLD_NOW));
    check_addresses(other, true);
    CHECK_OK(bine_unpatch_all());
    check_addresses(other, false);
}

TEST(with_an_include_rule_only_those_are_patched)
{
    const struct library *wanted = library_of(open_beside("liblazy.so", RTLD_NOW));
    const struct library *other = library_of(open_beside("libnow.so", RTLD_NOW));
    CHECK_OK(bine_patch_all());
    check_addresses(other, true);
    CHECK_OK(bine_patch_include("liblazy.so"));
    check_addresses(wanted, true);
    check_addresses(other, false);
    /* The program is not included. */
    CHECK_EQ((void *)dlsym(RTLD_DEFAULT, "usleep"), bine_original("usleep"));
    CHECK_OK(bine_patch_include(""));
    CHECK_EQ((void *)dlsym(RTLD_DEFAULT, "usleep"), (void *)hook_usleep);
    CHECK_OK(bine_unpatch_all());
}
