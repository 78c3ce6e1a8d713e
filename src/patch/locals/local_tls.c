/* Which objects have greenlet-local variables. See local_tls.h. */
#include "local_tls.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub/hub.h"
#include "core/schedule/schedule.h"
#include "exchange.h"
#include "libc/libc.h"
#include "patch/elf/image.h"
#include "patch/elf/image_list.h"
#include "patch/engine/engine.h"
#include "patch/engine/rules.h"

enum {
    BYTES_MOST = 16384, /* of all objects together: greenlets keep them on their stacks */
};

struct taken {
    struct bine_exchange_object object;
    uintptr_t start, end;
    atomic_bool everywhere; /* all hubs could be told */
};

/* Found while the loader's lists are held, taken on afterwards. */
struct candidate {
    struct candidate *next;
    uintptr_t base, start, end;
    size_t module, size, initialised;
    const char *image;
    bool asked; /* by the newest rule */
    char path[];
};

struct search {
    const char *pattern; /* of the newest rule; NULL: none is new */
    struct candidate *found;
    bool matched, with_variables, refused, no_memory;
};

/* Written with the engine's lock held, read without. */
static struct taken *_Atomic taken[BINE_EXCHANGE_OBJECTS];
static atomic_uint taken_count;
static size_t taken_bytes;
static _Atomic(unsigned long long) seen_added;

bool bine_local_tls_owns(const void *address)
{
    unsigned count = atomic_load_explicit(&taken_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++) {
        const struct taken *object = atomic_load(&taken[i]);
        if ((uintptr_t)address >= object->start && (uintptr_t)address < object->end)
            return true;
    }
    return false;
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool defines(const struct bine_image *object, const char *name)
{
    const ElfW(Sym) *symbol = bine_image_symbol(object, name);
    return symbol && symbol->st_shndx != SHN_UNDEF;
}

/* Some variables must stay the thread's: those of the C library and of Bine (which may be a part of
 * the program), an allocator's caches, and the C++ runtime's record of exceptions, which the switch
 * exchanges already. */
static bool stays_thread_local(const struct bine_image *object, const struct dl_phdr_info *info)
{
    const char *block = info->dlpi_tls_data;
    size_t size = 0;
    for (size_t i = 0; i < object->header_count; i++)
        if (object->headers[i].p_type == PT_TLS)
            size = object->headers[i].p_memsz;
    bool ours =
        block && (char *)&bine_hub_of_thread >= block && (char *)&bine_hub_of_thread < block + size;
    return ours || bine_image_is_system(object) || defines(object, "malloc") ||
           defines(object, "__cxa_get_globals");
}

static bool is_taken(const struct bine_image *object)
{
    return bine_local_tls_owns((const void *)object->start);
}

static bool add_candidate(struct search *search, const struct bine_image *object,
                          const struct dl_phdr_info *info, const ElfW(Phdr) * variables, bool asked)
{
    size_t length = strlen(object->path) + 1;
    struct candidate *candidate = malloc(sizeof *candidate + length);
    if (!candidate)
        return false;
    *candidate = (struct candidate){
        .next = search->found,
        .base = object->base,
        .start = object->start,
        .end = object->end,
        .module = info->dlpi_tls_modid,
        .size = variables->p_memsz,
        .initialised = variables->p_filesz,
        .image = (const char *)(object->base + variables->p_vaddr),
        .asked = asked,
    };
    memcpy(candidate->path, object->path, length);
    search->found = candidate;
    return true;
}

static int local_tls_look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct bine_image object;
    const ElfW(Phdr) *variables = NULL;
    (void)size;
    if (!bine_image_read(&object, info->dlpi_addr, info->dlpi_name, info->dlpi_phdr,
                         info->dlpi_phnum) ||
        !bine_rules_local_tls(object.name))
        return 0;
    bool asked = search->pattern && fnmatch(search->pattern, object.name, 0) == 0;
    for (size_t i = 0; i < object.header_count; i++)
        if (object.headers[i].p_type == PT_TLS && object.headers[i].p_memsz)
            variables = &object.headers[i];
    search->matched |= asked;
    search->with_variables |= asked && variables;
    if (!variables || is_taken(&object))
        return 0;
    if (stays_thread_local(&object, info))
        search->refused |= asked;
    else if (!add_candidate(search, &object, info, variables, asked))
        search->no_memory = true;
    return 0;
}

/* ---- taking on ------------------------------------------------------------------------------- */

/* Its block is copied at any switch of any thread: it must stay. False: it has been unloaded
 * meanwhile. */
static bool pin(const struct candidate *candidate)
{
    struct link_map *map;
    if (*candidate->path == '\0')
        return true;
    void *handle = bine_libc.dlopen(candidate->path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (!handle)
        (void)dlerror();
    return handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_addr == candidate->base;
}

static char *image_of(const struct candidate *candidate)
{
    char *image = calloc(1, candidate->size);
    if (image)
        memcpy(image, candidate->image, candidate->initialised);
    return image;
}

/* With the engine's lock held. */
static int local_tls_take(const struct candidate *candidate)
{
    unsigned index = atomic_load(&taken_count);
    if (bine_local_tls_owns((const void *)candidate->start))
        return 0; /* by another thread, meanwhile */
    if (index == BINE_EXCHANGE_OBJECTS || candidate->size > BYTES_MOST - taken_bytes)
        return ENOTSUP;
    struct taken *new = malloc(sizeof *new);
    char *image = new ? image_of(candidate) : NULL;
    if (!image) {
        free(new);
        return ENOMEM;
    }
    *new = (struct taken){
        .object = {index, candidate->module, candidate->size, taken_bytes, image},
        .start = candidate->start,
        .end = candidate->end,
    };
    taken_bytes += candidate->size;
    atomic_store(&taken[index], new);
    atomic_store_explicit(&taken_count, index + 1, memory_order_release);
    return 0;
}

/* Two threads that tell them the same do no harm. */
static int tell_hubs(void)
{
    int error = 0;
    for (unsigned i = 0; i < atomic_load(&taken_count); i++) {
        struct taken *object = atomic_load(&taken[i]);
        if (atomic_load(&object->everywhere))
            continue;
        if (bine_exchange_add(&object->object) == 0)
            atomic_store(&object->everywhere, true);
        else
            error = ENOMEM;
    }
    return error;
}

static int update(struct search *search)
{
    int error = 0;
    bine_engine_lock();
    dl_iterate_phdr(local_tls_look_at, search);
    bine_engine_unlock();
    for (struct candidate *candidate; (candidate = search->found);) {
        search->found = candidate->next;
        /* Not with the lock: constructors that run inside the loader may wait for it. */
        bool there = pin(candidate);
        bine_engine_lock();
        int failed = there ? local_tls_take(candidate) : 0;
        bine_engine_unlock();
        if (failed == ENOMEM || candidate->asked)
            error = failed ? failed : error;
        free(candidate);
    }
    int failed = tell_hubs();
    return search->no_memory || failed ? ENOMEM : error;
}

int bine_local_tls_begin(const char *pattern)
{
    struct search search = {.pattern = pattern};
    int error = update(&search);
    if (!error && (search.refused || (search.matched && !search.with_variables)))
        error = ENOTSUP;
    return error;
}

void bine_local_tls_follow(void)
{
    struct search search = {0};
    unsigned long long added, removed;
    if (!bine_rules_any_local_tls())
        return;
    bine_images_changes(&added, &removed);
    if (added != seen_added && update(&search) == 0)
        seen_added = added;
}
