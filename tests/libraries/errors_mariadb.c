/* docs/errors.md: MariaDB Connector/C. */
#include <errmsg.h>
#include <mysql.h>

#include "errors.h"

static MYSQL *connected(void)
{
    unsigned port = (unsigned)library_port("BINE_MARIADB_PORT");
    CHECK_OK(bine_patch_all());
    MYSQL *connection = mysql_init(NULL);
    CHECK(mysql_real_connect(connection, "127.0.0.1", "root", "", NULL, port, NULL, 0) != NULL);
    return connection;
}

static void query(MYSQL *connection, const char *sql, struct outcome *outcome)
{
    outcome->code = mysql_query(connection, sql) == 0 ? 0 : (long)mysql_errno(connection);
    snprintf(outcome->message, sizeof outcome->message, "%.299s", mysql_error(connection));
    mysql_free_result(mysql_store_result(connection));
}

static void sleeps(void *connection, struct outcome *outcome)
{
    query(connection, "select sleep(30)", outcome);
}

static void struck(bool kill)
{
    struct outcome after = {.code = 0};
    MYSQL *connection = connected();
    struct outcome struck = strike(sleeps, connection, kill);
    /* "to MySQL server" before Connector/C 3.2 */
    CHECK_OUTCOME(struck, CR_SERVER_LOST, "Lost connection to ");
    CHECK_OUTCOME(struck, CR_SERVER_LOST, "server during query");
    query(connection, "select 1", &after); /* of no more use */
    CHECK_EQ(after.code, CR_SERVER_GONE_ERROR);
    mysql_close(connection);
}

TEST(a_kill_is_a_lost_connection, .seconds = 60)
{
    struck(true);
}

TEST(a_timeout_is_a_lost_connection, .seconds = 60)
{
    struck(false);
}

TEST(a_server_that_ends_the_connection_says_why, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    MYSQL *connection = connected();
    query(connection, "kill connection_id()", &outcome);
    CHECK_OUTCOME(outcome, 1927 /* ER_CONNECTION_KILLED */, "Connection was killed");
    query(connection, "select 1", &outcome);
    CHECK(outcome.code == CR_SERVER_GONE_ERROR || outcome.code == CR_SERVER_LOST);
    mysql_close(connection);
}
