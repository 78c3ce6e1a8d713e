/*
 * The name service's other look-ups (hosts by the old interface, services, users, groups) on the
 * offload pool.
 *
 * A query owns all memory that the pool's thread writes to, so that a killed caller can leave at
 * once. The _r forms then move the result into the caller's buffer, with all its pointers. The
 * other forms keep the query's block, which belongs to the greenlet.
 */
#include <bine/greenlet.h>
#include <bine/names.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/key.h"
#include "core/schedule/park.h"
#include "io/offload/offload.h"
#include "libc/free.h"
#include "libc/libc.h"

enum shape {
    HOST,
    SERVICE,
    USER,
    GROUP,
    SHAPES
};
enum question {
    HOST_NAME,
    HOST_FAMILY_NAME,
    HOST_ADDRESS,
    SERVICE_NAME,
    SERVICE_PORT,
    USER_NAME,
    USER_ID,
    GROUP_NAME,
    GROUP_ID
};

union entry {
    struct hostent host;
    struct servent service;
    struct passwd user;
    struct group group;
};

enum {
    FIRST_SIZE = 1024,
    LARGEST_SIZE = 1 << 26,
    ALIGNMENT = 16
};

struct query {
    struct bine_offload_job job; /* first */
    enum shape shape;
    enum question question;
    const char *verb;
    char *name, *protocol;
    unsigned char address[16];
    socklen_t length;
    int family;
    unsigned number; /* port, user or group */

    union entry entry;
    char *block;  /* malloc'ed */
    char *buffer; /* within block */
    size_t size;
    bool grows; /* enlarge the buffer when it is too small, instead of reporting ERANGE */
    bool found;
    int status;
    int h_error;
};

static void free_query(struct query *query)
{
    bine_free(query->name);
    bine_free(query->protocol);
    bine_free(query->block);
    bine_free(query);
}

static void discard_query(struct bine_offload_job *job)
{
    free_query((struct query *)job);
}

static int names_entries_ask(struct query *query, void **result)
{
    const char *name = query->name, *protocol = query->protocol;
    char *buffer = query->buffer;
    size_t size = query->size;
    union entry *entry = &query->entry;
    switch (query->question) {
    case HOST_NAME:
        return bine_libc.gethostbyname_r(name, &entry->host, buffer, size,
                                         (struct hostent **)result, &query->h_error);
    case HOST_FAMILY_NAME:
        return bine_libc.gethostbyname2_r(name, query->family, &entry->host, buffer, size,
                                          (struct hostent **)result, &query->h_error);
    case HOST_ADDRESS:
        return bine_libc.gethostbyaddr_r(query->address, query->length, query->family, &entry->host,
                                         buffer, size, (struct hostent **)result, &query->h_error);
    case SERVICE_NAME:
        return bine_libc.getservbyname_r(name, protocol, &entry->service, buffer, size,
                                         (struct servent **)result);
    case SERVICE_PORT:
        return bine_libc.getservbyport_r((int)query->number, protocol, &entry->service, buffer,
                                         size, (struct servent **)result);
    case USER_NAME:
        return bine_libc.getpwnam_r(name, &entry->user, buffer, size, (struct passwd **)result);
    case USER_ID:
        return bine_libc.getpwuid_r(query->number, &entry->user, buffer, size,
                                    (struct passwd **)result);
    case GROUP_NAME:
        return bine_libc.getgrnam_r(name, &entry->group, buffer, size, (struct group **)result);
    case GROUP_ID:
        return bine_libc.getgrgid_r(query->number, &entry->group, buffer, size,
                                    (struct group **)result);
    }
    return EINVAL;
}

static void run_query(struct bine_offload_job *job)
{
    struct query *query = (struct query *)job;
    for (;;) {
        void *result = NULL;
        query->status = names_entries_ask(query, &result);
        query->found = query->status == 0 && result;
        if (query->status != ERANGE || !query->grows || query->size >= LARGEST_SIZE)
            return;
        char *larger = realloc(query->block, query->size * 2);
        if (!larger) {
            query->status = errno = ENOMEM;
            query->h_error = NETDB_INTERNAL;
            return;
        }
        query->block = query->buffer = larger;
        query->size *= 2;
    }
}

