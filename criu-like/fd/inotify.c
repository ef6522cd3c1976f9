/*
 * inotify. fdinfo lists the watches: number, events, the watched file by its numbers. The file is
 * found again by name (core/file/inode-find.h); INOTIFY_IOC_SETNEXTWD gives each watch its number.
 *
 * Nothing that the restore does may become an event, so watches are added by the coordinator as
 * the last step on files: everything is open, names of deleted files are gone again.
 *
 * Unread events cannot be copied, only read away. So a tree that is to die is killed first, with a
 * copy of the descriptor kept, and what it had not read is written beside the checkpoint; how it
 * comes back is in inotify-queue.c. A checkpoint of a tree that goes on has no events: where there
 * were some, the restored program finds IN_Q_OVERFLOW, as it does if the file beside is missing.
 *
 * Not told: which number the kernel gives next; it is one above all that are known.
 */
#include "inotify.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/file/inode-find.h"
#include "core/refuse.h"
#include "inotify-queue.h"
#include "kernel/inotify.h"

extern const struct fd_kind kind_inotify;

static const char late_stem[] = "inotify_queues";

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "inotify");
}

static int by_number(const void *a, const void *b)
{
	const InotifyWatch *const *x = a, *const *y = b;

	return (*x)->wd < (*y)->wd ? -1 : (*x)->wd > (*y)->wd;
}

/* "wd:3 ino:61af sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 ..." */
static int add_watch(struct dump *d, struct fd_probe *p, Inotify *m, struct span line)
{
	InotifyWatch *w = arena_new(&d->arena, InotifyWatch);
	struct inode_number n;
	uint64_t wd, mask;
	int r = fdinfo_word_u64(line, "wd", 16, &wd) ?: fdinfo_word_u64(line, "mask", 16, &mask);

	r = r ?: inode_number_parse(&d->arena, line, &n);
	if (r || wd > INT32_MAX || mask > UINT32_MAX)
		return fail(-EINVAL, "descriptor %d: a watch that nobody can read", p->number);
	inotify_watch__init(w);
	w->wd = (uint32_t)wd;
	w->mask = (uint32_t)mask;
	r = inode_find(d, p->task, &n, fd_text(d, p), &w->file);
	if (r)
		return r;
	m->watch[m->n_watch++] = w;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct span text = p->info.text, line;
	Inotify *m = msg;
	size_t n = 0;
	int unread = 0, r = sys_ioctl(p->fd, FIONREAD, &unread);

	if (r)
		return fail(r, "descriptor %d: ask for unread events", p->number);
	while (fdinfo_next(&text, "inotify", &line))
		n++;
	m->watch = arena_array(&d->arena, InotifyWatch *, n + 1);
	text = p->info.text;
	while (fdinfo_next(&text, "inotify", &line)) {
		r = add_watch(d, p, m, line);
		if (r)
			return r;
	}
	qsort(m->watch, m->n_watch, sizeof(*m->watch), by_number);
	m->unread_bytes = (uint32_t)unread;
	if (unread && (d->opt->leave_running || d->opt->leave_stopped))
		log_warn("descriptor %d: %d bytes of unread events stay with the tree, which goes "
			 "on; a restored one is told that events were lost",
			 p->number, unread);
	return unread ? fd_keep(d, p, &kind_inotify, m) : 0;
}

/* The tree is dead. */
static int after(struct dump *d, const struct fd_kept *kept, size_t n)
{
	InotifyQueues m = INOTIFY_QUEUES__INIT;
	int r = 0;

	m.checkpoint_id = (ProtobufCBinaryData){ sizeof(d->checkpoint_id), d->checkpoint_id };
	m.queue = arena_array(&d->arena, InotifyQueue *, n);
	for (size_t i = 0; i < n && !r; i++) {
		InotifyQueue *q = m.queue[m.n_queue++] = arena_new(&d->arena, InotifyQueue);

		inotify_queue__init(q);
		q->ofd = kept[i].id;
		r = inotify_queue_read(&d->arena, kept[i].fd,
				       ((const Inotify *)kept[i].msg)->unread_bytes, q);
	}
	return r ?: image_late_write(&d->arena, d->opt->images_fd, late_stem, &m.base,
				     !d->opt->no_sync);
}

/* --- restore -------------------------------------------------------------------------------------
 */

struct held { /* what the object keeps during the restore */
	int *fd; /* of watched files whose name goes, by index of the watch; -1 */
	const InotifyQueue *queue;
};

