/*
 * System V message queues. MSG_STAT_ANY (4.17) lists them with the pids of the last sender and
 * receiver, which decide whose a queue is; MSG_COPY (needs CONFIG_CHECKPOINT_RESTORE) reads
 * messages by their place and leaves them. They are sent again in the same order. A queue that is
 * still there with other messages is emptied first; a message is lost with it only if the restore
 * fails. A queue may hold more than the limits of the namespace allow by now (msgmnb, msgmax): a
 * new queue takes its size from msgmnb, so both are raised while it is made. Not kept: times, and
 * the pids of the last sender and receiver.
 */
#include "sysv_msg.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/world.h"
#include "kernel/descriptor.h"
#include "ns/sysv-object.h"

enum { STAT_ANY = 13, INFO = 12, COPY = 040000, TEXT_MOST = 1 << 30 };
extern const struct world_kind kind_sysv_msg;

struct message {
	long type;
	char text[];
};

static int control(int id, int command, struct msqid_ds *s)
{
	return (int)sys(SYS_msgctl, id, command, s);
}

/* The message at this place, without taking it; yields its length. */
static long copy(int id, size_t place, struct message *buffer, size_t len)
{
	return sys(SYS_msgrcv, id, buffer, len, place, COPY | IPC_NOWAIT);
}

static struct message *buffer_for(struct arena *a, size_t len)
{
	return (struct message *)arena_alloc(a, sizeof(struct message) + len + 8);
}

/* --- dump --------------------------------------------------------------------------------------
 */
static int read_messages(struct dump *d, int id, const struct msqid_ds *s, SysvMsg *m)
{
	size_t n = s->msg_qnum, len = s->__msg_cbytes;
	struct message *buffer = buffer_for(&d->arena, len);

	m->message = arena_array(&d->arena, SysvMessage *, n);
	for (size_t i = 0; i < n; i++) {
		SysvMessage *one = arena_new(&d->arena, SysvMessage);
		long got = copy(id, i, buffer, len);

		if (got < 0)
			return fail(got, "read message %zu of queue %d", i, id);
		sysv_message__init(one);
		one->type = buffer->type;
		one->text.len = (size_t)got;
		one->text.data = arena_alloc(&d->arena, (size_t)got + 1);
		memcpy(one->text.data, buffer->text, (size_t)got);
		m->message[m->n_message++] = one;
	}
	return 0;
}

static int append(struct dump *d, int id, const struct msqid_ds *s, bool outside)
{
	SysvMsg m = SYSV_MSG__INIT;
	int r = outside ? 0 : read_messages(d, id, s, &m);

	m.perm = sysv_perm(d, id, &s->msg_perm, s->msg_ctime);
	m.perm->outside = outside;
	m.qbytes = s->msg_qbytes;
	return r ?: world_append(d, &kind_sysv_msg, &m.base);
}

static int dump(struct dump *d)
{
	struct msginfo info;
	struct msqid_ds s;
	int last = (int)sys(SYS_msgctl, 0, INFO, &info), r = 0;
	bool outside;

	if (last == -ENOSYS)
		return 0;
	for (int i = 0; i <= last && !r; i++) {
		int id = control(i, STAT_ANY, &s);
		pid_t user[2];

		if (id < 0)
			continue;
		user[0] = s.msg_lspid;
		user[1] = s.msg_lrpid;
		if (sysv_is_ours(d, user, 2, &outside))
			r = append(d, id, &s, outside);
	}
	return r;
}

/* --- restore -----------------------------------------------------------------------------------
 */
static int check(const SysvMsg *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n_message; i++) {
		sum += m->message[i]->text.len;
		if (m->message[i]->type < 1 || sum > m->qbytes)
			return fail(-EPROTO, "queue %" PRId32 " has wrong messages", m->perm->id);
	}
	if (m->qbytes > TEXT_MOST)
		return fail(-EPROTO, "queue %" PRId32 " is too large", m->perm->id);
	return sysv_check(m->perm);
}

static int plan(struct restore *r, struct world_object *o)
{
	const SysvMsg *m = o->msg;
	struct msqid_ds s = { 0 }, other;
	struct sysv_found f = { .perm = &s.msg_perm };
	int e = check(m);

	if (e)
		return e;
	f.r_stat = control(m->perm->id, IPC_STAT, &s);
	f.ctime = s.msg_ctime;
	f.slot = control(sysv_slot(m->perm->id), STAT_ANY, &other);
	f.by_key = m->perm->key ? (int)sys(SYS_msgget, m->perm->key, 0) : -ENOENT;
	return sysv_plan(r, "msg", m->perm, &f);
}