/* A query with its own copy of everything. `buffer` and `size`: the caller's room, NULL for one
 * that grows. The copy lies as the caller's does to the alignment, for glibc aligns its pointers
 * within it and must find the same room. */
static struct query *new_query(enum shape shape, enum question question, const char *verb,
                               const char *name, const char *protocol, const char *buffer,
                               size_t size)
{
    struct query *query = calloc(1, sizeof *query);
    if (!query)
        return NULL;
    query->job.run = run_query;
    query->job.error = errno;
    query->shape = shape;
    query->question = question;
    query->verb = verb;
    query->grows = !buffer;
    query->size = buffer ? size : FIRST_SIZE;
    size_t skew = (uintptr_t)buffer % ALIGNMENT;
    query->block = malloc(query->size + skew + 1);
    if (!query->block)
        goto no_memory;
    query->buffer = query->block + skew;
    if ((name && !(query->name = strdup(name))) ||
        (protocol && !(query->protocol = strdup(protocol))))
        goto no_memory;
    return query;
no_memory:
    free_query(query);
    return NULL;
}

/* Returns 0 if it was answered and the query is the caller's. Else returns an error number, and the
 * query is gone. `at_once`: no server need be asked. */
static int names_entries_run(struct bine_hub *hub, struct query *query, bool at_once)
{
    if (at_once) {
        run_query(&query->job);
        query->job.error = errno;
        return 0;
    }
    query->job.locks = true;
    query->job.name = true;
    uintptr_t asked = query->name ? (uintptr_t)query->name : query->number;
    return bine_offload_detached(hub, &query->job, discard_query, query->verb, asked, INT64_MAX);
}

/* ---- moving a result into the caller's buffer ------------------------------------------------ */

struct move {
    const char *from;
    char *to;
    size_t size;
};

/* Modules may answer with pointers to constants of their own: these stay. */
static bool inside(const struct move *move, const void *pointer)
{
    return (const char *)pointer >= move->from && (const char *)pointer < move->from + move->size;
}

static void move_pointer(const struct move *move, char **pointer)
{
    if (inside(move, *pointer))
        *pointer = move->to + (*pointer - move->from);
}

static void move_list(const struct move *move, char ***list)
{
    if (!*list || !inside(move, *list))
        return;
    *list = (char **)(move->to + ((const char *)*list - move->from));
    for (char **each = *list; *each; each++)
        move_pointer(move, each);
}

static void move_entry(struct query *query, void *entry, char *buffer)
{
    struct move move = {.from = query->buffer, .to = buffer, .size = query->size};
    memcpy(buffer, query->buffer, query->size);
    union entry *from = &query->entry;
    switch (query->shape) {
    case HOST:
        move_pointer(&move, &from->host.h_name);
        move_list(&move, &from->host.h_aliases);
        move_list(&move, &from->host.h_addr_list);
        *(struct hostent *)entry = from->host;
        break;
    case SERVICE:
        move_pointer(&move, &from->service.s_name);
        move_list(&move, &from->service.s_aliases);
        move_pointer(&move, &from->service.s_proto);
        *(struct servent *)entry = from->service;
        break;
    case USER:
        move_pointer(&move, &from->user.pw_name);
        move_pointer(&move, &from->user.pw_passwd);
        move_pointer(&move, &from->user.pw_gecos);
        move_pointer(&move, &from->user.pw_dir);
        move_pointer(&move, &from->user.pw_shell);
        *(struct passwd *)entry = from->user;
        break;
    case GROUP:
        move_pointer(&move, &from->group.gr_name);
        move_pointer(&move, &from->group.gr_passwd);
        move_list(&move, &from->group.gr_mem);
        *(struct group *)entry = from->group;
        break;
    case SHAPES:
        break;
    }
}

/* The tail of every _r form. query NULL: there was no memory for it. */
static int answer_into(struct bine_hub *hub, struct query *query, bool at_once, void *entry,
                       char *buffer, void **result, int *h_error)
{
    *result = NULL;
    int error = query ? names_entries_run(hub, query, at_once) : ENOMEM;
    if (error) {
        if (h_error)
            *h_error = error == EAGAIN ? TRY_AGAIN : NETDB_INTERNAL;
        errno = error;
        return error;
    }
    int status = query->status;
    if (query->found) {
        move_entry(query, entry, buffer);
        *result = entry;
    }
    if (h_error)
        *h_error = query->h_error;
    errno = query->job.error;
    free_query(query);
    return status;
}

