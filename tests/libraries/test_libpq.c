/* libpq on PostgreSQL: DESIGN's first promise, psycopg2's library unmodified. */
#include <libpq-fe.h>
#include <stdio.h>

#include "library.h"

static void *open_connection(int port)
{
    char target[200];
    snprintf(target, sizeof target,
             "host=127.0.0.1 port=%d user=bine dbname=postgres connect_timeout=10", port);
    PGconn *connection = PQconnectdb(target);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    PQfinish(connection);
    return NULL;
}

static bool ask(void *connection, int number, bool slow, char *answer, size_t size)
{
    char query[100];
    snprintf(query, sizeof query, "SELECT %d * 7 AS n, repeat('x', %d) FROM pg_sleep(%s)", number,
             number, slow ? "0.2" : "0");
    PGresult *result = PQexec(connection, query);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    snprintf(answer, size, "%s %s", good ? PQgetvalue(result, 0, 0) : PQerrorMessage(connection),
             good ? PQgetvalue(result, 0, 1) : "");
    PQclear(result);
    return good;
}

static void close_connection(void *connection)
{
    PQfinish(connection);
}

static const struct library libpq = {"BINE_POSTGRES_PORT", open_connection, ask, close_connection,
                                     true};
LIBRARY_TESTS(libpq)
