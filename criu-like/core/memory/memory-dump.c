/*
 * Dump of address spaces. Each mm is dumped once, through the task whose index it bears. First all
 * mappings of all tasks are read, so that everything that stands against the dump is known before
 * anything is copied; then pages and images are written. Threads and processes that share an mm
 * are all stopped, so what smaps and pagemap tell stays true.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "core/file/inode.h"
#include "core/memory/memory-ahead.h"
#include "core/memory/memory-dump.h"
#include "core/memory/memory.h"
#include "core/refuse.h"
#include "core/stop/victim.h"
#include "kernel/own.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"
#include "mm.pb-c.h"

static bool owns_mm(const struct task *t)
{
	return t->state != TASK_ZOMBIE && t->mm == t->index;
}

struct memory *memory_state(struct dump *d)
{
	if (d->memory)
		return d->memory;
	d->memory = arena_new(&d->arena, struct memory);
	map_init(&d->memory->link_mode, &d->arena);
	map_init(&d->memory->exe, &d->arena);
	for (size_t i = 0; i < array_size(d->memory->object); i++)
		map_init(&d->memory->object[i], &d->arena);
	return d->memory;
}

/* All that is read of the tree outside of the stop is read again then. */
int memory_look(struct dump *d)
{
	if (!own_capable(CAP_CHECKPOINT_RESTORE) && !own_capable(CAP_SYS_ADMIN))
		return refuse(&d->blockers, d->opt->pid, "memory",
			      "the tool may not open the files that it maps",
			      "run it as root or with CAP_CHECKPOINT_RESTORE ('torpor check' tells "
			      "the rest)");
	return own_vdso_find(&d->arena, &memory_state(d)->vdso);
}

void memory_read_ahead(struct dump *d)
{
	pid_t *pid = arena_array(&d->arena, pid_t, d->tree.task.n);
	uint64_t *seed = &memory_state(d)->seed;
	size_t n = 0;

	vec_foreach(t, &d->tree.task) {
		pid[(*t)->index] = owns_mm(*t) ? task_main(*t)->tid : 0;
		n += owns_mm(*t);
	}
	if (d->ahead && sys(SYS_getrandom, seed, sizeof(*seed), 0) == sizeof(*seed))
		read_ahead_go(d->ahead, pid, d->tree.task.n, n > 1 ? *seed : 0);
}

static int read_vmas(struct dump *d, const struct task *t, struct mm *m)
{
	struct arena scratch;
	struct span text;
	int r;

	arena_init(&scratch);
	r = io_slurp_at(&scratch, t->proc_fd, "smaps", &text);
	r = r ? fail(r, "read smaps of task %d", t->pid) : memory_parse(d, t, text, m);
	arena_deinit(&scratch);
	return r;
}

static int find_vmas(struct dump *d, const struct task *t)
{
	struct mm *m = arena_new(&d->arena, struct mm);
	const struct ahead *a = NULL;
	struct span seen;
	int r = 0;

	m->id = t->index;
	if (read_ahead_take(d->ahead, t->index, &seen))
		a = (const struct ahead *)seen.p;
	for (size_t i = 0; a && !r && i < a->n_vma; i++)
		r = memory_add(d, t, &a->vma[i], m);
	r = a ? r : read_vmas(d, t, m);
	if (r)
		return r;
	*vec_push(&d->arena, &d->memory->space) = m;
	*vec_push(&d->arena, &d->memory->owner) = t;
	*vec_push(&d->arena, &d->memory->ahead) = a;
	return 0;
}

uint32_t memory_object_id(struct dump *d, const struct mem_kind *k, uint64_t key_a, uint64_t key_b,
			  bool *ret_new)
{
	struct map *known = &d->memory->object[k->number];
	uintptr_t id = (uintptr_t)map_get(known, key_a, key_b);

	*ret_new = !id;
	if (!id) {
		id = ++d->memory->n_object[k->number];
		map_put(known, key_a, key_b, (void *)id);
	}
	return (uint32_t)id - 1;
}

struct map *memory_link_modes(struct dump *d)
{
	return &d->memory->link_mode;
}

int memory_append_object(struct dump *d, const struct mem_kind *k, uint32_t id,
			 const ProtobufCMessage *m)
{
	struct image **i = &d->memory->object_image[k->number];
	int r = *i ? 0 : image_create(d->set, k->name, i);

	return r ?: image_append(*i, id, m);
}

static int append_vma(struct dump *d, uint32_t id, const struct vma *v)
{
	Vma m = VMA__INIT;
	uint64_t start[64], pages[64];
	size_t n = v->guard.n;
	uint64_t *list = n > 64 ? arena_array(&d->arena, uint64_t, 2 * n) : NULL;

	m.start = v->start;
	m.end = v->end;
	m.kind = (Vma__Kind)v->kind;
	m.prot = v->prot;
	m.shared = v->shared;
	m.flags = v->flags;
	m.has_page_shift = v->page_shift != 0;
	m.page_shift = v->page_shift;
	m.has_offset = m.has_object = v->object != NO_OBJECT;
	m.offset = v->offset;
	m.object = v->object;
	m.name = (char *)(uintptr_t)v->name; /* only read */
	m.n_guard_start = m.n_guard_pages = n;
	m.guard_start = list ? list : start;
	m.guard_pages = list ? list + n : pages;
	for (size_t i = 0; i < n; i++) {
		m.guard_start[i] = v->guard.v[i].start;
		m.guard_pages[i] = (v->guard.v[i].end - v->guard.v[i].start) / PAGE_BYTES;
	}
	return image_append(d->memory->vma, id, &m.base);
}

