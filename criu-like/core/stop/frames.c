/*
 * Where the crash frames lie. Below a thread's stack pointer may be anything (a coroutine's stack
 * is a piece of somebody's heap), but the bottom of the process' initial stack is only reached by
 * deep recursion: pages there that were never touched (pagemap) are taken, or pages of zeroes far
 * below every stack pointer, which is what is left behind when frames are zeroed after use. After
 * deep recursion there are none: then what it left behind is saved and put back, and a stack in use
 * down to its lowest pages grows.
 * process_vm_writev, not /proc/PID/mem: the latter would silently grow a stack.
 *
 * A single write within one page is atomic with respect to our own death: the copy is not
 * interrupted, and no target runs meanwhile. The hand-over of the blob rests on that.
 */
#include "core/stop/frames.h"

#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/stop/regs.h"
#include "core/stop/restart.h"
#include "kernel/sys.h"

enum {
	PAGE = 4096,
	CHAIN_BYTES = FRAME_CHAIN_BYTES,
	SLOT_BYTES = CHAIN_BYTES + FRAME_CONTEXT_BYTES,
	MARGIN_BYTES = 32 * 1024, /* below the deepest stack pointer */
	FAR_BYTES = 64 * 1024,	  /* the same for pages that hold something */
	PAGES_LOOKED_AT = 512,
	XSTATE_MAX = 16384,
};
_Static_assert(FRAME_SLOTS *SLOT_BYTES <= FRAME_HEAD_BYTES,
	       "both contexts before the vector registers");
static const uint64_t page_in_use = 3ULL << 62; /* present or swapped */

static uint32_t align_fp(uint32_t n)
{
	return (n + FRAME_FP_ALIGN - 1) & ~(uint32_t)(FRAME_FP_ALIGN - 1);
}

static uint32_t xstate_room(const struct victim_thread *v)
{
	return align_fp(v->thread->regs.xstate_len + 64);
}

static size_t pages(uint32_t len)
{
	return (len + PAGE - 1) / PAGE;
}

/* How far up frames may go: well below every stack pointer in [stack]. */
static uint64_t limit(struct dump *d, const struct victim_mm *mm, uint64_t margin)
{
	uint64_t top = mm->stack + mm->stack_len;

	for (struct victim_thread *v = d->victims->in_mm[mm->task->index]; v; v = v->next_in_mm) {
		uint64_t sp = regs_sp(&v->live);

		if (sp >= mm->stack && sp < top)
			top = sp;
	}
	return top < mm->stack + margin ? mm->stack : top - margin;
}

static bool zero_page(const struct victim_mm *mm, uint64_t address)
{
	static const char zero[PAGE];
	char page[PAGE];

	return io_pread(mm->mem_fd, page, PAGE, address) == 0 && !memcmp(page, zero, PAGE);
}

/*
 * The first page of what a dump left behind whose tool died: it begins with the first thread's
 * chain, and its context tells how long all of it is. 0: it is none.
 */
static uint64_t orphan_len(const struct victim_mm *mm, uint64_t address)
{
	struct {
		uint64_t unmap, restore, flags, len;
	} head;

	if (io_pread(mm->mem_fd, &head, sizeof(head), address) < 0 ||
	    head.restore != mm->gadgets.restore ||
	    (head.unmap != mm->gadgets.unmap && head.unmap != mm->gadgets.ret))
		return 0;
	return head.len;
}

/* Backwards: as long as something is left, the head is. */
static int clear(const struct victim_mm *mm, uint64_t address, uint64_t len)
{
	static const char zero[PAGE];
	int r = 0;

	while (len && !r) {
		uint64_t n = len % PAGE ? len % PAGE : PAGE;

		len -= n;
		r = io_pwrite(mm->mem_fd, zero, n, address + len);
	}
	return r;
}

/* A thread whose stack pointer is in there needs them still, wherever its code is. */
static bool is_needed(const struct dump *d, const struct victim_mm *mm, uint64_t at, uint64_t len)
{
	for (struct victim_thread *v = d->victims->in_mm[mm->task->index]; v; v = v->next_in_mm)
		if (v->thread && !v->thread->dead && regs_sp(&v->live) - at < len)
			return true;
	return false;
}

