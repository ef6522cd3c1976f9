/*
 * The plan for descriptors, from hand-made images: who opens what, and what is refused. No root.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file-graph.h"
#include "core/file/inode.h"
#include "epoll.pb-c.h"
#include "eventfd.pb-c.h"

extern const struct fd_kind kind_eventfd, kind_epoll;
const struct fd_kind *const fd_kinds[] = { &kind_eventfd, &kind_epoll, NULL };
const struct task_kind *const task_kinds[] = { NULL };
struct mem_kind;
extern const struct mem_kind *const mem_kinds[];
const struct mem_kind *const mem_kinds[] = { NULL };

struct number {
	uint32_t table, number, ofd;
};
struct scene {
	const char *name;
	const char *kind[4]; /* of descriptions 0.. */
	uint32_t watched;    /* by the epoll set */
	struct number number[6];
	size_t n_number;
	int result;
	const char *shared; /* "01": of descriptions 0.. */
};

static const struct scene scenes[] = {
	{ "private", { "eventfd" }, 0, { { 0, 3, 0 } }, 1, 0, "0" },
	{ "in two tables", { "eventfd" }, 0, { { 0, 3, 0 }, { 1, 9, 0 } }, 2, 0, "1" },
	{ "held by nobody", { "eventfd" }, 0, { { 0, 0, 0 } }, 0, 0, "1" },
	{ "needed by another table",
	  { "eventfd", "epoll" },
	  0,
	  { { 0, 3, 0 }, { 1, 3, 1 } },
	  2,
	  0,
	  "10" },
	{ "needed by what is shared",
	  { "eventfd", "epoll" },
	  0,
	  { { 0, 3, 0 }, { 0, 4, 1 }, { 1, 4, 1 } },
	  3,
	  0,
	  "11" },
	{ "an unknown kind", { "crystal" }, 0, { { 0, 3, 0 } }, 1, -ENOTSUP, NULL },
	{ "no such description", { "eventfd" }, 0, { { 0, 3, 7 } }, 1, -EPROTO, NULL },
	{ "numbers out of order",
	  { "eventfd" },
	  0,
	  { { 0, 5, 0 }, { 0, 4, 0 } },
	  2,
	  -EPROTO,
	  NULL },
	{ "a set that watches itself", { "epoll" }, 0, { { 0, 3, 0 } }, 1, -EPROTO, NULL },
	{ "a number beyond the limit", { "eventfd" }, 0, { { 0, 1 << 29, 0 } }, 1, -ENOTSUP, NULL },
};

static int write_descriptions(struct image_set *set, const struct scene *s)
{
	struct image *ofd, *kind[2] = { NULL, NULL };
	int r = image_create(set, "ofd", &ofd);

	for (uint32_t i = 0; s->kind[i] && !r; i++) {
		Ofd o = OFD__INIT;
		Eventfd e = EVENTFD__INIT;
		Epoll p = EPOLL__INIT;
		EpollItem item = EPOLL_ITEM__INIT, *items = &item;
		bool is_set = !strcmp(s->kind[i], "epoll");

		o.kind = (char *)s->kind[i];
		item.ofd = s->watched;
		p.n_item = 1;
		p.item = &items;
		r = image_append(ofd, i, &o.base);
		if (!r && strcmp(s->kind[i], "crystal") && !kind[is_set])
			r = image_create(set, s->kind[i], &kind[is_set]);
		if (!r && kind[is_set])
			r = image_append(kind[is_set], i, is_set ? &p.base : &e.base);
	}
	for (int i = 0; i < 2 && !r; i++)
		r = kind[i] ? image_finish(kind[i]) : 0;
	return r ? r : image_finish(ofd);
}

static int write_tables(struct image_set *set, const struct scene *s)
{
	struct image *out;
	int r = image_create(set, "fd_table", &out);

	for (uint32_t t = 0; t < 2 && !r; t++) {
		FdTable m = FD_TABLE__INIT;
		FdEntry e[6], *list[6];

		m.entry = list;
		for (size_t i = 0; i < s->n_number; i++) {
			if (s->number[i].table != t)
				continue;
			fd_entry__init(&e[m.n_entry]);
			e[m.n_entry].number = s->number[i].number;
			e[m.n_entry].ofd = s->number[i].ofd;
			list[m.n_entry] = &e[m.n_entry];
			m.n_entry++;
		}
		r = image_append(out, t, &m.base);
	}
	return r ? r : image_finish(out);
}

static void two_tasks(struct restore *r)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct task *t = arena_new(&r->arena, struct task);

		t->index = t->files = t->mm = i;
		t->pid = 100 + (pid_t)i;
		*vec_push(&r->arena, &r->tree.task) = t;
	}
}

static bool plan_is(struct restore *r, const struct scene *s)
{
	int e = inode_plan(r);

	e = e ? e : files_plan(r);
	if (e != s->result)
		return false;
	for (uint32_t i = 0; s->shared && s->shared[i]; i++)
		if (files_find(r, i)->shared != (s->shared[i] == '1'))
			return false;
	return true;
}

static bool run(const struct scene *s)
{
	char dir[] = "/tmp/file-plan.XXXXXX";
	struct restore_options opt = { .work_fd = -1 };
	struct restore *r = &(struct restore){ .opt = &opt };
	struct image_set *set = NULL;
	struct arena a;
	bool ok;
	int fd, e;

	arena_init(&a);
	arena_init(&r->arena);
	blockers_init(&r->blockers, &r->arena);
	fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	e = image_set_create(&a, fd, 0, &set);
	e = e ? e : write_descriptions(set, s);
	e = e ? e : write_tables(set, s);
	e = e ? e : image_set_commit(set);
	e = e ? e : image_set_open(&r->arena, fd, &r->set);
	two_tasks(r);
	ok = !e && plan_is(r, s);
	(void)close(fd);
	(void)!system(arena_printf(&a, "rm -rf %s", dir));
	arena_deinit(&r->arena);
	arena_deinit(&a);
	return ok;
}

static bool gaps(void)
{
	const unsigned int some[] = { 0, 1, 2, 2, 10, 11, 1 << 20 };

	return numbers_gap(some, 7, 3) == 3 && numbers_gap(some, 7, 7) == 3 &&
	       numbers_gap(some, 7, 8) == 12 && numbers_gap(some, 0, 5) == 0 &&
	       numbers_gap(some, 3, 100) == 3;
}

int main(void)
{
	int failed = !gaps();

	log_setup(&(struct log_config){ .fd = open("/dev/null", O_WRONLY), .level = LOG_ERROR });
	for (size_t i = 0; i < array_size(scenes); i++) {
		bool ok = run(&scenes[i]);

		(void)printf("%s: %s\n", ok ? "ok" : "FAIL", scenes[i].name);
		failed += !ok;
	}
	(void)printf("%zu passed, %d failed, 0 skipped\n", array_size(scenes) + 1 - (size_t)failed,
		     failed);
	return failed != 0;
}
