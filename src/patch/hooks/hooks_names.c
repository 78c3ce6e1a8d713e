/*
 * Hooks of the rarer look-ups: protocols, networks, shadow passwords, and stepping through a whole
 * database (getpwent ...). A thread of the offload pool makes each call as a whole, by libc's _r
 * form. The result of the other forms belongs to the greenlet until its next call of the same kind.
 * The position in a database belongs to the process, as in libc.
 */
#include <bine/greenlet.h>
#include <bine/offload.h>
#include <errno.h>
#include <stdlib.h>

#include "core/key.h"
#include "io/offload/offload.h"
#include "libc/free.h"
#include "patch/table/hook.h"

enum shape {
    PROTOCOL,
    SERVICE,
    NETWORK,
    HOST,
    USER,
    GROUP,
    PASSWORD,
    SHAPES
};

enum {
    FIRST_SIZE = 1024,
    LARGEST_SIZE = 1 << 26
};

struct look_up {
    int (*ask)(struct look_up *look_up);
    const char *name;
    uint32_t network;
    int number;
    void *entry, *found;
    char *buffer;
    size_t size;
    bool grows; /* enlarge the buffer, which is malloc'ed, instead of reporting ERANGE */
    int status, h_error;
};

static void *hooks_names_ask(void *arg)
{
    struct look_up *look_up = arg;
    for (;;) {
        look_up->found = NULL;
        look_up->status = look_up->ask(look_up);
        /* A step that failed for want of room is made again from the same place. */
        if (look_up->status != ERANGE || !look_up->grows || look_up->size >= LARGEST_SIZE)
            return NULL;
        char *larger = realloc(look_up->buffer, 2 * look_up->size);
        if (!larger) {
            look_up->status = errno = ENOMEM;
            return NULL;
        }
        look_up->buffer = larger;
        look_up->size *= 2;
    }
}

static void ask_on_pool(struct look_up *look_up)
{
    if (bine_offload_locking(hooks_names_ask, look_up, NULL) == 0)
        return;
    look_up->status = errno; /* killed, or out of time, before it began */
    look_up->h_error = NETDB_INTERNAL;
}

/* ---- storage of the forms without a buffer --------------------------------------------------- */

struct stored {
    union {
        struct protoent protocol;
        struct servent service;
        struct netent network;
        struct hostent host;
        struct passwd user;
        struct group group;
        struct spwd shadow;
    } entry;
    char *buffer;
    size_t size;
};

static void free_storage(void *pointer)
{
    struct stored *all = pointer;
    for (int shape = 0; shape < SHAPES; shape++)
        free(all[shape].buffer);
    free(all);
}

