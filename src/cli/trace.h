/* bine trace. */
#ifndef BINE_CLI_TRACE_H
#define BINE_CLI_TRACE_H

int trace(int count, char **arguments);

#endif
