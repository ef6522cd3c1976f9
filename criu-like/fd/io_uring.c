/*
 * Rings of io_uring. One with a request in flight cannot be saved: what was asked lives in the
 * kernel only. As many completions as requests and no armed poll mean that nothing is in flight
 * (requests with several completions, or none, leave the two unequal: refused as well). An idle
 * ring is counters, shared memory, and what is registered with it.
 *
 * It is made again by its own process (who made it, whose memory it accounts, who alone may submit
 * matters to the kernel), in the blob, where the mappings have their addresses. The kernel's own
 * counters cannot be set; programs remember them, so empty requests (NOP) advance them to where
 * they stood, 60 ns each; above MOST_PASSED the ring is refused. Other processes take the ring from
 * there and map it too (core/memory asks mem/ring_mapping.c).
 *
 * Not told, and lost: personalities, tags of registered resources, the number under which a thread
 * registered the ring itself; a timeout with several completions counts as idle after the first.
 */
#include "io_uring.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/file/ring.h"
#include "core/refuse.h"
#include "io_uring-look.h"
#include "kernel/descriptor.h"
#include "kernel/uring.h"

enum { MOST_PASSED = 1 << 26, PLAN_ENTRIES = 1 << 17, PAGE = 4096, MAY_WAIT_MS = 500 };


#define WAIT_REMEDY "dump when its requests have completed"
#define SQPOLL_REMEDY "start the program without it (node, libuv: UV_USE_IO_URING=0)"

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[io_uring]");
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static const char *why_not(struct dump *d, const struct ring_info *u)
{
	if (u->sq_thread)
		return "a thread of the kernel works for it (IORING_SETUP_SQPOLL)";
	if (u->napi)
		return "it polls network devices (NAPI)";
	if (u->polls)
		return "it has requests in flight: polls are armed";
	if (u->overflow)
		return "completions have overflowed";
	if (u->cached_sq_head != u->cached_cq_tail)
		return arena_printf(&d->arena,
				    "it has requests in flight, or some that have several "
				    "completions or none: %" PRIu32 " requests, %" PRIu32
				    " completions",
				    u->cached_sq_head, u->cached_cq_tail);
	if (u->sq_head != u->cached_sq_head || u->cq_tail != u->cached_cq_tail)
		return "it is at work";
	if (u->cached_sq_head > MOST_PASSED)
		return arena_printf(&d->arena,
				    "%" PRIu32 " requests went through it, and its counters "
				    "advance only one by one",
				    u->cached_sq_head);
	return NULL;
}

static int info_of(struct dump *d, struct fd_probe *p, struct ring_info *ret)
{
	int r = ring_info(&p->info, ret);

	return r == -EAGAIN ? fd_refuse(d, p, "it is in use at this moment", "try again")
	       : r	    ? fail(r, "descriptor %d: a ring that nobody can read", p->number)
			    : 0;
}

/* A ring with a single issuer was asked from inside (task/ring_user.c). */
static int find_maker(struct dump *d, struct fd_probe *p, IoUring *m)
{
	const struct ring *ring = ring_find(d, p->task->pid, p->number);

	if (!(m->flags & URING_SINGLE_ISSUER))
		return 0;
	if (!ring || !ring->maker)
		return fd_refuse(d, p, "its maker, to whom alone it answers, is not found",
				 "let the process that made it keep it open");
	if (!ring->is_plain)
		return fd_refuse(d, p, "it is restricted, or has an eventfd or buffers registered",
				 "let the program unregister them before the dump");
	m->has_maker = true;
	m->maker = ring->maker;
	return 0;
}

static int look_at_flags(struct dump *d, struct fd_probe *p)
{
	uint32_t flags;

	ring_note(d, p->task->pid, p->number);
	return uring_flags(d, p, URING_ALL_GROUPS, &flags);
}

/* Whether its requests may complete by themselves while the tree is stopped (task/ring_user.c). */
static bool may_drain(const struct dump *d, const struct ring_info *u)
{
	return !u->sq_thread && !u->napi && (d->opt->cancel_requests || !u->polls);
}

