/*
 * The list of all factories, and what their files share.
 */
#include "factory.h"

static const struct factory *const tables[] = {file_factories, event_factories, notify_factories,
					     socket_factories, ipc_factories};

const struct factory *factory_find(bool (*fn)(const struct factory *, void *), void *arg)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct factory *f = tables[i]; f->name; f++)
			if (fn(f, arg))
				return f;
	return NULL;
}

static bool has_name(const struct factory *f, void *name)
{
	return !strcmp(f->name, name);
}

const struct factory *factory_by_name(const char *name)
{
	return factory_find(has_name, (void *)name);
}

struct object object_make(const struct factory *f, uint64_t seed)
{
	struct object o = {.seed = seed};

	memset(o.fd, -1, sizeof(o.fd));
	snprintf(o.name, sizeof(o.name), "object-%s-%lu", f->name, seed);
	f->make(&o);
	return o;
}

void stream_put(int fd, size_t len, uint64_t seed)
{
	char *buf = must_ptr(malloc(len));

	pattern_fill(buf, len, seed);
	must_true(write(fd, buf, len) == (ssize_t)len);
	free(buf);
}

void stream_expect(int fd, size_t len, uint64_t seed)
{
	char *buf = must_ptr(calloc(1, len));
	size_t got = 0;
	ssize_t n = 1;

	while (got < len && (n = read(fd, buf + got, len - got)) > 0)
		got += (size_t)n;
	check(got == len && pattern_ok(buf, len, seed), "descriptor %d: %zu of %zu bytes", fd, got,
	      len);
	free(buf);
}
