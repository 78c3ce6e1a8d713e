/* docs/errors.md: libpq. */
#include <libpq-fe.h>

#include "errors.h"

static PGconn *connected(void)
{
    char target[200];
    snprintf(target, sizeof target, "host=127.0.0.1 port=%d user=bine dbname=postgres",
             library_port("BINE_POSTGRES_PORT"));
    CHECK_OK(bine_patch_all());
    PGconn *connection = PQconnectdb(target);
    CHECK_EQ(PQstatus(connection), CONNECTION_OK);
    return connection;
}

static void execute(PGconn *connection, const char *sql, struct outcome *outcome)
{
    PGresult *result = PQexec(connection, sql);
    outcome->code = PQresultStatus(result);
    snprintf(outcome->message, sizeof outcome->message, "%.299s", PQerrorMessage(connection));
    snprintf(outcome->value, sizeof outcome->value, "%s",
             PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void sleeps(void *connection, struct outcome *outcome)
{
    execute(connection, "select 'old' from pg_sleep(3)", outcome);
}

static void struck(bool kill, const char *words)
{
    struct outcome after = {.code = 0};
    PGconn *connection = connected();
    CHECK_OUTCOME(strike(sleeps, connection, kill), PGRES_FATAL_ERROR, words);
    /* It looks usable, and libpq would take the answer that is still to come for that of the next
     * question. */
    CHECK_EQ(PQstatus(connection), CONNECTION_OK);
    CHECK_EQ(PQtransactionStatus(connection), PQTRANS_IDLE);
    execute(connection, "select 'new'", &after);
    CHECK_STRING(after.value, "");
    CHECK_OUTCOME(after, PGRES_FATAL_ERROR, "server closed the connection unexpectedly");
    CHECK_EQ(PQstatus(connection), CONNECTION_BAD);
    PQreset(connection);
    execute(connection, "select 'new'", &after);
    CHECK_STRING(after.value, "new");
    PQfinish(connection);
}

TEST(hazard_124_a_kill_is_operation_canceled, .seconds = 60)
{
    struck(true, "select() failed: Operation canceled");
}

TEST(hazard_124_a_timeout_is_connection_timed_out, .seconds = 60)
{
    struck(false, "select() failed: Connection timed out");
}

TEST(a_server_that_ends_the_connection_says_why, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    PGconn *connection = connected();
    execute(connection, "select pg_terminate_backend(pg_backend_pid())", &outcome);
    CHECK_OUTCOME(outcome, PGRES_FATAL_ERROR, "terminating connection");
    CHECK_EQ(PQstatus(connection), CONNECTION_BAD);
    PQfinish(connection);
}
