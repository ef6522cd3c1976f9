/*
 * fanotify groups. fdinfo tells the flags of fanotify_init and every mark: on an inode (found again
 * by its numbers), a mount or a whole file system, with its mask, its ignored mask and its flags.
 * Marks are set by the coordinator when nothing else happens to files any more.
 *
 * Refused: unread events (they carry open files and ids of processes, and nothing writes them into
 * a queue), and marks for permission events: while the listener is stopped every access to what is
 * marked waits for its answer, ours as well; which of them were read and not answered is not told.
 * Not told either: whether the group was made without privilege, and marks on mount namespaces have
 * no way back. A mark on a mount or file system sees what the tool writes there until its end.
 */
#include "fanotify.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/file/inode-find.h"
#include "kernel/descriptor.h"
#include "kernel/proc-mountinfo.h"

enum { MARK_EVICTABLE = 0x200, MARK_IGNORE = 0x400 }; /* 5.19, 6.0 */
enum { MARK_FLAGS = FAN_MARK_IGNORED_SURV_MODIFY | MARK_EVICTABLE | MARK_IGNORE };
/* FAN_OPEN_PERM, FAN_ACCESS_PERM, FAN_OPEN_EXEC_PERM, FAN_PRE_ACCESS */
static const uint32_t permission_events = 0x10000 | 0x20000 | 0x40000 | 0x100000;
/* FAN_ONDIR, FAN_EVENT_ON_CHILD: no part of an ignored mask of the old sort */
static const uint32_t no_events = 0x40000000 | 0x08000000;

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[fanotify]");
}

static int look(struct dump *d, struct fd_probe *p)
{
	struct span text = p->info.text, line;
	uint64_t mask;

	while (fdinfo_next(&text, "fanotify", &line)) {
		if (!fdinfo_word_u64(line, "mask", 16, &mask) && mask & permission_events)
			return fd_refuse(d, p,
					 "it answers permission events, and the tool's own "
					 "accesses would wait for it",
					 "let the program remove these marks before the dump");
		if (fdinfo_word(line, "mnt_ns", &(struct span){ 0 }) == 0)
			return fd_refuse(d, p, "marks on mount namespaces cannot be saved",
					 "let the program remove these marks before the dump");
	}
	return 0;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int refuse_lost(struct dump *d, struct fd_probe *p)
{
	return fd_refuse(d, p, "it marks a mount that the tool does not see",
			 "let the program remove this mark before the dump");
}

/* A descriptor of the mount's root; -ENOENT: hidden or not ours. */
static int open_mount(struct dump *d, uint64_t id)
{
	struct mountinfo m;
	struct span text;
	int r = io_slurp_at(&d->arena, AT_FDCWD, "/proc/self/mountinfo", &text);

	if (r)
		return fail(r, "read the mounts");
	while ((r = mountinfo_next(&text, &m)) > 0) {
		_close_ int fd = -1;
		struct stat st;
		uint32_t found;

		if ((uint64_t)m.id != id)
			continue;
		fd = sys_openat(AT_FDCWD, mountinfo_unescape(&d->arena, m.point),
				O_PATH | O_CLOEXEC, 0);
		return fd >= 0 && !sys_stat(fd, "", 0, &st, &found) && found == id ? take_fd(&fd)
										   : -ENOENT;
	}
	return r < 0 ? fail(r, "the kernel's list of mounts is malformed") : -ENOENT;
}

static int describe(struct dump *d, struct fd_probe *p, int fd, FanotifyMark *m)
{
	char name[32], link[4097];
	int r;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd); /* always fits */
	r = sys_readlink(AT_FDCWD, name, link, sizeof(link));
	r = r < 0 ? fail(r, "read the name of a marked mount")
		  : inode_describe(d, p->task, fd, link, 0, &m->file);
	if (!r)
		m->file->has_may_grow = m->file->may_grow = true; /* a place, not its content */
	return r;
}

