/*
 * Dump of descriptor tables and open file descriptions.
 *
 * Every table is walked once; each descriptor is copied with pidfd_getfd (0.5 us, nothing happens
 * in the task) and described by statx and, where the quick look does not do, fdinfo; the text of
 * its link is read only by kinds that need it. A description is written when it is first met,
 * except for kinds that refer to others: they come last, when everything has a number.
 *
 * Closing a copy calls the file's flush operation, which asks the server of a FUSE or NFS file:
 * such copies stay open until the tool ends, when the tasks have gone on.
 */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "core/file/file-space.h"
#include "core/file/inode.h"
#include "core/refuse.h"
#include "fd_table.pb-c.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"
#include "kernel/proc-status.h"

struct fs_entry {
	long type;
};

const char *fd_link(struct dump *d, struct fd_probe *p)
{
	char name[16], buf[4097];
	int r;

	if (p->link)
		return p->link;
	p->link = look_link(d, p);
	p->named = p->link;
	if (p->named)
		return p->link;
	(void)snprintf(name, sizeof(name), "%d", p->number); /* always fits */
	r = sys_readlink(d->files->fd_dir, name, buf, sizeof(buf));
	p->link = r < 0 ? "?" : arena_strndup(&d->arena, buf, (size_t)r);
	return p->link;
}

long fd_fs_type(struct dump *d, const struct fd_probe *p)
{
	struct fs_entry *e = map_get(&d->files->fs_type, p->st.st_dev, 0);
	struct statfs s;

	if (!e) {
		e = arena_new(&d->arena, struct fs_entry);
		e->type = sys(SYS_fstatfs, p->fd, &s) ? 0 : s.f_type;
		map_put(&d->files->fs_type, p->st.st_dev, 0, e);
	}
	return e->type;
}

const char *fd_text(struct dump *d, struct fd_probe *p)
{
	return arena_printf(&d->arena, "descriptor %d (%s)", p->number, fd_link(d, p));
}

int fd_refuse(struct dump *d, struct fd_probe *p, const char *reason, const char *remedy)
{
	return file_give_up(d, p, reason)
		       ? -ENOTSUP
		       : refuse(&d->blockers, p->task->pid, fd_text(d, p), reason, remedy);
}

int fd_refuse_now(struct dump *d, struct fd_probe *p, const char *reason, const char *remedy)
{
	size_t before = d->blockers.list.n;
	int r = fd_refuse(d, p, reason, remedy);

	if (d->blockers.list.n > before)
		d->blockers.list.v[before].passing = true;
	return r;
}

void files_space_init(struct dump *d)
{
	struct file_space *f = d->files = arena_new(&d->arena, struct file_space);
	size_t n = 0;

	map_init(&f->by_look, &d->arena);
	map_init(&f->by_inode, &d->arena);
	map_init(&f->by_number, &d->arena);
	map_init(&f->group, &d->arena);
	map_init(&f->fs_type, &d->arena);
	map_init(&f->answers, &d->arena);
	map_init(&f->glance, &d->arena);
	map_init(&f->open, &d->arena);
	map_init(&f->locked, &d->arena);
	f->fd_dir = f->fdinfo_dir = f->own_dir = f->own_pidfd = -1;
	while (fd_kinds[n])
		n++;
	f->kind_image = arena_array(&d->arena, struct image *, n + 1);
}

/* --- one descriptor ------------------------------------------------------------------------------
 */

/* Nothing was stopped yet: what was there may be closed now, which is nothing to speak of. */
static bool is_running(const struct dump *d)
{
	return !d->tree.task.n;
}

