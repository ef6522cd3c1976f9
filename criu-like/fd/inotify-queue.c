/*
 * Unread events of inotify. Nothing writes them into a queue but the kernel, so they are caused
 * again: in a private tmpfs that is mounted nowhere, scratch files are watched under the numbers of
 * the events, and each event gets its operation while the mask lets only that one through.
 *
 * Taking a watch away queues IN_IGNORED, which nobody caused. The kernel drops it without a trace
 * while the queue is full and "events were lost" is queued already; so the queue is first filled
 * with events of no meaning up to that point, room is made at its head for the real ones, and once
 * the scratch watches are gone the rest of the filling is read away. What remains are the events,
 * in their order, and nothing else.
 *
 * Cookies of renames get new values, equal where they were equal. Not produced: IN_UNMOUNT, and
 * sequences that no kernel makes; then the queue says IN_Q_OVERFLOW and nothing else.
 */
#include "inotify-queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "kernel/descriptor.h"
#include "kernel/inotify.h"

enum { NAME_MAX_BYTES = 255, READ_BYTES = 64 << 10, MAX_EVENTS = 1 << 22 };
/* Of moves and deletions of the watched file itself the kernel does not say whether it is one. */
#define OF_SELF (IN_DELETE_SELF | IN_MOVE_SELF)
#define QUIET	IN_IGNORED /* accepted as a mask, lets nothing through */

struct scratch {
	uint32_t wd;
	bool is_dir, alive;
	unsigned int name; /* it moves: w<wd>.<name> */
};

struct replay {
	struct arena *arena;
	int fd, root; /* the queue; the tmpfs */
	struct map by_wd;
	VEC(struct scratch *) all;
	uint32_t filler_wd, n_filler;
	int filler;
};

/* --- taking them --------------------------------------------------------------------------------
 */

static void add_event(struct arena *a, InotifyQueue *q, const struct inotify_event *e)
{
	InotifyEvent *m = arena_new(a, InotifyEvent);

	inotify_event__init(m);
	m->wd = e->wd;
	m->mask = e->mask;
	m->has_cookie = e->cookie != 0;
	m->cookie = e->cookie;
	m->has_name = e->len != 0;
	if (e->len)
		m->name = (ProtobufCBinaryData){ strlen(e->name),
						 (uint8_t *)arena_strdup(a, e->name) };
	q->event = arena_grow(a, q->event, q->n_event * sizeof(m), (q->n_event + 1) * sizeof(m));
	q->event[q->n_event++] = m;
}

/* The descriptor may block: a read without events would never end. */
static long read_some(int fd, void *buf, uint64_t len)
{
	int n, r = sys_ioctl(fd, FIONREAD, &n);

	return r ? r : !n ? -EIO : sys_read(fd, buf, len);
}

int inotify_queue_read(struct arena *a, int fd, uint32_t bytes, InotifyQueue *ret)
{
	char *buf = arena_alloc(a, READ_BYTES);

	while (bytes) {
		long n = read_some(fd, buf, bytes < READ_BYTES ? bytes : READ_BYTES);

		if (n <= 0)
			return fail(n ?: -EIO, "read the unread events");
		for (long at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			add_event(a, ret, e);
			at += (long)(sizeof(*e) + e->len);
		}
		bytes -= (uint32_t)n;
	}
	return 0;
}

/* --- what can be caused -------------------------------------------------------------------------
 */

static uint32_t kind_of(const InotifyEvent *e)
{
	return e->mask & ~(uint32_t)IN_ISDIR;
}

static bool is_overflow(const InotifyEvent *e)
{
	return e->mask == IN_Q_OVERFLOW;
}

int inotify_queue_check(const InotifyQueue *q)
{
	for (size_t i = 0; i < q->n_event; i++) {
		const ProtobufCBinaryData *n = &q->event[i]->name;
		bool bad = q->event[i]->has_name &&
			   (!n->len || n->len > NAME_MAX_BYTES || memchr(n->data, '/', n->len) ||
			    memchr(n->data, 0, n->len) || (n->len == 1 && n->data[0] == '.') ||
			    (n->len == 2 && !memcmp(n->data, "..", 2)));

		if (bad || (q->event[i]->wd < 1) != is_overflow(q->event[i]))
			return fail(-EPROTO, "unread events: number %zu is impossible", i);
	}
	return 0;
}

