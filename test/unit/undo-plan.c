/*
 * What the end of a process undoes in semaphores: records that do not fit the sets of the same
 * checkpoint are refused, and an adjustment takes as many operations as its size demands.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/world.h"
#include "ns/sem_undo.h"
#include "sem_undo.pb-c.h"
#include "sysv_sem.pb-c.h"

enum { ID = 77, OUTSIDE = 78 };

static struct restore restore;
static struct task task = { .pid = 4000000 };
static struct thread leader = { .tid = 4000000, .task = &task };
static int failed, passed;

static void expect(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "FAIL", what);
	failed += !ok;
	passed += ok;
}

static int write_set(struct image *i, int id)
{
	uint32_t value[] = { 0, 16000, 32767 };
	SysvPerm perm = SYSV_PERM__INIT;
	SysvSem m = SYSV_SEM__INIT;

	perm.id = id;
	perm.outside = id == OUTSIDE;
	m.perm = &perm;
	m.value = value;
	m.n_value = array_size(value);
	return image_append(i, (uint32_t)(id - ID), &m.base);
}

/* Two sets as the restore knows them once it has read the images. */
static int make_world(struct arena *a, int dirfd)
{
	struct image_set *s;
	struct image *i;
	int r = image_set_create(a, dirfd, 0, &s) ?: image_create(s, "sysv_sem", &i);

	r = r ?: write_set(i, ID) ?: write_set(i, OUTSIDE);
	r = r ?: image_finish(i) ?: image_set_commit(s);
	if (r)
		return r;
	image_set_close(s);
	r = image_set_open(a, dirfd, &restore.set);
	if (!r)
		(void)world_plan(&restore); /* whether these ids are free here does not matter */
	return r;
}

static int plan(int32_t id, uint32_t number, int32_t adjust, size_t n_adjust)
{
	uint32_t numbers[] = { number, 2 };
	int32_t adjusts[] = { adjust, 1 };
	SemUndoSet one = SEM_UNDO_SET__INIT, *set = &one;
	SemUndo m = SEM_UNDO__INIT;

	one.id = id;
	one.number = numbers;
	one.n_number = 2;
	one.adjust = adjusts;
	one.n_adjust = n_adjust;
	m.set = &set;
	m.n_set = 1;
	return kind_sem_undo.plan(&restore, &leader, &m);
}

static void test_hostile(void)
{
	expect(!plan(ID, 1, 5, 2), "two adjustments");
	expect(!plan(ID, 1, -32768, 2), "the lowest adjustment");
	expect(plan(ID + 5, 1, 5, 2) == -EPROTO, "a set that is not there");
	expect(plan(-1, 1, 5, 2) == -EPROTO, "a negative id");
	expect(plan(OUTSIDE, 1, 5, 2) == -EPROTO, "a set of others");
	expect(plan(ID, 3, 5, 2) == -EPROTO, "a number too high");
	expect(plan(ID, 2, 5, 2) == -EPROTO, "a number twice");
	expect(plan(ID, 1, 0, 2) == -EPROTO, "an adjustment of nothing");
	expect(plan(ID, 1, 32768, 2) == -EPROTO, "an adjustment too high");
	expect(plan(ID, 1, -32769, 2) == -EPROTO, "an adjustment too low");
	expect(plan(ID, 1, 5, 1) == -EPROTO, "fewer adjustments than numbers");
}

static size_t steps(uint32_t number, int32_t adjust)
{
	struct stage_at at = { STAGE_TASK, &restore, &task, &leader, NULL };
	SemUndoSet one = SEM_UNDO_SET__INIT, *set = &one;
	SemUndo m = SEM_UNDO__INIT;
	struct prog p;

	one.id = ID;
	one.number = &number;
	one.adjust = &adjust;
	one.n_number = one.n_adjust = m.n_set = 1;
	m.set = &set;
	prog_init(&p, &restore.arena, 0);
	return kind_sem_undo.stage(&p, &at, &m) ? 0 : p.op.n;
}

static void test_steps(void)
{
	expect(steps(0, 32767) == 1 && steps(0, -32767) == 1, "all at the value 0");
	expect(steps(2, 32767) == 1 && steps(2, -32767) == 1, "all at the highest value");
	expect(steps(0, -32768) == 2, "more than one operation can take");
	expect(steps(1, 16767) == 1 && steps(1, -16768) == 2, "room above a value");
}

int main(void)
{
	char path[] = "/tmp/undo-plan-XXXXXX";
	_close_ int dirfd = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	log_setup(&(struct log_config){ .fd = -1, .level = getenv("VERBOSE") ? LOG_ERROR : -1 });
	arena_init(&restore.arena);
	blockers_init(&restore.blockers, &restore.arena);
	*vec_push(&restore.arena, &task.thread) = &leader;
	if (dirfd < 0 || make_world(&restore.arena, dirfd))
		return 1;
	test_hostile();
	test_steps();
	image_set_close(restore.set);
	(void)unlinkat(dirfd, "sysv_sem.img", 0);
	(void)unlinkat(dirfd, "commit.img", 0);
	(void)rmdir(path);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
