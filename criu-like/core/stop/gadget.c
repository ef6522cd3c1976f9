/*
 * The few instructions that bring a thread home when the tool dies: they must lie outside the blob
 * (which unmaps itself) and exist in every program. So they are written into the zero tail of the
 * last vdso page through /proc/PID/mem, which gives the task a private copy of that page: no
 * mapping of the program, no libc assumed, and taken out again at the end. A tail that holds
 * exactly our bytes is one that a dying tool left behind. Without a vdso, or when its last page is
 * full, the same instructions are searched in the program's own code.
 */
#include "core/stop/gadget.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/pagemap.h"
#include "kernel/proc-maps.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"

extern const char blob_start[];

enum { CHUNK = 128 * 1024, OVERLAP = 32, PAGE = 4096 };
static const uint64_t lowest = 0x100000, highest = 0x7fffffff0000, distance = 0x10000;

static void note_hole(struct victim_mm *mm, uint64_t from, uint64_t to)
{
	from = from < lowest ? lowest : from;
	to = to > highest ? highest : to;
	if (to < from + 2 * distance || to - from - 2 * distance <= mm->hole_len)
		return;
	mm->hole_end = to - distance;
	mm->hole_len = to - from - 2 * distance;
}

/* The blob of a dump whose tool died, while a thread is in it. */
static bool is_blob(const struct victim_mm *mm, const struct vma_text *v)
{
	char start[64];

	return !io_pread(mm->mem_fd, start, sizeof(start), v->start) &&
	       !memcmp(start, blob_start, sizeof(start));
}

static void note_mapping(struct victim_mm *mm, const struct vma_text *v)
{
	if (span_eq(v->path, "[vdso]")) {
		mm->vdso = v->start;
		mm->vdso_end = v->end;
	}
	if (v->prot == 7 && !v->path.len && is_blob(mm, v)) {
		mm->orphan_blob = v->start;
		mm->orphan_blob_len = v->end - v->start;
	}
	if (span_eq(v->path, "[stack]")) {
		mm->stack = v->start;
		mm->stack_len = v->end - v->start;
	}
}

/* The hole just below the lowest library, in reach of page tables that exist, is usually the
 * largest. */
static int read_maps(struct dump *d, struct victim_mm *mm)
{
	struct span text;
	struct vma_text v;
	uint64_t end = 0;
	int r = io_slurp_at(&d->arena, mm->task->proc_fd, "maps", &text);

	if (r < 0)
		return fail(r, "task %d: maps", mm->task->pid);
	while ((r = maps_next(&text, &v)) > 0) {
		note_hole(mm, end, v.start);
		note_mapping(mm, &v);
		end = v.end;
	}
	note_hole(mm, end, highest);
	return r < 0 ? fail(r, "task %d: maps are not understood", mm->task->pid) : 0;
}

/*
 * The same without a hole, by single questions: where the vdso of the address space before was, and
 * where stat says that the stack begins. False: maps has to be read.
 */
static bool ask_maps(struct victim_mm *mm, uint64_t vdso, uint64_t start_stack)
{
	_close_ int fd = vdso && start_stack ? (int)sys(SYS_openat, mm->task->proc_fd, "maps",
							O_RDONLY | O_CLOEXEC, 0)
					     : -1;
	char name[PROCMAP_NAME_BYTES];
	struct vma_text v = { 0 };
	int r;

	if (fd < 0 || procmap_at(fd, vdso, name, &v) || !span_eq(v.path, "[vdso]"))
		return false;
	note_mapping(mm, &v);
	if (procmap_at(fd, start_stack, name, &v) || !span_eq(v.path, "[stack]"))
		return false;
	note_mapping(mm, &v);
	for (v.end = 0; !(r = procmap_next_rwx(fd, v.end, name, &v));)
		note_mapping(mm, &v);
	return r == -ENOENT;
}

