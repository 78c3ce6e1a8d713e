/* Which thread sqlite3 takes a greenlet for. */
#include <dlfcn.h>

#include "identity.h"
#include "patch/table/interpreter.h"

/*
 * sqlite3 keeps other threads from using a connection, and asks the interpreter which thread it is
 * in. For gevent's programs all greenlets of an OS thread are that thread, and share connections:
 * the module is told the OS thread.
 */

/* SQLite itself lets one caller at a time use a connection, unless it was built without that. A
 * greenlet may park in SQLite, at a file. */
static bool serializes(const void *caller)
{
    static int known_of = -1;
    Dl_info module;
    if (known_of >= 0)
        return known_of;
    void *handle =
        dladdr(caller, &module) ? dlopen(module.dli_fname, RTLD_NOLOAD | RTLD_LAZY) : NULL;
    int (*mode)(void) = handle ? (int (*)(void))dlsym(handle, "sqlite3_threadsafe") : NULL;
    known_of = !mode || mode() == 1;
    if (handle)
        dlclose(handle);
    return known_of;
}

static unsigned long ident_for_sqlite(void)
{
    if (!serializes(__builtin_return_address(0)))
        return PyThread_get_thread_ident();
    return bine_os_thread_identity();
}

static const struct bine_runtime_call call_of_sqlite = {"_sqlite3.*so", "PyThread_get_thread_ident",
                                                        (void *)PyThread_get_thread_ident,
                                                        (void *)ident_for_sqlite};

void bine_sqlite_init(void)
{
    bine_runtime_call = &call_of_sqlite;
}
