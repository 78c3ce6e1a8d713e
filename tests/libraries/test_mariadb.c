/* MariaDB Connector/C on MariaDB. */
#include <mysql.h>
#include <stdio.h>

#include "library.h"

static void *open_connection(int port)
{
    MYSQL *connection = mysql_init(NULL);
    unsigned seconds = 10;
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    if (mysql_real_connect(connection, "127.0.0.1", "root", "", NULL, (unsigned)port, NULL, 0))
        return connection;
    mysql_close(connection);
    return NULL;
}

static bool ask(void *connection, int number, bool slow, char *answer, size_t size)
{
    char query[100];
    snprintf(query, sizeof query, "SELECT %d * 7, REPEAT('x', %d), SLEEP(%s)", number, number,
             slow ? "0.2" : "0");
    if (mysql_query(connection, query) != 0) {
        snprintf(answer, size, "%s", mysql_error(connection));
        return false;
    }
    MYSQL_RES *result = mysql_store_result(connection);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    snprintf(answer, size, "%s %s", row ? row[0] : mysql_error(connection), row ? row[1] : "");
    mysql_free_result(result);
    return row != NULL;
}

static void close_connection(void *connection)
{
    mysql_close(connection);
}

static const struct library mariadb = {"BINE_MARIADB_PORT", open_connection, ask, close_connection,
                                       true};
LIBRARY_TESTS(mariadb)