static int find_mount(struct dump *d, struct fd_probe *p, struct span line, FanotifyMark *m)
{
	uint64_t id, dev = 0;
	bool is_mount = !fdinfo_word_u64(line, "mnt_id", 16, &id);
	_close_ int own = is_mount ? open_mount(d, id) : -1;
	int fd = own;

	m->type = is_mount ? FANOTIFY_MARK__TYPE__MOUNT : FANOTIFY_MARK__TYPE__FILESYSTEM;
	if (!is_mount && fdinfo_word_u64(line, "sdev", 16, &dev))
		return fail(-EINVAL, "descriptor %d: a mark that nobody can read", p->number);
	if (!is_mount)
		fd = inode_mount_of(d, makedev(dev >> 20, dev & 0xfffff));
	if (fd < 0)
		return fd == -ENOENT ? refuse_lost(d, p) : fd;
	return describe(d, p, fd, m);
}

static int find_marked(struct dump *d, struct fd_probe *p, struct span line, FanotifyMark *m)
{
	struct inode_number n;
	struct span ino;

	if (fdinfo_word(line, "ino", &ino))
		return find_mount(d, p, line, m);
	m->type = FANOTIFY_MARK__TYPE__INODE;
	if (inode_number_parse(&d->arena, line, &n))
		return fail(-EINVAL, "descriptor %d: a mark that nobody can read", p->number);
	return inode_find(d, p->task, &n, fd_text(d, p), &m->file);
}

static int add_mark(struct dump *d, struct fd_probe *p, Fanotify *m, struct span line)
{
	FanotifyMark *mark = arena_new(&d->arena, FanotifyMark);
	uint64_t mask, ignored, flags;
	int r = fdinfo_word_u64(line, "mask", 16, &mask);

	r = r ?: fdinfo_word_u64(line, "ignored_mask", 16, &ignored);
	r = r ?: fdinfo_word_u64(line, "mflags", 16, &flags);
	if (r)
		return fail(-EINVAL, "descriptor %d: a mark that nobody can read", p->number);
	if (flags & ~(uint64_t)MARK_FLAGS)
		return fd_refuse(d, p, "it has a mark with flags that are not known here", NULL);
	fanotify_mark__init(mark);
	mark->mask = (uint32_t)mask;
	mark->ignored_mask = (uint32_t)ignored;
	mark->flags = (uint32_t)flags;
	m->mark[m->n_mark++] = mark;
	return find_marked(d, p, line, mark);
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct span text = p->info.text, line;
	Fanotify *m = msg;
	uint64_t flags, event_flags;
	int unread = 0, r = sys_ioctl(p->fd, FIONREAD, &unread) ?: look(d, p);
	size_t n = 0;

	if (r)
		return r == -ENOTSUP ? r : fail(r, "descriptor %d: count events", p->number);
	if (unread)
		return fd_refuse(d, p, "it has unread events, which carry open files",
				 "let the program read them before the dump");
	while (fdinfo_next(&text, "fanotify", &line))
		n++;
	m->mark = arena_array(&d->arena, FanotifyMark *, n + 1);
	text = p->info.text;
	if (!fdinfo_next(&text, "fanotify", &line) ||
	    fdinfo_word_u64(line, "flags", 16, &flags) ||
	    fdinfo_word_u64(line, "event-flags", 16, &event_flags))
		return fail(-EINVAL, "descriptor %d: the kernel does not tell its flags",
			    p->number);
	m->flags = (uint32_t)flags;
	m->event_flags = (uint32_t)event_flags;
	while (!r && fdinfo_next(&text, "fanotify", &line))
		r = add_mark(d, p, m, line);
	return r;
}

/* --- restore -------------------------------------------------------------------------------------
 */

struct held { /* what the object keeps during the restore */
	int *fd;  /* of marked files whose name goes, by index of the mark; -1 */
};

