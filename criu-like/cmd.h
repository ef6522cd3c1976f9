#pragma once

/* A subcommand: options -> struct -> conductor. Yields the exit status (2: usage). */
struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};
int cmd_dump(int argc, char **argv);
int cmd_restore(int argc, char **argv);
