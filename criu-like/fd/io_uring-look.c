/*
 * What can be learned about a ring from outside. fdinfo tells counters, polls and what is
 * registered; nothing tells the flags it was made with, so calls that fail in different ways and
 * change nothing are made on a copy of the descriptor:
 * - io_uring_enter with an unreadable timeout fails, except under IOPOLL, where nothing reads it;
 * - waiting for nothing from another task fails under DEFER_TASKRUN;
 * - any io_uring_register from another task fails under SINGLE_ISSUER, and with EACCES if the ring
 *   is restricted;
 * - registering eventfd -1 fails with EBUSY if there is one already.
 * Entries of double size and rings without an array are told by the size of the shared memory, or,
 * where it fits one page either way, by its content. COOP_TASKRUN and SUBMIT_ALL change no result
 * that a program could rely on: the first is left out, the second always set.
 */
#include "io_uring-look.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file-space.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"
#include "kernel/uring.h"

enum { PAGE = 4096, MOST_ENTRIES = 65536 };

/* --- what is registered
 * -------------------------------------------------------------------------------------
 */

/* "    3: rest" behind the line of the key. */
static bool next_item(struct span *text, uint32_t n, uint32_t *ret_index, struct span *ret_rest)
{
	struct span save = *text, line, index;

	if (span_line(text, &line) && line.len && line.p[0] == ' ' &&
	    span_cut(&line, ':', &index) && !span_u32(span_trim(index), 10, ret_index) &&
	    *ret_index < n) {
		*ret_rest = span_trim(line);
		return true;
	}
	*text = save;
	return false;
}

static int registered_buffers(struct dump *d, struct fd_probe *p, IoUring *m)
{
	struct span text = p->info.text, rest, address;
	uint32_t n, i;

	if (!fdinfo_next(&text, "UserBufs", &rest))
		return 0;
	if (span_u32(rest, 10, &n) || n > MOST_ENTRIES)
		return -EINVAL;
	m->buffer = arena_array(&d->arena, IoUringBuffer *, n + 1);
	for (m->n_buffer = 0; m->n_buffer < n; m->n_buffer++) {
		m->buffer[m->n_buffer] = arena_new(&d->arena, IoUringBuffer);
		io_uring_buffer__init(m->buffer[m->n_buffer]);
	}
	while (next_item(&text, n, &i, &rest)) {
		if (rest.p[0] == '<')
			continue;
		if (!span_cut(&rest, '/', &address) || address.len < 3 ||
		    span_u64((struct span){ address.p + 2, address.len - 2 }, 16,
			     &m->buffer[i]->address) ||
		    span_u64(rest, 10, &m->buffer[i]->len))
			return -EINVAL;
	}
	return 0;
}

/* The number of the one file with this text; -1: none, -2: several. */
static int find_number(struct dump *d, struct fd_probe *p, struct span text)
{
	const struct fd_seen *found = NULL, *s;
	struct proc_list number;
	char name[32], link[4097];
	int at = -1;

	if (proc_list_at(&d->arena, p->task->proc_fd, "fd", &number))
		return -1;
	for (size_t i = 0; i < number.n; i++) {
		(void)snprintf(name, sizeof(name), "fd/%d", number.v[i]); /* always fits */
		s = files_at(d, p->task, (unsigned int)number.v[i]);
		if (!s || sys_readlink(p->task->proc_fd, name, link, sizeof(link)) < 0 ||
		    !span_eq(text, link))
			continue;
		if ((found && found != s) || s->kind->again)
			return -2;
		at = found ? at : number.v[i];
		found = s;
	}
	return at;
}

