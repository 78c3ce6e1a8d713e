/* Greenlet-local pthread keys: a library of ours, and the real libcrypto. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys.h"
#include "locks.h"

#ifndef ERR_raise /* OpenSSL 3 */
#define ERR_raise(library, reason) ERR_put_error(library, 0, reason, __FILE__, __LINE__)
#endif

/* ---- a library that asked for it ------------------------------------------------------------- */

static void *count_up(void *n)
{
    CHECK_EQ(*keys_state(), 0);
    for (int i = 0; i < (int)(intptr_t)n; i++) {
        CHECK_EQ((*keys_state())++, i);
        bine_sleep(0);
    }
    CHECK(keys_swap(n) == NULL);
    bine_sleep(0);
    CHECK(keys_swap(NULL) == n);
    return NULL;
}

static void count_in_greenlets(int greenlets)
{
    bine_greenlet *all[20];
    for (int i = 0; i < greenlets; i++)
        all[i] = bine_spawn(count_up, (void *)(intptr_t)(i + 1));
    CHECK_OK(bine_joinall(all, (size_t)greenlets, BINE_FOREVER));
}

TEST(keys_of_a_named_library_are_greenlet_local_and_their_destructors_run)
{
    CHECK_OK(bine_patch_local_keys("libkeys*"));
    CHECK_OK(bine_patch_thread());
    CHECK_OK(keys_init());
    *keys_state() = 42; /* the root's, which is the thread's */
    count_in_greenlets(20);
    CHECK_EQ(keys_destroyed(), 20);
    CHECK_EQ(*keys_state(), 42);
    CHECK_OK(bine_unpatch(BINE_PATCH_THREAD));
    CHECK_EQ(*keys_state(), 42);
    free(keys_state());
}

static void *swap_only(void *mine)
{
    for (int i = 0; i < 3; i++) {
        CHECK(keys_swap(mine) == (i ? mine : NULL));
        bine_sleep(0);
    }
    return NULL;
}

TEST(a_rule_made_later_takes_effect_at_once)
{
    CHECK_OK(bine_patch_thread());
    CHECK_OK(keys_init());
    CHECK_OK(bine_patch_local_keys("libkeys*"));
    bine_greenlet *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = bine_spawn(swap_only, &all[i]);
    CHECK_OK(bine_joinall(all, 5, BINE_FOREVER));
    /* Only libc knows the destructors of keys that were made before. */
    CHECK_EQ(keys_destroyed(), 0);
}

TEST(a_key_made_again_after_it_was_deleted_shows_no_old_value)
{
    CHECK_OK(bine_patch_local_keys("libkeys*"));
    CHECK_OK(bine_patch_thread());
    for (int i = 0; i < 3; i++) {
        CHECK_OK(keys_init());
        count_in_greenlets(3);
        keys_end();
    }
}

static void *thread_counts(void *arg)
{
    CHECK_EQ(*keys_state(), 0);
    *keys_state() = 7;
    count_in_greenlets(3);
    CHECK_EQ(*keys_state(), 7);
    return NULL;
}

TEST(threads_keep_their_own_values_beside_their_greenlets)
{
    CHECK_OK(bine_patch_local_keys("libkeys*"));
    CHECK_OK(bine_patch_thread());
    CHECK_OK(keys_init());
    *keys_state() = 1;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, thread_counts, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(*keys_state(), 1);
    CHECK_EQ(keys_destroyed(), 4);
    free(keys_state());
}

static void *fork_twice(void *arg)
{
    CHECK(keys_swap(arg) == NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        /* The thread's value is this greenlet's now, and not the former root's. */
        if (keys_swap(arg) != arg)
            _exit(1);
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(keys_swap(arg) == arg ? 0 : 2);
        int status = 1;
        waitpid(grandchild, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    int status = 1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(keys_swap(NULL) == arg);
    return NULL;
}

TEST(values_of_a_greenlet_that_forks_are_the_thread_s_in_the_child)
{
    CHECK_OK(bine_patch_local_keys("libkeys*"));
    CHECK_OK(bine_patch_time());
    CHECK_OK(keys_init());
    int mine, roots;
    keys_swap(&roots);
    CHECK_OK(bine_join(bine_spawn(fork_twice, &mine), NULL, BINE_FOREVER));
    CHECK(keys_swap(NULL) == &roots);
}

/* ---- libcrypto ------------------------------------------------------------------------------- */

static long blocks;

static void *counted_malloc(size_t size, const char *file, int line)
{
    blocks++;
    return malloc(size);
}

static void *counted_realloc(void *old, size_t size, const char *file, int line)
{
    if (!old)
        blocks++;
    return realloc(old, size);
}

static void counted_free(void *old, const char *file, int line)
{
    if (old)
        blocks--;
    free(old);
}

static void *fail_and_look(void *reason)
{
    unsigned long wanted = ERR_PACK(ERR_LIB_USER, 0, (int)(intptr_t)reason);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(ERR_peek_error(), 0ul);
        ERR_raise(ERR_LIB_USER, (int)(intptr_t)reason);
        bine_sleep(0);
        CHECK_EQ(ERR_get_error(), wanted);
        CHECK_EQ(ERR_get_error(), 0ul);
    }
    return NULL;
}

static void fail_in_greenlets(void)
{
    bine_greenlet *all[10];
    for (int i = 0; i < 10; i++)
        all[i] = bine_spawn(fail_and_look, (void *)(intptr_t)(100 + i));
    CHECK_OK(bine_joinall(all, 10, BINE_FOREVER));
}

TEST(hazard_08_each_greenlet_sees_its_own_openssl_errors)
{
    CHECK_OK(bine_patch_socket()); /* whatever is patched */
    fail_in_greenlets();
}

TEST(hazard_34_what_libcrypto_keeps_under_keys_made_before_patching_is_freed)
{
    CHECK_EQ(CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free), 1);
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    ERR_raise(ERR_LIB_USER, 1);
    CHECK_NE(ERR_get_error(), 0ul);
    CHECK_OK(bine_patch_thread());
    fail_in_greenlets(); /* what is made once */
    long before = blocks;
    for (int i = 0; i < 5; i++)
        fail_in_greenlets();
    CHECK_EQ(blocks, before);
}

TEST(what_libcrypto_keeps_under_keys_made_after_patching_is_freed)
{
    CHECK_EQ(CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free), 1);
    CHECK_OK(bine_patch_thread());
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    fail_in_greenlets();
    long before = blocks;
    for (int i = 0; i < 5; i++)
        fail_in_greenlets();
    CHECK_EQ(blocks, before);
}