/* ---- storage of the other forms -------------------------------------------------------------- */

struct storage {
    struct query *last[SHAPES];
};

static void free_storage(void *pointer)
{
    struct storage *storage = pointer;
    for (int shape = 0; shape < SHAPES; shape++)
        if (storage->last[shape])
            free_query(storage->last[shape]);
    free(storage);
}

static struct storage *storage_here(void)
{
    static atomic_uint made;
    bine_key key;
    if (!bine_key_once(&made, free_storage, &key))
        return NULL;
    struct storage *storage = bine_getspecific(key);
    if (storage)
        return storage;
    storage = calloc(1, sizeof *storage);
    if (storage && bine_setspecific(key, storage) != 0) {
        free(storage);
        storage = NULL;
    }
    return storage;
}

/* The tail of every form that returns a pointer to its own storage. */
static void *names_entries_answer(struct bine_hub *hub, struct query *query, bool at_once)
{
    int error = ENOMEM;
    struct storage *storage = NULL;
    if (query && !(storage = storage_here()))
        free_query(query);
    else if (query)
        error = names_entries_run(hub, query, at_once);
    if (error) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the greenlet keeps its storage */
        int trouble = error == EAGAIN ? TRY_AGAIN : NETDB_INTERNAL;
        h_errno = trouble;
        errno = error;
        return NULL;
    }
    if (query->shape == HOST && !query->found)
        h_errno = query->h_error;
    errno = query->status ? query->status : query->job.error;
    if (!query->found) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
        free_query(query);
        return NULL;
    }
    if (storage->last[query->shape])
        free_query(storage->last[query->shape]);
    storage->last[query->shape] = query;
    return &query->entry;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

/* libc answers these from the text alone. */
static bool numeric(const char *name)
{
    unsigned char address[16];
    return inet_aton(name, (struct in_addr *)address) || inet_pton(AF_INET6, name, address) == 1;
}

static struct query *host_by_name(const char *name, const char *buffer, size_t size)
{
    return new_query(HOST, HOST_NAME, "gethostbyname", name, NULL, buffer, size);
}

static struct query *host_by_family_name(const char *name, int family, const char *buffer,
                                         size_t size)
{
    struct query *query =
        new_query(HOST, HOST_FAMILY_NAME, "gethostbyname2", name, NULL, buffer, size);
    if (query)
        query->family = family;
    return query;
}

static struct query *host_by_address(const void *address, socklen_t length, int family,
                                     const char *buffer, size_t size)
{
    struct query *query = new_query(HOST, HOST_ADDRESS, "gethostbyaddr", NULL, NULL, buffer, size);
    if (query) {
        memcpy(query->address, address, length);
        query->length = length;
        query->family = family;
    }
    return query;
}

struct hostent *bine_gethostbyname(const char *name)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(hub, host_by_name(name, NULL, 0), numeric(name))
               : bine_libc.gethostbyname(name);
}

struct hostent *bine_gethostbyname2(const char *name, int family)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(hub, host_by_family_name(name, family, NULL, 0),
                                      numeric(name))
               : bine_libc.gethostbyname2(name, family);
}

struct hostent *bine_gethostbyaddr(const void *address, socklen_t length, int family)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || length > sizeof((struct query *)0)->address)
        return bine_libc.gethostbyaddr(address, length, family);
    return names_entries_answer(hub, host_by_address(address, length, family, NULL, 0), false);
}

int bine_gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
                         struct hostent **result, int *h_error)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.gethostbyname_r(name, entry, buffer, size, result, h_error);
    return answer_into(hub, host_by_name(name, buffer, size), numeric(name), entry, buffer,
                       (void **)result, h_error);
}

int bine_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer,
                          size_t size, struct hostent **result, int *h_error)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.gethostbyname2_r(name, family, entry, buffer, size, result, h_error);
    return answer_into(hub, host_by_family_name(name, family, buffer, size), numeric(name), entry,
                       buffer, (void **)result, h_error);
}