static int read_info(struct dump *d, struct fd_probe *p, char *buf, size_t size)
{
	struct span text = { buf, 0 };
	char name[16];
	_close_ int fd = -1;
	long n;
	int r;

	(void)snprintf(name, sizeof(name), "%d", p->number); /* always fits */
	fd = sys_openat(d->files->fdinfo_dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd == -ENOENT && is_running(d))
		return fd;
	if (fd < 0)
		return fail(fd, "descriptor %d: open its fdinfo", p->number);
	n = sys_read(fd, buf, size - 1);
	if (n < 0)
		return fail(n, "descriptor %d: read its fdinfo", p->number);
	buf[n] = 0;
	text.len = (size_t)n;
	/* The kernel hands over the whole text at once when it fits. */
	r = (size_t)n == size - 1 ? io_slurp_at(&d->arena, d->files->fdinfo_dir, name, &text) : 0;
	if (r)
		return fail(r, "descriptor %d: read its fdinfo", p->number);
	r = fdinfo_parse(text, &p->info);
	if (r)
		return fail(r, "descriptor %d: the kernel's fdinfo is malformed", p->number);
	p->flags = p->info.flags & ~(uint32_t)O_CLOEXEC;
	p->pos = p->info.pos < 0 ? 0 : (uint64_t)p->info.pos;
	p->mnt_id = (uint32_t)p->info.mnt_id;
	return 0;
}

/* Copies the descriptor and looks at it; the copy is the caller's. */
static int probe(struct dump *d, struct fd_probe *p, bool quick, char *buf, size_t size)
{
	struct fd_glance *g = map_get(&d->files->glance, p->task->files, (uint64_t)p->number);
	int r = 0;

	if (g && g->fd >= 0) {
		p->fd = take_fd(&g->fd);
		p->st = g->st;
		p->mnt_id = g->mnt_id;
	} else {
		p->fd = sys_pidfd_getfd(p->task->pidfd, p->number);
		if (p->fd < 0 && is_running(d))
			return -ENOENT;
		if (p->fd < 0)
			return fail(p->fd, "copy descriptor %d", p->number);
		r = sys_stat(p->fd, "", 0, &p->st, &p->mnt_id);
	}
	if (r)
		return fail(r, "look at descriptor %d", p->number);
	if (quick && quick_look(d, p))
		return 0;
	return read_info(d, p, buf, size);
}

static void copy_done(struct dump *d, struct fd_probe *p)
{
	long type;

	if (p->fd < 0)
		return;
	type = S_ISREG(p->st.st_mode) || S_ISDIR(p->st.st_mode) ? fd_fs_type(d, p) : 0;
	if (type == FUSE_SUPER_MAGIC || type == NFS_SUPER_MAGIC)
		*vec_push(&d->arena, &d->files->kept) = p->fd;
	else
		(void)sys_close(p->fd); /* nothing was written through it */
}