static int registered_files(struct dump *d, struct fd_probe *p, IoUring *m)
{
	struct span text = p->info.text, rest;
	uint32_t n, i;

	if (!fdinfo_next(&text, "UserFiles", &rest))
		return 0;
	if (span_u32(rest, 10, &n) || n > MOST_ENTRIES)
		return -EINVAL;
	m->file = arena_array(&d->arena, int32_t, n + 1);
	for (m->n_file = 0; m->n_file < n; m->n_file++)
		m->file[m->n_file] = -1;
	while (next_item(&text, n, &i, &rest)) {
		m->file[i] = find_number(d, p, rest);
		if (m->file[i] < 0)
			return fd_refuse(d, p,
					 arena_printf(&d->arena,
						      "its registered file %u (%.*s) is %s", i,
						      (int)rest.len, rest.p,
						      m->file[i] == -1
							      ? "no descriptor of the task"
							      : "not told apart from others"),
					 "let the program unregister it, or keep it open");
	}
	return 0;
}

int uring_registered(struct dump *d, struct fd_probe *p, IoUring *m)
{
	int r = registered_buffers(d, p, m) ?: registered_files(d, p, m);

	return r && r != -ENOTSUP
		       ? fail(r, "descriptor %d: what is registered with the ring", p->number)
		       : r;
}

/* --- flags --------------------------------------------------------------------------------------
 */

static long enter_nothing(int fd, unsigned int flags, const void *arg, size_t size)
{
	return sys(SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_GETEVENTS | flags, arg, size);
}

static bool has_buffer_ring(int fd, uint32_t groups)
{
	struct {
		uint32_t group, head, reserved[8];
	} status = { 0 };

	for (; status.group < groups; status.group++) {
		int r = sys_uring_register(fd, URING_PBUF_STATUS, &status, 1);

		if (r == -EINVAL && !status.group)
			return false; /* before 6.8 nobody can ask, but see docs/limits.md */
		if (r != -ENOENT)
			return true;
	}
	return false;
}

static int check_registered(struct dump *d, struct fd_probe *p, uint32_t groups, uint32_t *flags)
{
	int none = -1, r = sys_uring_register(p->fd, IORING_REGISTER_EVENTFD, &none, 1);

	switch (r) {
	case -EBADF:
		return !has_buffer_ring(p->fd, groups)
			       ? 0
			       : fd_refuse(d, p, "it has a ring of buffers registered",
					   "let the program unregister it before the dump");
	case -EBUSY:
		return fd_refuse(d, p, "it has an eventfd registered, and which is not told",
				 "let the program unregister it before the dump");
	case -EEXIST: *flags |= URING_SINGLE_ISSUER; return 0;
	case -EACCES:
		return fd_refuse(d, p, "it is restricted, and to what is not told",
				 "run the program without restrictions of the ring");
	default: return fail(r, "descriptor %d: ask about the ring", p->number);
	}
}

int uring_flags(struct dump *d, struct fd_probe *p, uint32_t groups, uint32_t *ret_flags)
{
	static const struct io_uring_getevents_arg unreadable = { .sigmask_sz = 8, .ts = 8 };
	uint32_t flags = IORING_SETUP_CQSIZE | URING_SUBMIT_ALL;
	long r = enter_nothing(p->fd, IORING_ENTER_EXT_ARG, &unreadable, sizeof(unreadable));
	int e;

	if (r == -EBADFD)
		return fd_refuse(d, p, "it is not enabled yet", "dump when it is in use");
	if (r != -EFAULT)
		return fd_refuse(d, p, "it polls devices (IORING_SETUP_IOPOLL)",
				 "run the program without it");
	r = enter_nothing(p->fd, 0, NULL, 0);
	if (r && r != -EEXIST)
		return fail(r, "descriptor %d: ask about the ring", p->number);
	if (r)
		flags |= URING_SINGLE_ISSUER | URING_DEFER_TASKRUN | URING_TASKRUN_FLAG;
	e = check_registered(d, p, groups, &flags);
	if (!e)
		*ret_flags = flags;
	return e;
}

/* --- memory -------------------------------------------------------------------------------------
 */

