/* Signals from other threads. See remote.h. */
#include "remote.h"

enum {
    REFUSED = -1
};

static void free_items(struct bine_remote_item *item)
{
    while (item) {
        struct bine_remote_item *next = item->next;
        free(item);
        item = next;
    }
}

static void remote_receive(struct bine_object *object)
{
    const struct bine_object_class *class =
        (const struct bine_object_class *)object->waitable.class;
    if (class->received)
        class->received(object);
}

/* The object has been freed while its message was on its way. */
static void remote_forget(struct bine_remote *remote)
{
    free_items(atomic_load(&remote->items));
    free(remote);
}

static void remote_dropped(struct bine_message *message)
{
    struct bine_remote *remote = (struct bine_remote *)message;
    if (remote->object)
        /* the next thread that signals it is told that its thread has ended */
        atomic_store(&remote->sent, false);
    else
        remote_forget(remote);
}

static void delivered(struct bine_message *message)
{
    struct bine_remote *remote = (struct bine_remote *)message;
    if (!remote->object) {
        remote_forget(remote);
        return;
    }
    /* Before taking: what is left from now on is announced by a new message. */
    BINE_STORE_THEN_LOOK(&remote->sent, false);
    remote_receive(remote->object);
}

bool bine_remote_attach(struct bine_object *object)
{
    struct bine_remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return false;
    remote->message = (struct bine_message){NULL, delivered, remote_dropped};
    remote->object = object;
    object->remote = remote;
    return true;
}

void bine_remote_detach(struct bine_object *object)
{
    struct bine_remote *remote = object->remote;
    remote->object = NULL;
    /* Claims the message: if it is not on its way now, no thread will send it any more. */
    if (!atomic_exchange(&remote->sent, true))
        remote_forget(remote);
}

/* The inbox of the child is empty, so a message that was on its way is not any more: take what it
 * announced now. */
void bine_remote_forked(struct bine_object *object)
{
    atomic_store(&object->remote->sent, false);
    remote_receive(object);
}

int bine_remote_send(struct bine_object *object)
{
    struct bine_remote *remote = object->remote;
    if (atomic_exchange(&remote->sent, true))
        return 0;
    int error = bine_hub_send(object->hub, &remote->message);
    if (error)
        atomic_store(&remote->sent, false);
    return error;
}

int bine_remote_put(struct bine_object *object, void *item, int kind)
{
    struct bine_remote_item *node = malloc(sizeof *node);
    if (!node)
        return ENOMEM;
    node->item = item;
    node->kind = kind;
    node->next = atomic_load_explicit(&object->remote->items, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&object->remote->items, &node->next, node)) {
    }
    int error = bine_remote_send(object);
    if (error)
        node->kind =
            /* its thread has ended: the caller that frees the object finds it, and the item is the
             * caller's */
            REFUSED;
    return error;
}

struct bine_remote_item *bine_remote_take(struct bine_object *object)
{
    struct bine_remote_item *node = atomic_exchange(&object->remote->items, NULL), *oldest = NULL;
    while (node) {
        struct bine_remote_item *next = node->next;
        if (node->kind == REFUSED) {
            free(node);
        } else {
            node->next = oldest;
            oldest = node;
        }
        node = next;
    }
    return oldest;
}
