#pragma once
#include <errno.h>

/*
 * The place that detects a failure reports it, once: `return fail(r, "open '%s'", path)` logs
 * "open 'x': No such file or directory" and yields r. Callers pass r up silently. r is -errno; with
 * -EINVAL, -EPROTO and -ENOTSUP (our own judgements, not the kernel's answer) the message stands
 * alone.
 */
int fail(long r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A broken promise inside the tool: prints the sentence with its place and ends with status 1. */
#define bug_on(condition, sentence)                                                                \
	do {                                                                                       \
		if (condition)                                                                     \
			bug(__FILE__, __LINE__, sentence);                                         \
	} while (0)
_Noreturn void bug(const char *file, int line, const char *sentence);

#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