int bine_gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *entry,
                         char *buffer, size_t size, struct hostent **result, int *h_error)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer || length > sizeof((struct query *)0)->address)
        return bine_libc.gethostbyaddr_r(address, length, family, entry, buffer, size, result,
                                         h_error);
    return answer_into(hub, host_by_address(address, length, family, buffer, size), false, entry,
                       buffer, (void **)result, h_error);
}

/* ---- services, users, groups ----------------------------------------------------------------- */

static struct query *by_number(enum shape shape, enum question question, const char *verb,
                               unsigned number, const char *protocol, const char *buffer,
                               size_t size)
{
    struct query *query = new_query(shape, question, verb, NULL, protocol, buffer, size);
    if (query)
        query->number = number;
    return query;
}

struct servent *bine_getservbyname(const char *name, const char *protocol)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub)
        return bine_libc.getservbyname(name, protocol);
    return names_entries_answer(
        hub, new_query(SERVICE, SERVICE_NAME, "getservbyname", name, protocol, NULL, 0), false);
}

int bine_getservbyname_r(const char *name, const char *protocol, struct servent *entry,
                         char *buffer, size_t size, struct servent **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getservbyname_r(name, protocol, entry, buffer, size, result);
    return answer_into(
        hub, new_query(SERVICE, SERVICE_NAME, "getservbyname", name, protocol, buffer, size), false,
        entry, buffer, (void **)result, NULL);
}

struct servent *bine_getservbyport(int port, const char *protocol)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub)
        return bine_libc.getservbyport(port, protocol);
    return names_entries_answer(
        hub, by_number(SERVICE, SERVICE_PORT, "getservbyport", (unsigned)port, protocol, NULL, 0),
        false);
}

int bine_getservbyport_r(int port, const char *protocol, struct servent *entry, char *buffer,
                         size_t size, struct servent **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getservbyport_r(port, protocol, entry, buffer, size, result);
    return answer_into(
        hub,
        by_number(SERVICE, SERVICE_PORT, "getservbyport", (unsigned)port, protocol, buffer, size),
        false, entry, buffer, (void **)result, NULL);
}

struct passwd *bine_getpwnam(const char *name)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(
                     hub, new_query(USER, USER_NAME, "getpwnam", name, NULL, NULL, 0), false)
               : bine_libc.getpwnam(name);
}

int bine_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getpwnam_r(name, entry, buffer, size, result);
    return answer_into(hub, new_query(USER, USER_NAME, "getpwnam", name, NULL, buffer, size), false,
                       entry, buffer, (void **)result, NULL);
}

struct passwd *bine_getpwuid(uid_t uid)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(hub, by_number(USER, USER_ID, "getpwuid", uid, NULL, NULL, 0),
                                      false)
               : bine_libc.getpwuid(uid);
}

int bine_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getpwuid_r(uid, entry, buffer, size, result);
    return answer_into(hub, by_number(USER, USER_ID, "getpwuid", uid, NULL, buffer, size), false,
                       entry, buffer, (void **)result, NULL);
}

struct group *bine_getgrnam(const char *name)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(
                     hub, new_query(GROUP, GROUP_NAME, "getgrnam", name, NULL, NULL, 0), false)
               : bine_libc.getgrnam(name);
}

int bine_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                    struct group **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getgrnam_r(name, entry, buffer, size, result);
    return answer_into(hub, new_query(GROUP, GROUP_NAME, "getgrnam", name, NULL, buffer, size),
                       false, entry, buffer, (void **)result, NULL);
}

struct group *bine_getgrgid(gid_t gid)
{
    struct bine_hub *hub = bine_offload_hub();
    return hub ? names_entries_answer(
                     hub, by_number(GROUP, GROUP_ID, "getgrgid", gid, NULL, NULL, 0), false)
               : bine_libc.getgrgid(gid);
}

int bine_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                    struct group **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || !buffer)
        return bine_libc.getgrgid_r(gid, entry, buffer, size, result);
    return answer_into(hub, by_number(GROUP, GROUP_ID, "getgrgid", gid, NULL, buffer, size), false,
                       entry, buffer, (void **)result, NULL);
}
