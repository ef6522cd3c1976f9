/*
 * What makes reading /proc/PID/fdinfo/N (4 us) unnecessary for most descriptors.
 *
 * Three things stand there only. Close-on-exec belongs to the number, not to the description: the
 * task is asked for it, one fcntl(2) for each number within the program that it runs anyway. Lines
 * of kinds without a file system behind them: those kinds read fdinfo always. Locks: /proc/locks
 * lists the files that have any, of all processes. For its reader the kernel waits until no cpu can
 * be in the middle of a lock any more (5 to 15 ms), so the first thousand regular files are
 * taken for ones with locks, and their fdinfo is read. So it is on file systems that number inodes
 * in another way for locks, and for a tool outside the initial pid namespace, which would not see
 * locks whose setter is gone.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file-space.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"

enum {
	ASK_MAX = 30000, /* numbers in one program: slots are few */
	PID_NAMESPACE = 2,
	COPIES_MAX = 8192,
	FEW = 1000, /* files whose fdinfo is read faster than /proc/locks */
};
static const uint64_t initial_pid_namespace = 0xeffffffcu; /* linux/proc_ns.h, not exported */

/*
 * The directory has the number of open descriptors for a size (6.2): if there are as many as the
 * look before the stop saw, and all of those are open, they are all there are.
 */
static int list_numbers(struct dump *d, const struct task *t, struct proc_list *ret)
{
	const struct proc_list *before = look_numbers(d, t->pid);
	struct stat st;
	int r;

	if (before && before->n && before->n <= ASK_MAX &&
	    !sys_stat(t->proc_fd, "fd", 0, &st, NULL) && (size_t)st.st_size == before->n) {
		*ret = *before;
		return 0;
	}
	r = proc_list_at(&d->arena, t->proc_fd, "fdinfo", ret);
	return r ? fail(r, "list the descriptors of task %d", t->pid) : 0;
}

int files_numbers(struct dump *d, const struct task *t, const struct proc_list **ret)
{
	struct proc_list *l;
	int r = 0;

	if (!d->files)
		files_space_init(d);
	l = map_get(&d->files->open, t->files, 0);
	if (!l) {
		l = arena_new(&d->arena, struct proc_list);
		r = list_numbers(d, t, l);
	}
	if (!r) {
		map_put(&d->files->open, t->files, 0, l);
		*ret = l;
	}
	return r;
}

/* Tables of tasks and a few files more have to be open at the same time. */
static uint64_t room_for_copies(const struct dump *d)
{
	uint64_t needed = 512 + 4 * d->tree.task.n;
	struct rlimit l;

	if (sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &l) < 0 || l.rlim_cur <= needed)
		return 1;
	return l.rlim_cur - needed < COPIES_MAX ? l.rlim_cur - needed : COPIES_MAX;
}

int files_glance(struct dump *d, const struct task *t, int number, const struct fd_glance **ret)
{
	_close_ int fd = sys_pidfd_getfd(t->pidfd, number);
	struct fd_glance *g;
	int r;

	if (fd < 0)
		return fd;
	g = arena_new(&d->arena, struct fd_glance);
	g->fd = -1;
	r = sys_stat(fd, "", 0, &g->st, &g->mnt_id);
	if (r)
		return r;
	if (!d->files->copies)
		d->files->copies = room_for_copies(d);
	if ((uint64_t)fd < d->files->copies) {
		g->fd = take_fd(&fd);
		*vec_push(&d->arena, &d->files->glanced) = g;
		map_put(&d->files->glance, t->files, (uint64_t)number, g);
	}
	*ret = g;
	return 0;
}

bool answers_good(const struct fd_answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->flags[i] < 0)
			return false;
	return true;
}

int files_ask(struct dump *d, struct prog *p, const struct thread *t)
{
	const struct proc_list *number;
	struct fd_answers *a;
	int r;

	if (t != task_main(t->task) || t->task->files != t->task->index)
		return 0;
	r = files_numbers(d, t->task, &number);
	if (r)
		return r;
	a = arena_new(&d->arena, struct fd_answers);
	a->number = *number;
	a->n = a->number.n < ASK_MAX ? a->number.n : ASK_MAX;
	a->flags = arena_array(&d->arena, int64_t, a->n);
	prog_where(p, "ask for the flags of a descriptor");
	for (size_t i = 0; i < a->n; i++) {
		prog_accept(prog_call(p, SYS_fcntl, a->number.v[i], F_GETFD), EBADF);
		prog_result(p, &a->flags[i]);
	}
	map_put(&d->files->answers, t->task->files, 0, a);
	return 0;
}

static void read_locks(struct dump *d)
{
	struct file_space *f = d->files;
	struct fdinfo_lock l;
	struct span text;
	int r = io_slurp_at(&d->arena, AT_FDCWD, "/proc/locks", &text);

	f->locks_read = true;
	f->lock_anywhere = r || d->ns[PID_NAMESPACE] != initial_pid_namespace;
	if (f->lock_anywhere)
		return;
	while ((r = proc_lock_next(&text, &l)) > 0)
		map_put(&f->locked, l.ino, 0, f);
	f->lock_anywhere = r < 0;
}

/* The list is read once there are many to look for: the first ones are taken to have some. */
static bool may_have_lock(struct dump *d, uint64_t ino)
{
	struct file_space *f = d->files;

	if (!f->locks_read && f->n_lockable++ < FEW)
		return true;
	if (!f->locks_read)
		read_locks(d);
	return f->lock_anywhere || map_get(&f->locked, ino, 0);
}

/* File systems that show a lock under the inode number that stat(2) shows. */
static bool plain_file_system(long type)
{
	return type == EXT4_SUPER_MAGIC || type == TMPFS_MAGIC || type == XFS_SUPER_MAGIC;
}

bool quick_lockless(struct dump *d, const struct fd_probe *p)
{
	if (S_ISSOCK(p->st.st_mode) && !(p->flags & O_PATH))
		return true;
	if (S_ISFIFO(p->st.st_mode) && fd_fs_type(d, p) == PIPEFS_MAGIC)
		return true;
	return plain_file_system(fd_fs_type(d, p)) && !may_have_lock(d, p->st.st_ino);
}

static bool needs_info(struct dump *d, const struct fd_probe *p)
{
	switch (p->st.st_mode & S_IFMT) {
	case S_IFIFO: return fd_fs_type(d, p) != PIPEFS_MAGIC;
	case S_IFSOCK: return p->flags & O_PATH;
	case S_IFREG:
		return p->flags & O_PATH || !quick_lockless(d, p);
	default: return true;
	}
}

bool quick_look(struct dump *d, struct fd_probe *p)
{
	int flags = sys_fcntl(p->fd, F_GETFL, 0);
	long pos;

	if (flags < 0)
		return false;
	p->flags = (uint32_t)flags & ~(uint32_t)O_CLOEXEC;
	if (needs_info(d, p))
		return false;
	pos = S_ISREG(p->st.st_mode) ? sys_lseek(p->fd, 0, SEEK_CUR) : 0;
	if (pos < 0)
		return false;
	p->pos = (uint64_t)pos;
	return true;
}
