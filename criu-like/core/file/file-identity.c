/*
 * Which descriptors are the same open file description.
 *
 * The kernel gives descriptions no number. What is visible (device, inode, position, flags, mount,
 * the number of an eventfd) tells most of them apart for free; among those that look alike kcmp(2)
 * gives a total order, so that each new one costs a binary search. All tasks are stopped: what is
 * visible of one description is equal through every descriptor. Remaining times of timers run on,
 * so they are no part of it.
 */
#include "core/file/file-space.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "kernel/descriptor.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static void look_key(const struct fd_probe *p, uint64_t key[2])
{
	uint64_t id = 0;

	if (!(p->st.st_mode & S_IFMT))
		(void)fdinfo_u64(&p->info, "eventfd-id", 10, &id); /* others have none */
	key[0] = mix(mix(p->st.st_dev, p->st.st_ino), id);
	key[1] = mix(mix(p->pos, p->flags), p->mnt_id);
}

/* Binary search: 1 found, 0 not, -errno; *ret_at: where it is or belongs. */
static int class_search(const struct seen_class *c, const struct fd_probe *p, size_t *ret_at)
{
	size_t low = 0, high = c->seen.n;
	pid_t tid = task_main(p->task)->tid;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct fd_seen *s = c->seen.v[mid];
		int r = sys_kcmp_file(tid, p->number, task_main(s->task)->tid, s->number);

		if (r < 0)
			return fail(r, "compare descriptor %d with descriptor %d of task %d",
				    p->number, s->number, s->task->pid);
		if (r == 0) {
			*ret_at = mid;
			return 1;
		}
		if (r == 1)
			high = mid;
		else
			low = mid + 1;
	}
	*ret_at = low;
	return 0;
}

static struct fd_seen *seen_new(struct dump *d, const struct fd_probe *p)
{
	struct file_space *f = d->files;
	struct fd_seen *s = arena_new(&d->arena, struct fd_seen);

	*s = (struct fd_seen){ .id = f->n_ofd++,
			       .task = p->task,
			       .number = p->number,
			       .dev = p->st.st_dev,
			       .ino = p->st.st_ino };
	s->next = map_get(&f->by_inode, s->dev, s->ino);
	map_put(&f->by_inode, s->dev, s->ino, s);
	return s;
}

int identity_find(struct dump *d, struct fd_probe *p, struct fd_seen **ret, bool *ret_new)
{
	struct seen_class *c;
	uint64_t key[2];
	size_t at = 0;
	int r;

	look_key(p, key);
	c = map_get(&d->files->by_look, key[0], key[1]);
	if (!c) {
		c = arena_new(&d->arena, struct seen_class);
		map_put(&d->files->by_look, key[0], key[1], c);
	}
	r = class_search(c, p, &at);
	if (r < 0)
		return r;
	*ret_new = !r;
	if (!r) {
		(void)vec_push(&d->arena, &c->seen);
		memmove(&c->seen.v[at + 1], &c->seen.v[at],
			(c->seen.n - 1 - at) * sizeof(c->seen.v[0]));
		c->seen.v[at] = seen_new(d, p);
	}
	*ret = c->seen.v[at];
	return 0;
}

const struct fd_seen *files_seen(const struct dump *d, uint64_t dev, uint64_t ino)
{
	return map_get(&d->files->by_inode, dev, ino);
}

const struct fd_seen *files_at(const struct dump *d, const struct task *t, unsigned int number)
{
	return map_get(&d->files->by_number, t->files, number);
}

uint32_t files_group(struct dump *d, const struct fd_probe *p, bool *ret_first)
{
	struct map *m = &d->files->group;
	uintptr_t n = (uintptr_t)map_get(m, p->st.st_dev, p->st.st_ino);

	*ret_first = !n;
	if (!n) {
		n = ++d->files->n_group;
		map_put(m, p->st.st_dev, p->st.st_ino, (void *)n);
	}
	return (uint32_t)n - 1;
}

struct scratch_pipe *files_scratch(struct dump *d)
{
	return &d->files->scratch;
}
