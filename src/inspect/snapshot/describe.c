/* See describe.h. */
#include "describe.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "inspect/target/sockets.h"
#include "python.h"

void inspect_id(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                char *text, size_t size)
{
    snprintf(text, size, "%u.%u", snapshot->hubs[g->hub].number, g->number);
}

/* A site is "function", a zero byte, "file:line". */
static void site_of(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                    char *function, size_t function_size, char *place, size_t place_size)
{
    *place = '\0';
    if (inspect_text(snapshot->target, g->site, function, function_size) && place_size)
        inspect_text(snapshot->target, g->site + strlen(function) + 1, place, place_size);
}

void inspect_place(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                   char *text, size_t size)
{
    char function[200];
    site_of(snapshot, g, function, sizeof function, text, size);
}

void inspect_name(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  char *text, size_t size)
{
    char place[1];
    if (g->root) {
        snprintf(text, size, "root");
        return;
    }
    /* What is kept of its C greenlet's name may be of an earlier one that it carried. */
    if (g->python && !g->named && inspect_python_name(snapshot, g, text, size))
        return;
    if (g->name && inspect_text(snapshot->target, g->name, text, size)) {
        /* Either the bare name, or "<Greenlet at 0x...: NAME>". */
        const char *bare =
            !g->named && strncmp(text, "<Greenlet at ", 13) == 0 ? strstr(text, ": ") : NULL;
        size_t length = strlen(text);
        if (bare && text[length - 1] == '>') {
            text[length - 1] = '\0';
            memmove(text, bare + 2, strlen(bare + 2) + 1);
        }
        return;
    }
    site_of(snapshot, g, text, size, place, sizeof place);
    int64_t argument = (int64_t)g->arg;
    inspect_append(text, size,
                   argument > -4096 && argument < 65536 ? "(%" PRId64 ")" : "(%#" PRIx64 ")",
                   argument);
}

void inspect_verb(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  char *text, size_t size)
{
    *text = '\0';
    if (g->state == INSPECT_PARKED && !inspect_text(snapshot->target, g->verb, text, size))
        snprintf(text, size, "?");
}

const char *inspect_state_name(const struct inspect_greenlet *g)
{
    static const char *const names[] = {"new", "running", "ready", "parked"};
    return names[g->state];
}

/* ---- what it waits for ----------------------------------------------------------------------- */

static void add_holder(struct inspect_wait *wait, const struct inspect_greenlet *greenlet,
                       pid_t thread)
{
    if ((greenlet || thread) && wait->holder_count < INSPECT_MOST_HOLDERS)
        wait->holders[wait->holder_count++] = (struct inspect_holder){greenlet, thread};
}

/* The name of the class of an object of libbine at this address. Empty if none
 * is there. */
void inspect_class_of(const struct inspect_snapshot *snapshot, const struct inspect_table *table,
                      uint64_t object, char *text, size_t size)
{
    uint64_t class, name;
    *text = '\0';
    if (inspect_fetch(snapshot->target, &table->waitable_class, object, &class) &&
        inspect_mapping_of(snapshot->target, class) &&
        inspect_fetch(snapshot->target, &table->waitable_class_name, class, &name))
        inspect_text(snapshot->target, name, text, size);
    for (const char *at = text; *at; at++)
        if ((*at < 'a' || *at > 'z') && *at != ' ' && *at != '_') {
            *text = '\0';
            return;
        }
}

static void put_permits(struct inspect_wait *wait, uint64_t permits)
{
    inspect_append(wait->object, sizeof wait->object, " (%" PRIu64 " permits)", permits);
}

static void put_items(struct inspect_wait *wait, uint64_t items)
{
    inspect_append(wait->object, sizeof wait->object, " (%" PRIu64 " items)", items);
}

