/* docs/errors.md: hiredis. */
#include <hiredis/hiredis.h>

#include "errors.h"

static redisContext *connected(void)
{
    int port = library_port("BINE_REDIS_PORT");
    CHECK_OK(bine_patch_all());
    redisContext *context = redisConnect("127.0.0.1", port);
    CHECK(context && !context->err);
    return context;
}

static void command(redisContext *context, const char *text, struct outcome *outcome)
{
    redisReply *reply = redisCommand(context, text);
    outcome->code = reply ? 0 : context->err;
    snprintf(outcome->message, sizeof outcome->message, "%.299s",
             reply ? (reply->str ? reply->str : "") : context->errstr);
    if (reply)
        freeReplyObject(reply);
}

static void pops(void *context, struct outcome *outcome)
{
    command(context, "BLPOP nothing 30", outcome);
}

static void struck(bool kill, int code, const char *words)
{
    struct outcome after = {.code = 0};
    redisContext *context = connected();
    CHECK_OUTCOME(strike(pops, context, kill), code, words);
    command(context, "PING", &after); /* of no more use, */
    CHECK_EQ(after.code, code);
    CHECK_EQ(redisReconnect(context), REDIS_OK); /* until it is connected again */
    command(context, "PING", &after);
    CHECK_OUTCOME(after, 0, "PONG");
    redisFree(context);
}

TEST(a_kill_is_operation_canceled, .seconds = 60)
{
    struck(true, REDIS_ERR_IO, "Operation canceled");
}

TEST(a_timeout_is_connection_timed_out, .seconds = 60)
{
#ifdef REDIS_ERR_TIMEOUT /* hiredis 1.0 */
    struck(false, REDIS_ERR_TIMEOUT, "recv timeout");
#else
    struck(false, REDIS_ERR_IO, "Connection timed out");
#endif
}

TEST(a_server_that_ends_the_connection_is_its_end, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    void *reply = NULL;
    redisContext *context = connected();
    command(context, "QUIT", &outcome);
    CHECK_OUTCOME(outcome, 0, "OK");
    /* Waits for one more, as a subscriber does. */
    CHECK_EQ(redisGetReply(context, &reply), REDIS_ERR);
    CHECK_EQ(context->err, REDIS_ERR_EOF);
    CHECK_STRING(context->errstr, "Server closed the connection");
    redisFree(context);
}

TEST(a_command_after_that_end_may_be_answered_by_a_reset, .seconds = 60)
{
    struct outcome outcome = {.code = 0};
    redisContext *context = connected();
    command(context, "QUIT", &outcome);
    CHECK_OUTCOME(outcome, 0, "OK");
    command(context, "PING", &outcome);
    /* The server's kernel had forgotten the connection when the command came. */
    if (outcome.code == REDIS_ERR_IO)
        CHECK_STRING(outcome.message, "Connection reset by peer");
    else
        CHECK_OUTCOME(outcome, REDIS_ERR_EOF, "Server closed the connection");
    redisFree(context);
}
