/*
 * Epoll sets. fdinfo lists each item with the number it was added under, events, data and the inode
 * of the file, not the file itself: the number may be closed by now, or be another file, or belong
 * to another task. KCMP_EPOLL_TFD compares a candidate with an item, so the description is found
 * exactly.
 *
 * The kernel's key is (file, number): on restore the file is put at that number for the moment of
 * EPOLL_CTL_ADD. Items are added by a task that holds the set, because an item on a signalfd wakes
 * only relatives of the adder. A one-shot item that has fired has no events at all, not even the
 * implicit ones; it is added with everything and made to fire once. Lost: that an edge was seen
 * already.
 */
#include "epoll.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"

/* Bits that are no events. */
#define EPOLL_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[eventpoll]");
}

/* --- dump ----------------------------------------------------------------------------------------
 */

struct watched {
	struct fdinfo_epoll item;
	uint32_t ordinal; /* among items with the same number */
};

static bool is_target(const struct fd_probe *p, const struct watched *w, const struct task *t,
		      int number)
{
	struct kcmp_epoll_slot slot = { (uint32_t)p->number, (uint32_t)w->item.tfd, w->ordinal };

	return sys(SYS_kcmp, task_main(t)->tid, task_main(p->task)->tid, KCMP_EPOLL_TFD, number,
		   &slot) == 0;
}

static const struct fd_seen *find_target(struct dump *d, const struct fd_probe *p,
					 const struct watched *w)
{
	const struct fd_seen *s = files_at(d, p->task, (unsigned int)w->item.tfd);

	if (s && is_target(p, w, p->task, w->item.tfd))
		return s;
	s = files_seen(d, makedev(w->item.major, w->item.minor), w->item.ino);
	while (s && !is_target(p, w, s->task, s->number))
		s = s->next;
	return s;
}

static int add_item(struct dump *d, struct fd_probe *p, Epoll *m, const struct watched *w)
{
	const struct fd_seen *s = find_target(d, p, w);
	EpollItem *i;

	if (!s)
		return fd_refuse(
			d, p,
			arena_printf(&d->arena,
				     "it watches descriptor %d, which no task of the tree holds",
				     w->item.tfd),
			"dump the processes that hold it as well");
	i = arena_new(&d->arena, EpollItem);
	epoll_item__init(i);
	i->number = (uint32_t)w->item.tfd;
	i->events = w->item.events;
	i->data = w->item.data;
	i->ofd = s->id;
	m->item =
		arena_grow(&d->arena, m->item, m->n_item * sizeof(i), (m->n_item + 1) * sizeof(i));
	m->item[m->n_item++] = i;
	return 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	struct span text = p->info.text;
	Epoll *m = msg;
	struct watched w;
	int r;

	while ((r = fdinfo_epoll_next(&text, &w.item)) > 0) {
		w.ordinal = 0;
		for (size_t i = 0; i < m->n_item; i++)
			w.ordinal += m->item[i]->number == (uint32_t)w.item.tfd;
		r = add_item(d, p, m, &w);
		if (r)
			return r;
	}
	return r ? fail(r, "descriptor %d: an item of the epoll set that nobody can read",
			p->number)
		 : 0;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int plan(struct restore *r, struct fd_obj *o)
{
	const Epoll *m = o->msg;

	for (size_t i = 0; i < m->n_item; i++) {
		struct fd_obj *target = files_find(r, m->item[i]->ofd);

		if (!target || target == o || m->item[i]->number > 1 << 30)
			return fail(-EPROTO, "image 'epoll': item %" PRIu32 " watches nothing",
				    m->item[i]->number);
		*vec_push(&r->arena, &o->needs) = target;
	}
	return 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	int fd = (int)sys(SYS_epoll_create1, EPOLL_CLOEXEC);

	(void)o;
	(void)obj;
	return fd < 0 ? fail(fd, "make an epoll set") : fd;
}

static bool is_disarmed(const EpollItem *i)
{
	return !(i->events & ~(uint32_t)EPOLL_PRIVATE);
}

static int add(int set, const EpollItem *i)
{
	struct epoll_event e = { .events = i->events, .data.u64 = i->data };
	struct epoll_event fired;
	int r;

	if (is_disarmed(i))
		e.events |= EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLONESHOT;
	r = (int)sys(SYS_epoll_ctl, set, EPOLL_CTL_ADD, i->number, &e);
	if (r || !is_disarmed(i))
		return r;
	r = (int)sys(SYS_epoll_pwait, set, &fired, 1, 0, NULL, 8);
	if (r)
		return r < 0 ? r : 0;
	e.events = i->events; /* not ready for anything: only the implicit events stay armed */
	return (int)sys(SYS_epoll_ctl, set, EPOLL_CTL_MOD, i->number, &e);
}

/* Puts fd at `number` for the moment of the call; what is there comes back. */
static int add_at(int set, const EpollItem *i, int fd)
{
	int number = (int)i->number, flags = sys_fcntl(number, F_GETFD, 0), saved = -1, r, back = 0;

	if (fd == number)
		return add(set, i);
	if (flags >= 0) {
		saved = sys_fcntl(number, F_DUPFD_CLOEXEC, 0);
		if (saved < 0)
			return saved;
	}
	r = sys_dup3(fd, number, O_CLOEXEC);
	if (r >= 0)
		r = add(saved >= 0 && set == number ? saved : set, i);
	if (saved < 0)
		(void)sys_close(number); /* a second number of the file */
	else
		back = sys_dup3(saved, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	if (saved >= 0)
		(void)sys_close(saved); /* as above */
	return r < 0 ? r : back < 0 ? back : 0;
}

/* Closing, which its owner chose, would have taken it out; /dev/null cannot be watched. */
static bool is_given_up(const struct fd_obj *target)
{
	return target->kind->is_absent;
}

static int finish(struct self *s, const struct fd_obj *obj, int fd)
{
	const Epoll *m = obj->msg;

	for (int disarmed = 1; disarmed >= 0; disarmed--) /* those that must fire come first */
		for (size_t i = 0; i < m->n_item; i++) {
			const struct fd_obj *target = files_find(s->r, m->item[i]->ofd);
			bool none = target->in_blob || is_given_up(target);
			int r = is_disarmed(m->item[i]) != disarmed || none
					? 0
					: add_at(fd, m->item[i], target->fd);

			if (r)
				return fail(r, "watch descriptor %" PRIu32 " in the epoll set %d",
					    m->item[i]->number, fd);
		}
	return 0;
}

/* Descriptors of threads are final in the blob only. */
static int stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	const Epoll *m = obj->msg;

	for (size_t i = 0; at->stage == STAGE_SIGNALS && i < m->n_item; i++) {
		const EpollItem *item = m->item[i];
		struct epoll_event e = { .events = item->events, .data.u64 = item->data };

		if (!files_find(at->r, item->ofd)->in_blob)
			continue;
		prog_where(p, "watch descriptor %" PRIu32 " in the epoll set %d", item->number,
			   number);
		prog_call(p, SYS_epoll_ctl, number, EPOLL_CTL_ADD, item->number,
			  prog_in(p, &e, sizeof(e)));
	}
	return 0;
}

const struct fd_kind kind_epoll = { .name = "epoll",
				    .descriptor = &epoll__descriptor,
				    .dump_last = true,
				    .match = match,
				    .dump = dump,
				    .plan = plan,
				    .open = open_fd,
				    .finish = finish,
				    .stage = stage };