/* A busy one may be idle a moment later: only what stays is refused before the stop. */
static int look(struct dump *d, struct fd_probe *p)
{
	const struct timespec pause = { 0, 5000000 };
	struct ring_info u;
	const char *reason = NULL;
	int r = 0;

	for (int i = 0; i < MAY_WAIT_MS / 5; i++) {
		r = ring_info(&p->info, &u);
		reason = r ? NULL : why_not(d, &u);
		if (!r && (!reason || may_drain(d, &u)))
			return look_at_flags(d, p);
		(void)sys(SYS_nanosleep, &pause, NULL); /* only a pause between two looks */
		r = fd_info_again(d, p);
		if (r)
			return r;
	}
	return reason ? fd_refuse(d, p, reason, u.sq_thread ? SQPOLL_REMEDY : WAIT_REMEDY)
		      : info_of(d, p, &u);
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	IoUring *m = msg;
	struct ring_info u;
	const char *reason;
	int r = info_of(d, p, &u);

	reason = r ? NULL : why_not(d, &u);
	if (r || reason)
		return r ?: fd_refuse(d, p, reason, u.sq_thread ? SQPOLL_REMEDY : WAIT_REMEDY);
	m->sq_entries = u.sq_entries;
	m->cq_entries = u.cq_entries;
	m->passed = u.cached_sq_head;
	r = uring_flags(d, p, URING_FEW_GROUPS, &m->flags) ?: find_maker(d, p, m);
	r = r ?: uring_memory(d, p, m);
	return r ?: uring_registered(d, p, m);
}

/* --- restore -------------------------------------------------------------------------------------
 */

static bool is_power(uint32_t n)
{
	return n && !(n & (n - 1)) && n < PLAN_ENTRIES;
}

static int check(const IoUring *m)
{
	size_t least = URING_CQES + (size_t)m->cq_entries * URING_CQE_BYTES;

	if (!is_power(m->sq_entries) || !is_power(m->cq_entries) ||
	    m->cq_entries < m->sq_entries || m->passed > MOST_PASSED || m->rings.len < least ||
	    m->rings.len > least + 4 * (size_t)m->sq_entries ||
	    m->sqes.len != (size_t)m->sq_entries * URING_SQE_BYTES)
		return fail(-EPROTO, "image 'io_uring': a ring with impossible sizes");
	for (size_t i = 0; i < m->n_file; i++)
		if (m->file[i] < -1)
			return fail(-EPROTO, "image 'io_uring': registered file %d", m->file[i]);
	return 0;
}

static bool is_thread_of(const struct task *t, pid_t tid)
{
	vec_foreach(thread, &t->thread)
		if ((*thread)->tid == tid && !(*thread)->dead)
			return true;
	return false;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const IoUring *m = o->msg;
	const struct task *maker = files_owner(r, o);
	int e = check(m);

	if (!e && !maker)
		e = fail(-EPROTO, "image 'io_uring': a ring that no task has");
	if (e)
		return e;
	if (m->has_maker && !is_thread_of(maker, m->maker))
		return fail(-EPROTO, "image 'io_uring': thread %d made no ring", m->maker);
	o->in_blob = maker->pid;
	o->in_thread = m->has_maker ? m->maker : 0;
	return 0;
}

/* Keeps the number. */
static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	int fd = (int)sys(SYS_eventfd2, 0, O_CLOEXEC);

	(void)o;
	(void)obj;
	return fd < 0 ? fail(fd, "make an eventfd") : fd;
}

static void copy(struct prog *p, struct prog_arg to, struct prog_arg from, size_t len)
{
	const struct prog_arg arg[6] = { to, from, prog_imm((int64_t)len) };

	(void)prog_append(p, VERB_COPY, 0, arg);
}

static struct prog_arg make(struct prog *p, const IoUring *m)
{
	struct io_uring_params params = { .flags = m->flags, .cq_entries = m->cq_entries };
	const uint32_t array = URING_CQES + m->cq_entries * URING_CQE_BYTES;
	struct prog_arg in = prog_in(p, &params, sizeof(params)), fd;

	prog_where(p, "make a ring of %" PRIu32 " requests", m->sq_entries);
	prog_call(p, SYS_io_uring_setup, m->sq_entries, in);
	fd = prog_keep(p);
	prog_where(p, "the layout of a ring is not what it was");
	prog_check(p, prog_word(prog_inside(in, offsetof(struct io_uring_params, cq_off.cqes))),
		   URING_CQES, EPROTO);
	if (!(m->flags & URING_NO_SQARRAY))
		prog_check(p,
			   prog_word(prog_inside(in,
						 offsetof(struct io_uring_params, sq_off.array))),
			   array, EPROTO);
	return fd;
}