/* Nobody is on its way home any more: what is left of such frames goes. */
static int remove_orphans(struct dump *d, const struct victim_mm *mm, const uint64_t *entry,
			  size_t n_entry)
{
	int r = 0;

	for (size_t i = 0; i < n_entry && !r; i++) {
		uint64_t at = mm->stack + i * PAGE,
			 len = entry[i] & page_in_use ? orphan_len(mm, at) : 0;

		if (len && is_needed(d, mm, at, len))
			return refuse(
				&d->blockers, mm->task->pid, "process",
				"a dump of it was killed, and it has not recovered from that "
				"yet",
				"try again; if it is stopped, continue it for a moment (SIGCONT)");
		if (len <= (n_entry - i) * PAGE)
			r = clear(mm, at, len);
	}
	return r;
}

/* The lowest n pages in a row that nobody uses; 0: none. */
static uint64_t unused(const struct victim_mm *mm, const uint64_t *entry, size_t n_entry, size_t n)
{
	size_t row = 0;

	for (size_t i = 0; i < n_entry; i++) {
		uint64_t at = mm->stack + i * PAGE;

		row = !(entry[i] & page_in_use) || zero_page(mm, at) ? row + 1 : 0;
		if (row == n)
			return at - (n - 1) * PAGE;
	}
	return 0;
}

/* The lowest pages that are taken into account: as many of them as are wanted, or half of that...
 */
static int look_for_unused(struct dump *d, struct victim_mm *mm, uint32_t least, uint32_t most)
{
	uint64_t entry[PAGES_LOOKED_AT], top = limit(d, mm, MARGIN_BYTES);
	size_t n = (top - mm->stack) / PAGE;
	_close_ int fd = (int)sys(SYS_openat, mm->task->proc_fd, "pagemap",
				  02000000 /* O_CLOEXEC */, 0);
	int r = fd < 0 ? fd : 0;

	n = n < PAGES_LOOKED_AT ? n : PAGES_LOOKED_AT;
	r = r ? r : io_pread(fd, entry, n * sizeof(*entry), mm->stack / PAGE * sizeof(*entry));
	if (r < 0)
		return fail(r, "task %d: pagemap of its stack", mm->task->pid);
	r = remove_orphans(d, mm, entry, n);
	if (r < 0)
		return r == -ENOTSUP ? r
				     : fail(r, "task %d: remove what a killed dump has left",
					    mm->task->pid);
	for (uint32_t len = most; !mm->frames; len /= 2) {
		mm->frames_len = len > least ? len : least;
		mm->frames = unused(mm, entry, n, pages(mm->frames_len));
		if (len <= least)
			break;
	}
	return 0;
}

/* What deep calls have left behind, far below every stack pointer: nobody reads it, and it is put
 * back. */
static void take_left_behind(struct dump *d, struct victim_mm *mm)
{
	char *under = arena_alloc(&d->arena, mm->frames_len);

	if (limit(d, mm, FAR_BYTES) < mm->stack + mm->frames_len ||
	    io_pread(mm->mem_fd, under, mm->frames_len, mm->stack) < 0)
		return;
	mm->under = under;
	mm->frames = mm->stack;
}

/* All of the stack is in use: it grows, as it would in the next call. A limit may forbid that. */
static void grow(struct victim_mm *mm, size_t n_frame)
{
	static const char zero[PAGE];

	for (size_t i = 1; i <= n_frame; i++)
		if (io_pwrite(mm->mem_fd, zero, PAGE, mm->stack - i * PAGE) < 0)
			return;
	mm->frames = mm->stack - n_frame * PAGE;
}

int frames_choose(struct dump *d, struct victim_mm *mm, uint32_t least, uint32_t most)
{
	int r = 0;

	if (mm->frames && mm->frames_len >= least)
		return 0;
	r = frames_clear(mm);
	if (r < 0)
		return fail(r, "task %d: clear its way home", mm->task->pid);
	mm->frames_len = least;
	mm->under = NULL;
	if (mm->stack_len)
		r = look_for_unused(d, mm, least, most);
	if (!r && mm->stack_len && !mm->frames)
		take_left_behind(d, mm);
	if (!r && mm->stack_len && !mm->frames)
		grow(mm, pages(mm->frames_len));
	return r;
}

/* In the first of all frames, in a field that sigreturn does not read. */
static void note_len(const struct victim_mm *mm, uint64_t at, char *frame)
{
	uint64_t len = mm->frames_len;

	if (at == mm->frames)
		memcpy(frame + CHAIN_BYTES + FRAME_LINK_AT, &len, sizeof(len));
}

