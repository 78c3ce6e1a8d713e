/* bine run: a program's threads as greenlets of one OS thread. */
#ifndef BINE_CLI_RUN_H
#define BINE_CLI_RUN_H

/* Does not return if the program could be started. */
int run(int count, char **arguments);

#endif
