/*
 * getaddrinfo and getnameinfo on the offload pool.
 *
 * Equal getaddrinfo calls that are under way on one hub share one look-up. A thousand greenlets
 * that connect to the same host cost one thread and one query. Everything but the look-up itself
 * happens on the hub's thread, so none of it needs a lock.
 */
#include <bine/names.h>

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/schedule/park.h"
#include "core/schedule/streak.h"
#include "io/offload/offload.h"
#include "libc/carrier.h"
#include "libc/free.h"
#include "libc/libc.h"
#include "localhost.h"

/* ---- results --------------------------------------------------------------------------------- */

/*
 * Copy a result so that freeaddrinfo frees it. glibc's contract, since its first version: each node
 * is one malloc block with the address behind it, ai_canonname another. NULL: no memory. Other C
 * libraries lay theirs out differently: there look-ups are not shared (shareable()).
 */
static struct addrinfo *copy_result(const struct addrinfo *from)
{
    struct addrinfo *first = NULL, **end = &first;
    for (; from; from = from->ai_next) {
        struct addrinfo *node = malloc(sizeof *node + from->ai_addrlen);
        if (!node)
            goto no_memory;
        *node = *from;
        node->ai_next = NULL;
        node->ai_canonname = NULL;
        *end = node;
        end = &node->ai_next;
        if (from->ai_addr)
            node->ai_addr = memcpy(node + 1, from->ai_addr, from->ai_addrlen);
        if (from->ai_canonname && !(node->ai_canonname = strdup(from->ai_canonname)))
            goto no_memory;
    }
    return first;
no_memory:
    if (first)
        freeaddrinfo(first);
    return NULL; /* NOLINT(clang-analyzer-unix.Malloc): freeaddrinfo frees the list */
}

static bool shareable(void)
{
#ifdef __GLIBC__
    return true;
#else
    return false;
#endif
}

/* ---- look-ups in flight ---------------------------------------------------------------------- */

struct lookup {
    struct bine_offload_job job; /* first */
    char *node, *service;
    struct addrinfo hints;
    bool hinted;
    locale_t locale; /* AI_IDN reads the caller's character set; 0 otherwise */
    int status;      /* of getaddrinfo */
    struct addrinfo *result;
    bool ended;
    /* greenlets that wait for it, or have been woken and not yet taken their result */
    size_t takers;
    struct bine_waiters waiters;
    unsigned hash; /* of the node */
    /* this hub's look-ups of its bucket; link NULL: not listed (any more) */
    struct lookup *next, **link;
};

enum {
    BUCKETS = 1024
};

/* One table per thread: a greenlet never leaves its thread, and this is not called across a switch.
 * NULL: no look-up has been listed yet. */
static BINE_CARRIED struct lookup **lookups_;
#define lookups BINE_OF_CARRIER(lookups_)

__attribute__((noinline)) static struct lookup ***lookups_here(void)
{
    return &lookups;
}

/* FNV-1a. An attacker who makes names collide gains a walk along at most NAMES_WAITING look-ups. */
static unsigned hash_of(const char *node)
{
    unsigned hash = 2166136261u;
    for (; node && *node; node++)
        hash = (hash ^ (unsigned char)*node) * 16777619u;
    return hash;
}

/* The waiters of a hub that ended are gone, and so is, in the child, all that was under way at
 * fork: join none of it. */
static void forget_lookups(struct bine_hub *hub)
{
    (void)hub;
    for (int i = 0; lookups && i < BUCKETS; i++)
        for (struct lookup *each = lookups[i]; each; each = each->next)
            each->link = NULL;
    free(lookups);
    lookups = NULL;
}

__attribute__((constructor)) static void names_set_up(void)
{
    bine_hub_on_end(forget_lookups);
    bine_hub_on_fork(forget_lookups);
}

static void unlist(struct lookup *lookup)
{
    if (!lookup->link)
        return;
    *lookup->link = lookup->next;
    if (lookup->next)
        lookup->next->link = lookup->link;
    lookup->link = NULL;
}

static void list(struct lookup *lookup)
{
    struct lookup ***table = lookups_here();
    if (!*table && !(*table = calloc(BUCKETS, sizeof **table)))
        return; /* no other look-up joins it */
    struct lookup **head = &(*table)[lookup->hash % BUCKETS];
    lookup->next = *head;
    lookup->link = head;
    if (lookup->next)
        lookup->next->link = &lookup->next;
    *head = lookup;
}

static void free_lookup(struct lookup *lookup)
{
    if (lookup->result)
        freeaddrinfo(lookup->result);
    if (lookup->locale)
        freelocale(lookup->locale);
    bine_free(lookup->node);
    bine_free(lookup->service);
    bine_free(lookup);
}

