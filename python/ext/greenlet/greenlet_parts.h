/*
 * What the files of the Greenlet type share:
 *
 * greenlet_type.c             the type: which function is which method
 * greenlet.c                  making and starting
 * greenlet_wait.c             waiting for it
 * greenlet_run.c              its life in a carrier, and its end
 * greenlet_end.c              ending it from outside
 * greenlet_link.c             links
 * greenlet_switch.c           switch()
 * greenlet_across.c           other OS threads
 * greenlet_attributes.c       what is known of it
 * greenlet_gevent.c           what gevent's greenlets show beside
 * greenlet_layout.c           what readers from outside find of it
 * greenlet_spawning_stack.c   where it was spawned
 */
#ifndef BINE_EXT_GREENLET_PARTS_H
#define BINE_EXT_GREENLET_PARTS_H

#include "greenlet.h"

typedef struct bine_py_greenlet Greenlet;

PyObject *bine_greenlet_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int bine_greenlet_initialise(PyObject *object, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_start(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_start_later(PyObject *self, PyObject *seconds);
PyObject *bine_greenlet_spawn(PyObject *class, PyObject *const *args, Py_ssize_t count,
                              PyObject *names);
PyObject *bine_greenlet_spawn_later(PyObject *class, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_join(PyObject *self, PyObject *const *args, Py_ssize_t count,
                             PyObject *names);
PyObject *bine_greenlet_get(PyObject *object, PyObject *args, PyObject *kwargs);
/* 0: it has ended; ETIME; -1 with an exception. `timeout`: the argument of the call, of which the
 * deadline was made. */
int bine_greenlet_wait(Greenlet *self, int64_t deadline, PyObject *timeout);
/* It ends before it begins: the timer and the objects that were for its start go now. Steals the
 * exception. */
void bine_greenlet_end_before_start(Greenlet *self, PyObject *exception);
PyObject *bine_greenlet_kill(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_throw(PyObject *self, PyObject *args);
PyObject *bine_greenlet_exit(PyObject *object, PyObject *args);
/* Both for carrier/supplied.h. */
void bine_greenlet_run(Greenlet *self);
void bine_greenlet_exit_child(Greenlet *self);
void bine_greenlet_call_links(Greenlet *self);
/* In a greenlet of its own. -1 with an exception. */
int bine_greenlet_call_links_soon(Greenlet *self);
void bine_greenlet_end(Greenlet *self, PyObject *value, PyObject *exception);
PyObject *bine_greenlet_rawlink(PyObject *object, PyObject *callback);
PyObject *bine_greenlet_link(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_link_value(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_link_exception(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_run_links(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_unlink(PyObject *object, PyObject *callback);
PyObject *bine_greenlet_unlink_all(PyObject *object, PyObject *unused);
PyObject *bine_greenlet_repr(PyObject *object);
PyObject *bine_greenlet_ready(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_successful(PyObject *object, PyObject *unused);
int bine_greenlet_bool(PyObject *object);
PyObject *bine_greenlet_get_dead(PyObject *self, void *unused);
PyObject *bine_greenlet_get_started(PyObject *self, void *unused);
PyObject *bine_greenlet_get_exc_info(PyObject *object, void *unused);
PyObject *bine_greenlet_get_spawning_greenlet(PyObject *object, void *unused);
PyObject *bine_greenlet_get_minimal_ident(PyObject *object, void *unused);
/* At the end of an object that has a minimal_ident: another may have it. */
void bine_greenlet_give_ident_back(Greenlet *self);
PyObject *bine_greenlet_get_own_thread(PyObject *object, void *unused);
int bine_greenlet_set_own_thread(PyObject *object, PyObject *wanted, void *unused);
PyObject *bine_greenlet_get_name(PyObject *self, void *unused);
int bine_greenlet_set_name(PyObject *self, PyObject *name, void *unused);
PyObject *bine_greenlet_has_links(PyObject *object, PyObject *unused);
PyObject *bine_greenlet_get_loop(PyObject *object, void *unused);
PyObject *bine_greenlet_switch(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bine_greenlet_hand(PyObject *self, PyObject *value);

PyObject *bine_greenlet_get_frame(PyObject *self, void *unused);
PyObject *bine_greenlet_get_context(PyObject *object, void *unused);
int bine_greenlet_set_context(PyObject *object, PyObject *context, void *unused);
PyObject *bine_greenlet_get_parent(PyObject *object, void *unused);
PyObject *bine_greenlet_get_args(PyObject *object, void *unused);
int bine_greenlet_set_args(PyObject *object, PyObject *args, void *unused);
PyObject *bine_greenlet_get_kwargs(PyObject *object, void *unused);
int bine_greenlet_set_kwargs(PyObject *object, PyObject *kwargs, void *unused);
PyObject *bine_greenlet_run_nothing(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_run_here(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_getcurrent(PyObject *unused, PyObject *nothing);
int bine_greenlet_add_names(PyTypeObject *type);
PyObject *bine_greenlet_add_spawn_callback(PyObject *unused, PyObject *callback);
PyObject *bine_greenlet_remove_spawn_callback(PyObject *unused, PyObject *callback);
PyObject *bine_greenlet_get_spawning_stack(PyObject *object, void *unused);

/* Are there callbacks, or are stacks noted? Then these are to be called, when a greenlet was made
 * and when it was started. -1 with an exception. */
extern bool bine_spawning_watched;
int bine_spawning_made(Greenlet *self);
int bine_spawning_started(Greenlet *self);
/* What they depend on has changed. */
void bine_spawning_watch(void);

/* greenlet_spawning_stack.c: where it was spawned. */
bool bine_stacks_noted(void);
int bine_stack_note(Greenlet *self);
void bine_stack_forget(Greenlet *self);
PyObject *bine_greenlet_stack_limit(void);

/* Does it belong to the calling thread? Else the functions below send what is to be done to its
 * thread; an exception is given as an instance. */
bool bine_greenlet_here(const Greenlet *self);
/* On its thread: the C greenlet that will run it, borrowed, or NULL with an exception. */
struct bine_greenlet *bine_greenlet_carry(Greenlet *self, int64_t delay);
int bine_greenlet_throw_there(Greenlet *self, PyObject *exception);
int bine_greenlet_start_there(Greenlet *self, int64_t delay);
PyObject *bine_greenlet_is_here(PyObject *self, PyObject *unused);
PyObject *bine_greenlet_move_to(PyObject *object, PyObject *other);

/* greenlet_layout.c: from now on greenlets are named by the functions that they run. */
void bine_greenlet_show_names(void);

/* Its thread has ended: so has it, as if it was killed. True if it has ended. */
bool bine_py_ended(Greenlet *self);
/* The hub ends: so have its greenlets. GIL held. */
void bine_greenlets_end(struct bine_hub *hub);
/* Throw an exception (instance, stolen) into the greenlet that carries `carrier`, on its thread. */
void bine_py_throw_into(struct bine_carrier *carrier, PyObject *exception);

#endif
