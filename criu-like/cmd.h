#pragma once
#include "base/arena.h"
#include "core/restore.h"
#include "settings.h"

/* A subcommand: settings -> options of a conductor. */
struct invocation {
	struct arena *arena;
	const struct settings *set;
	const option_list *word; /* arguments that are no options */
	bool criu;               /* under the name criu */
};
struct command {
	const char *name;
	enum command_bit bit;
	/* Yields the exit status: 0 only if what was promised holds. */
	int (*run)(const struct invocation *in);
	const char *words; /* of the usage line: "DIR [IMAGE]", "" */
	size_t words_max;
	const char *summary;
};

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

int cmd_dump(const struct invocation *in);
int cmd_restore(const struct invocation *in);
int cmd_recover(const struct invocation *in);
int cmd_show(const struct invocation *in);
int cmd_check(const struct invocation *in);
/* The whole command line under the name criu. */
int criu_main(struct arena *a, int argc, const char *const *argv);

/* A command line that makes no sense: says why, yields STATUS_USAGE (1 under the name criu). */
int usage_error(const struct invocation *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A result of a conductor (0, -errno, or the status of a script) as exit status. */
int status_of(int result);
/* The caller waits for a zero byte. */
int tell_status_fd(const struct settings *s);
/* A list as conductors take it. */
const char *const *terminated(struct arena *a, const option_list *l);
/* --inherit-fd: 0, or the status of a usage error. */
int inherit_list(const struct invocation *in, const struct inherit_fd **ret);
/* --map-ip: the same. */
int map_ip_check(const struct invocation *in);
