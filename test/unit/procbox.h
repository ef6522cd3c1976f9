#pragma once
/*
 * What the tests of the parsers of /proc text share: recorded files, altered copies of them, and
 * the loop that runs the tests. Each test program includes this once and runs in the root of the
 * sources.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"

/* A test yields NULL, or why it failed. */
typedef const char *test_fn(struct arena *a);

#define check_text2(line) #line
#define check_text(line)  check_text2(line)
#define check(condition)                                                     \
	do {                                                                 \
		if (!(condition))                                            \
			return "line " check_text(__LINE__) ": " #condition; \
	} while (0)

static struct span fixture(struct arena *a, const char *name)
{
	struct span text = {};

	if (io_slurp_at(a, AT_FDCWD, arena_printf(a, "test/unit/fixtures/%s.txt", name), &text))
		printf("# cannot read fixture %s\n", name);
	return text;
}

/* The text with the first `from` replaced; both may differ in length. */
static struct span edit(struct arena *a, struct span text, const char *from, const char *to)
{
	char *at = text.len ? memmem(text.p, text.len, from, strlen(from)) : NULL;
	size_t before, after;
	char *out;

	if (!at) {
		printf("# fixture without '%s'\n", from);
		return (struct span){};
	}
	before = (size_t)(at - text.p);
	after = text.len - before - strlen(from);
	out = arena_alloc(a, text.len + strlen(to) + 1);
	memcpy(out, text.p, before);
	memcpy(out + before, to, strlen(to));
	memcpy(out + before + strlen(to), at + strlen(from), after);
	return (struct span){ out, before + strlen(to) + after };
}

struct test {
	const char *name;
	test_fn *run;
};

static int run_tests(const struct test *tests, size_t n)
{
	int passed = 0, failed = 0;

	for (size_t i = 0; i < n; i++) {
		struct arena a;
		const char *why;

		arena_init(&a);
		why = tests[i].run(&a);
		printf("%s %s%s%s\n", why ? "not ok" : "ok", tests[i].name, why ? ": " : "",
		       why ?: "");
		passed += !why;
		failed += !!why;
		arena_deinit(&a);
	}
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
