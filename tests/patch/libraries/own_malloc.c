/* A memory allocator as programs bring along: it finds libc's by dlsym at the first call, and calls
 * libc in between. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Asked for before libc's allocator is known (dlsym itself may want memory). */
static char early[1 << 16];
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static volatile int looking; /* dlsym comes back here, though its declaration denies it */

__attribute__((visibility("default"))) unsigned long own_malloc_calls;

static void look(void)
{
    if (looking)
        return;
    looking = 1;
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    looking = 0;
}

static int is_early(void *memory)
{
    return (char *)memory >= early && (char *)memory < early + sizeof early;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    own_malloc_calls++;
    if (!real_malloc)
        look();
    if (!real_malloc) {
        size_t start = (early_used + 15) & ~(size_t)15;
        if (start + size > sizeof early)
            return NULL;
        early_used = start + size;
        return early + start;
    }
    /* An allocator may well step aside for others, as those that spin do, or read a file. */
    if (own_malloc_calls % 16 == 0)
        usleep(0);
    return real_malloc(size);
}

__attribute__((visibility("default"))) void free(void *memory)
{
    if (!memory || is_early(memory))
        return;
    real_free(memory);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = malloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
    if (!old)
        return malloc(size);
    if (!real_realloc)
        look();
    if (is_early(old)) {
        void *memory = malloc(size);
        if (memory)
            memcpy(memory, old,
                   size < (size_t)(early + sizeof early - (char *)old)
                       ? size
                       : (size_t)(early + sizeof early - (char *)old));
        return memory;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): look() has found it */
    return real_realloc(old, size);
}