static int describe_exe(struct dump *d, const struct task *t, FileRef **ret)
{
	_close_ int fd = (int)sys(SYS_openat, t->proc_fd, "exe", 010000000 | 02000000); /* O_PATH */
	char link[4097];
	long n;

	if (fd == -ENOENT)
		return 0; /* a task whose executable was taken away by prctl */
	if (fd < 0)
		return fail(fd, "open the executable of task %d", t->pid);
	n = sys(SYS_readlinkat, t->proc_fd, "exe", link, sizeof(link) - 1);
	if (n < 0)
		return fail(n, "read the name of the executable of task %d", t->pid);
	link[n] = 0;
	return inode_describe(d, t, fd, link, 0, ret);
}

/* A thousand children of one program have one file. */
static int find_exe(struct dump *d, const struct task *t, const struct ahead *a, FileRef **ret)
{
	FileRef *known = a && a->exe_known ? map_get(&d->memory->exe, a->exe_key[0], a->exe_key[1])
					   : NULL;
	int r = known ? 0 : describe_exe(d, t, &known);

	if (!r && known && a && a->exe_known)
		map_put(&d->memory->exe, a->exe_key[0], a->exe_key[1], known);
	if (!r)
		*ret = known;
	return r;
}

static int describe_vdso(struct dump *d, const struct task *t, const struct mm *mm, Mm *m)
{
	int r = 0;

	vec_foreach(v, &mm->vma) {
		if (v->kind != VMA__KIND__SPECIAL || strcmp(v->name, "[vdso]"))
			continue;
		r = vdso_hash(&d->arena, &d->memory->vdso, victim_memory(d, t), v, &m->vdso_hash);
		m->has_vdso_hash = true;
		break;
	}
	return r;
}

/* It was read after the stop, but of a leader that has ended it tells nothing of the memory. */
static int read_stat(struct dump *d, const struct task *t, struct proc_stat *ret)
{
	struct span text;
	int r = 0;

	if (t->state == TASK_ALIVE)
		*ret = *t->stat;
	else
		r = io_slurp_record(&d->arena, t->proc_fd, "stat", &text) ?:
			    proc_stat_parse(text, ret);
	return r;
}

static int append_mm(struct dump *d, const struct task *t, const struct mm *mm,
		     const struct ahead *a)
{
	Mm m = MM__INIT;
	struct proc_stat s;
	struct span auxv = a ? a->auxv : (struct span){ 0 };
	int r = read_stat(d, t, &s);

	if (!r && !(a && a->auxv_known))
		r = io_slurp_record(&d->arena, t->proc_fd, "auxv", &auxv);

	if (r)
		return fail(r, "read stat and auxv of task %d", t->pid);
	m.start_code = s.start_code;
	m.end_code = s.end_code;
	m.start_data = s.start_data;
	m.end_data = s.end_data;
	m.start_brk = s.start_brk;
	m.start_stack = s.start_stack;
	m.arg_start = s.arg_start;
	m.arg_end = s.arg_end;
	m.env_start = s.env_start;
	m.env_end = s.env_end;
	m.auxv = (ProtobufCBinaryData){ auxv.len, (uint8_t *)(uintptr_t)auxv.p };
	m.has_vdso_hash = a && a->vdso_known;
	m.vdso_hash = m.has_vdso_hash ? a->vdso_hash : 0;
	r = m.has_vdso_hash ? 0 : describe_vdso(d, t, mm, &m);
	r = r ?: find_exe(d, t, a, &m.exe);
	return r ?: image_append(d->memory->mm, mm->id, &m.base);
}

static int create_images(struct dump *d)
{
	struct memory *m = d->memory;

	int r = image_create(d->set, "vma", &m->vma) ?: image_create(d->set, "mm", &m->mm);

	r = r ?: image_create(d->set, "pagemap", &m->pagemap);
	r = r ?: page_store_create(d->set, 0, &m->store);
	r = r ?: page_writer_init(&m->writer, &d->arena, m->store, 0);
	m->writer.seed = m->seed ? m->seed : m->writer.seed;
	return r;
}

static int finish_images(struct dump *d)
{
	struct memory *m = d->memory;
	int r = image_finish(m->vma) ?: image_finish(m->mm) ?: image_finish(m->pagemap) ?:
		page_store_finish(m->store);

	for (size_t i = 0; !r && i < array_size(m->object_image); i++)
		if (m->object_image[i])
			r = image_finish(m->object_image[i]);
	return r;
}

static int write_space(struct dump *d, size_t space)
{
	struct mm *m = d->memory->space.v[space];
	int r = page_writer_records(&d->memory->writer, d->memory->pagemap, m);

	for (size_t i = 0; !r && i < m->vma.n; i++)
		r = append_vma(d, m->id, &m->vma.v[i]);
	return r ?: append_mm(d, d->memory->owner.v[space], m, d->memory->ahead.v[space]);
}

int memory_map(struct dump *d)
{
	int r = create_images(d);

	vec_foreach(t, &d->tree.task)
		if (!r && owns_mm(*t))
			r = find_vmas(d, *t);
	return r ?: d->blockers.list.n ? -ENOTSUP : 0;
}

int memory_dump(struct dump *d)
{
	int r = 0;

	for (size_t i = 0; !r && i < d->memory->space.n; i++)
		r = memory_dump_pages(d, i);
	r = r ?: memory_bulk_write(d);
	for (size_t i = 0; !r && i < d->memory->space.n; i++)
		r = write_space(d, i);
	r = r ?: memory_dump_content(d);
	d->stats.bytes_written += page_writer_bytes(&d->memory->writer);
	return r ?: finish_images(d);
}