int frames_for_blob(struct dump *d, struct victim_mm *mm)
{
	uint32_t len = FRAME_HEAD_BYTES + FRAME_SLOTS * xstate_room(task_main(mm->task)->victim);

	int r = frames_choose(d, mm, len, len);

	if (r < 0 || mm->frames)
		return r;
	return refuse(&d->blockers, mm->task->pid, "stack",
		      "it has no room to keep the way home in and cannot grow",
		      "raise its limit on stack size");
}

uint32_t frames_len_one(const struct victim_thread *v)
{
	const struct regs *own = &v->thread->regs;

	return align_fp(SLOT_BYTES) + frame_fp_len(own->xstate, own->xstate_len);
}

void frames_build(const struct victim_mm *mm, const struct victim_thread *v, uint64_t at, char *ret)
{
	const uint64_t chain[2] = { mm->gadgets.ret, mm->gadgets.restore };
	const struct regs *own = &v->thread->regs;
	struct user_regs_struct home;
	int64_t sleep;

	home = restart_rewound(v, &sleep);
	memcpy(ret, chain, CHAIN_BYTES);
	frame_context(&home, own->sigmask, at + align_fp(SLOT_BYTES), ret + CHAIN_BYTES);
	note_len(mm, at, ret);
	(void)frame_fp(own->xstate, own->xstate_len, ret + align_fp(SLOT_BYTES));
}

uint64_t frames_chain(const struct victim_mm *mm, const struct victim_thread *v)
{
	return mm->frames + v->slot * SLOT_BYTES;
}

static void set_first(struct victim_mm *mm, const struct victim_thread *v, bool keeper)
{
	uint64_t word = keeper ? mm->gadgets.unmap : mm->gadgets.ret;

	memcpy(mm->frame + v->slot * SLOT_BYTES, &word, sizeof(word));
}

int frames_write(struct victim_mm *mm, struct victim_thread *v, bool keeper)
{
	char vector[XSTATE_MAX + 64];
	const struct regs *own = &v->thread->regs;
	struct trace_piece piece[2];
	struct user_regs_struct home;
	int64_t sleep;
	uint64_t fp;
	int r;

	v->slot = mm->slot[0] ? 1 : 0;
	bug_on(mm->slot[v->slot], "a third thread is on its way home");
	fp = mm->frames + FRAME_HEAD_BYTES + v->slot * xstate_room(v);
	home = restart_rewound(v, &sleep);
	set_first(mm, v, keeper);
	memcpy(mm->frame + v->slot * SLOT_BYTES + 8, &mm->gadgets.restore, 8);
	frame_context(&home, own->sigmask, fp, mm->frame + v->slot * SLOT_BYTES + CHAIN_BYTES);
	note_len(mm, frames_chain(mm, v), mm->frame + v->slot * SLOT_BYTES);
	piece[0] = (struct trace_piece){ frames_chain(mm, v), mm->frame + v->slot * SLOT_BYTES,
					 SLOT_BYTES };
	piece[1] =
		(struct trace_piece){ fp, vector, frame_fp(own->xstate, own->xstate_len, vector) };
	r = trace_write2(v->tid, piece);
	if (r < 0)
		return fail(r, "task %d: write the way home of thread %d", v->task->pid, v->tid);
	mm->slot[v->slot] = v;
	return 0;
}

int frames_hand_over(struct victim_mm *mm, const struct victim_thread *from,
		     const struct victim_thread *to)
{
	int r;

	if (from)
		set_first(mm, from, false);
	set_first(mm, to, true);
	r = trace_write(to->tid, mm->frames, mm->frame, FRAME_SLOTS * SLOT_BYTES);
	if (r < 0) {
		if (from)
			set_first(mm, from, true);
		set_first(mm, to, false);
		return fail(r, "hand the way home on to thread %d", to->tid);
	}
	return r;
}

int frames_clear(struct victim_mm *mm)
{
	int r = 0;

	if (mm->frames && mm->under)
		r = io_pwrite(mm->mem_fd, mm->under, mm->frames_len, mm->frames);
	else if (mm->frames)
		r = clear(mm, mm->frames, mm->frames_len);
	if (!r)
		mm->frames = 0;
	return r;
}
