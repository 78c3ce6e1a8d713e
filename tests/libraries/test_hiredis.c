/* hiredis on Redis. */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "library.h"

static void *open_connection(int port)
{
    redisContext *connection = redisConnect("127.0.0.1", port);
    if (connection && !connection->err)
        return connection;
    if (connection)
        redisFree(connection);
    return NULL;
}

static bool ask(void *connection, int number, bool slow, char *answer, size_t size)
{
    redisContext *context = connection;
    if (slow) {
        redisReply *reply = redisCommand(context, "BLPOP nothing-%d 0.2", number);
        if (!reply)
            return false;
        freeReplyObject(reply);
    }
    redisReply *reply = redisCommand(context, "ECHO answer-%d", number * 7);
    snprintf(answer, size, "%s",
             reply && reply->type == REDIS_REPLY_STRING ? reply->str : context->errstr);
    bool good = reply && reply->type == REDIS_REPLY_STRING;
    if (reply)
        freeReplyObject(reply);
    return good;
}

static void close_connection(void *connection)
{
    redisFree(connection);
}

static const struct library hiredis = {"BINE_REDIS_PORT", open_connection, ask, close_connection,
                                       true};
LIBRARY_TESTS(hiredis)