static struct prog_arg map(struct prog *p, struct prog_arg fd, size_t len, uint64_t offset)
{
	prog_call(p, SYS_mmap, 0, (int64_t)len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		  fd, (int64_t)offset);
	return prog_keep(p);
}

/*
 * Fresh memory is zero: all requests are NOPs, whatever the array says. The kernel sees how many
 * there are at once, and takes as many as fit each time. Both sides' counters are written together:
 * the kernel goes by its own copies of what it counts itself.
 */
static void advance(struct prog *p, const IoUring *m, struct prog_arg fd, struct prog_arg rings)
{
	const uint32_t start[4] = { 0, m->passed, 0, 0 };
	struct prog_arg counters = prog_in(p, start, sizeof(start));
	struct prog_arg tail = prog_inside(counters, URING_CQ_TAIL), passed;
	uint32_t n = m->sq_entries, whole = m->passed / n, rest = m->passed % n;

	passed = prog_in(p, &m->passed, sizeof(m->passed));
	prog_where(p, "advance the counters of a ring to %" PRIu32, m->passed);
	copy(p, rings, counters, sizeof(start));
	if (whole) {
		prog_equals(prog_call(p, SYS_io_uring_enter, fd, n, 0, IORING_ENTER_GETEVENTS, 0,
				      0),
			    (int)n);
		copy(p, counters, rings, sizeof(start));
		copy(p, prog_inside(counters, URING_CQ_HEAD), tail, 4);
		copy(p, prog_inside(counters, URING_SQ_TAIL), passed, 4);
		copy(p, rings, counters, sizeof(start));
		prog_loop(p, 5, prog_word(tail), whole * n, whole);
	}
	if (rest)
		prog_equals(prog_call(p, SYS_io_uring_enter, fd, rest, 0, IORING_ENTER_GETEVENTS,
				      0, 0),
			    (int)rest);
	copy(p, counters, rings, sizeof(start));
	prog_check(p, prog_word(tail), m->passed, EIO);
}

static void register_all(struct prog *p, const IoUring *m, struct prog_arg fd)
{
	struct iovec *buffer = arena_array(p->arena, struct iovec, m->n_buffer + 1);

	for (size_t i = 0; i < m->n_buffer; i++)
		buffer[i] = (struct iovec){ (void *)(uintptr_t)m->buffer[i]->address,
					    m->buffer[i]->len };
	prog_where(p, "register buffers and files with a ring");
	if (m->n_buffer)
		prog_call(p, SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS,
			  prog_in(p, buffer, m->n_buffer * sizeof(*buffer)), m->n_buffer);
	if (m->n_file)
		prog_call(p, SYS_io_uring_register, fd, IORING_REGISTER_FILES,
			  prog_in(p, m->file, m->n_file * sizeof(*m->file)), m->n_file);
}

/* The program's own mappings come later: this one is for the content. */
static struct prog_arg again(struct prog *p, const struct fd_obj *obj)
{
	const IoUring *m = obj->msg;
	struct prog_arg fd = make(p, m), rings, sqes;

	rings = map(p, fd, m->rings.len, IORING_OFF_SQ_RING);
	advance(p, m, fd, rings);
	prog_where(p, "content of a ring");
	sqes = map(p, fd, m->sqes.len, IORING_OFF_SQES);
	copy(p, rings, prog_in(p, m->rings.data, m->rings.len), m->rings.len);
	copy(p, sqes, prog_in(p, m->sqes.data, m->sqes.len), m->sqes.len);
	prog_call(p, SYS_munmap, rings, (int64_t)m->rings.len);
	prog_call(p, SYS_munmap, sqes, (int64_t)m->sqes.len);
	register_all(p, m, fd);
	if (obj->ofd->flags & O_NONBLOCK)
		prog_call(p, SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
	return fd;
}

const struct fd_kind kind_io_uring = { .name = "io_uring",
				       .descriptor = &io_uring__descriptor,
				       .dump_last = true,
				       .match = match,
				       .dump = dump,
				       .look = look,
				       .plan = plan,
				       .open = open_fd,
				       .again = again };
