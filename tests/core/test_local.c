/* Greenlet-local storage. */
#include <bine.h>
#include <stdlib.h>

#include "harness.h"

static bine_key key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += (int)(intptr_t)value;
}

static void *own_value(void *arg)
{
    CHECK(bine_getspecific(key) == NULL);
    CHECK_OK(bine_setspecific(key, arg));
    bine_sleep(0);
    CHECK(bine_getspecific(key) == arg);
    return NULL;
}

TEST(each_greenlet_has_its_own_value_and_destructors_run)
{
    CHECK_OK(bine_key_create(&key, destroy));
    CHECK_OK(bine_setspecific(key, "root"));
    bine_greenlet *all[] = {bine_spawn(own_value, (void *)1), bine_spawn(own_value, (void *)10),
                            bine_spawn(own_value, (void *)100)};
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(destroyed, 111);
    CHECK_STRING(bine_getspecific(key), "root");
    CHECK_OK(bine_key_delete(key));
    CHECK(bine_getspecific(key) == NULL);
    CHECK_ERROR(bine_setspecific(key, "x"), EINVAL);
    CHECK_ERROR(bine_key_delete(key), EINVAL);
    CHECK_ERROR(bine_key_create(NULL, NULL), EINVAL);
}

static void destroy_again(void *value)
{
    /* Sets itself anew for ever: bounded to four rounds, as pthread's. The sleep: destructors may
     * park. */
    destroyed++;
    bine_sleep(0);
    bine_setspecific(key, value);
}

static void *sets(void *arg)
{
    bine_setspecific(key, "v");
    return arg;
}

TEST(destructors_that_set_again_are_bounded_and_may_park)
{
    CHECK_OK(bine_key_create(&key, destroy_again));
    CHECK_OK(bine_join(bine_spawn(sets, NULL), NULL, BINE_FOREVER));
    CHECK_EQ(destroyed, 4);
    CHECK_OK(bine_key_delete(key));
}

TEST(a_hundred_and_twenty_eight_keys_then_eagain)
{
    bine_key keys[128], more;
    for (int i = 0; i < 128; i++) {
        CHECK_OK(bine_key_create(&keys[i], NULL));
        CHECK_OK(bine_setspecific(keys[i], &keys[i]));
    }
    CHECK_ERROR(bine_key_create(&more, NULL), EAGAIN);
    for (int i = 0; i < 128; i++)
        CHECK(bine_getspecific(keys[i]) == &keys[i]);
    CHECK_OK(bine_key_delete(keys[7]));
    CHECK_OK(bine_key_create(&more, NULL));
    CHECK(bine_getspecific(more) == NULL);
    for (int i = 0; i < 128; i++)
        if (i != 7)
            bine_key_delete(keys[i]);
    bine_key_delete(more);
    free(NULL);
}
