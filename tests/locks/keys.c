/* A library that keeps state per thread under a pthread key, as libcrypto does, and knows nothing
 * of greenlets. */
#include <pthread.h>
#include <stdlib.h>

#include "keys.h"

static pthread_key_t key, plain_key;
static int destroyed;

static void destroy(void *value)
{
    destroyed++;
    free(value);
}

int keys_init(void)
{
    return pthread_key_create(&key, destroy) || pthread_key_create(&plain_key, NULL) ? -1 : 0;
}

void keys_end(void)
{
    pthread_key_delete(key);
    pthread_key_delete(plain_key);
}

int *keys_state(void)
{
    int *state = pthread_getspecific(key);
    if (!state) {
        state = calloc(1, sizeof *state);
        pthread_setspecific(key, state);
    }
    return state;
}

void *keys_swap(void *value)
{
    void *old = pthread_getspecific(plain_key);
    pthread_setspecific(plain_key, value);
    return old;
}

int keys_destroyed(void)
{
    return destroyed;
}
