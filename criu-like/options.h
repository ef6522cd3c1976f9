#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/vec.h"

/*
 * Command lines are data: a table of rows says which options exist, for which commands, and where
 * in a structure a value goes. One parser serves both names of the tool. It takes long names, their
 * unique beginnings, --name=value, --no-name, letters in clusters (-jRt5), words between options,
 * and what stands behind `--`.
 */
enum option_kind {
	OPTION_FLAG,    /* bool */
	OPTION_SWITCH,  /* bool, with a --no- form */
	OPTION_TEXT,    /* const char * */
	OPTION_MAYBE,   /* const char *; a value only as --name=value or -xvalue, "" without */
	OPTION_LIST,    /* option_list: one element each time */
	OPTION_SECONDS, /* unsigned int */
	OPTION_PID,     /* pid_t, positive */
	OPTION_FD,      /* int, a descriptor */
	OPTION_BYTES,   /* uint64_t; K, M, G */
	OPTION_LEVEL,   /* unsigned int; -v adds one, -vvv three, -v3 and --verbosity=3 set it */
	OPTION_CHOICE,  /* unsigned int: which of the words in `value` ("text|json") */
	OPTION_REFUSED, /* struct option_refusals; a switch whose subject does not exist here */
	OPTION_REFUSED_VALUE, /* the same with a value */
};

struct option_row {
	const char *name; /* NULL ends the table */
	char letter;      /* 0: none */
	enum option_kind kind;
	uint32_t commands; /* set of bits: where it exists */
	size_t offset;     /* of its field in the settings */
	const char *value; /* what the help calls it; the words of a choice */
	const char *help;  /* NULL: not listed; of a refused one: the reason */
};

typedef VEC(const char *) option_list;
/* Rows that were asked for and are refused; --no-name takes one out again. */
typedef VEC(const struct option_row *) option_refusals;

struct option_parse {
	const struct option_row *table;
	uint32_t commands; /* rows that share no bit with it do not exist */
	void *settings;
	struct arena *arena;
	option_list word;  /* arguments that are no options */
	char error[160];   /* why -EINVAL was yielded */
};

/* argv without the program's name. 0, or -EINVAL with the reason in p->error. Nothing is logged. */
int options_parse(struct option_parse *p, int argc, const char *const *argv);
/* One line per listed option that shares a bit with `commands`. */
void options_help(const struct option_row *table, uint32_t commands, FILE *out);