static size_t pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Whether the memory is so long: the call fails, or (6.14+) there is nothing in the last page. */
static bool can_map(int fd, uint64_t offset, size_t len)
{
	_unmap_ struct mapping map = { NULL, pages(len) };
	long at = sys(SYS_mmap, 0, map.len, PROT_READ, MAP_SHARED, fd, offset);

	if (at < 0)
		return false;
	map.p = (void *)at;
	return sys(SYS_madvise, at + (long)map.len - PAGE, PAGE, MADV_POPULATE_READ) != -EFAULT;
}

static int copy(struct dump *d, int fd, uint64_t offset, size_t len, ProtobufCBinaryData *ret)
{
	_unmap_ struct mapping map = { NULL, pages(len) };
	long at = sys(SYS_mmap, 0, map.len, PROT_READ, MAP_SHARED, fd, offset);

	if (at < 0)
		return (int)at;
	map.p = (void *)at;
	*ret = (ProtobufCBinaryData){ len, arena_memdup(&d->arena, map.p, len) };
	return 0;
}

static bool is_array(const uint8_t *at, uint32_t n, bool *ret_zero)
{
	bool zero = true;
	uint32_t v;

	for (uint32_t i = 0; i < n; i++) {
		memcpy(&v, at + 4 * (size_t)i, 4);
		zero &= !v;
		if (v >= n)
			return false;
	}
	*ret_zero = zero;
	return true;
}

static bool is_zero(const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i])
			return false;
	return true;
}

static int refuse_layout(struct dump *d, struct fd_probe *p, const char *reason)
{
	return fd_refuse(d, p, reason, "run the program with plain rings");
}

/* With an array of indices behind the completions, or without. */
static int find_array(struct dump *d, struct fd_probe *p, IoUring *m, size_t with)
{
	size_t array = URING_CQES + (size_t)m->cq_entries * URING_CQE_BYTES;
	bool zero = false;

	if (!can_map(p->fd, IORING_OFF_SQ_RING, with)) {
		m->flags |= URING_NO_SQARRAY;
		return 0;
	}
	if (pages(with) > pages(array) || m->sq_entries == 1)
		return 0;
	if (!is_array(m->rings.data + array, m->sq_entries, &zero))
		return refuse_layout(d, p, "its completions have 32 bytes");
	/* Without an array the second request lay in the second place. */
	if (zero && (m->passed < 2 || is_zero(m->sqes.data + URING_SQE_BYTES, URING_SQE_BYTES)))
		return refuse_layout(d, p, "it was hardly used, and nothing tells its layout");
	m->flags |= zero ? URING_NO_SQARRAY : 0;
	return 0;
}

int uring_memory(struct dump *d, struct fd_probe *p, IoUring *m)
{
	size_t without = URING_CQES + (size_t)m->cq_entries * URING_CQE_BYTES;
	size_t with = without + 4 * (size_t)m->sq_entries;
	size_t sqes = (size_t)m->sq_entries * URING_SQE_BYTES;
	bool has_array = can_map(p->fd, IORING_OFF_SQ_RING, with);
	ProtobufCBinaryData all;
	int r;

	if (!can_map(p->fd, IORING_OFF_SQ_RING, without))
		return refuse_layout(d, p, "its memory was given by the program");
	if (can_map(p->fd, IORING_OFF_SQ_RING, pages(with) + PAGE))
		return refuse_layout(d, p, "its completions have 32 bytes");
	if (can_map(p->fd, IORING_OFF_SQES, pages(sqes) + PAGE))
		return refuse_layout(d, p, "its requests have 128 bytes");
	r = copy(d, p->fd, IORING_OFF_SQ_RING, has_array ? with : without, &m->rings);
	r = r ?: copy(d, p->fd, IORING_OFF_SQES, pages(sqes), &all);
	if (r)
		return fail(r, "descriptor %d: read the memory of the ring", p->number);
	if (!is_zero(all.data + sqes, all.len - sqes))
		return refuse_layout(d, p, "its requests have 128 bytes");
	m->sqes = (ProtobufCBinaryData){ sqes, all.data };
	return find_array(d, p, m, with);
}
