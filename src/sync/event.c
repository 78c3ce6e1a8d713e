/* Event and AsyncResult. A greenlet that waits for either takes nothing. So waiters are plain
 * watchers, and all are woken at once. */
#include "event.h"

#include "remote.h"

/* ---- event ----------------------------------------------------------------------------------- */

struct bine_event {
    struct bine_object object;
    struct bine_waiters waiters;
    atomic_bool set; /* other threads may look */
};

static inline bool is_set(const struct bine_event *event)
{
    return atomic_load_explicit(&event->set, memory_order_relaxed);
}

static bool event_ready(const struct bine_waitable *object)
{
    return is_set((const struct bine_event *)object);
}

static void event_forked(struct bine_object *object)
{
    ((struct bine_event *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

static void event_set_here(struct bine_event *event)
{
    atomic_store_explicit(&event->set, true, memory_order_relaxed);
    bine_taker_claim_all(&event->waiters, 0);
    bine_object_notify(&event->object);
}

static void event_received(struct bine_object *object)
{
    if (atomic_exchange(&object->remote->count, 0))
        event_set_here((struct bine_event *)object);
}

static const struct bine_object_class event_class = {
    {"event", event_ready, bine_object_external, bine_object_hub}, event_forked, event_received};

bine_event *bine_event_new(unsigned flags)
{
    return bine_object_new(sizeof(struct bine_event), &event_class, flags);
}

int bine_event_free(bine_event *event)
{
    if (!event)
        return 0;
    int error = bine_object_check_free(event);
    if (!error)
        error = bine_object_orphan(event) || bine_waiters_empty(&event->waiters)
                    ? bine_object_free(&event->object)
                    : EBUSY;
    return bine_result(error);
}

int bine_event_set_remotely(bine_event *event)
{
    atomic_store(&event->object.remote->count, 1);
    return bine_remote_send(&event->object);
}

bool bine_event_busy(const bine_event *event)
{
    return !bine_waiters_empty(&event->waiters) ||
           !bine_waiters_empty(&event->object.waitable.watchers);
}

int bine_event_set(bine_event *event)
{
    if (!event)
        return bine_result(EINVAL);
    if (event->object.hub == bine_hub_of_thread) {
        event_set_here(event);
        return 0;
    }
    int error = bine_remote_check(&event->object);
    return bine_result(error ? error : bine_event_set_remotely(event));
}

static int clear_there(struct bine_errand *errand)
{
    return bine_outcome(bine_event_clear(errand->object));
}

BINE_ELSEWHERE int clear_elsewhere(int error, struct bine_event *event)
{
    return bine_object_elsewhere(error,
                                 &(struct bine_errand){clear_there, "clear event", event,
                                                       .timeout = BINE_FOREVER, .firm = true});
}

int bine_event_clear(bine_event *event)
{
    int error = bine_object_check(event);
    if (error)
        return clear_elsewhere(error, event);
    atomic_store_explicit(&event->set, false, memory_order_relaxed);
    return 0;
}

bool bine_event_is_set(const bine_event *event)
{
    return event && is_set(event);
}

static int event_wait_there(struct bine_errand *errand)
{
    return bine_outcome(bine_event_wait(errand->object, errand->timeout));
}

BINE_ELSEWHERE int event_wait_elsewhere(int error, struct bine_event *event, int64_t timeout)
{
    return bine_object_elsewhere(error, &(struct bine_errand){event_wait_there, "wait for event",
                                                              event, .timeout = timeout});
}

int bine_event_wait(bine_event *event, int64_t timeout)
{
    int error = bine_object_check(event);
    if (error || timeout < 0)
        return event_wait_elsewhere(error, event, timeout);
    if (is_set(event))
        return 0;
    struct bine_taker taker;
    return bine_result(
        bine_taker_wait(&event->object, &event->waiters, &taker, "wait for event", timeout));
}

/* ---- async result ---------------------------------------------------------------------------- */

enum {
    SENT_VALUE,
    SENT_ERROR
};

struct bine_async_result {
    struct bine_object object;
    struct bine_waiters waiters;
    void *value;
    int error;
    atomic_bool there; /* other threads may look */
};

static inline bool is_there(const struct bine_async_result *result)
{
    return atomic_load_explicit(&result->there, memory_order_relaxed);
}

static bool result_ready(const struct bine_waitable *object)
{
    return is_there((const struct bine_async_result *)object);
}

static void result_forked(struct bine_object *object)
{
    ((struct bine_async_result *)object)->waiters = (struct bine_waiters){NULL, NULL};
}

static void result_set_here(struct bine_async_result *result, void *value, int error)
{
    result->value = value;
    result->error = error;
    atomic_store_explicit(&result->there, true, memory_order_relaxed);
    bine_taker_claim_all(&result->waiters, 0);
    bine_object_notify(&result->object);
}

static void result_received(struct bine_object *object)
{
    struct bine_remote_item *next, *item = bine_remote_take(object);
    for (; item; item = next) {
        next = item->next;
        if (item->kind == SENT_VALUE)
            result_set_here((struct bine_async_result *)object, item->item, 0);
        else
            result_set_here((struct bine_async_result *)object, NULL, (int)(intptr_t)item->item);
        free(item);
    }
}

static const struct bine_object_class result_class = {
    {"async result", result_ready, bine_object_external, bine_object_hub},
    result_forked,
    result_received};

bine_async_result *bine_async_result_new(unsigned flags)
{
    return bine_object_new(sizeof(struct bine_async_result), &result_class, flags);
}

int bine_async_result_free(bine_async_result *result)
{
    if (!result)
        return 0;
    int error = bine_object_check_free(result);
    if (!error)
        error = bine_object_orphan(result) || bine_waiters_empty(&result->waiters)
                    ? bine_object_free(&result->object)
                    : EBUSY;
    return bine_result(error);
}

static int result_set(struct bine_async_result *result, void *value, int error)
{
    if (!result)
        return EINVAL;
    if (result->object.hub == bine_hub_of_thread) {
        result_set_here(result, value, error);
        return 0;
    }
    int failure = bine_remote_check(&result->object);
    if (!failure)
        failure = bine_remote_put(&result->object, error ? (void *)(intptr_t)error : value,
                                  error ? SENT_ERROR : SENT_VALUE);
    return failure;
}

int bine_async_result_set(bine_async_result *result, void *value)
{
    return bine_result(result_set(result, value, 0));
}

int bine_async_result_set_error(bine_async_result *result, int error)
{
    return bine_result(error > 0 ? result_set(result, NULL, error) : EINVAL);
}

static int result_wait(struct bine_async_result *result, int64_t timeout)
{
    if (is_there(result))
        return 0;
    struct bine_taker taker;
    return bine_taker_wait(&result->object, &result->waiters, &taker, "wait for async result",
                           timeout);
}

static int result_wait_there(struct bine_errand *errand)
{
    return bine_outcome(bine_async_result_wait(errand->object, errand->timeout));
}

int bine_async_result_wait(bine_async_result *result, int64_t timeout)
{
    int error = bine_object_check(result);
    if (error || timeout < 0)
        return bine_object_elsewhere(error, &(struct bine_errand){result_wait_there,
                                                                  "wait for async result", result,
                                                                  .timeout = timeout});
    return bine_result(result_wait(result, timeout));
}

static int result_get_there(struct bine_errand *errand)
{
    return bine_outcome(bine_async_result_get(errand->object, &errand->item, errand->timeout));
}

int bine_async_result_get(bine_async_result *result, void **value, int64_t timeout)
{
    int error = bine_object_check(result);
    if (error || timeout < 0)
        return bine_object_elsewhere_item(error,
                                          (struct bine_errand){result_get_there,
                                                               "wait for async result", result,
                                                               .timeout = timeout},
                                          value);
    error = result_wait(result, timeout);
    if (!error)
        error = result->error;
    if (!error && value)
        *value = result->value;
    return bine_result(error);
}

bool bine_async_result_ready(const bine_async_result *result)
{
    return result && is_there(result);
}

bool bine_async_result_successful(const bine_async_result *result)
{
    return result && is_there(result) && !result->error;
}

void *bine_async_result_value(const bine_async_result *result)
{
    return result ? result->value : NULL;
}

int bine_async_result_error(const bine_async_result *result)
{
    return result ? result->error : 0;
}

void bine_async_result_from(bine_greenlet *g, void *result)
{
    int error = bine_error(g);
    if (error)
        bine_async_result_set_error(result, error);
    else
        bine_async_result_set(result, bine_value(g));
}
