/* libzmq: it aborts when a wait of its own fails with ECANCELED. A kill waits until the call has
 * returned. */
#include <bine.h>
#include <zmq.h>

#include "harness.h"

static void *context, *sender, *receiver;
static int beats;

static void begin(void)
{
    CHECK_OK(bine_patch_all());
    context = zmq_ctx_new();
    CHECK(context != NULL);
    sender = zmq_socket(context, ZMQ_PUSH);
    receiver = zmq_socket(context, ZMQ_PULL);
    CHECK_EQ(zmq_bind(receiver, "tcp://127.0.0.1:*"), 0);
    char address[100];
    size_t size = sizeof address;
    CHECK_EQ(zmq_getsockopt(receiver, ZMQ_LAST_ENDPOINT, address, &size), 0);
    CHECK_EQ(zmq_connect(sender, address), 0);
}

static void end(void)
{
    CHECK_EQ(zmq_close(sender), 0);
    CHECK_EQ(zmq_close(receiver), 0);
    CHECK_EQ(zmq_ctx_term(context), 0);
}

static void *receive(void *text)
{
    CHECK_EQ(zmq_recv(receiver, text, 8, 0), 5);
    return text;
}

static void *heart(void *unused)
{
    while (beats < 5) {
        CHECK_OK(bine_sleep(BINE_MS));
        beats++;
    }
    return unused;
}

TEST(a_greenlet_that_receives_lets_others_run, .leaves = "threads of libzmq's own may end late")
{
    begin();
    char text[8] = "";
    bine_greenlet *g = bine_spawn(receive, text), *beat = bine_spawn(heart, NULL);
    CHECK_OK(bine_join(beat, NULL, BINE_FOREVER));
    CHECK_EQ(zmq_send(sender, "hello", 5, 0), 5);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_STRING(text, "hello");
    end();
}

static void *receive_and_sleep(void *text)
{
    receive(text);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return NULL;
}

TEST(hazard_99_a_kill_in_zmq_recv, .leaves = "threads of libzmq's own may end late")
{
    begin();
    char text[8] = "";
    bine_greenlet *g = bine_spawn(receive_and_sleep, text);
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_sleep(20 * BINE_MS));
    CHECK(!bine_dead(g));
    CHECK_EQ(zmq_send(sender, "hello", 5, 0), 5);
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_STRING(text, "hello");
    end();
}

TEST(hazard_99_a_timeout_around_zmq_recv, .leaves = "threads of libzmq's own may end late")
{
    begin();
    char text[8];
    int limit = 50;
    CHECK_EQ(zmq_setsockopt(receiver, ZMQ_RCVTIMEO, &limit, sizeof limit), 0);
    bine_timeout scope;
    CHECK_OK(bine_timeout_begin(&scope, 5 * BINE_MS));
    CHECK_EQ(zmq_recv(receiver, text, sizeof text, 0), -1);
    CHECK_EQ(zmq_errno(), EAGAIN); /* its own limit */
    CHECK_ERROR(bine_sleep(BINE_SECOND), ETIMEDOUT);
    bine_timeout_end(&scope);
    end();
}