static bool is_single_event(uint32_t kind)
{
	return kind && !(kind & (kind - 1)) && kind & (IN_ALL_EVENTS | IN_IGNORED | IN_Q_OVERFLOW);
}

/* A watch that dies with its file says IN_IGNORED directly behind it. */
static bool can_follow(const InotifyQueue *q, size_t i)
{
	const InotifyEvent *e = q->event[i], *next = i + 1 < q->n_event ? q->event[i + 1] : NULL;

	if (kind_of(e) != IN_DELETE_SELF)
		return true;
	return next && next->mask == IN_IGNORED && next->wd == e->wd;
}

static bool can_cause(const InotifyQueue *q)
{
	size_t n_overflow = 0;

	for (size_t i = 0; i < q->n_event; i++) {
		const InotifyEvent *e = q->event[i];
		uint32_t kind = kind_of(e);
		bool needs_name = kind & (IN_CREATE | IN_DELETE | IN_MOVE);
		bool has_none = kind & (OF_SELF | IN_IGNORED | IN_Q_OVERFLOW);

		if (!is_single_event(kind) || (needs_name && !e->has_name) ||
		    (has_none && e->has_name) || (kind == IN_MODIFY && e->mask & IN_ISDIR) ||
		    !can_follow(q, i))
			return false;
		n_overflow += kind == IN_Q_OVERFLOW;
	}
	return n_overflow <= 1;
}

/* --- scratch files ------------------------------------------------------------------------------
 */

static const char *path_of(struct replay *p, const struct scratch *s)
{
	return arena_printf(p->arena, "w%" PRIu32 ".%u", s->wd, s->name);
}

static const char *child_of(struct replay *p, const struct scratch *s, const InotifyEvent *e)
{
	return arena_printf(p->arena, "%s/%.*s", path_of(p, s), (int)e->name.len,
			    (const char *)e->name.data);
}

static int watch(struct replay *p, uint32_t wd, const char *path, uint32_t mask)
{
	const char *full = arena_printf(p->arena, "/proc/self/fd/%d/%s", p->root, path);
	int r = sys_inotify_add(p->fd, full, mask);

	return r == (int)wd ? 0 : r < 0 ? r : -EEXIST;
}

/* Present and of the wanted type, or absent. */
static int ensure(struct replay *p, const char *path, bool present, bool is_dir)
{
	int r = sys_unlinkat(p->root, path, 0);

	if (r == -EISDIR || r == -EPERM)
		r = sys_unlinkat(p->root, path, AT_REMOVEDIR);
	if (r && r != -ENOENT)
		return r;
	if (!present)
		return 0;
	return is_dir ? (int)sys(SYS_mkdirat, p->root, path, 0700)
		      : (int)sys(SYS_mknodat, p->root, path, S_IFREG | 0600, 0);
}

static bool is_dir_event(const InotifyEvent *e)
{
	return e->has_name || (e->mask & IN_ISDIR);
}

static int scratch_for(struct replay *p, const InotifyQueue *q, size_t i, struct scratch **ret)
{
	uint32_t wd = (uint32_t)q->event[i]->wd;
	struct scratch *s = map_get(&p->by_wd, wd, 0);
	int r;

	if (s && s->alive) {
		*ret = s;
		return 0;
	}
	s = arena_new(p->arena, struct scratch);
	*s = (struct scratch){ .wd = wd, .alive = true, .name = (unsigned int)p->all.n << 8 };
	for (size_t k = i; k < q->n_event && q->event[k]->mask != IN_IGNORED; k++)
		s->is_dir |= q->event[k]->wd == (int32_t)wd && is_dir_event(q->event[k]);
	map_put(&p->by_wd, wd, 0, s);
	*vec_push(p->arena, &p->all) = s;
	r = ensure(p, path_of(p, s), true, s->is_dir);
	r = r ?: sys_inotify_set_next(p->fd, wd);
	r = r ?: watch(p, wd, path_of(p, s), QUIET);
	*ret = s;
	return r;
}