static void object_of_libbine(const struct inspect_snapshot *snapshot,
                              const struct inspect_table *table, uint64_t object,
                              struct inspect_wait *wait)
{
    struct inspect_target *target = snapshot->target;
    uint64_t value, more;
    wait->kind = INSPECT_OBJECT;
    /* The verb names the class as a rule: "acquire rlock". */
    bool named = strstr(wait->verb, wait->class);
    snprintf(wait->object, sizeof wait->object, "%s%s%#" PRIx64, named ? "" : wait->class,
             named ? "" : " ", object);
    if (strcmp(wait->class, "rlock") == 0 &&
        inspect_fetch(target, &table->rlock_owner, object, &value))
        add_holder(wait, inspect_find_greenlet(snapshot, value), 0);
    else if (strcmp(wait->class, "rwlock") == 0 &&
             inspect_fetch(target, &table->rwlock_writer, object, &value)) {
        add_holder(wait, inspect_find_greenlet(snapshot, value), 0);
        if (!value && inspect_fetch(target, &table->rwlock_readers, object, &value) && value)
            inspect_append(wait->object, sizeof wait->object, " (%" PRIu64 " readers hold it)",
                           value);
    } else if (strcmp(wait->class, "semaphore") == 0 &&
               inspect_fetch(target, &table->semaphore_permits, object, &value))
        put_permits(wait, value);
    else if (strcmp(wait->class, "queue") == 0 &&
             inspect_fetch(target, &table->queue_ring_count, object, &value) &&
             inspect_fetch(target, &table->queue_heap_count, object, &more))
        put_items(wait, value + more);
}

/* An object of bine's Python types. The verb says of which. */
static void object_of_python(const struct inspect_snapshot *snapshot,
                             const struct inspect_table *table, uint64_t object,
                             struct inspect_wait *wait)
{
    struct inspect_target *target = snapshot->target;
    uint64_t value, more, hooks;
    snprintf(wait->object, sizeof wait->object, "%#" PRIx64, object);
    if (strcmp(wait->verb, "acquire rlock") == 0 &&
        inspect_fetch(target, &table->python_lock_owner, object, &value))
        add_holder(wait, inspect_find_python(snapshot, value), 0);
    else if (strcmp(wait->verb, "acquire semaphore") == 0 &&
             inspect_fetch(target, &table->python_lock_permits, object, &value))
        put_permits(wait, value);
    else if ((strcmp(wait->verb, "get from queue") == 0 ||
              strcmp(wait->verb, "put to queue") == 0) &&
             inspect_fetch(target, &table->python_queue_hooks, object, &hooks) && !hooks &&
             inspect_fetch(target, &table->python_queue_ring, object, &value) &&
             inspect_fetch(target, &table->python_queue_heap, object, &more))
        put_items(wait, value + more);
}

static void mutex(const struct inspect_snapshot *snapshot, const struct inspect_row *greenlet_row,
                  const struct inspect_row *thread_row, uint64_t object, struct inspect_wait *wait)
{
    uint64_t owner = 0, thread = 0;
    snprintf(wait->object, sizeof wait->object, "%#" PRIx64, object);
    if (greenlet_row->there)
        inspect_word(snapshot->target, object + greenlet_row->value, &owner);
    inspect_fetch(snapshot->target, thread_row, object, &thread);
    const struct inspect_greenlet *g = inspect_find_greenlet(snapshot, owner);
    add_holder(wait, g, g ? 0 : (pid_t)thread);
}

/* A Python greenlet's object, or a record. */
static const struct inspect_greenlet *joined(const struct inspect_snapshot *snapshot,
                                             uint64_t object)
{
    const struct inspect_greenlet *g = inspect_find_greenlet(snapshot, object);
    return g ? g : inspect_find_python(snapshot, object);
}

