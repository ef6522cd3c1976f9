/*
 * The command line under the name criu: the action may stand between the options, every option is
 * understood with every action, configuration files come first (/etc/criu/default.conf,
 * ~/.criu/default.conf, CRIU_CONFIG_FILE, --config; later ones win, the command line last). A log
 * file is always written, errors carry the word by which runtimes find them, and every failure is
 * status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "cmd.h"

struct action {
	const char *name;
	enum command_bit bit;
	int (*run)(const struct invocation *in);
	const char *reason; /* why there is none */
};

static const struct action actions[] = {
	{ "dump", CRIU_DUMP, cmd_dump, NULL },
	{ "restore", CRIU_RESTORE, cmd_restore, NULL },
	{ "check", CRIU_CHECK, cmd_check, NULL },
	{ "pre-dump", 0, NULL, "checkpoints do not build on others yet" },
	{ "page-server", 0, NULL, "memory is saved in the images only" },
	{ "lazy-pages", 0, NULL, "all memory is there before the tree runs" },
	{ "service", 0, NULL, "there is no service yet" },
	{ "swrk", 0, NULL, "there is no service yet" },
	{ "dedup", 0, NULL, "pages are stored once anyway" },
	{ "cpuinfo", 0, NULL, "a restore compares the processors itself" },
	{ "exec", 0, NULL, "it has left the command line long ago" },
	{ "show", 0, NULL, "use 'torpor show DIR'" },
};

static const struct action *find(const char *name)
{
	for (size_t i = 0; i < array_size(actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

/* A word in quotes keeps its blanks; \ takes the next character as it is. False: nothing left. */
static bool cut_word(struct arena *a, struct span *line, const char **ret)
{
	char *word = arena_alloc(a, line->len + 1);
	size_t i = 0, n = 0;
	char quote = 0;

	while (i < line->len && strchr(" \t\r", line->p[i]))
		i++;
	if (i >= line->len || line->p[i] == '#')
		return false;
	for (; i < line->len && (quote || !strchr(" \t\r", line->p[i])); i++) {
		char c = line->p[i];

		if (c == quote || (!quote && (c == '"' || c == '\''))) {
			quote = quote ? 0 : c;
			continue;
		}
		i += c == '\\' && i + 1 < line->len ? 1 : 0;
		word[n++] = line->p[i];
	}
	line->p += i;
	line->len -= i;
	*ret = word;
	return true;
}

/* `name`, `name value` or `name=value`, with or without the dashes; # begins a comment. */
static void add_line(struct arena *a, struct span line, option_list *to)
{
	const char *word;

	if (!cut_word(a, &line, &word))
		return;
	*vec_push(a, to) = word[0] == '-' ? word : arena_printf(a, "--%s", word);
	while (cut_word(a, &line, &word))
		*vec_push(a, to) = word;
}

static int add_file(struct arena *a, const char *path, bool must_exist, option_list *to)
{
	struct span text, line;
	int r = io_slurp_at(a, AT_FDCWD, path, &text);

	if (r == -ENOENT && !must_exist)
		return 0;
	if (r) {
		(void)fprintf(stderr, "Error (torpor): read the configuration '%s': %s\n", path,
			      strerror(-r));
		return r;
	}
	while (span_line(&text, &line))
		add_line(a, line, to);
	return 0;
}

static int add_config(struct arena *a, const struct settings *s, option_list *to)
{
	const char *home = getenv("HOME"), *named = getenv("CRIU_CONFIG_FILE");
	int r = 0;

	if (!s->no_default_config) {
		r = add_file(a, "/etc/criu/default.conf", false, to);
		if (!r && home)
			r = add_file(a, arena_printf(a, "%s/.criu/default.conf", home), false, to);
	}
	if (!r && named && *named)
		r = add_file(a, named, true, to);
	for (size_t i = 0; !r && i < s->config.n; i++)
		r = add_file(a, s->config.v[i], true, to);
	return r;
}

/* Once to find the action and the configuration, then with them. */
static int parse(struct arena *a, uint32_t bits, const option_list *argv, struct settings *ret,
		 option_list *ret_word)
{
	struct option_parse p = { option_table, bits, ret, a, { 0 }, "" };
	struct invocation in = { a, ret, ret_word, true };

	*ret = settings_default;
	if (options_parse(&p, (int)argv->n, argv->v))
		return usage_error(&in, "%s", p.error);
	*ret_word = p.word;
	return 0;
}

static int close_wanted(const struct invocation *in)
{
	for (size_t i = 0; i < in->set->close_fd.n; i++) {
		uint32_t number;
		_close_ int fd = -1;

		if (span_u32(span_of(in->set->close_fd.v[i]), 10, &number) || number > INT32_MAX)
			return usage_error(in, "--close '%s' is no descriptor",
					   in->set->close_fd.v[i]);
		fd = (int)number;
	}
	return 0;
}

static int run(struct arena *a, const struct action *action, const option_list *argv)
{
	struct settings set;
	option_list word;
	struct invocation in = { a, &set, &word, true };

	if (parse(a, action->bit, argv, &set, &word))
		return STATUS_FAILED;
	for (size_t i = 0; i < set.refused.n; i++)
		(void)usage_error(&in, "option '--%s' is refused: %s", set.refused.v[i]->name,
				  set.refused.v[i]->help);
	if (set.refused.n || close_wanted(&in))
		return STATUS_FAILED;
	return action->run(&in);
}

static void print_help(void)
{
	printf("usage: criu dump|restore|check [OPTIONS]\n\n"
	       "torpor %s under the name criu. The manual: man torpor.\n\n", TORPOR_VERSION);
	options_help(option_table, CRIU_DUMP | CRIU_RESTORE | CRIU_CHECK, stdout);
}

static int choose(const struct invocation *in, const option_list *argv)
{
	const struct action *action = in->word->n ? find(in->word->v[0]) : NULL;

	if (in->set->version) {
		printf("Version: 4.2\n");
		return 0;
	}
	if (in->set->help) {
		print_help();
		return 0;
	}
	if (!in->word->n)
		return usage_error(in, "an action is missing: dump, restore, check");
	if (!action)
		return usage_error(in, "there is no action '%s'", in->word->v[0]);
	if (!action->run)
		return usage_error(in, "the action '%s' is refused: %s", action->name,
				   action->reason);
	return run(in->arena, action, argv);
}

int criu_main(struct arena *a, int argc, const char *const *argv)
{
	option_list given = { 0 }, all = { 0 }, word;
	struct settings set;
	struct invocation in = { a, &set, &word, true };

	for (int i = 1; i < argc; i++)
		*vec_push(a, &given) = argv[i];
	if (parse(a, CRIU_NONE, &given, &set, &word) || add_config(a, &set, &all))
		return STATUS_FAILED;
	for (size_t i = 0; i < given.n; i++)
		*vec_push(a, &all) = given.v[i];
	return choose(&in, &all);
}