static int find_queue(struct restore *r, struct fd_obj *o)
{
	const InotifyQueues *m;
	ProtobufCMessage *any;
	struct held *h = o->own;
	int e = image_late_read(&r->arena, r->opt->images_fd, late_stem,
				&inotify_queues__descriptor, &any);

	if (e && e != -ENOENT)
		return e;
	m = e ? NULL : (const InotifyQueues *)any;
	if (m && m->checkpoint_id.len == sizeof(r->checkpoint_id) &&
	    !memcmp(m->checkpoint_id.data, r->checkpoint_id, sizeof(r->checkpoint_id)))
		for (size_t i = 0; i < m->n_queue; i++)
			if (m->queue[i]->ofd == o->id)
				h->queue = m->queue[i];
	if (!h->queue)
		log_warn("file %" PRIu32 ": its unread events are not in this checkpoint: the "
			 "program is told that events were lost",
			 o->id);
	return h->queue ? inotify_queue_check(h->queue) : 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Inotify *m = o->msg;
	struct held *h = arena_new(&r->arena, struct held);
	int e = 0;

	o->own = h;
	o->shared = true; /* the coordinator has it until the end */
	h->fd = arena_array(&r->arena, int, m->n_watch + 1);
	for (size_t i = 0; i < m->n_watch; i++) {
		h->fd[i] = -1;
		if (m->watch[i]->wd < 1 || m->watch[i]->wd >= INT32_MAX ||
		    (i && m->watch[i]->wd <= m->watch[i - 1]->wd))
			return fail(-EPROTO, "image 'inotify': watch %" PRIu32 " is impossible",
				    m->watch[i]->wd);
		e = inode_check(r, NULL, m->watch[i]->file, "watched file") ?: e;
		if (e && e != -ENOTSUP)
			return e;
	}
	return e ?: m->unread_bytes ? find_queue(r, o) : 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	int fd = (int)sys(SYS_inotify_init1, IN_CLOEXEC | (obj->ofd->flags & O_NONBLOCK));

	(void)o;
	return fd < 0 ? fail(fd, "make an inotify descriptor") : fd;
}

static int open_file(struct restore *r, const InotifyWatch *w)
{
	int fd = inode_open(r, w->file, O_PATH | O_NOFOLLOW);

	return fd < 0 ? fail(fd, "open '%s' to watch it", w->file->path) : fd;
}

static int hold(struct restore *r, const struct fd_obj *obj)
{
	const Inotify *m = obj->msg;
	struct held *h = obj->own;

	for (size_t i = 0; i < m->n_watch; i++) {
		if (!m->watch[i]->file->has_ghost && !m->watch[i]->file->has_link_remap)
			continue;
		h->fd[i] = open_file(r, m->watch[i]);
		if (h->fd[i] < 0)
			return h->fd[i];
	}
	return 0;
}

static int add(struct restore *r, int fd, const InotifyWatch *w, int held)
{
	_close_ int file = held >= 0 ? held : open_file(r, w);
	int e = file < 0 ? file : sys_inotify_set_next(fd, w->wd);
	char path[32];

	if (file < 0)
		return file;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file); /* always fits */
	/* One without any event is allowed, but a mask must not be empty. */
	e = e ?: sys_inotify_add(fd, path, w->mask ? w->mask : IN_IGNORED);
	if (e == (int)w->wd)
		return 0;
	return e < 0 ? fail(e, "watch '%s'", w->file->path)
		     : fail(-EPROTO, "watch '%s': another watch leads to the same file",
			    w->file->path);
}

/* Above every number that the program may remember. */
static uint32_t free_number(const Inotify *m, const InotifyQueue *q)
{
	int32_t top = m->n_watch ? (int32_t)m->watch[m->n_watch - 1]->wd : 0;

	for (size_t i = 0; q && i < q->n_event; i++)
		top = q->event[i]->wd > top ? q->event[i]->wd : top;
	return top < INT32_MAX ? (uint32_t)top + 1 : 1;
}

static int settle(struct restore *r, const struct fd_obj *obj, int fd)
{
	const Inotify *m = obj->msg;
	const struct held *h = obj->own;
	uint32_t next = free_number(m, h->queue);
	int e = m->unread_bytes ? inotify_queue_fill(&r->arena, fd, h->queue, next) : 0;

	for (size_t i = 0; i < m->n_watch && !e; i++)
		e = add(r, fd, m->watch[i], h->fd[i]);
	if (e)
		return e;
	e = sys_inotify_set_next(fd, next);
	return e ? fail(e, "set the number of the next watch") : 0;
}

const struct fd_kind kind_inotify = { .name = "inotify",
				      .descriptor = &inotify__descriptor,
				      .dump_last = true,
				      .match = match,
				      .dump = dump,
				      .after = after,
				      .plan = plan,
				      .open = open_fd,
				      .hold = hold,
				      .settle = settle };
