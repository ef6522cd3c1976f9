/*
 * A thread and the rings of io_uring that its process has. A ring made with SINGLE_ISSUER answers
 * its maker only, so each thread asks: who gets an answer is the maker, and the answer tells
 * whether an eventfd or a ring of buffers is registered, which has no way back.
 *
 * A thread may register rings with itself and enter them by a small index. Which indices are in
 * use shows in what io_uring_enter says to nothing; which ring is behind one is not told, so more
 * than one ring in such a process is refused. Asked only where the look before the freeze has met
 * rings. Requests in flight get a moment to complete. With --cancel-requests all that is in flight
 * is cancelled here, while no instruction of the program runs: it will find -ECANCELED.
 */
#include "ring_user.pb-c.h"

#include <errno.h>
#include <stddef.h>

#include "base/err.h"
#include "base/io.h"
#include "core/file/ring.h"
#include "core/kind.h"
#include "core/refuse.h"
#include "kernel/uring.h"

enum { MOST_RINGS = 8, MOST_INDICES = 16, FEW_GROUPS = 16 };
enum { REGISTER_SYNC_CANCEL = 24, CANCEL_ALL = 1, CANCEL_ANY = 4 }; /* 6.0 */
enum { ENTER_REGISTERED = 1 << 4, REGISTER_RING_FDS = 20 }; /* 5.18 */

struct answers {
	int64_t eventfd[MOST_RINGS];
	int64_t buffers[MOST_RINGS][FEW_GROUPS];
	int64_t index[MOST_INDICES];
};

static size_t rings_of(const struct dump *d, pid_t pid, struct ring *ret[MOST_RINGS])
{
	size_t n = 0;

	for (size_t i = 0; d->rings && i < d->rings->v.n; i++) {
		if (d->rings->v.v[i].pid != pid)
			continue;
		if (n < MOST_RINGS)
			ret[n] = &d->rings->v.v[i];
		n++;
	}
	return n;
}

static void ask_ring(struct prog *p, int fd, int64_t *eventfd, int64_t buffers[FEW_GROUPS])
{
	const int none = -1;

	prog_any(prog_call(p, SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD,
			   prog_in(p, &none, sizeof(none)), 1));
	prog_result(p, eventfd);
	for (uint32_t i = 0; i < FEW_GROUPS; i++) {
		const uint32_t status[10] = { i };

		prog_any(prog_call(p, SYS_io_uring_register, fd, URING_PBUF_STATUS,
				   prog_in(p, status, sizeof(status)), 1));
		prog_result(p, &buffers[i]);
	}
}

/*
 * Requests that complete by themselves get a moment for it: the kernel hands over completions when
 * the thread waits for them.
 */
static void drain(struct dump *d, struct prog *p, const struct thread *t, int fd)
{
	const struct io_uring_getevents_arg arg = { .sigmask_sz = 8 };
	const int64_t moment[2] = { 0, 50 * 1000 * 1000 };
	struct ring_info u;
	struct fdinfo info;
	struct span text;
	struct prog_arg in;
	const char *path = arena_printf(&d->arena, "fdinfo/%d", fd);

	if (io_slurp_at(&d->arena, t->task->proc_fd, path, &text) || fdinfo_parse(text, &info) ||
	    ring_info(&info, &u) || u.cached_sq_head == u.cached_cq_tail)
		return;
	in = prog_in(p, &arg, sizeof(arg));
	prog_point(p, in, offsetof(struct io_uring_getevents_arg, ts),
		   prog_in(p, moment, sizeof(moment)), 0);
	prog_any(prog_call(p, SYS_io_uring_enter, fd, 0, u.cached_sq_head - u.cq_head,
			   IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, in, sizeof(arg)));
}