/* --- one event ----------------------------------------------------------------------------------
 */

static int touch(struct replay *p, uint32_t kind, int fd, const char *path)
{
	char buf[256];
	long n;

	switch (kind) {
	case IN_ATTRIB: return (int)sys(SYS_fchmodat, p->root, path, 0700);
	case IN_MODIFY: return (int)sys(SYS_pwrite64, fd, "x", 1, 0) < 0 ? -EIO : 0;
	case IN_ACCESS:
		n = sys_read(fd, buf, 1);
		if (n == -EISDIR)
			n = sys(SYS_getdents64, fd, buf, sizeof(buf));
		return n < 0 ? (int)n : 0;
	default: return 0;
	}
}

/* Opening is silent unless it is the event itself; so is closing. */
static int use(struct replay *p, const struct scratch *s, const InotifyEvent *e, const char *path)
{
	uint32_t kind = kind_of(e);
	bool writes = kind == IN_MODIFY || kind == IN_CLOSE_WRITE;
	int flags = (writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC, r = 0;
	_close_ int fd = -1;

	if (kind == IN_ACCESS && !(e->mask & IN_ISDIR)) { /* something to read */
		fd = sys_openat(p->root, path, O_WRONLY | O_CLOEXEC, 0);
		r = fd < 0 ? fd : io_pwrite(fd, "x", 1, 0);
		fd_close(&fd);
	}
	if (!r && kind == IN_OPEN)
		r = watch(p, s->wd, path_of(p, s), kind);
	if (!r)
		fd = sys_openat(p->root, path, flags, 0);
	if (!r && fd < 0)
		return fd;
	if (!r && kind != IN_OPEN)
		r = watch(p, s->wd, path_of(p, s), kind);
	r = r ?: touch(p, kind, fd, path);
	if (kind & IN_CLOSE)
		fd_close(&fd);
	return r ?: watch(p, s->wd, path_of(p, s), QUIET);
}

/* What the event says a directory's entry to have been before. */
static int prepare(struct replay *p, const struct scratch *s, const InotifyEvent *e)
{
	bool is_dir = e->mask & IN_ISDIR;
	int r;

	if (!e->has_name)
		return 0;
	r = ensure(p, child_of(p, s, e), !(kind_of(e) & (IN_CREATE | IN_MOVED_TO)), is_dir);
	return r ?: kind_of(e) == IN_MOVED_TO ? ensure(p, "out", true, is_dir) : 0;
}

static int create(struct replay *p, const InotifyEvent *e, const char *path)
{
	return e->mask & IN_ISDIR ? (int)sys(SYS_mkdirat, p->root, path, 0700)
				  : (int)sys(SYS_mknodat, p->root, path, S_IFREG | 0600, 0);
}

static int move(struct replay *p, const char *from, const char *to)
{
	return (int)sys(SYS_renameat, p->root, from, p->root, to);
}

/* Both halves of one rename: they get one cookie. */
static int move_between(struct replay *p, const InotifyQueue *q, size_t i, struct scratch *from)
{
	const InotifyEvent *a = q->event[i], *b = q->event[i + 1];
	struct scratch *to;
	int r = scratch_for(p, q, i + 1, &to);

	r = r ?: prepare(p, to, b);
	r = r ?: prepare(p, from, a);
	r = r ?: watch(p, from->wd, path_of(p, from), from == to ? IN_MOVE : IN_MOVED_FROM);
	if (!r && from != to)
		r = watch(p, to->wd, path_of(p, to), IN_MOVED_TO);
	r = r ?: move(p, child_of(p, from, a), child_of(p, to, b));
	r = r ?: watch(p, from->wd, path_of(p, from), QUIET);
	return r ?: watch(p, to->wd, path_of(p, to), QUIET);
}

static int empty(struct replay *p, const InotifyQueue *q, const struct scratch *s)
{
	int r = 0;

	for (size_t i = 0; i < q->n_event && !r; i++)
		if (q->event[i]->wd == (int32_t)s->wd && q->event[i]->has_name)
			r = ensure(p, child_of(p, s, q->event[i]), false, false);
	return r == -ENOTDIR ? 0 : r;
}

static int change_entry(struct replay *p, const struct scratch *s, const InotifyEvent *e)
{
	const char *path = child_of(p, s, e);
	int r = prepare(p, s, e);

	r = r ?: kind_of(e) == IN_MOVED_FROM ? ensure(p, "out", false, false) : 0;
	r = r ?: watch(p, s->wd, path_of(p, s), kind_of(e));
	if (r)
		return r;
	switch (kind_of(e)) {
	case IN_CREATE: r = create(p, e, path); break;
	case IN_DELETE: r = ensure(p, path, false, false); break;
	case IN_MOVED_FROM: r = move(p, path, "out"); break;
	default: r = move(p, "out", path); break;
	}
	return r ?: watch(p, s->wd, path_of(p, s), QUIET);
}

static int change_self(struct replay *p, const InotifyQueue *q, size_t i, struct scratch *s)
{
	const char *old = path_of(p, s);
	int r = empty(p, q, s);

	if (q->event[i]->mask == IN_IGNORED) {
		s->alive = false;
		return r ?: sys_inotify_remove(p->fd, s->wd);
	}
	r = r ?: watch(p, s->wd, old, kind_of(q->event[i]));
	if (kind_of(q->event[i]) == IN_DELETE_SELF) {
		s->alive = false;
		return r ?: ensure(p, old, false, false);
	}
	s->name++;
	r = r ?: move(p, old, path_of(p, s));
	return r ?: watch(p, s->wd, path_of(p, s), QUIET);
}

/* Yields how many events it caused, or -errno. */
static int cause(struct replay *p, const InotifyQueue *q, size_t i)
{
	const InotifyEvent *e = q->event[i];
	const InotifyEvent *next = i + 1 < q->n_event ? q->event[i + 1] : NULL;
	struct scratch *s;
	int r = scratch_for(p, q, i, &s);

	if (r)
		return r;
	if (kind_of(e) & (OF_SELF | IN_IGNORED))
		return change_self(p, q, i, s) ?: kind_of(e) == IN_DELETE_SELF ? 2 : 1;
	if (kind_of(e) == IN_MOVED_FROM && next && kind_of(next) == IN_MOVED_TO &&
	    next->cookie == e->cookie && next->mask - IN_MOVED_TO == e->mask - IN_MOVED_FROM)
		return move_between(p, q, i, s) ?: 2;
	if (kind_of(e) & (IN_CREATE | IN_DELETE | IN_MOVE))
		return change_entry(p, s, e) ?: 1;
	r = prepare(p, s, e);
	return r ?: use(p, s, e, e->has_name ? child_of(p, s, e) : path_of(p, s)) ?: 1;
}

static int cause_range(struct replay *p, const InotifyQueue *q, size_t from, size_t to)
{
	int r = 0;

	for (size_t i = from; i < to && r >= 0; i += (size_t)r)
		r = cause(p, q, i);
	return r < 0 ? r : 0;
}

/* --- the queue ----------------------------------------------------------------------------------
 */

static int fill(struct replay *p, uint32_t n)
{
	for (; n; n--, p->n_filler++) { /* equal neighbours would be merged */
		long r = p->n_filler % 2 ? sys(SYS_fchmod, p->filler, 0600)
					 : sys(SYS_pwrite64, p->filler, "x", 1, 0);

		if (r < 0)
			return (int)r;
	}
	return 0;
}

static int drop(struct replay *p, uint32_t n)
{
	const uint32_t size = sizeof(struct inotify_event);
	char *buf = arena_alloc(p->arena, READ_BYTES);

	for (uint64_t left = (uint64_t)n * size; left;) {
		long r = read_some(p->fd, buf, left < READ_BYTES ? left : READ_BYTES);

		if (r <= 0)
			return (int)r ?: -EIO;
		left -= (uint64_t)r;
	}
	return 0;
}

static int mount_private(int *ret)
{
	_close_ int fs = (int)sys(SYS_fsopen, "tmpfs", 1);
	int r = fs < 0 ? fs : (int)sys(SYS_fsconfig, fs, 6, NULL, NULL, 0); /* create */

	r = r ?: (int)sys(SYS_fsmount, fs, 1, 0);
	if (r < 0)
		return fail(r, "make a private file system to cause events in");
	*ret = r;
	return 0;
}

static int start(struct replay *p, uint32_t free_wd)
{
	int r;

	map_init(&p->by_wd, p->arena);
	p->filler = sys_openat(p->root, "filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	r = p->filler < 0 ? p->filler : sys_inotify_set_next(p->fd, free_wd);
	p->filler_wd = free_wd;
	return r ?: watch(p, free_wd, "filler", IN_MODIFY | IN_ATTRIB);
}

static int remove_watches(struct replay *p)
{
	int r = sys_inotify_remove(p->fd, p->filler_wd);

	vec_foreach(s, &p->all)
		if (!r && (*s)->alive)
			r = sys_inotify_remove(p->fd, (*s)->wd);
	return r;
}

/* The events before `lost` stand before the kernel's own "events were lost", the rest behind it. */
static int build(struct replay *p, const InotifyQueue *q, uint32_t max)
{
	size_t lost = 0, behind, room;
	bool has_lost = false;
	int r;

	for (size_t i = 0; i < q->n_event; i++)
		if (is_overflow(q->event[i])) {
			lost = i;
			has_lost = true;
		}
	behind = q->n_event - lost - has_lost;
	room = behind ? behind + 1 : 0;
	if (lost > max || room > max - lost)
		return -EOVERFLOW;
	r = fill(p, max - (uint32_t)lost);
	r = r ?: cause_range(p, q, 0, lost);
	r = r ?: fill(p, 1); /* one too many */
	r = r ?: drop(p, (uint32_t)room);
	r = r ?: cause_range(p, q, lost + has_lost, q->n_event);
	r = r ?: remove_watches(p);
	return r ?: drop(p, max - (uint32_t)(lost + room) + !has_lost);
}

static uint64_t bytes_of(const InotifyQueue *q)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < q->n_event; i++)
		bytes += sizeof(struct inotify_event) +
			 (q->event[i]->has_name ? (q->event[i]->name.len + 16) / 16 * 16 : 0);
	return bytes;
}

