/* libuv: it aborts when epoll_wait fails with ECANCELED. A kill waits until uv_run has returned. */
#include <bine.h>
#include <uv.h>

#include "harness.h"

static int fired;

static void fire(uv_timer_t *timer)
{
    fired++;
    uv_close((uv_handle_t *)timer, NULL);
}

static void *run_loop(void *unused)
{
    uv_loop_t loop;
    uv_timer_t timer;
    CHECK_EQ(uv_loop_init(&loop), 0);
    CHECK_EQ(uv_timer_init(&loop, &timer), 0);
    CHECK_EQ(uv_timer_start(&timer, fire, 50, 0), 0);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&loop), 0);
    return unused;
}

static void *run_loop_and_sleep(void *unused)
{
    run_loop(unused);
    CHECK_ERROR(bine_sleep(BINE_SECOND), ECANCELED);
    return unused;
}

TEST(loops_in_greenlets_run_side_by_side)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bine_spawn(run_loop, NULL);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(fired, 3);
    uv_library_shutdown(); /* its pipe for signals */
}

TEST(hazard_99_a_kill_in_uv_run)
{
    CHECK_OK(bine_patch_all());
    bine_greenlet *g = bine_spawn(run_loop_and_sleep, NULL);
    CHECK_OK(bine_sleep(10 * BINE_MS));
    CHECK_OK(bine_kill(g));
    CHECK_OK(bine_join(g, NULL, BINE_FOREVER));
    CHECK_EQ(fired, 1);
    uv_library_shutdown();
}
