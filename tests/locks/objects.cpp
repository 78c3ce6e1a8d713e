// A library with thread-local objects, which have constructors and destructors, and knows nothing
// of greenlets.
#include "vars.h"

#include <atomic>
#include <cstdio>
#include <cstring>

namespace
{

char text[4096];
std::atomic<int> alive;

void say(const char *what, int which, int id)
{
    size_t used = std::strlen(text);
    if (id < 0)
        std::snprintf(text + used, sizeof text - used, "%s%d ", what, which);
    else
        std::snprintf(text + used, sizeof text - used, "%s%d:%d ", what, which, id);
}

struct object {
    int which, id = 0, uses = 0;
    object *self = this;
    explicit object(int w) : which(w)
    {
        alive++;
        say("+", which, -1);
    }
    ~object()
    {
        alive--;
        // Not here: it has been destroyed already, or was never made.
        say(self == this ? "-" : "!", which, id);
        self = nullptr;
    }
};

thread_local object one(1);
thread_local object two(2);

} // namespace

int objects_use(int which, int id)
{
    object &used = which == 1 ? one : two;
    used.id = id;
    return ++used.uses;
}

const char *objects_log(void)
{
    static char copy[sizeof text];
    std::memcpy(copy, text, sizeof copy);
    text[0] = '\0';
    return copy;
}

int objects_alive(void)
{
    return alive;
}
