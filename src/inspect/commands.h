/* The subcommands that look inside. Each takes its arguments after the name and returns the exit
 * status: 0, 1 if the target cannot be looked into, 2 for wrong arguments. */
#ifndef BINE_INSPECT_COMMANDS_H
#define BINE_INSPECT_COMMANDS_H

int inspect_ps(int count, char **arguments);
int inspect_stack(int count, char **arguments);
int inspect_waits(int count, char **arguments);
int inspect_tree(int count, char **arguments);
int inspect_leaks(int count, char **arguments);
int inspect_top(int count, char **arguments);

#endif