static void run_lookup(struct bine_offload_job *job)
{
    struct lookup *lookup = (struct lookup *)job;
    locale_t before = lookup->locale ? uselocale(lookup->locale) : (locale_t)0;
    lookup->status = bine_libc.getaddrinfo(lookup->node, lookup->service,
                                           lookup->hinted ? &lookup->hints : NULL, &lookup->result);
    if (lookup->status != 0)
        lookup->result = NULL;
    if (before)
        uselocale(before);
}

static void lookup_ended(struct bine_offload_job *job)
{
    struct lookup *lookup = (struct lookup *)job;
    unlist(lookup);
    lookup->ended = true;
    if (lookup->takers == 0) {
        free_lookup(lookup);
        return;
    }
    struct bine_waiter *waiter;
    while ((waiter = bine_waiters_pop(&lookup->waiters)))
        bine_waiter_wake(waiter);
}

static void lookup_orphaned(struct bine_offload_job *job)
{
    /* The thread of the list is gone, and with it every link into it. */
    free_lookup((struct lookup *)job);
}

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct lookup *find_lookup(const char *node, const char *service,
                                  const struct addrinfo *hints)
{
    struct lookup **table = *lookups_here();
    unsigned hash = hash_of(node);
    for (struct lookup *each = table ? table[hash % BUCKETS] : NULL; each; each = each->next)
        if (each->hash == hash && each->hinted == (hints != NULL) &&
            same_string(each->node, node) && same_string(each->service, service) &&
            (!hints || (each->hints.ai_flags == hints->ai_flags &&
                        each->hints.ai_family == hints->ai_family &&
                        each->hints.ai_socktype == hints->ai_socktype &&
                        each->hints.ai_protocol == hints->ai_protocol)))
            return each;
    return NULL;
}

static struct lookup *new_lookup(const char *node, const char *service,
                                 const struct addrinfo *hints)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return NULL;
    lookup->hash = hash_of(node);
    if ((node && !(lookup->node = strdup(node))) ||
        (service && !(lookup->service = strdup(service))))
        goto no_memory;
    if (hints) {
        lookup->hinted = true;
        lookup->hints = (struct addrinfo){.ai_flags = hints->ai_flags,
                                          .ai_family = hints->ai_family,
                                          .ai_socktype = hints->ai_socktype,
                                          .ai_protocol = hints->ai_protocol};
#ifdef AI_IDN
        if (hints->ai_flags & (AI_IDN | AI_CANONIDN) &&
            !(lookup->locale = duplocale(uselocale((locale_t)0))))
            goto no_memory;
#endif
    }
    lookup->job = (struct bine_offload_job){.run = run_lookup,
                                            .done = lookup_ended,
                                            .orphaned = lookup_orphaned,
                                            .locks = true,
                                            .name = true,
                                            .error = errno};
    return lookup;
no_memory:
    free_lookup(lookup);
    return NULL;
}

/* Give one taker its result: a copy, or the thing itself to the last one. Frees the look-up after
 * the last. */
static int take_result(struct lookup *lookup, struct addrinfo **result)
{
    int status = lookup->status;
    int error = lookup->job.error;
    if (status == 0 && lookup->takers == 1) {
        *result = lookup->result;
        lookup->result = NULL;
    } else if (status == 0) {
        struct addrinfo *copy = copy_result(lookup->result);
        if (copy)
            *result = copy;
        else
            status = EAI_MEMORY;
    }
    if (--lookup->takers == 0)
        free_lookup(lookup);
    if (status == EAI_SYSTEM)
        errno = error;
    return status;
}

/* ---- getaddrinfo ----------------------------------------------------------------------------- */

/* Requests that can be answered without asking a server. */
static bool numeric_service(const char *service, const struct addrinfo *hints)
{
    if (!service || (hints && hints->ai_flags & AI_NUMERICSERV))
        return true;
    for (const char *each = service; *each; each++)
        if (!isdigit((unsigned char)*each))
            return false;
    return *service != '\0';
}

static bool numeric_host(const char *node, const struct addrinfo *hints)
{
    if (!node || (hints && hints->ai_flags & AI_NUMERICHOST))
        return true;
    struct in_addr v4;
    if (inet_aton(node, &v4))
        return true;
    char copy[64]; /* without the scope: "fe80::1%eth0" */
    size_t length = strcspn(node, "%");
    if (length >= sizeof copy)
        return false;
    memcpy(copy, node, length);
    copy[length] = '\0';
    struct in6_addr v6;
    return inet_pton(AF_INET6, copy, &v6) == 1;
}

bool bine_localhost_at_once;