static int max_events(struct arena *a, uint32_t *ret)
{
	struct span text;
	int r = io_slurp_at(a, AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events", &text);

	r = r ?: span_u32(span_trim(text), 10, ret);
	return r || *ret > MAX_EVENTS ? fail(r ?: -EINVAL, "read the size of inotify's queues") : 0;
}

int inotify_queue_fill(struct arena *a, int fd, const InotifyQueue *q, uint32_t free_wd)
{
	InotifyEvent lost = INOTIFY_EVENT__INIT, *one[] = { &lost };
	InotifyQueue only_lost = INOTIFY_QUEUE__INIT;
	_close_ int root = -1, filler = -1;
	struct replay p = { .arena = a, .fd = fd };
	uint32_t max = 0;
	int n = 0, r = mount_private(&root);

	lost.wd = -1;
	lost.mask = IN_Q_OVERFLOW;
	only_lost.event = one;
	only_lost.n_event = 1;
	r = r ?: max_events(a, &max);
	if (r)
		return r;
	if (q && (!can_cause(q) || q->n_event > (size_t)max + 1)) {
		log_warn("unread events of inotify cannot be caused again: the program is told "
			 "that events were lost");
		q = NULL;
	}
	q = q ? q : &only_lost;
	p.root = root;
	r = start(&p, free_wd);
	filler = p.filler;
	r = r ?: build(&p, q, max);
	r = r ?: sys_ioctl(fd, FIONREAD, &n);
	if (!r && (uint64_t)n != bytes_of(q))
		r = -EIO;
	return r ? fail(r, "put unread events back") : 0;
}
