/*
 * Contexts of asynchronous I/O, by the mapping of their ring ("/[aio] (deleted)"). A context is
 * known to its program by the address of the ring; the ring tells its size, and where events are
 * written (tail) and read (head, which the program or io_getevents moves).
 *
 * Put back in the blob: io_setup() with half as many requests as there are slots makes a ring of
 * the same size somewhere, mremap() moves it and renames the context. The kernel counts its own
 * tail, so as many empty reads of /dev/null are submitted as bring it to its place: first up to the
 * head, which follows, then the unread ones, whose events are written over. The size also depends
 * on the number of processors: with many more, small rings become larger and are refused.
 *
 * The events are complete; requests in flight are not visible anywhere. The dump looks at a ring
 * before and after it saved it; what completes later would be lost, so a program should have
 * nothing in flight when it is dumped (docs/limits.md). A ring that a child inherited is none to
 * the kernel.
 */
#include "aio.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/io.h"
#include "core/memory/memory-kind.h"
#include "kernel/descriptor.h"

extern const struct mem_kind kind_aio;

enum { MAGIC = 0xa10a10a1, EVENT_BYTES = 32, HEAD_AT = 8, TAIL_AT = 12 };

struct ring {
	uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
};

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return p->text->vma.shared && !p->text->vma.major &&
	       span_starts(p->text->vma.path, "/[aio]");
}

/* --- dump --------------------------------------------------------------------------------------
 */
static int peek(const struct vma_probe *p, uint64_t at, void *to, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)at, len };
	long n = sys(SYS_process_vm_readv, p->task->pid, &local, 1, &remote, 1, 0);

	return n == (long)len ? 0 : n < 0 ? (int)n : -EFAULT;
}

static int refuse_ring(struct dump *d, const struct vma_probe *p, const char *reason)
{
	return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text), reason,
		      "end it before the dump (io_destroy)");
}

static bool is_whole(const struct ring *r, uint64_t len)
{
	return r->magic == MAGIC && r->header_length == sizeof(*r) && !r->incompat &&
	       r->nr == (len - sizeof(*r)) / EVENT_BYTES && r->head < r->nr && r->tail < r->nr;
}

static int read_events(struct dump *d, const struct vma_probe *p, const struct ring *r, Aio *m)
{
	uint64_t events = p->text->vma.start + sizeof(*r);
	uint32_t n = (r->tail + r->nr - r->head) % r->nr;
	uint32_t first = n < r->nr - r->head ? n : r->nr - r->head;
	int e;

	m->events.len = (size_t)n * EVENT_BYTES;
	m->events.data = arena_alloc(&d->arena, m->events.len + 1);
	e = first ? peek(p, events + (uint64_t)r->head * EVENT_BYTES, m->events.data,
			 (size_t)first * EVENT_BYTES) : 0;
	if (!e && n > first)
		e = peek(p, events, m->events.data + (size_t)first * EVENT_BYTES,
			 (size_t)(n - first) * EVENT_BYTES);
	return e;
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	struct ring r, after;
	Aio m = AIO__INIT;
	bool is_new;
	int e = peek(p, v->start, &r, sizeof(r));

	if (!e && !is_whole(&r, v->end - v->start))
		return refuse_ring(d, p, "it is not a whole ring of asynchronous I/O");
	v->object = memory_object_id(d, &kind_aio, p->text->vma.ino, p->text->vma.minor, &is_new);
	if (!is_new)
		return refuse_ring(d, p, "a child has inherited the ring of its parent");
	e = e ?: read_events(d, p, &r, &m) ?: peek(p, v->start, &after, sizeof(after));
	if (e)
		return fail(e, "read %s of task %d", vma_title(&d->arena, p->text), p->task->pid);
	if (after.tail != r.tail)
		return refuse_ring(d, p, "requests are in flight");
	m.nr = r.nr;
	m.head = r.head;
	m.tail = r.tail;
	v->offset = 0;
	return memory_append_object(d, &kind_aio, v->object, &m.base);
}

/* --- restore -----------------------------------------------------------------------------------
 */