static void several(const struct inspect_snapshot *snapshot, const struct inspect_table *table,
                    uint64_t iteration, struct inspect_wait *wait)
{
    uint64_t n = 0, object, queue, scout, left = 0;
    wait->kind = INSPECT_SEVERAL;
    wait->any = true;
    if (!inspect_fetch(snapshot->target, &table->iteration_n, iteration, &n) ||
        !table->iteration_watches.there)
        return;
    for (uint64_t i = 0; i < n && i < 4096; i++) {
        uint64_t watch = iteration + table->iteration_watches.value + i * table->watch.size;
        char class[24];
        if (!inspect_fetch(snapshot->target, &table->watch_queue, watch, &queue) ||
            !inspect_fetch(snapshot->target, &table->watch_scout, watch, &scout) ||
            !inspect_fetch(snapshot->target, &table->watch_object, watch, &object))
            break;
        if ((!queue && !scout) || left++ >= 3)
            continue;
        inspect_class_of(snapshot, table, object, class, sizeof class);
        const struct inspect_greenlet *g = inspect_find_greenlet(snapshot, object);
        add_holder(wait, g, 0);
        if (!g)
            inspect_append(wait->object, sizeof wait->object, "%s%s %#" PRIx64,
                           *wait->object ? ", " : "for ", *class ? class : "object", object);
    }
    if (left > 3)
        inspect_append(wait->object, sizeof wait->object, " and %" PRIu64 " more", left - 3);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), of_end = strlen(end);
    return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* A core has no table of open descriptors. libbine remembers the kind of those that it saw being
 * made, or asked the kernel about. */
static const char *remembered_kind(const struct inspect_snapshot *snapshot,
                                   const struct inspect_table *table, uint64_t fd)
{
    uint64_t per = table->descriptor_chunk.value, chunk, kind;
    if (!table->descriptor_chunks.there || !per ||
        fd / per >= table->descriptor_chunks.size / sizeof chunk ||
        !inspect_word(snapshot->target, table->descriptor_chunks.value + fd / per * sizeof chunk,
                      &chunk) ||
        !chunk ||
        !inspect_fetch(snapshot->target, &table->descriptor_kind,
                       chunk + fd % per * table->descriptor.size, &kind))
        return "";
    return table->kind_socket.there && kind == table->kind_socket.value ? "a socket"
           : table->kind_pipe.there && kind == table->kind_pipe.value   ? "a pipe"
           : table->kind_file.there && kind == table->kind_file.value   ? "a file"
                                                                        : "";
}

static void describe_descriptor(const struct inspect_snapshot *snapshot,
                                const struct inspect_table *table, uint64_t fd,
                                struct inspect_wait *wait)
{
    char what[120];
    wait->kind = INSPECT_DESCRIPTOR;
    inspect_descriptor(snapshot->target, fd, what, sizeof what);
    if (!snapshot->target->live)
        snprintf(what, sizeof what, "%s", remembered_kind(snapshot, table, fd));
    snprintf(wait->object, sizeof wait->object, *what ? "%" PRIu64 " (%s)" : "%" PRIu64, fd, what);
}

/* A verb whose object is a text: what is looked up. */
static bool looks_up_name(const char *verb)
{
    static const char *const verbs[] = {"getaddrinfo", "gethostbyname", "getservbyname",
                                        "getpwnam",    "getgrnam",      "getgrouplist"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i]) == 0)
            return true;
    return false;
}

/* The address whose name getnameinfo looks up. */
static void describe_address(const struct inspect_snapshot *snapshot, uint64_t object,
                             struct inspect_wait *wait)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    const void *address = &six.sin6_addr;
    char text[INET6_ADDRSTRLEN];
    if (!inspect_read(snapshot->target, object, &six, sizeof six))
        return;
    memcpy(&four, &six, sizeof four);
    if (six.sin6_family == AF_INET)
        address = &four.sin_addr;
    wait->kind = INSPECT_NAME;
    if (inet_ntop(six.sin6_family, address, text, sizeof text))
        snprintf(wait->object, sizeof wait->object, "of %s", text);
}

