/* The bine command: subcommands, each in a file of its own. */
#include <bine.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "inspect/commands.h"
#include "run.h"
#include "trace.h"

#ifdef BINE_WITH_LIBDW
#define stack inspect_stack
#else
static int stack(int count, char **arguments)
{
    (void)count, (void)arguments;
    fprintf(stderr,
            "bine: this command was built without elfutils (libdw), which reads backtraces\n");
    return 2;
}
#endif

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *help;
} commands[] = {
    {"doctor", doctor,
     "doctor [-v] [FILE...]   what this machine gives, and which calls of a program or library are "
     "covered"},
    {"ps", inspect_ps,
     "ps PID|CORE             the greenlets of a process or a core: what each waits for, who holds "
     "it"},
    {"stack", stack, "stack PID|CORE [ID...]  their backtraces, equal ones together"},
    {"waits", inspect_waits, "waits PID|CORE          who waits for whom, and deadlocks"},
    {"tree", inspect_tree, "tree PID|CORE           who spawned whom"},
    {"leaks", inspect_leaks, "leaks PID|CORE          greenlets that nothing can wake any more"},
    {"top", inspect_top,
     "top PID                 hubs and greenlets live in a terminal, or once as text (--once)"},
    {"trace", trace,
     "trace PID [-o FILE] [-t SECONDS]   what its greenlets do, as a file for Perfetto"},
    {"run", run,
     "run [OPTION...] PROGRAM [ARGUMENT...]   its threads as greenlets of one OS thread"},
};

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: bine COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  bine %s\n", commands[i].help);
    fprintf(out, "  bine --version\n");
    return status;
}

int main(int count, char **arguments)
{
    if (count < 2)
        return usage(stderr, 2);
    if (strcmp(arguments[1], "--version") == 0) {
        printf("bine %s\n", bine_version());
        return 0;
    }
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0)
        return usage(stdout, 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, arguments[1]) == 0)
            return commands[i].run(count - 2, arguments + 2);
    fprintf(stderr, "bine: no command %s\n", arguments[1]);
    return usage(stderr, 2);
}
