/* bine leaks: greenlets that nothing can wake any more. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect/snapshot/describe.h"
#include "inspect/snapshot/reach.h"
#include "options.h"

static const char usage[] =
    "leaks PID|CORE\n"
    "\n"
    "Shows greenlets that wait, without a time limit, for an object or a greenlet that\n"
    "only greenlets of this list can reach: nothing is left that could wake them.\n"
    "\n"
    "The search takes each word of the memory that looks like an address for one. So it\n"
    "misses greenlets, because a number may look like an address, an address may be left\n"
    "over, and memory outside the main heap of malloc is taken as a whole. It names one\n"
    "wrongly only where a program keeps the address in another form: packed, or counted\n"
    "from another one.\n";

static int show(const struct inspect_snapshot *snapshot)
{
    size_t count = 0, considered = 0;
    struct inspect_reach *reach = inspect_reach_new(snapshot);
    if (!reach)
        return 1;
    for (size_t i = 0; i < snapshot->greenlet_count; i++) {
        const struct inspect_greenlet *g = &snapshot->greenlets[i];
        char id[32], name[160], place[200];
        struct inspect_wait wait;
        considered += inspect_may_leak(snapshot, g);
        if (inspect_reached(reach, i))
            continue;
        inspect_id(snapshot, g, id, sizeof id);
        inspect_name(snapshot, g, name, sizeof name);
        inspect_place(snapshot, g, place, sizeof place);
        inspect_wait(snapshot, g, &wait);
        printf("%s %s  in %s%s%s%s%s\n", id, name, wait.verb, *wait.object ? " " : "", wait.object,
               *place ? ", spawned at " : "", place);
        count++;
    }
    printf("%s%zu of %zu greenlets that wait for others without a limit can be reached by nothing "
           "that was found\n",
           count ? "\n" : "", count, considered);
    inspect_reach_free(reach);
    return 0;
}

int inspect_leaks(int count, char **arguments)
{
    struct inspect_options options = {.usage = usage, .flags = ""};
    int status = inspect_parse(&options, count, arguments);
    if (status >= 0)
        return status;
    struct inspect_target *target = inspect_open(options.target);
    struct inspect_snapshot *snapshot = target ? inspect_snapshot(target) : NULL;
    status = snapshot ? show(snapshot) : 1;
    inspect_snapshot_free(snapshot);
    inspect_close(target);
    return status;
}
