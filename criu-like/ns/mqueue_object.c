/*
 * POSIX message queues that a task has open. Nothing shows messages: they are received and sent
 * again, which keeps their order, since equal priorities come in order of arrival. That is the work
 * of a short-lived process of its own, which finishes it even if the tool is killed. It could be
 * seen by others who use the queue, so a queue that somebody outside of the tree has open is
 * refused. After the dump a queue with a name stays; the restore takes it if it has the attributes
 * saved and nobody uses it, and sets its messages back. Otherwise it is made, and removed if the
 * restore fails. Queues that nobody has open belong to nobody and are left alone.
 */
#include "mqueue_object.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "core/queue.h"
#include "core/world.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"
#include "kernel/signal.h"

enum { MESSAGES_MOST = 65536, BYTES_MOST = 16 << 20, NAME_MOST = 255 };
extern const struct world_kind kind_mqueue_object;

struct letter {
	uint32_t len, priority;
	char text[];
};

/* What a process of its own takes out and puts back; shared with it. */
struct bag {
	uint32_t n, returned;
	char letter[]; /* as many as the queue has room for, each with room for the longest */
};

static struct letter *letter_at(struct bag *b, const struct mq_attr *a, uint32_t i)
{
	size_t each = (sizeof(struct letter) + (size_t)a->mq_msgsize + 7) & ~(size_t)7;

	return (struct letter *)(b->letter + i * each);
}

static size_t bag_bytes(const struct mq_attr *a)
{
	return sizeof(struct bag) + 16 + (size_t)(a->mq_maxmsg + 1) * ((size_t)a->mq_msgsize + 24);
}

/* --- dump --------------------------------------------------------------------------------------
 */
static bool holds(int fd_dir, const struct proc_list *number, const struct stat *queue)
{
	char name[16];
	struct stat st;

	for (size_t i = 0; i < number->n; i++) {
		(void)snprintf(name, sizeof(name), "%d", number->v[i]);
		if (!sys_stat(fd_dir, name, 0, &st, NULL) && st.st_dev == queue->st_dev &&
		    st.st_ino == queue->st_ino)
			return true;
	}
	return false;
}

/* A process outside of the tree that has it open; 0: none. */
static pid_t find_user(struct arena *a, const struct tree *tree, const struct stat *queue)
{
	struct proc_list all, number;
	pid_t self = (pid_t)sys(SYS_getpid);

	if (proc_list_at(a, AT_FDCWD, "/proc", &all))
		return 0;
	for (size_t i = 0; i < all.n; i++) {
		_close_ int dir = -1;

		if (all.v[i] == self || tree_find(tree, all.v[i]))
			continue;
		dir = sys_openat(AT_FDCWD, arena_printf(a, "/proc/%d/fd", all.v[i]),
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (dir >= 0 && !proc_list_dir(a, dir, &number) && holds(dir, &number, queue))
			return all.v[i];
	}
	return 0;
}

static int give_back(int fd, const struct mq_attr *a, struct bag *b)
{
	for (; b->returned < b->n; b->returned++) {
		const struct letter *l = letter_at(b, a, b->returned);
		long r = sys(SYS_mq_timedsend, fd, l->text, l->len, l->priority, NULL);

		if (r)
			return (int)r;
	}
	return 0;
}

static _Noreturn void take_and_return(int fd, const struct mq_attr *a, struct bag *b)
{
	long n = signal_set_mask(~0ull);

	fault_off();
	for (b->n = 0; b->n < a->mq_maxmsg; b->n++) {
		struct letter *l = letter_at(b, a, b->n);

		n = sys(SYS_mq_timedreceive, fd, l->text, a->mq_msgsize, &l->priority, NULL);
		if (n < 0)
			break;
		l->len = (uint32_t)n;
	}
	_exit(give_back(fd, a, b) != 0);
}

static int read_messages(int fd, const struct mq_attr *a, struct bag *b)
{
	long pid, r;
	int status;

	pid = clone_process(0, 0, SIGCHLD);
	if (!pid)
		take_and_return(fd, a, b);
	if (pid < 0)
		return fail(pid, "start a process that reads a message queue");
	r = signal_reap((pid_t)pid, false, &status);
	if (r >= 0 && status)
		r = give_back(fd, a, b); /* somebody killed it */
	if (r < 0 || status)
		return fail(r < 0 ? r : -EIO, "read a message queue and put its messages back");
	return 0;
}

static void describe_messages(struct dump *d, const struct mq_attr *a, struct bag *b,
			      MqueueObject *m)
{
	m->message = arena_array(&d->arena, MqueueMessage *, b->n);
	m->n_message = b->n;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct letter *l = letter_at(b, a, i);
		MqueueMessage *one = arena_new(&d->arena, MqueueMessage);

		mqueue_message__init(one);
		one->priority = l->priority;
		one->text.len = l->len;
		one->text.data = arena_alloc(&d->arena, l->len + 1);
		memcpy(one->text.data, l->text, l->len);
		m->message[i] = one;
	}
}