/* What is cancelled completes on the thread's way out of the next call. */
static void cancel(struct prog *p, int fd)
{
	const struct {
		uint64_t addr;
		int32_t fd;
		uint32_t flags;
		int64_t timeout[2];
		uint64_t pad[4];
	} any = { .fd = -1, .flags = CANCEL_ALL | CANCEL_ANY, .timeout = { 1, 0 } };

	prog_any(prog_call(p, SYS_io_uring_register, fd, REGISTER_SYNC_CANCEL,
			   prog_in(p, &any, sizeof(any)), 1));
	for (int i = 0; i < 2; i++)
		prog_any(prog_call(p, SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_GETEVENTS, 0, 0));
}

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	struct answers *a = answers;
	struct ring *ring[MOST_RINGS];
	size_t n = rings_of(d, t->task->pid, ring);

	prog_where(p, "rings of io_uring");
	for (size_t i = 0; i < n && i < MOST_RINGS; i++) {
		drain(d, p, t, ring[i]->number);
		if (d->opt->cancel_requests)
			cancel(p, ring[i]->number);
		ask_ring(p, ring[i]->number, &a->eventfd[i], a->buffers[i]);
	}
	for (int i = 0; n && i < MOST_INDICES; i++) {
		prog_any(prog_call(p, SYS_io_uring_enter, i, 0, 0, ENTER_REGISTERED, 0, 0));
		prog_result(p, &a->index[i]);
	}
	return 0;
}

/* Before 6.8 nobody can ask for rings of buffers. */
static bool is_plain(const int64_t eventfd, const int64_t buffers[FEW_GROUPS])
{
	for (int i = 0; i < FEW_GROUPS; i++)
		if (buffers[i] != -ENOENT && buffers[i] != -EINVAL)
			return false;
	return eventfd == -EBADF;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct answers *a = answers;
	struct ring *ring[MOST_RINGS];
	size_t n = rings_of(d, t->task->pid, ring);
	RingUser *m = msg;

	m->ring = arena_array(&d->arena, RegisteredRing *, MOST_INDICES);
	for (size_t i = 0; i < n && i < MOST_RINGS; i++)
		if (a->eventfd[i] != -EEXIST) {
			ring[i]->maker = t->tid;
			ring[i]->is_plain = is_plain(a->eventfd[i], a->buffers[i]);
		}
	for (uint32_t i = 0; n && i < MOST_INDICES; i++) {
		RegisteredRing *one;

		if (a->index[i] == -EBADF || a->index[i] == -EINVAL)
			continue;
		if (n > 1)
			return refuse(&d->blockers, t->tid, "rings registered with the thread",
				      "which of several rings they are is not told",
				      "run the program without IORING_REGISTER_RING_FDS");
		one = m->ring[m->n_ring++] = arena_new(&d->arena, RegisteredRing);
		registered_ring__init(one);
		one->index = i;
		one->number = (uint32_t)ring[0]->number;
	}
	return m->n_ring ? 0 : KIND_NOTHING;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const RingUser *m = msg;

	(void)r;
	for (size_t i = 0; i < m->n_ring; i++)
		if (m->ring[i]->index >= MOST_INDICES || m->ring[i]->number > INT32_MAX)
			return fail(-EPROTO, "image 'ring_user': thread %d, index %u", t->tid,
				    m->ring[i]->index);
	return 0;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const RingUser *m = msg;

	for (size_t i = 0; at->stage == STAGE_CREDS && i < m->n_ring; i++) {
		const struct io_uring_rsrc_update u = { .offset = m->ring[i]->index,
							.data = m->ring[i]->number };

		prog_equals(prog_call(p, SYS_io_uring_register, m->ring[i]->number,
				      REGISTER_RING_FDS, prog_in(p, &u, sizeof(u)), 1),
			    1);
	}
	return 0;
}

const struct task_kind kind_ring_user = {
	.name = "ring_user", .descriptor = &ring_user__descriptor, .scope = SCOPE_THREAD,
	.optional = true, .answer_bytes = sizeof(struct answers), .ask = ask, .dump = dump,
	.plan = plan, .stage = stage,
};