/* A limit of the namespace: raised to `least`, what it was in *ret_old (0: left alone). */
static int raise_limit(const char *name, uint64_t least, uint64_t *ret_old)
{
	char path[40], text[32] = "";
	_close_ int fd = -1;
	uint64_t now;
	long n;

	(void)snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	n = fd < 0 ? fd : sys_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return fail(n, "read '%s'", path);
	now = strtoull(text, NULL, 10);
	*ret_old = 0;
	if (now >= least)
		return 0;
	n = snprintf(text, sizeof(text), "%" PRIu64, least);
	n = io_write(fd, text, (size_t)n);
	if (n)
		return fail(n, "raise '%s' to %" PRIu64, path, least);
	*ret_old = now;
	return 0;
}

static int lower_limit(const char *name, uint64_t old)
{
	char path[40], text[32];
	_close_ int fd = -1;
	int n = snprintf(text, sizeof(text), "%" PRIu64, old), r;

	if (!old)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	r = fd < 0 ? fd : io_write(fd, text, (size_t)n);
	return r ? fail(r, "set '%s' back to %" PRIu64, path, old) : 0;
}

static int get(const SysvMsg *m)
{
	const SysvPerm *p = m->perm;
	struct sysv_self self;
	struct msqid_ds s;
	int e = sysv_next_id("msg", p->id) ?: sysv_become(p->cuid, p->cgid, &self), id;

	if (e)
		return e;
	id = (int)sys(SYS_msgget, p->key, IPC_CREAT | IPC_EXCL | (int)p->mode);
	e = sysv_return(&self);
	if (e && id >= 0)
		(void)control(id, IPC_RMID, NULL); /* just made */
	if (e || id < 0)
		return e ? e : fail(id, "make message queue %" PRId32, p->id);
	e = id == p->id ? control(id, IPC_STAT, &s) : -EBUSY;
	s.msg_perm.uid = p->uid;
	s.msg_perm.gid = p->gid;
	if (!e && (p->uid != p->cuid || p->gid != p->cgid || s.msg_qbytes != m->qbytes)) {
		s.msg_qbytes = m->qbytes;
		e = control(id, IPC_SET, &s);
	}
	if (e)
		(void)control(id, IPC_RMID, NULL); /* just made */
	return e ? fail(e, "make message queue %" PRId32 " with its id and owner", p->id) : 0;
}

static bool is_equal(struct restore *r, const SysvMsg *m)
{
	struct message *buffer = buffer_for(&r->arena, m->qbytes);
	struct msqid_ds s;

	if (control(m->perm->id, IPC_STAT, &s) || s.msg_qnum != m->n_message)
		return false;
	for (size_t i = 0; i < m->n_message; i++) {
		const SysvMessage *one = m->message[i];

		if (copy(m->perm->id, i, buffer, m->qbytes) != (long)one->text.len ||
		    buffer->type != one->type ||
		    memcmp(buffer->text, one->text.data, one->text.len))
			return false;
	}
	return true;
}

static int send_all(struct restore *r, const SysvMsg *m)
{
	struct message *buffer = buffer_for(&r->arena, m->qbytes);
	long e = 0;

	if (is_equal(r, m))
		return 0;
	while (sys(SYS_msgrcv, m->perm->id, buffer, m->qbytes, 0, IPC_NOWAIT | MSG_NOERROR) >= 0)
		;
	for (size_t i = 0; !e && i < m->n_message; i++) {
		buffer->type = m->message[i]->type;
		memcpy(buffer->text, m->message[i]->text.data, m->message[i]->text.len);
		e = sys(SYS_msgsnd, m->perm->id, buffer, m->message[i]->text.len, IPC_NOWAIT);
	}
	return e ? fail(e, "send the messages of queue %" PRId32, m->perm->id) : 0;
}

static int make(struct restore *r, struct world_object *o)
{
	const SysvMsg *m = o->msg;
	struct msqid_ds s;
	int e = 0;

	if (control(m->perm->id, IPC_STAT, &s)) {
		e = world_announce(r, o, "msg", m->perm->id) ?: get(m);
		o->made = !e;
	}
	return e ?: send_all(r, m);
}

static int create(struct restore *r, struct world_object *o)
{
	const SysvMsg *m = o->msg;
	uint64_t largest = 0, old_max = 0, old_bytes = 0;
	int e, back;

	if (m->perm->outside)
		return 0;
	for (size_t i = 0; i < m->n_message; i++)
		if (m->message[i]->text.len > largest)
			largest = m->message[i]->text.len;
	e = raise_limit("msgmax", largest, &old_max) ?:
		    raise_limit("msgmnb", m->qbytes, &old_bytes);
	e = e ?: make(r, o);
	back = lower_limit("msgmax", old_max);
	back = lower_limit("msgmnb", old_bytes) ?: back;
	return e ?: back;
}

static int undo(struct restore *r, struct world_object *o)
{
	const SysvMsg *m = o->msg;
	int e = control(m->perm->id, IPC_RMID, NULL);

	(void)r;
	return e ? fail(e, "remove message queue %" PRId32, m->perm->id) : 0;
}

const struct world_kind kind_sysv_msg = {
	.name = "sysv_msg", .descriptor = &sysv_msg__descriptor, .dump = dump, .plan = plan,
	.create = create, .undo = undo,
};
