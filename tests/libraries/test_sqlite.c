/* SQLite: its busy handler sleeps while another process holds the lock; other greenlets go on
 * meanwhile. */
#include <bine.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static char path[100];

static sqlite3 *open_database(void)
{
    sqlite3 *database;
    CHECK_EQ(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 10000);
    return database;
}

static void run(sqlite3 *database, const char *statement)
{
    char *message = NULL;
    if (sqlite3_exec(database, statement, NULL, NULL, &message) != SQLITE_OK)
        FAIL("%s: %s", statement, message);
}

static int count(sqlite3 *database)
{
    sqlite3_stmt *statement;
    CHECK_EQ(sqlite3_prepare_v2(database, "SELECT count(*) FROM t", -1, &statement, NULL),
             SQLITE_OK);
    CHECK_EQ(sqlite3_step(statement), SQLITE_ROW);
    int rows = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rows;
}

static int beats;

static void *heart(void *arg)
{
    while (bine_sleep(5 * BINE_MS) == 0)
        beats++;
    return arg;
}

static void *inserts(void *number)
{
    char statement[100];
    sqlite3 *database = open_database();
    snprintf(statement, sizeof statement, "INSERT INTO t VALUES (%d)", (int)(intptr_t)number);
    for (int i = 0; i < 5; i++)
        run(database, statement);
    CHECK_EQ(sqlite3_close(database), SQLITE_OK);
    return NULL;
}

/* Holds the write lock for 300 ms, from another process. */
static pid_t holder(int ready)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *database = open_database();
        run(database, "BEGIN EXCLUSIVE");
        (void)!write(ready, "x", 1);
        usleep(300000);
        run(database, "INSERT INTO t VALUES (-1)");
        run(database, "COMMIT");
        sqlite3_close(database);
        _exit(0);
    }
    return child;
}

TEST(a_lock_of_another_process_does_not_stop_the_others, .seconds = 60)
{
    snprintf(path, sizeof path, "/tmp/bine-sqlite-%d.db", (int)getpid());
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE t (n INTEGER)");
    int pair[2];
    char c;
    CHECK_OK(pipe(pair));
    CHECK_OK(bine_patch_all());
    bine_greenlet *ticker = bine_spawn(heart, NULL), *all[8];
    pid_t child = holder(pair[1]);
    CHECK_EQ(read(pair[0], &c, 1), 1);
    int before = beats;
    for (intptr_t i = 0; i < 8; i++)
        all[i] = bine_spawn(inserts, (void *)i);
    CHECK_OK(bine_joinall(all, 8, BINE_FOREVER));
    CHECK_GT(beats - before, 10); /* 300 ms of waiting for the other process */
    harness_join_child(child);
    CHECK_OK(bine_killall(&ticker, 1, BINE_FOREVER));
    CHECK_OK(bine_join(ticker, NULL, 0));
    CHECK_EQ(count(database), 8 * 5 + 1);
    sqlite3_close(database);
    close(pair[0]);
    close(pair[1]);
    unlink(path);
}
