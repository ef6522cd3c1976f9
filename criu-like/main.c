/*
 * The first word of the command line chooses the command; each lives in a cmd-*.c of its own. Under
 * the name criu the whole line is that tool's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "cmd.h"
#include "kernel/signal.h"

static const struct command commands[] = {
	{ "dump", ON_DUMP, cmd_dump, "-t PID [-D DIR]", 0, "save a tree of processes" },
	{ "restore", ON_RESTORE, cmd_restore, "[-D DIR]", 0, "bring a tree back" },
	{ "recover", ON_RECOVER, cmd_recover, "-D DIR", 0, "undo what a killed run left behind" },
	{ "show", ON_SHOW, cmd_show, "DIR [IMAGE]", 2, "what is in a checkpoint" },
	{ "check", ON_CHECK, cmd_check, "[-t PID | -D DIR]", 0,
	  "what is possible here, and why not" },
};

static void print_usage(void)
{
	printf("usage: torpor COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < array_size(commands); i++)
		printf("  %-9s %-28s %s\n", commands[i].name, commands[i].words,
		       commands[i].summary);
	printf("\nOptions of a command: torpor COMMAND --help. The manual: man torpor.\n");
}

static void print_help(const struct command *c)
{
	printf("usage: torpor %s %s [OPTIONS]\n%s\n\n", c->name, c->words, c->summary);
	options_help(option_table, c->bit, stdout);
}

static int run_command(struct arena *a, const struct command *c, int argc, const char *const *argv)
{
	struct settings set = settings_default;
	struct option_parse p = { option_table, c->bit, &set, a, { 0 }, "" };
	struct invocation in = { a, &set, &p.word, false };

	if (options_parse(&p, argc, argv))
		return usage_error(&in, "%s: %s", c->name, p.error);
	if (set.help || set.version) {
		set.help ? print_help(c) : (void)printf("torpor %s\n", TORPOR_VERSION);
		return 0;
	}
	if (p.word.n > c->words_max)
		return usage_error(&in, "%s: '%s' is one word too many", c->name,
				   p.word.v[c->words_max]);
	return c->run(&in);
}

static int torpor_main(struct arena *a, int argc, const char *const *argv)
{
	struct settings set = settings_default;
	struct option_parse p = { option_table, ON_NONE, &set, a, { 0 }, "" };
	struct invocation in = { a, &set, &p.word, false };

	for (size_t i = 0; argc > 1 && i < array_size(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run_command(a, &commands[i], argc - 2, argv + 2);
	if (argc < 2)
		return usage_error(&in, "a command is missing");
	if (argv[1][0] != '-' && strcmp(argv[1], "help") != 0)
		return usage_error(&in, "there is no command '%s'", argv[1]);
	if (options_parse(&p, argc - 1, argv + 1))
		return usage_error(&in, "%s", p.error);
	set.version ? (void)printf("torpor %s\n", TORPOR_VERSION) : print_usage();
	return 0;
}

static bool named_criu(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "criu");
}

int main(int argc, char **argv)
{
	const char *const *words = (const char *const *)argv;
	struct arena arena;
	int status;

	if (fault_setup(getenv("TORPOR_FAULT"))) {
		(void)fprintf(stderr, "error: TORPOR_FAULT is malformed\n");
		return STATUS_USAGE;
	}
	signal_ignore(SIGPIPE);  /* a closed log must not kill the tool */
	signal_default(SIGCHLD); /* ignored, there would be nothing to wait for */
	arena_init(&arena);
	status = argc && named_criu(argv[0]) ? criu_main(&arena, argc, words)
					     : torpor_main(&arena, argc, words);
	if (fflush(stdout) && !status)
		status = STATUS_FAILED; /* who asked for text did not get it */
	arena_deinit(&arena);
	fault_report();
	return status;
}
