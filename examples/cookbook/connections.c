/*
 * A pool of connections, here of libpq's to PostgreSQL: few connections, many greenlets that each
 * need one for a moment.
 *
 *     connections CONNINFO SIZE QUERIES SQL
 *
 * Runs SQL so many times, each within two seconds. A connection is opened when it is first needed;
 * one that failed, or was left in the middle of a query by a kill or a time limit, is closed, not
 * given to the next. SIGTERM ends it. Exits 0 if all queries succeeded.
 */
#include <bine.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE (2 * BINE_SECOND) /* for a query, the wait for a connection included */

struct slot {
    PGconn *connection; /* NULL: none at the moment */
};

static const char *conninfo;
static bine_queue *idle; /* of slots: the last that was used comes first, so that few are opened */

/* NULL: out of time, or killed, while all were in use. */
static struct slot *borrow(void)
{
    void *item;
    if (bine_queue_get(idle, &item, BINE_FOREVER) != 0)
        return NULL;
    struct slot *slot = item;
    if (!slot->connection)
        slot->connection = PQconnectdb(conninfo);
    return slot;
}

/* Never waits, so that a greenlet that was killed can give its slot back, too: all slots fit into
 * the queue. */
static void give_back(struct slot *slot)
{
    /* libpq takes a connection for idle if a wait failed, but it is lost: ask Bine. */
    PGconn *connection = slot->connection;
    bool clean = bine_check() == 0 && PQstatus(connection) == CONNECTION_OK;
    if (!clean || PQtransactionStatus(connection) != PQTRANS_IDLE) {
        PQfinish(connection); /* NULL is fine, here and above */
        slot->connection = NULL;
    }
    bine_queue_put_nowait(idle, slot);
}

static int succeeded, failed;

static bool ask(struct slot *slot, const char *sql)
{
    PGconn *connection = slot->connection;
    PGresult *result = PQstatus(connection) == CONNECTION_OK ? PQexec(connection, sql) : NULL;
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!good) {
        const char *reason = PQerrorMessage(connection);
        /* libpq 17 has no words for a lack of descriptors. */
        fprintf(stderr, "connections: %s", *reason ? reason : "no connection\n");
    }
    PQclear(result);
    return good;
}

static void *query(void *sql)
{
    bool late = false, good = false;
    BINE_WITHIN(PATIENCE, &late)
    {
        struct slot *slot = borrow();
        good = slot && ask(slot, sql);
        if (slot)
            give_back(slot);
    }
    *(good ? &succeeded : &failed) += 1;
    if (late)
        fprintf(stderr, "connections: too late\n");
    return NULL;
}

static void *query_all(void *arg)
{
    char **arguments = arg;
    bine_pool *pool = bine_pool_new(200, 0); /* greenlets: more than connections */
    int left = atoi(arguments[3]);
    while (pool && left > 0 && bine_pool_spawn(pool, query, arguments[4]))
        left--;
    if (pool && bine_pool_join(pool, BINE_FOREVER) != 0)
        bine_pool_kill(pool, BINE_FOREVER);
    failed += left;
    return NULL;
}

int main(int count, char **arguments)
{
    int size = count == 5 ? atoi(arguments[2]) : 0;
    struct slot *slots = size > 0 ? calloc((size_t)size, sizeof *slots) : NULL;
    if (!slots)
        return fprintf(stderr, "usage: connections CONNINFO SIZE QUERIES SQL\n"), 2;
    conninfo = arguments[1];
    idle = bine_queue_new_with(&(bine_queue_options){.order = BINE_LIFO});
    for (int i = 0; i < size; i++)
        bine_queue_put_nowait(idle, &slots[i]);
    if (bine_patch_all() != 0)
        perror("connections: patching");
    bine_event *term = bine_signal_event_new(SIGTERM);
    bine_greenlet *all = bine_spawn(query_all, arguments);
    bine_wait((void *[]){all, term}, 2, NULL, 1, BINE_FOREVER);
    bine_killall(&all, 1, BINE_FOREVER);
    bine_detach(all);
    for (int i = 0; i < size; i++)
        PQfinish(slots[i].connection);
    printf("%d of %s, %d failed\n", succeeded, arguments[3], failed);
    return failed != 0;
}