/* The calling greenlet's, NULL: ENOMEM. */
static struct stored *stored_here(enum shape shape)
{
    static atomic_uint made;
    bine_key key;
    if (!bine_key_once(&made, free_storage, &key))
        return NULL;
    struct stored *all = bine_getspecific(key);
    if (!all) {
        all = calloc(SHAPES, sizeof *all);
        if (!all || bine_setspecific(key, all) != 0) {
            bine_free(all);
            return NULL;
        }
    }
    struct stored *stored = all + shape;
    if (!stored->buffer) {
        stored->buffer = malloc(FIRST_SIZE);
        stored->size = FIRST_SIZE;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the greenlet keeps `all` */
    return stored->buffer ? stored : NULL;
}

/* For the forms that return a pointer. `network`: they set h_errno. */
static void *hooks_names_answer(struct look_up look_up, enum shape shape, bool network)
{
    struct stored *stored = stored_here(shape);
    if (!stored) {
        errno = ENOMEM;
        return NULL;
    }
    look_up.entry = &stored->entry;
    look_up.buffer = stored->buffer;
    look_up.size = stored->size;
    look_up.grows = true;
    ask_on_pool(&look_up);
    stored->buffer = look_up.buffer;
    stored->size = look_up.size;
    if (look_up.status)
        errno = look_up.status;
    if (network && !look_up.found)
        h_errno = look_up.h_error;
    return look_up.status ? NULL : look_up.found;
}

/* For the _r forms. */
static int answer_into(struct look_up look_up, void *entry, char *buffer, size_t size,
                       void **result, int *h_error)
{
    look_up.entry = entry;
    look_up.buffer = buffer;
    look_up.size = size;
    ask_on_pool(&look_up);
    *result = look_up.found;
    if (h_error)
        *h_error = look_up.h_error;
    return look_up.status;
}

/* ---- the hooks ------------------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): types and names */

/* One step through a database: getpwent and getpwent_r. */
#define NEXT(type, shape, function)                                                       \
    static int ask_##function(struct look_up *q)                                          \
    {                                                                                     \
        return bine_libc.function##_r(q->entry, q->buffer, q->size, (type **)&q->found);  \
    }                                                                                     \
    type *hook_##function(void)                                                           \
    {                                                                                     \
        if (!bine_hook_here(BINE_PATCH_DNS))                                              \
            return bine_libc.function();                                                  \
        return hooks_names_answer((struct look_up){.ask = ask_##function}, shape, false); \
    }                                                                                     \
    int hook_##function##_r(type *entry, char *buffer, size_t size, type **result)        \
    {                                                                                     \
        if (!bine_hook_here(BINE_PATCH_DNS))                                              \
            return bine_libc.function##_r(entry, buffer, size, result);                   \
        return answer_into((struct look_up){.ask = ask_##function}, entry, buffer, size,  \
                           (void **)result, NULL);                                        \
    }

/* The same with h_errno. */
#define NEXT_ON_NETWORK(type, shape, function)                                                   \
    static int ask_##function(struct look_up *q)                                                 \
    {                                                                                            \
        return bine_libc.function##_r(q->entry, q->buffer, q->size, (type **)&q->found,          \
                                      &q->h_error);                                              \
    }                                                                                            \
    type *hook_##function(void)                                                                  \
    {                                                                                            \
        if (!bine_hook_here(BINE_PATCH_DNS))                                                     \
            return bine_libc.function();                                                         \
        return hooks_names_answer((struct look_up){.ask = ask_##function}, shape, true);         \
    }                                                                                            \
    int hook_##function##_r(type *entry, char *buffer, size_t size, type **result, int *h_error) \
    {                                                                                            \
        if (!bine_hook_here(BINE_PATCH_DNS))                                                     \
            return bine_libc.function##_r(entry, buffer, size, result, h_error);                 \
        return answer_into((struct look_up){.ask = ask_##function}, entry, buffer, size,         \
                           (void **)result, h_error);                                            \
    }

/* By a name or number, which struct look_up has as `member`. */
#define BY(type, shape, function, argument, member)                                                \
    static int ask_##function(struct look_up *q)                                                   \
    {                                                                                              \
        return bine_libc.function##_r(q->member, q->entry, q->buffer, q->size,                     \
                                      (type **)&q->found);                                         \
    }                                                                                              \
    type *hook_##function(argument value)                                                          \
    {                                                                                              \
        if (!bine_hook_here(BINE_PATCH_DNS))                                                       \
            return bine_libc.function(value);                                                      \
        return hooks_names_answer((struct look_up){.ask = ask_##function, .member = value}, shape, \
                                  false);                                                          \
    }                                                                                              \
    int hook_##function##_r(argument value, type *entry, char *buffer, size_t size, type **result) \
    {                                                                                              \
        if (!bine_hook_here(BINE_PATCH_DNS))                                                       \
            return bine_libc.function##_r(value, entry, buffer, size, result);                     \
        return answer_into((struct look_up){.ask = ask_##function, .member = value}, entry,        \
                           buffer, size, (void **)result, NULL);                                   \
    }

NEXT(struct passwd, USER, getpwent)
NEXT(struct group, GROUP, getgrent)
NEXT(struct spwd, PASSWORD, getspent)
NEXT(struct servent, SERVICE, getservent)
NEXT(struct protoent, PROTOCOL, getprotoent)
NEXT_ON_NETWORK(struct hostent, HOST, gethostent)
NEXT_ON_NETWORK(struct netent, NETWORK, getnetent)
BY(struct protoent, PROTOCOL, getprotobyname, const char *, name)
BY(struct protoent, PROTOCOL, getprotobynumber, int, number)
BY(struct spwd, PASSWORD, getspnam, const char *, name)

/* NOLINTEND(bugprone-macro-parentheses) */

static int ask_network_name(struct look_up *q)
{
    return bine_libc.getnetbyname_r(q->name, q->entry, q->buffer, q->size,
                                    (struct netent **)&q->found, &q->h_error);
}

struct netent *hook_getnetbyname(const char *name)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getnetbyname(name);
    return hooks_names_answer((struct look_up){.ask = ask_network_name, .name = name}, NETWORK,
                              true);
}

int hook_getnetbyname_r(const char *name, struct netent *entry, char *buffer, size_t size,
                        struct netent **result, int *h_error)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getnetbyname_r(name, entry, buffer, size, result, h_error);
    return answer_into((struct look_up){.ask = ask_network_name, .name = name}, entry, buffer, size,
                       (void **)result, h_error);
}

static int ask_network_number(struct look_up *q)
{
    return bine_libc.getnetbyaddr_r(q->network, q->number, q->entry, q->buffer, q->size,
                                    (struct netent **)&q->found, &q->h_error);
}

struct netent *hook_getnetbyaddr(uint32_t network, int type)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getnetbyaddr(network, type);
    return hooks_names_answer(
        (struct look_up){.ask = ask_network_number, .network = network, .number = type}, NETWORK,
        true);
}

int hook_getnetbyaddr_r(uint32_t network, int type, struct netent *entry, char *buffer, size_t size,
                        struct netent **result, int *h_error)
{
    if (!bine_hook_here(BINE_PATCH_DNS))
        return bine_libc.getnetbyaddr_r(network, type, entry, buffer, size, result, h_error);
    return answer_into(
        (struct look_up){.ask = ask_network_number, .network = network, .number = type}, entry,
        buffer, size, (void **)result, h_error);
}