int gadget_survey(struct dump *d, struct victim_mm *mm, bool hole)
{
	const struct proc_stat *s = mm->task->stat;
	int r = 0;

	mm->vdso = mm->stack_len = mm->vdso_end = mm->hole_len = mm->orphan_blob_len = 0;
	if (!hole && ask_maps(mm, d->victims->vdso, s ? s->start_stack : 0))
		return 0;
	mm->vdso = mm->stack_len = mm->vdso_end = mm->orphan_blob_len = 0;
	r = read_maps(d, mm);
	if (!r)
		d->victims->vdso = mm->vdso;
	return r;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static bool page_present(struct victim_mm *mm, uint64_t address)
{
	_close_ int fd =
		(int)sys(SYS_openat, mm->task->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC, 0);
	uint64_t entry;

	return fd < 0 || io_pread(fd, &entry, sizeof(entry), address / PAGE * sizeof(entry)) < 0 ||
	       entry & (PAGEMAP_PRESENT | PAGEMAP_SWAP);
}

/*
 * Of several pages the last one is often untouched. Then it is as in every process that has the
 * same first page (an ELF header and the build id), and looking at it would make it present: a page
 * that is, has to be taken away from other cpus when it is written to, which costs an interrupt
 * there.
 */
static bool known_to_be_empty(struct victim_tree *vt, struct victim_mm *mm, uint64_t tail)
{
	uint64_t len = mm->vdso_end - mm->vdso;
	char first[PAGE];

	if (len < 2 * PAGE || !vt->vdso_len || len != vt->vdso_len || page_present(mm, tail))
		return false;
	return !io_pread(mm->mem_fd, first, sizeof(first), mm->vdso) &&
	       !memcmp(first, vt->vdso_first, sizeof(first));
}

/* The tail of this one was empty, so it is in all that are equal. */
static void remember_empty(struct victim_tree *vt, const struct victim_mm *mm)
{
	uint64_t len = mm->vdso_end - mm->vdso;

	if (!vt->vdso_len && len >= 2 * PAGE &&
	    !io_pread(mm->mem_fd, vt->vdso_first, sizeof(vt->vdso_first), mm->vdso))
		vt->vdso_len = len;
}

/* 1: our bytes are in the tail; 0: it is in use. */
static int use_tail(struct victim_tree *vt, struct victim_mm *mm)
{
	uint64_t tail = mm->vdso_end - GADGET_TAIL_BYTES;
	uint8_t found[GADGET_TAIL_BYTES] = { 0 };
	bool empty = known_to_be_empty(vt, mm, tail);
	int r = empty ? 0 : io_pread(mm->mem_fd, found, sizeof(found), tail);

	if (r < 0)
		return r;
	if (memcmp(found, gadget_tail, sizeof(found))) {
		if (!all_zero(found, sizeof(found)))
			return 0;
		r = io_pwrite(mm->mem_fd, gadget_tail, sizeof(found), tail);
		if (r < 0)
			return r;
		if (!empty)
			remember_empty(vt, mm);
	}
	mm->gadgets = (struct gadgets){ .call = tail + GADGET_CALL_AT,
					.ret = tail + GADGET_RET_AT,
					.unmap = tail + GADGET_UNMAP_AT,
					.restore = tail + GADGET_RESTORE_AT,
					.list = tail + GADGET_LIST_AT,
					.tail = tail };
	return 1;
}

static bool search_mapping(struct dump *d, struct victim_mm *mm, const struct vma_text *v,
			   struct gadgets *g)
{
	uint8_t *code = arena_alloc(&d->arena, CHUNK);

	for (uint64_t at = v->start; at < v->end; at += CHUNK - OVERLAP) {
		size_t n = v->end - at < CHUNK ? v->end - at : CHUNK;

		if (io_pread(mm->mem_fd, code, n, at) < 0)
			return false;
		if (gadget_search(code, n, at, g))
			return true;
	}
	return false;
}

static int search(struct dump *d, struct victim_mm *mm)
{
	struct gadgets g = { 0 };
	struct span text;
	struct vma_text v;
	int r = io_slurp_at(&d->arena, mm->task->proc_fd, "maps", &text);

	if (r < 0)
		return fail(r, "task %d: maps", mm->task->pid);
	while ((r = maps_next(&text, &v)) > 0)
		if ((v.prot & 5) == 5 && !span_eq(v.path, "[vsyscall]") &&
		    search_mapping(d, mm, &v, &g)) {
			mm->gadgets = g;
			return 0;
		}
	return refuse(
		&d->blockers, mm->task->pid, "address space",
		"it has neither a vdso with room nor code for a way home that survives the tool",
		NULL);
}

int gadget_prepare(struct dump *d, struct victim_mm *mm)
{
	int r = mm->vdso_end ? use_tail(d->victims, mm) : 0;

	if (r < 0)
		return fail(r, "task %d: write to the vdso's last page", mm->task->pid);
	return r ? 0 : search(d, mm);
}

int gadget_remove(struct victim_mm *mm)
{
	static const uint8_t zero[GADGET_TAIL_BYTES];
	int r = mm->gadgets.tail ? io_pwrite(mm->mem_fd, zero, sizeof(zero), mm->gadgets.tail) : 0;

	if (!r)
		mm->gadgets = (struct gadgets){ 0 };
	return r;
}