static int open_directories(struct dump *d, const struct task *t)
{
	struct file_space *f = d->files;

	if (f->at == t)
		return 0;
	fd_close(&f->fd_dir);
	fd_close(&f->fdinfo_dir);
	f->at = NULL;
	f->fd_dir = sys_openat(t->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (f->fd_dir < 0)
		return fail(f->fd_dir, "open the descriptors of task %d", t->pid);
	f->fdinfo_dir = sys_openat(t->proc_fd, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (f->fdinfo_dir < 0)
		return fail(f->fdinfo_dir, "open the descriptors of task %d", t->pid);
	f->at = t;
	return 0;
}

/* --- one description -----------------------------------------------------------------------------
 */

static const struct fd_kind *find_kind(struct dump *d, struct fd_probe *p, size_t *ret_index)
{
	for (size_t i = 0; fd_kinds[i]; i++)
		if (fd_kinds[i]->match && fd_kinds[i]->match(d, p)) {
			*ret_index = i;
			return fd_kinds[i];
		}
	return NULL;
}

static int refuse_unknown(struct dump *d, struct fd_probe *p)
{
	const char *remedy = NULL, *reason = opaque_reason(fd_link(d, p), &remedy);

	if (!reason && S_ISCHR(p->st.st_mode))
		reason = arena_printf(&d->arena, "the driver of device %u:%u keeps its state",
				      major(p->st.st_rdev), minor(p->st.st_rdev));

	return fd_refuse(d, p, reason ? reason : "files of this kind cannot be saved",
			 remedy ? remedy : "let the program close it before the dump");
}

/* A descriptor that is closed meanwhile is none; the stop decides. */
int file_look_at(struct dump *d, const struct task *t, unsigned int number)
{
	struct fd_probe p = { .task = t, .number = (int)number, .fd = -1 };
	char buf[4096];
	size_t index;
	int r;

	if (!d->files)
		files_space_init(d);
	r = open_directories(d, t);
	if (r)
		return r;
	r = probe(d, &p, false, buf, sizeof(buf));
	if (r == -ENOENT)
		r = 0;
	else if (!r) {
		const struct fd_kind *k = find_kind(d, &p, &index);

		r = !k ? refuse_unknown(d, &p) : k->look ? k->look(d, &p) : 0;
		r = p.policy != FD_POLICY_FAIL && r == -ENOTSUP ? 0 : r;
	}
	copy_done(d, &p);
	return r;
}

static int end_kinds(struct dump *d, bool look)
{
	int r = 0;

	for (size_t i = 0; fd_kinds[i]; i++) {
		int e = fd_kinds[i]->end ? fd_kinds[i]->end(d, look) : 0;

		r = r && r != -ENOTSUP ? r : e ?: r;
	}
	return r;
}

int file_look_end(struct dump *d)
{
	int r;

	if (!d->files)
		return 0;
	r = end_kinds(d, true);
	fd_close(&d->files->fd_dir);
	fd_close(&d->files->fdinfo_dir);
	d->files = NULL; /* the dump begins anew with what is stopped */
	return r;
}

static int write_kind(struct dump *d, struct fd_probe *p, const struct fd_kind *k, size_t index)
{
	ProtobufCMessage *msg = arena_alloc(&d->arena, k->descriptor->sizeof_message);
	struct image **image = &d->files->kind_image[index];
	int r;

	protobuf_c_message_init(k->descriptor, msg);
	r = k->dump(d, p, msg);
	if (!r && !*image)
		r = image_create(d->set, k->name, image);
	return r ? r : image_append(*image, p->id, msg);
}

static int write_ofd(struct dump *d, struct fd_probe *p, const struct fd_kind *k)
{
	Ofd msg = OFD__INIT;
	int r = owner_dump(d, p, &msg);

	if (!r)
		r = lock_dump(d, p, &msg);
	if (r)
		return r;
	msg.kind = (char *)k->name;
	msg.flags = p->flags;
	msg.pos = p->pos;
	msg.name = (char *)p->link;
	msg.key = (char *)p->key;
	return image_append(d->files->ofd_image, p->id, &msg.base);
}

/* What was given up matches the one kind that stands for it. */
static int write_stub(struct dump *d, struct fd_probe *p, struct fd_seen *s)
{
	size_t index = 0;
	int r;

	s->kind = find_kind(d, p, &index);
	r = write_kind(d, p, s->kind, index);
	return r ? r : write_ofd(d, p, s->kind);
}

static int dump_description(struct dump *d, struct fd_probe *p, struct fd_seen *s)
{
	const struct fd_kind *k;
	size_t index = 0;
	int r;

	p->id = s->id;
	k = find_kind(d, p, &index);
	if (!k) {
		r = refuse_unknown(d, p);
		return p->policy == FD_POLICY_FAIL ? r : write_stub(d, p, s);
	}
	s->kind = k;
	if (k->dump_last) {
		*vec_push(&d->arena, &d->files->late) =
			(struct late_dump){ p->task, p->number, s->id, k };
		return 0;
	}
	r = write_kind(d, p, k, index);
	r = r ? r : write_ofd(d, p, k);
	return r == -ENOTSUP && p->policy != FD_POLICY_FAIL ? write_stub(d, p, s) : r;
}

static int dump_late(struct dump *d, const struct late_dump *l)
{
	struct fd_probe p = { .task = l->task, .number = l->number, .id = l->id, .fd = -1 };
	char buf[4096];
	size_t index = 0;
	int r = open_directories(d, l->task);

	if (!r)
		r = probe(d, &p, false, buf, sizeof(buf));
	while (fd_kinds[index] != l->kind)
		index++;
	if (!r)
		r = write_kind(d, &p, l->kind, index);
	if (!r)
		r = write_ofd(d, &p, l->kind);
	if (r == -ENOTSUP && p.policy != FD_POLICY_FAIL)
		r = write_stub(d, &p, map_get(&d->files->by_number, l->task->files,
					      (uint64_t)l->number));
	copy_done(d, &p);
	return r;
}

int fd_keep(struct dump *d, const struct fd_probe *p, const struct fd_kind *k, const void *msg)
{
	int fd = sys_fcntl(p->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail(fd, "keep a copy of descriptor %d", p->number);
	*vec_push(&d->arena, &d->files->after) = (struct fd_kept){ p->id, fd, k, msg };
	return 0;
}

/* The list grows with what is met in queues. */
static int dump_all_late(struct dump *d, bool meets)
{
	for (size_t i = 0; i < d->files->late.n; i++) {
		struct late_dump l = d->files->late.v[i];
		log_scope("task %d", l.task->pid);
		int r = l.kind->meets == meets ? dump_late(d, &l) : 0;

		if (r && r != -ENOTSUP)
			return r;
	}
	return 0;
}

/* --- in queues -----------------------------------------------------------------------------------
 */

/* The tool itself as the holder of a copy, on behalf of that task. */
static int holder(struct dump *d, const struct task *of, struct task **ret)
{
	struct task *t = arena_new(&d->arena, struct task);
	struct thread *self = arena_new(&d->arena, struct thread);
	struct file_space *f = d->files;

	self->tid = (pid_t)sys(SYS_getpid);
	self->task = t;
	if (f->own_dir < 0)
		f->own_dir = sys_openat(AT_FDCWD, "/proc/self",
					O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (f->own_pidfd < 0)
		f->own_pidfd = (int)sys(SYS_pidfd_open, self->tid, 0);
	if (f->own_dir < 0 || f->own_pidfd < 0)
		return fail(f->own_dir < 0 ? f->own_dir : f->own_pidfd,
			    "look at the tool's own descriptors");
	*t = (struct task){ .pid = of->pid, .files = UINT32_MAX, .proc_fd = f->own_dir,
			    .pidfd = f->own_pidfd };
	*vec_push(&d->arena, &t->thread) = self;
	*ret = t;
	return 0;
}

int files_meet(struct dump *d, const struct task *of, int fd, uint32_t *ret_id)
{
	struct fd_probe p = { .number = fd, .fd = -1 };
	struct fd_seen *s = NULL;
	struct task *t = NULL;
	bool new = false;
	char buf[4096];
	int r = holder(d, of, &t);

	p.task = t;
	r = r ?: open_directories(d, t);
	r = r ?: probe(d, &p, false, buf, sizeof(buf));
	r = r ?: identity_find(d, &p, &s, &new);
	if (!r && new)
		r = dump_description(d, &p, s);
	copy_done(d, &p);
	if (new)
		*vec_push(&d->arena, &d->files->kept) = fd; /* it is found there again */
	else
		(void)sys_close(fd); /* a copy of what is known already */
	if (s)
		*ret_id = s->id;
	return r;
}

/* --- tables --------------------------------------------------------------------------------------
 */

/*
 * What the parent has under this number, if it is the same: most of what a child has it was born
 * with, and nothing has to be looked at then. NULL: it is something else, or has to be looked at.
 */
static struct fd_seen *inherited(struct dump *d, const struct task *t, unsigned int number)
{
	struct fd_seen *s = t->parent ? map_get(&d->files->by_number, t->parent->files, number)
				      : NULL;

	return s && s->lockless && sys_kcmp_file(task_main(t)->tid, (int)number,
						 task_main(s->task)->tid, s->number) == 0
		       ? s
		       : NULL;
}

static void note_number(struct dump *d, const struct task *t, struct fd_seen *s, FdEntry *e)
{
	map_put(&d->files->by_number, t->files, e->number, s);
	e->ofd = s->id;
	d->stats.descriptors++;
}

/* `flags`: what the task says of this number, negative: nothing. */
static int dump_number(struct dump *d, const struct task *t, unsigned int number, int64_t flags,
		       FdEntry *e)
{
	struct fd_probe p = { .task = t, .number = (int)number, .fd = -1 };
	struct fd_seen *s = NULL;
	bool new = false;
	char buf[4096];
	int r;

	fd_entry__init(e);
	e->number = number;
	s = flags >= 0 ? inherited(d, t, number) : NULL;
	if (s) {
		e->cloexec = flags & FD_CLOEXEC;
		note_number(d, t, s, e);
		return 0;
	}
	r = open_directories(d, t);
	r = r ?: probe(d, &p, flags >= 0, buf, sizeof(buf));
	if (!r)
		r = identity_find(d, &p, &s, &new);
	if (!r && new)
		r = dump_description(d, &p, s);
	if (!r)
		r = lock_dump_posix(d, &p, s->id);
	if (s) {
		s->lockless = s->lockless || (new && quick_lockless(d, &p));
		e->cloexec = flags >= 0 ? flags & FD_CLOEXEC : p.info.flags & O_CLOEXEC;
		note_number(d, t, s, e);
	}
	copy_done(d, &p);
	return r;
}

/* Without answers (nobody could be asked, or about others) fdinfo tells everything. */
static int answers_of(struct dump *d, const struct task *t, struct fd_answers *ret)
{
	const struct fd_answers *a = map_get(&d->files->answers, t->files, 0);
	int r;

	if (a && !answers_good(a))
		a = NULL;
	*ret = a ? *a : (struct fd_answers){};
	r = a ? 0 : open_directories(d, t);
	if (r)
		return r;
	r = a ? 0 : proc_list_dir(&d->arena, d->files->fdinfo_dir, &ret->number);
	return r ? fail(r, "list the descriptors of task %d", t->pid) : 0;
}

static int dump_table(struct dump *d, const struct task *t, struct image *out)
{
	FdTable msg = FD_TABLE__INIT;
	struct fd_answers a;
	FdEntry *entry;
	int r = answers_of(d, t, &a);

	if (r)
		return r;
	lock_table_start(d);
	entry = arena_array(&d->arena, FdEntry, a.number.n);
	msg.entry = arena_array(&d->arena, FdEntry *, a.number.n);
	for (size_t i = 0; i < a.number.n; i++) {
		msg.entry[i] = &entry[i];
		r = dump_number(d, t, (unsigned int)a.number.v[i], i < a.n ? a.flags[i] : -1,
				&entry[i]);
		if (r && r != -ENOTSUP)
			return r;
	}
	msg.n_entry = a.number.n;
	if (d->blockers.list.n)
		return 0;
	if (task_main(t)->status) {
		msg.has_slots = true;
		msg.slots = task_main(t)->status->fdsize;
	}
	lock_table(d, &msg);
	return image_append(out, t->files, &msg.base);
}


static int dump_tables(struct dump *d)
{
	struct image *out;
	int r = image_create(d->set, "fd_table", &out);

	if (r)
		return r;
	vec_foreach(t, &d->tree.task) {
		if ((*t)->state == TASK_ZOMBIE || (*t)->files != (*t)->index)
			continue;
		log_scope("task %d", (*t)->pid);
		r = dump_table(d, *t, out);
		if (r)
			return r;
	}
	for (int meets = 1; meets >= 0; meets--) {
		r = dump_all_late(d, meets);
		if (r)
			return r;
	}
	r = end_kinds(d, false);
	if (r && r != -ENOTSUP)
		return r;
	return d->blockers.list.n ? 0 : image_finish(out);
}

int files_dump(struct dump *d)
{
	struct file_space *f;
	int r;

	if (!d->files)
		files_space_init(d);
	f = d->files;
	r = image_create(d->set, "ofd", &f->ofd_image);
	if (!r)
		r = dump_tables(d);
	vec_foreach(g, &f->glanced)
		copy_done(d, &(struct fd_probe){ .fd = take_fd(&(*g)->fd), .st = (*g)->st });
	fd_close(&f->fd_dir);
	fd_close(&f->fdinfo_dir);
	fd_close(&f->own_dir);
	fd_close(&f->own_pidfd);
	f->at = NULL;
	if (r || d->blockers.list.n)
		return r ? r : -ENOTSUP;
	r = image_finish(f->ofd_image);
	for (size_t i = 0; fd_kinds[i] && !r; i++)
		r = f->kind_image[i] ? image_finish(f->kind_image[i]) : 0;
	return r;
}

static int after_kind(struct dump *d, const struct fd_kind *k)
{
	VEC(struct fd_kept) kept = { 0 };

	vec_foreach(it, &d->files->after)
		if (it->kind == k)
			*vec_push(&d->arena, &kept) = *it;
	return kept.n && k->after ? k->after(d, kept.v, kept.n) : 0;
}

int files_after(struct dump *d)
{
	int r = 0;

	for (size_t i = 0; fd_kinds[i] && !r && d->files; i++)
		r = after_kind(d, fd_kinds[i]);
	return r;
}
