/* Memory of a target through a cache of pages, and its mappings. See target.h. */
#include "target.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* The cache has a fixed size, whatever is read. Each page has one place. */
enum {
    PLACES = 2048
};

struct inspect_page {
    uint64_t number;  /* the page's number + 1; 0: nothing is here */
    unsigned reading; /* of the target when it was read */
    bool there;
    unsigned char bytes[INSPECT_PAGE];
};

struct inspect_target *inspect_new(const struct inspect_source *source)
{
    struct inspect_target *target = calloc(1, sizeof *target);
    if (target && !(target->pages = calloc(PLACES, sizeof *target->pages))) {
        free(target);
        return NULL;
    }
    if (target)
        target->source = source;
    return target;
}

void inspect_close(struct inspect_target *target)
{
    if (!target)
        return;
    if (target->own)
        target->source->close(target);
    for (size_t i = 0; i < target->mapping_count; i++)
        free(target->mappings[i].path);
    free(target->mappings);
    free(target->threads);
    free(target->pages);
    free(target);
}

struct inspect_target *inspect_open(const char *what)
{
    char *end;
    errno = 0;
    long number = strtol(what, &end, 10);
    if (*what && !*end && !errno && number > 0 && number <= INT_MAX)
        return inspect_open_process((pid_t)number);
    return inspect_open_core(what);
}

static const struct inspect_page *page_of(struct inspect_target *target, uint64_t address)
{
    uint64_t number = address / INSPECT_PAGE;
    struct inspect_page *page = &target->pages[(number ^ number >> 13) % PLACES];
    if (page->number != number + 1 || page->reading != target->reading) {
        page->number = number + 1;
        page->reading = target->reading;
        page->there = target->source->page(target, number * INSPECT_PAGE, page->bytes);
    }
    return page->there ? page : NULL;
}

void inspect_forget(struct inspect_target *target)
{
    target->reading++;
}

bool inspect_read(struct inspect_target *target, uint64_t address, void *buffer, size_t size)
{
    unsigned char *to = buffer;
    if (address > UINT64_MAX - size)
        return false;
    while (size) {
        const struct inspect_page *page = page_of(target, address);
        size_t within = address % INSPECT_PAGE, part = INSPECT_PAGE - within;
        if (!page)
            return false;
        if (part > size)
            part = size;
        memcpy(to, page->bytes + within, part);
        to += part;
        address += part;
        size -= part;
    }
    return true;
}

bool inspect_word(struct inspect_target *target, uint64_t address, uint64_t *word)
{
    return inspect_read(target, address, word, sizeof *word);
}

void inspect_disarm(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at;) {
        size_t length = inspect_character(at);
        if (*at < ' ' || *at == 0x7f || !length)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] < 0xa0)
            at[0] = at[1] = '?';
        at += length ? length : 1;
    }
}

bool inspect_text(struct inspect_target *target, uint64_t address, char *text, size_t size)
{
    size_t used = 0;
    while (used < size - 1) {
        const struct inspect_page *page = page_of(target, address + used);
        size_t within = (address + used) % INSPECT_PAGE, part = INSPECT_PAGE - within;
        if (!page) {
            *text = '\0';
            return false;
        }
        if (part > size - 1 - used)
            part = size - 1 - used;
        const void *zero = memchr(page->bytes + within, 0, part);
        size_t kept = zero ? (size_t)((const unsigned char *)zero - (page->bytes + within)) : part;
        memcpy(text + used, page->bytes + within, kept);
        used += kept;
        if (zero)
            break;
    }
    text[used] = '\0';
    inspect_disarm(text);
    return true;
}

/* ---- mappings and threads -------------------------------------------------------------------- */

/* Room for one more in an array that doubles. */
static void *grown(void *array, size_t count, size_t size)
{
    return count & (count - 1) ? array : realloc(array, (count ? 2 * count : 1) * size);
}

bool inspect_add_mapping(struct inspect_target *target, struct inspect_mapping mapping,
                         const char *path)
{
    struct inspect_mapping *mappings =
        grown(target->mappings, target->mapping_count, sizeof *mappings);
    if (!mappings)
        return false;
    target->mappings = mappings;
    mapping.path = strdup(path);
    if (!mapping.path)
        return false;
    mappings[target->mapping_count++] = mapping;
    return true;
}

struct inspect_thread *inspect_add_thread(struct inspect_target *target, pid_t tid)
{
    struct inspect_thread *threads = grown(target->threads, target->thread_count, sizeof *threads);
    if (!threads)
        return NULL;
    target->threads = threads;
    threads[target->thread_count] = (struct inspect_thread){.tid = tid};
    return &threads[target->thread_count++];
}

static int by_start(const void *one, const void *other)
{
    uint64_t a = ((const struct inspect_mapping *)one)->start,
             b = ((const struct inspect_mapping *)other)->start;
    return a < b ? -1 : a > b;
}

void inspect_settle(struct inspect_target *target)
{
    if (target->mapping_count)
        qsort(target->mappings, target->mapping_count, sizeof *target->mappings, by_start);
}

size_t inspect_first_after(const void *ranges, size_t count, size_t size, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint64_t *start_and_end =
            (const uint64_t *)((const unsigned char *)ranges + middle * size);
        if (start_and_end[1] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct inspect_mapping *inspect_mapping_of(const struct inspect_target *target,
                                                 uint64_t address)
{
    const struct inspect_mapping *mappings = target->mappings;
    size_t i = inspect_first_after(mappings, target->mapping_count, sizeof *mappings, address);
    return i < target->mapping_count && mappings[i].start <= address ? &mappings[i] : NULL;
}