/* "0-1": so many processors there may ever be. */
static uint32_t processors(struct restore *r)
{
	struct span text;
	const char *last;

	if (io_slurp_at(&r->arena, AT_FDCWD, "/sys/devices/system/cpu/possible", &text))
		return 1;
	last = memrchr(text.p, '-', text.len);
	return last ? (uint32_t)strtoul(last + 1, NULL, 10) + 1 : 1;
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const Aio *m = o->msg;
	uint32_t unread = m->nr ? (m->tail + m->nr - m->head) % m->nr : 0;

	if (m->nr < 3 || m->nr > 1u << 26 || m->head >= m->nr || m->tail >= m->nr ||
	    m->events.len != (size_t)unread * EVENT_BYTES)
		return fail(-EPROTO, "ring %" PRIu32 " of asynchronous I/O is wrong", o->id);
	if (processors(r) * 8 + 2 > m->nr)
		return refuse(&r->blockers, t->pid, "a ring of asynchronous I/O",
			      "with the processors of this machine it would be larger",
			      "restore where there are fewer processors");
	return 0;
}

static int open_null(struct restore *r, const struct mem_object *o)
{
	int fd = sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);

	(void)r;
	(void)o;
	return fd < 0 ? fail(fd, "open /dev/null") : fd;
}

/*
 * Requests that end at once, until the kernel's next slot is this one. `reap`: their events count
 * as read; the kernel keeps free slots per processor, so the ring may seem full before it is.
 */
static void advance(struct prog *p, const struct vma *v, struct prog_arg request, uint32_t to,
		    bool reap)
{
	struct prog_arg tail = prog_room(p, 8);

	prog_equals(prog_call(p, SYS_io_submit, (int64_t)v->start, 1, request), 1);
	prog_copy(p, tail, prog_imm((int64_t)v->start + TAIL_AT), 4);
	prog_copy(p, prog_imm((int64_t)v->start + HEAD_AT),
		  prog_imm((int64_t)v->start + (reap ? TAIL_AT : HEAD_AT)), 4);
	prog_loop(p, 3, prog_word(tail), to, 1u << 26);
}

static void write_events(struct prog *p, const struct vma *v, const Aio *m)
{
	size_t first = (size_t)(m->nr - m->head) * EVENT_BYTES;
	int64_t events = (int64_t)v->start + (int64_t)sizeof(struct ring);

	first = m->events.len < first ? m->events.len : first;
	prog_copy(p, prog_imm(events + (int64_t)m->head * EVENT_BYTES),
		  prog_in(p, m->events.data, first), first);
	if (m->events.len > first)
		prog_copy(p, prog_imm(events),
			  prog_in(p, m->events.data + first, m->events.len - first),
			  m->events.len - first);
}

static void make(struct prog *p, const struct mem_object *o, const struct vma *v, int fd)
{
	const Aio *m = o->msg;
	const struct iocb iocb = { .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD };
	const uint64_t zero = 0;
	struct prog_arg context = prog_in(p, &zero, 8), list = prog_in(p, &zero, 8);
	struct prog_arg nr = prog_room(p, 8), at;
	int64_t len = (int64_t)(v->end - v->start);

	prog_where(p, "asynchronous I/O with %" PRIu32 " slots at %" PRIx64, m->nr, v->start);
	prog_point(p, list, 0, prog_in(p, &iocb, sizeof(iocb)), 0);
	prog_call(p, SYS_io_setup, (m->nr - 2) / 2, context);
	at = prog_load(p, context);
	prog_call(p, SYS_mremap, at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (int64_t)v->start);
	prog_copy(p, nr, prog_imm((int64_t)v->start + 4), 4);
	prog_check(p, prog_word(nr), m->nr, ENOTSUP);
	if (m->head)
		advance(p, v, list, m->head, true);
	prog_copy(p, prog_imm((int64_t)v->start + HEAD_AT), prog_in(p, &m->head, 4), 4);
	if (m->tail != m->head) {
		advance(p, v, list, m->tail, false);
		write_events(p, v, m);
	}
	if (v->prot != (PROT_READ | PROT_WRITE))
		prog_call(p, SYS_mprotect, (int64_t)v->start, len, v->prot);
}

const struct mem_kind kind_aio = {
	.name = "aio", .number = VMA__KIND__AIO, .descriptor = &aio__descriptor, .match = match,
	.dump = dump, .plan = plan, .open = open_null, .make = make,
};
