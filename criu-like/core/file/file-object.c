/*
 * Steps with one description that the coordinator and the tasks have in common: open it (with its
 * twin), put it at a number, fill it, pass it over a socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file-graph.h"
#include "core/file/file-inherit.h"
#include "kernel/descriptor.h"

enum { SCM_BATCH = 250 }; /* the kernel's limit is 253 */

int object_open(struct opener *op, struct planned *p)
{
	log_scope("open file %" PRIu32 " (%s)", p->o.id,
		  p->o.ofd->name ? p->o.ofd->name : p->o.ofd->kind);
	int fd;

	if (p->o.fd >= 0)
		return 0; /* with its twin */
	fd = p->inherited >= 0 ? inherit_open(op, p) : p->o.kind->open(op, &p->o);
	if (fd < 0)
		return fd;
	p->o.fd = fd;
	return 0;
}

static int move_to(int *fd, unsigned int number, int flags)
{
	int r = 0;

	if ((unsigned int)*fd == number)
		r = flags & O_CLOEXEC ? 0 : sys_fcntl(*fd, F_SETFD, 0);
	else
		r = sys_dup3(*fd, (int)number, flags);
	if (r < 0)
		return r;
	if ((unsigned int)*fd != number)
		(void)sys_close(*fd); /* a second number of the same description */
	*fd = (int)number;
	return 0;
}

int object_place(struct planned *p, unsigned int number)
{
	int r;

	for (struct fd_obj *t = p->o.twin; t && t != &p->o; t = t->twin) {
		int aside = t->fd;

		if (t->fd == (int)number && t->fd != p->o.fd)
			aside = sys_fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
		if (aside < 0 && t->fd >= 0)
			return fail(aside, "move descriptor %u out of the way", number);
		t->fd = aside;
	}
	r = move_to(&p->o.fd, number, O_CLOEXEC);
	return r ? fail(r, "put a file at descriptor %u", number) : 0;
}

int object_fill(struct opener *op, struct planned *p)
{
	log_scope("open file %" PRIu32 " (%s)", p->o.id,
		  p->o.ofd->name ? p->o.ofd->name : p->o.ofd->kind);
	int r = 0;

	if (p->inherited >= 0)
		return 0;
	if (p->o.kind->fill)
		r = p->o.kind->fill(op, &p->o, p->o.fd);
	return r;
}

int object_place_all(struct planned *p, bool parked)
{
	struct planned *next = p;
	int r;

	do {
		r = object_place(next, parked ? next->parked : next->number);
		next = next->o.twin ? planned_of(next->o.twin) : p;
	} while (!r && next != p);
	return r;
}

/* --- sockets between the coordinator and a task
 * --------------------------------------------------- */

union scm_buffer {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(SCM_BATCH * sizeof(int))];
};

static int send_batch(int channel, const int *fd, size_t n)
{
	union scm_buffer b = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = b.bytes,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	long r;

	b.head.cmsg_level = SOL_SOCKET;
	b.head.cmsg_type = SCM_RIGHTS;
	b.head.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&b.head), fd, n * sizeof(int));
	r = sys(SYS_sendmsg, channel, &m, MSG_NOSIGNAL);
	return r < 0 ? (int)r : 0;
}

static int receive_batch(int channel, int *fd, size_t n)
{
	union scm_buffer b = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = b.bytes,
			    .msg_controllen = sizeof(b.bytes) };
	long r = sys(SYS_recvmsg, channel, &m, MSG_CMSG_CLOEXEC);

	if (r < 0)
		return (int)r;
	if (r != 1 || m.msg_flags & MSG_CTRUNC || b.head.cmsg_len != CMSG_LEN(n * sizeof(int)))
		return -EBADMSG;
	memcpy(fd, CMSG_DATA(&b.head), n * sizeof(int));
	return 0;
}

int channel_send(int channel, const int *fd, size_t n)
{
	int r = 0;

	for (size_t at = 0; at < n && !r; at += SCM_BATCH)
		r = send_batch(channel, fd + at, n - at < SCM_BATCH ? n - at : SCM_BATCH);
	return r ? fail(r, "send %zu descriptors to a task", n) : 0;
}

int channel_receive(int channel, int *fd, size_t n)
{
	int r = 0;

	for (size_t at = 0; at < n && !r; at += SCM_BATCH)
		r = receive_batch(channel, fd + at, n - at < SCM_BATCH ? n - at : SCM_BATCH);
	return r ? fail(r, "receive %zu descriptors from the coordinator", n) : 0;
}
