/* The subcommands of bine, one function each. The arguments come without the program's and the
 * command's name. Returns the exit status. */
#ifndef BINE_CLI_DOCTOR_H
#define BINE_CLI_DOCTOR_H

int doctor(int count, char **arguments);

#endif