static bool known_host(const char *node, const struct addrinfo *hints)
{
    return numeric_host(node, hints) ||
           (bine_localhost_at_once && strcasecmp(node, "localhost") == 0);
}

int bine_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **result)
{
    struct bine_hub *hub = bine_offload_hub();
    if (!hub || (known_host(node, hints) && numeric_service(service, hints))) {
        if (hub)
            bine_streak_firmly(hub);
        return bine_libc.getaddrinfo(node, service, hints, result);
    }
    int error = bine_cancelled(hub);
    if (error) {
        errno = error;
        return EAI_SYSTEM;
    }

    struct lookup *lookup = shareable() ? find_lookup(node, service, hints) : NULL;
    bool begun = lookup != NULL;
    if (!lookup && !bine_offload_takes_names())
        return EAI_AGAIN;
    if (!lookup && !(lookup = new_lookup(node, service, hints)))
        return EAI_MEMORY;
    lookup->takers++;
    struct bine_waiter waiter = {.greenlet = hub->current};
    bine_waiters_push(&lookup->waiters, &waiter);
    if (!begun) {
        list(lookup);
        bine_offload_submit(hub, &lookup->job);
    }
    error = bine_park(hub, "getaddrinfo", (uintptr_t)lookup->node, INT64_MAX, BINE_PARK_EXTERNAL);
    if (error == 0)
        return take_result(lookup, result);

    /* The park has ended early. The look-up continues for others, or until it ends by itself. No
     * greenlet may join one for which none waits, because it may be old. */
    bine_waiters_remove(&waiter);
    if (--lookup->takers == 0) {
        unlist(lookup);
        if (lookup->ended || bine_offload_withdraw(&lookup->job))
            free_lookup(lookup);
    }
    errno = error;
    return EAI_SYSTEM;
}

/* ---- getnameinfo ----------------------------------------------------------------------------- */

struct reverse {
    struct bine_offload_job job; /* first */
    struct sockaddr_storage address;
    socklen_t length;
    socklen_t host_size, service_size;
    int flags;
    int status;
    bool host_wanted, service_wanted;
    char text[]; /* host, then service */
};

static void run_reverse(struct bine_offload_job *job)
{
    struct reverse *reverse = (struct reverse *)job;
    char *host = reverse->host_wanted ? reverse->text : NULL;
    char *service = reverse->service_wanted ? reverse->text + reverse->host_size : NULL;
    reverse->status =
        bine_libc.getnameinfo((struct sockaddr *)&reverse->address, reverse->length, host,
                              reverse->host_size, service, reverse->service_size, reverse->flags);
}

static void discard_reverse(struct bine_offload_job *job)
{
    free(job);
}

int bine_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                     socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    struct bine_hub *hub = bine_offload_hub();
    bool host_wanted = host && host_size > 0, service_wanted = service && service_size > 0;
    bool asks =
        (host_wanted && !(flags & NI_NUMERICHOST)) || (service_wanted && !(flags & NI_NUMERICSERV));
    if (!hub || !address || length > sizeof(struct sockaddr_storage) || !asks)
        return bine_libc.getnameinfo(address, length, host, host_size, service, service_size,
                                     flags);

    /* No name is longer than this, whatever room the caller has. */
    socklen_t host_room = host_wanted ? (host_size < 65536 ? host_size : 65536) : 0;
    socklen_t service_room = service_wanted ? (service_size < 65536 ? service_size : 65536) : 0;
    struct reverse *reverse = calloc(1, sizeof *reverse + host_room + service_room);
    if (!reverse)
        return EAI_MEMORY;
    reverse->job.run = run_reverse;
    reverse->job.name = true;
    reverse->job.error = errno;
    reverse->job.locks = true;
    memcpy(&reverse->address, address, length);
    reverse->length = length;
    reverse->host_size = host_room;
    reverse->service_size = service_room;
    reverse->host_wanted = host_wanted;
    reverse->service_wanted = service_wanted;
    reverse->flags = flags;
    int error = bine_offload_detached(hub, &reverse->job, discard_reverse, "getnameinfo",
                                      (uintptr_t)&reverse->address, INT64_MAX);
    if (error == EAGAIN)
        return EAI_AGAIN;
    if (error) {
        errno = error;
        return EAI_SYSTEM;
    }
    int status = reverse->status;
    if (status == 0 && host_wanted)
        memcpy(host, reverse->text, strlen(reverse->text) + 1);
    if (status == 0 && service_wanted)
        memcpy(service, reverse->text + host_room, strlen(reverse->text + host_room) + 1);
    if (status == EAI_SYSTEM)
        errno = reverse->job.error;
    free(reverse);
    return status;
}