static int dump_messages(struct dump *d, const struct queue_seen *q, const struct mq_attr *a,
			 MqueueObject *m)
{
	_unmap_ struct mapping map = { NULL, bag_bytes(a) };
	long at;
	int r;

	if (!a->mq_curmsgs)
		return 0;
	at = sys(SYS_mmap, 0, map.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at < 0)
		return fail(at, "memory for the messages of queue '%s'", q->name);
	map.p = (void *)at;
	r = read_messages(q->fd, a, map.p);
	if (!r)
		describe_messages(d, a, map.p, m);
	return r;
}

static int dump_one(struct dump *d, const struct queue_seen *q)
{
	MqueueObject m = MQUEUE_OBJECT__INIT;
	struct mq_attr a;
	struct stat st;
	int r = sys_stat(q->fd, "", 0, &st, NULL) ?:
		(int)sys(SYS_mq_getsetattr, q->fd, NULL, &a);

	if (r)
		return fail(r, "look at message queue '%s'", q->name);
	if (find_user(&d->arena, &d->tree, &st))
		return refuse(&d->blockers, q->task->pid,
			      arena_printf(&d->arena, "message queue '%s'", q->name),
			      "a process outside of the tree has it open",
			      "dump with all who use it");
	m.name = (char *)(uintptr_t)q->name; /* only read */
	m.removed = q->removed;
	m.mode = st.st_mode & 0777;
	m.uid = st.st_uid;
	m.gid = st.st_gid;
	m.maxmsg = a.mq_maxmsg;
	m.msgsize = a.mq_msgsize;
	r = dump_messages(d, q, &a, &m);
	return r ?: world_append(d, &kind_mqueue_object, &m.base);
}

/* Removed ones first: a new one may have the same name. */
static int dump(struct dump *d)
{
	int r = 0;

	for (int removed = 1; removed >= 0; removed--)
		vec_foreach(q, &d->queue)
			if (!r && (*q)->removed == removed)
				r = dump_one(d, *q);
	vec_foreach(q, &d->queue)
		fd_close(&(*q)->fd);
	return r;
}

/* --- restore -----------------------------------------------------------------------------------
 */
static int check(const MqueueObject *m)
{
	bool bad = !*m->name || strchr(m->name, '/') || strlen(m->name) > NAME_MOST ||
		   m->mode > 0777 || m->maxmsg < 1 || m->maxmsg > MESSAGES_MOST ||
		   m->msgsize < 1 || m->msgsize > BYTES_MOST || (int64_t)m->n_message > m->maxmsg;

	for (size_t i = 0; !bad && i < m->n_message; i++)
		bad = (int64_t)m->message[i]->text.len > m->msgsize;
	return bad ? fail(-EPROTO, "message queue '%s' has wrong attributes", m->name) : 0;
}