static int plan(struct restore *r, struct fd_obj *o)
{
	const Fanotify *m = o->msg;
	struct held *h = arena_new(&r->arena, struct held);
	int e = 0;

	o->own = h;
	o->shared = true; /* the coordinator has it until the end */
	h->fd = arena_array(&r->arena, int, m->n_mark + 1);
	for (size_t i = 0; i < m->n_mark; i++) {
		h->fd[i] = -1;
		if (m->mark[i]->flags & ~(uint32_t)MARK_FLAGS ||
		    m->mark[i]->mask & permission_events)
			return fail(-EPROTO, "image 'fanotify': mark %zu is impossible", i);
		e = inode_check(r, NULL, m->mark[i]->file, "marked file") ?: e;
		if (e && e != -ENOTSUP)
			return e;
	}
	return e;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Fanotify *m = obj->msg;
	/* The group remembers the flags it was made with, whatever became of them. */
	_close_ int fd = (int)sys(SYS_fanotify_init, m->flags, m->event_flags);
	int r = fd < 0 ? fd : sys_fcntl(fd, F_SETFD, FD_CLOEXEC);

	(void)o;
	r = r ?: sys_fcntl(fd, F_SETFL, (long)(obj->ofd->flags & O_NONBLOCK));
	return r ? fail(r, "make a fanotify group") : take_fd(&fd);
}

static int open_file(struct restore *r, const FanotifyMark *m)
{
	int fd = inode_open(r, m->file, O_PATH | O_NOFOLLOW);

	return fd < 0 ? fail(fd, "open '%s' to mark it", m->file->path) : fd;
}

static int hold(struct restore *r, const struct fd_obj *obj)
{
	const Fanotify *m = obj->msg;
	struct held *h = obj->own;

	for (size_t i = 0; i < m->n_mark; i++) {
		if (!m->mark[i]->file->has_ghost && !m->mark[i]->file->has_link_remap)
			continue;
		h->fd[i] = open_file(r, m->mark[i]);
		if (h->fd[i] < 0)
			return h->fd[i];
	}
	return 0;
}

static int mark(struct restore *r, int fd, const FanotifyMark *m, int held)
{
	static const uint32_t type[] = { 0, FAN_MARK_MOUNT, FAN_MARK_FILESYSTEM };
	uint32_t how = FAN_MARK_ADD | type[m->type] | (m->flags & MARK_EVICTABLE);
	uint32_t ignore = m->flags & MARK_IGNORE ? MARK_IGNORE : FAN_MARK_IGNORED_MASK;
	uint32_t ignored = m->ignored_mask & ~(ignore == MARK_IGNORE ? 0 : no_events);
	_close_ int file = held >= 0 ? held : open_file(r, m);
	char path[32];
	int e = 0;

	if (file < 0)
		return file;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file); /* always fits */
	if (m->mask)
		e = (int)sys(SYS_fanotify_mark, fd, how, (uint64_t)m->mask, AT_FDCWD, path);
	how |= ignore | (m->flags & FAN_MARK_IGNORED_SURV_MODIFY);
	if (!e && ignored)
		e = (int)sys(SYS_fanotify_mark, fd, how, (uint64_t)ignored, AT_FDCWD, path);
	return e ? fail(e, "mark '%s'", m->file->path) : 0;
}

static int settle(struct restore *r, const struct fd_obj *obj, int fd)
{
	const Fanotify *m = obj->msg;
	const struct held *h = obj->own;
	int e = 0;

	for (size_t i = m->n_mark; i-- > 0 && !e;) /* fdinfo lists the newest first */
		e = mark(r, fd, m->mark[i], h->fd[i]);
	return e;
}

const struct fd_kind kind_fanotify = { .name = "fanotify",
				       .descriptor = &fanotify__descriptor,
				       .dump_last = true,
				       .match = match,
				       .dump = dump,
				       .look = look,
				       .plan = plan,
				       .open = open_fd,
				       .hold = hold,
				       .settle = settle };