static void describe(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                     struct inspect_wait *wait)
{
    const struct inspect_table *table = inspect_table_of(snapshot, g);
    if (ends_with(wait->verb, " fd") || strcmp(wait->verb, "wait pidfd") == 0) {
        describe_descriptor(snapshot, table, g->object, wait);
    } else if (strcmp(wait->verb, "mutex") == 0) {
        wait->kind = INSPECT_MUTEX;
        mutex(snapshot, &table->mutex_greenlet, &table->mutex_thread, g->object, wait);
    } else if (strcmp(wait->verb, "read lock") == 0 || strcmp(wait->verb, "write lock") == 0) {
        wait->kind = INSPECT_POSIX_RWLOCK;
        mutex(snapshot, &table->posix_rwlock_greenlet, &table->posix_rwlock_thread, g->object,
              wait);
    } else if (strncmp(wait->verb, "join", 4) == 0 && joined(snapshot, g->object)) {
        wait->kind = INSPECT_GREENLET;
        add_holder(wait, joined(snapshot, g->object), 0);
    } else if (g->verb == table->verb_wait.value && table->verb_wait.there)
        several(snapshot, table, g->object, wait);
    else if (strcmp(wait->verb, "wait pid") == 0) {
        wait->kind = INSPECT_PROCESS;
        snprintf(wait->object, sizeof wait->object, "%d", (int)g->object);
    } else if (looks_up_name(wait->verb) && g->object) {
        char name[100];
        wait->kind = INSPECT_NAME;
        inspect_text(snapshot->target, g->object, name, sizeof name);
        snprintf(wait->object, sizeof wait->object, "\"%s\"", name);
    } else if (strcmp(wait->verb, "getnameinfo") == 0 && g->object) {
        describe_address(snapshot, g->object, wait);
    } else if ((strcmp(wait->verb, "poll") == 0 || strcmp(wait->verb, "select") == 0) &&
               g->object) {
        snprintf(wait->object, sizeof wait->object, "of %" PRIu64 " descriptors", g->object);
    } else if (g->object >= 65536) {
        inspect_class_of(snapshot, table, g->object, wait->class, sizeof wait->class);
        if (*wait->class)
            object_of_libbine(snapshot, table, g->object, wait);
        else
            object_of_python(snapshot, table, g->object, wait);
    } else if (g->object)
        snprintf(wait->object, sizeof wait->object, "%" PRIu64, g->object);
}

void inspect_wait(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                  struct inspect_wait *wait)
{
    *wait->object = *wait->class = '\0';
    wait->kind = INSPECT_OTHER;
    wait->holder_count = 0;
    wait->any = false;
    inspect_verb(snapshot, g, wait->verb, sizeof wait->verb);
    if (*wait->verb)
        describe(snapshot, g, wait);
}

void inspect_holder(const struct inspect_snapshot *snapshot, const struct inspect_wait *wait,
                    const struct inspect_holder *holder, char *text, size_t size)
{
    const char *how = wait->kind == INSPECT_GREENLET  ? "of"
                      : wait->kind == INSPECT_SEVERAL ? "for"
                                                      : "held by";
    char id[32], name[100];
    if (holder->greenlet) {
        inspect_id(snapshot, holder->greenlet, id, sizeof id);
        inspect_name(snapshot, holder->greenlet, name, sizeof name);
        snprintf(text, size, "%s %s (%s)", how, id, name);
        return;
    }
    for (size_t i = 0; i < snapshot->hub_count; i++)
        if (snapshot->hubs[i].tid == holder->thread) {
            snprintf(text, size, "%s a greenlet of hub %u", how, snapshot->hubs[i].number);
            return;
        }
    snprintf(text, size, "%s thread %d", how, holder->thread);
}

void inspect_wait_text(const struct inspect_snapshot *snapshot, const struct inspect_greenlet *g,
                       char *text, size_t size)
{
    struct inspect_wait wait = {0};
    inspect_wait(snapshot, g, &wait);
    *text = '\0';
    if (*wait.verb)
        inspect_append(text, size, "%s%s%s", wait.verb, *wait.object ? " " : "", wait.object);
    for (size_t i = 0; i < wait.holder_count && i < 3; i++) {
        char holder[160];
        inspect_holder(snapshot, &wait, &wait.holders[i], holder, sizeof holder);
        inspect_append(text, size, "%s%s",
                       i || (wait.kind == INSPECT_SEVERAL && *wait.object) ? ", " : " ", holder);
    }
    if (wait.holder_count > 3)
        inspect_append(text, size, ", %zu more", wait.holder_count - 3);
    if (g->killed)
        inspect_append(text, size, "%skilled", *text ? ", " : "");
    if (g->current && g->state == INSPECT_PARKED && snapshot->hubs[g->hub].waiting)
        inspect_append(text, size, " [its thread waits for events]");
    if (g->state == INSPECT_NEW && g->deadline != INSPECT_NEVER)
        inspect_append(text, size, "its start");
}
