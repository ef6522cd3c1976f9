/* The command line's first word chooses the subcommand; each lives in a cmd-*.c of its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "cmd.h"

static const struct command commands[] = {
	{ "dump", cmd_dump, "save a tree of processes" },
	{ "restore", cmd_restore, "bring a tree back" },
};

int main(int argc, char **argv)
{
	int status = 2;

	if (fault_setup(getenv("TORPOR_FAULT"))) {
		(void)fprintf(stderr, "error: TORPOR_FAULT is malformed\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* a closed log must not kill the tool */
	for (size_t i = 0; argc > 1 && i < array_size(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			status = commands[i].run(argc - 1, argv + 1);
	if (status == 2)
		(void)fprintf(stderr, "usage: torpor dump|restore ...\n");
	fault_report();
	return status;
}
