/* The subcommands of bine, one function each: arguments without the program's and the command's name; returns the exit
 * status. */
#ifndef BINE_CLI_DOCTOR_H
#define BINE_CLI_DOCTOR_H

int doctor(int count, char **arguments);

#endif
