/* Walks the loader's lists. See image_list.h and dl_iterate_phdr(3). */
#include "image_list.h"

#include <string.h>
#include <sys/auxv.h>

#include "libc/libc.h"

/* ---- holding the lists still ---------------------------------------------------------------- */

struct held {
    int (*work)(void *arg);
    void *arg;
    int result;
};

/* The loader calls this for the first object with its lock held, and stops there: all work is done
 * inside. The lock is recursive, so that the walk below may use the same function again. */
static int inside(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info, (void)size;
    struct held *held = arg;
    held->result = held->work(held->arg);
    return 1;
}

int bine_images_hold(int (*work)(void *arg), void *arg)
{
    struct held held = {work, arg, 0};
    bine_libc.dl_iterate_phdr(inside, &held);
    return held.result;
}

/* ---- this namespace ------------------------------------------------------------------------- */

struct walk {
    int (*visit)(const struct bine_image *object, void *arg);
    void *arg;
};

static int visit_one(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct walk *walk = arg;
    struct bine_image object;
    if (!bine_image_read(&object, info->dlpi_addr, info->dlpi_name, info->dlpi_phdr,
                         info->dlpi_phnum))
        return 0;
    return walk->visit(&object, walk->arg);
}

/* ---- the other namespaces ------------------------------------------------------------------- */

/* glibc since 2.35 chains the lists of all namespaces for debuggers; link.h of older ones has no
 * name for that. */
struct extended_debug {
    struct r_debug base;
    struct extended_debug *next;
};

/* The program's DT_DEBUG points to the loader's own record. (The symbol _r_debug may be a copy of
 * the first part only.) */
static const struct extended_debug *program_debug(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    const ElfW(Dyn) *dynamic = NULL;
    uintptr_t base = 0;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_PHDR)
            base = (uintptr_t)headers - headers[i].p_vaddr;
        else if (headers[i].p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)(base + headers[i].p_vaddr);
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag == DT_DEBUG)
            return (const struct extended_debug *)dynamic->d_un.d_ptr;
    return NULL;
}

static int visit_namespace(const struct r_debug *debug, struct walk *walk)
{
    for (const struct link_map *map = debug->r_map; map; map = map->l_next) {
        /* A library's file begins with its ELF header, and is mapped from there at l_addr. What
         * does not look so (the loader itself appears in each namespace as a proxy, with an address
         * in ours) is passed over. */
        const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)map->l_addr;
        if (!header || (uintptr_t)map->l_ld < map->l_addr ||
            memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
            continue;
        struct bine_image object;
        const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(map->l_addr + header->e_phoff);
        if (!bine_image_read(&object, map->l_addr, map->l_name, headers, header->e_phnum))
            continue;
        if (object.dynamic != map->l_ld)
            continue;
        object.other_namespace = true;
        int result = walk->visit(&object, walk->arg);
        if (result)
            return result;
    }
    return 0;
}

int bine_images_walk(int (*visit)(const struct bine_image *object, void *arg), void *arg)
{
    struct walk walk = {.visit = visit, .arg = arg};
    int result = bine_libc.dl_iterate_phdr(visit_one, &walk);
    const struct extended_debug *debug = program_debug();
    if (result || !debug || debug->base.r_version < 2)
        return result;
    for (debug = debug->next; debug && !result; debug = debug->next)
        result = visit_namespace(&debug->base, &walk);
    return result;
}

/* ---- changes -------------------------------------------------------------------------------- */

struct changes {
    unsigned long long added, removed;
};

static int read_changes(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(struct changes *)arg = (struct changes){info->dlpi_adds, info->dlpi_subs};
    return 1;
}

void bine_images_changes(unsigned long long *added, unsigned long long *removed)
{
    struct changes changes = {0, 0};
    bine_libc.dl_iterate_phdr(read_changes, &changes);
    *added = changes.added;
    *removed = changes.removed;
}
