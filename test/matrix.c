/*
 * Every factory in three surroundings: an object in one task; an object of its own in each of two
 * tasks; one object made before a fork, held by both tasks, checked in the child, and still the
 * same description in both (kcmp). `matrix --list` prints the names, `matrix FACTORY WAY` runs one.
 */
/* harness: matrix */
#include "factory.h"

#include <fcntl.h>
#include <sys/syscall.h>

enum { KCMP_FILE = 0 };

static const struct factory *factory;

static void one(void)
{
	struct object o = object_make(factory, 1);

	checkpoint();
	factory->test(&o);
}

static void in_child(void *arg)
{
	struct object o = object_make(factory, (uintptr_t)arg);

	checkpoint_wait();
	factory->test(&o);
}

static void two(void)
{
	struct object o;

	task_run(in_child, (void *)2);
	o = object_make(factory, 3);
	checkpoint();
	factory->test(&o);
}

static uint32_t *turn;

static void check_inherited(void *arg)
{
	checkpoint_wait();
	event_wait(turn, 1);
	factory->test(arg);
}

static void across_fork(void)
{
	struct object o;
	pid_t child;

	turn = shared_alloc(4096);
	o = object_make(factory, 4);
	child = task_run(check_inherited, &o);
	checkpoint();
	for (int i = 0; i < OBJECT_FDS && o.fd[i] >= 0; i++)
		check(!syscall(SYS_kcmp, getpid(), child, KCMP_FILE, o.fd[i], o.fd[i]),
		      "descriptor %d", o.fd[i]);
	/* So that closing in the child is seen by the other end. */
	for (int i = 0; i < OBJECT_FDS && o.fd[i] >= 0; i++)
		check(!close(o.fd[i]));
	event_add(turn);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {{"one", one}, {"two", two}, {"fork", across_fork}};

/* Sockets that see what other tests do, and are seen: in a network namespace of its own. */
static bool of_network(const struct factory *f)
{
	for (const struct factory *s = socket_factories; s->name; s++)
		if (s == f)
			return strncmp(f->name, "unix", 4);
	return false;
}

static bool list(const struct factory *f, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		printf("%s %s%s%s%s\n", f->name, ways[i].name, of_network(f) ? " net" : "",
		       f->refused ? " refused=" : "", f->refused ? f->refused : "");
	return false;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return factory_find(list, NULL) != NULL;
	must_true(argc == 3 && (factory = factory_by_name(argv[1])));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, argv[2]))
			return ways[i].run(), test_end();
	skip("no way '%s'", argv[2]);
}