static int open_existing(const MqueueObject *m)
{
	return (int)sys(SYS_mq_open, m->name, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0, NULL);
}

static bool is_same(const MqueueObject *m, const struct stat *st, const struct mq_attr *a)
{
	return (st->st_mode & 0777) == m->mode && st->st_uid == m->uid && st->st_gid == m->gid &&
	       a->mq_maxmsg == m->maxmsg && a->mq_msgsize == m->msgsize;
}

static int plan(struct restore *r, struct world_object *o)
{
	const MqueueObject *m = o->msg;
	_close_ int fd = -1;
	struct mq_attr a;
	struct stat st;
	const char *title = arena_printf(&r->arena, "message queue '%s'", m->name);
	int e = check(m);

	if (e)
		return e;
	fd = open_existing(m);
	if (fd == -ENOENT)
		return 0;
	e = fd < 0 ? fd : sys_stat(fd, "", 0, &st, NULL) ?:
			  (int)sys(SYS_mq_getsetattr, fd, NULL, &a);
	if (e)
		return fail(e, "look at message queue '%s'", m->name);
	if (!is_same(m, &st, &a))
		return refuse(&r->blockers, 0, title, "another queue has its name",
			      "remove that, or restore in another ipc namespace");
	return find_user(&r->arena, &r->tree, &st)
		       ? refuse(&r->blockers, 0, title, "somebody has it open",
				"end who uses it, or restore in another ipc namespace")
		       : 0;
}

static int send_all(const MqueueObject *m, int fd)
{
	char *buffer = NULL;
	long e = sys(SYS_mmap, 0, m->msgsize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	_unmap_ struct mapping map = { NULL, (size_t)m->msgsize };

	if (e < 0)
		return fail(e, "memory for messages of queue '%s'", m->name);
	map.p = buffer = (char *)e;
	while (sys(SYS_mq_timedreceive, fd, buffer, m->msgsize, NULL, NULL) >= 0)
		;
	e = 0;
	for (size_t i = 0; !e && i < m->n_message; i++)
		e = sys(SYS_mq_timedsend, fd, m->message[i]->text.data, m->message[i]->text.len,
			m->message[i]->priority, NULL);
	return e ? fail(e, "send the messages of queue '%s'", m->name) : 0;
}

static int make(struct world_object *o)
{
	const MqueueObject *m = o->msg;
	struct mq_attr a = { .mq_maxmsg = m->maxmsg, .mq_msgsize = m->msgsize };
	_close_ int fd = (int)sys(SYS_mq_open, m->name,
				  O_RDWR | O_NONBLOCK | O_CREAT | O_EXCL | O_CLOEXEC, m->mode, &a);
	long e;

	if (fd < 0)
		return fail(fd, "make message queue '%s' (limits: /proc/sys/fs/mqueue)", m->name);
	o->made = true;
	e = sys(SYS_fchown, fd, m->uid, m->gid);
	e = e ? e : sys(SYS_fchmod, fd, m->mode);
	return e ? fail(e, "set owner and mode of message queue '%s'", m->name) : take_fd(&fd);
}

static int create(struct restore *r, struct world_object *o)
{
	const MqueueObject *m = o->msg;
	_close_ int fd = open_existing(m);

	(void)r;
	if (fd < 0)
		fd = make(o);
	return fd < 0 ? fd : send_all(m, fd);
}

static int undo(struct restore *r, struct world_object *o)
{
	const MqueueObject *m = o->msg;
	long e = sys(SYS_mq_unlink, m->name);

	(void)r;
	return e && e != -ENOENT ? fail(e, "remove message queue '%s'", m->name) : 0;
}

const struct world_kind kind_mqueue_object = {
	.name = "mqueue_object", .descriptor = &mqueue_object__descriptor, .dump = dump,
	.plan = plan, .create = create, .undo = undo,
};
