/*
 * From the text of /proc/PID/smaps to the mappings of the model. Everything the kernel shows is
 * either understood or refused by name: kinds decide what is behind a mapping, the table of flags
 * what is put back. [vsyscall] belongs to no address space and [uprobes] is made by the kernel when
 * needed.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/io.h"
#include "core/file/file.h"
#include "core/memory/memory-dump.h"
#include "core/memory/memory.h"
#include "core/stop/victim.h"
#include "kernel/sys.h"

static const struct {
	uint64_t seen;
	uint32_t saved;
} flag_table[] = {
	{ vm_flag(GD), VMA__FLAG__GROWSDOWN },   { vm_flag(NR), VMA__FLAG__NORESERVE },
	{ vm_flag(SF), VMA__FLAG__SYNC },        { vm_flag(DP), VMA__FLAG__DROPPABLE },
	{ vm_flag(HG), VMA__FLAG__HUGEPAGE },    { vm_flag(NH), VMA__FLAG__NOHUGEPAGE },
	{ vm_flag(SR), VMA__FLAG__SEQUENTIAL },  { vm_flag(RR), VMA__FLAG__RANDOM },
	{ vm_flag(DD), VMA__FLAG__DONTDUMP },    { vm_flag(DC), VMA__FLAG__DONTFORK },
	{ vm_flag(WF), VMA__FLAG__WIPEONFORK },  { vm_flag(MG), VMA__FLAG__MERGEABLE },
	{ vm_flag(LO), VMA__FLAG__LOCKED },      { vm_flag(LF), VMA__FLAG__LOCKONFAULT },
	{ vm_flag(SL), VMA__FLAG__SEALED },
};

/* What stands against a mapping whatever its kind is. */
static const struct {
	uint64_t flag;
	const char *reason, *remedy;
} blocker_table[] = {
	{ vm_flag(UM) | vm_flag(UW) | vm_flag(UI), "it is watched by a userfaultfd",
	  "dump when the watcher has unregistered it" },
	{ vm_flag(SS), "it is a shadow stack, which is not saved",
	  "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off" },
	{ vm_flag(NL), "it was rearranged by remap_file_pages", "map the parts by mmap" },
};

const struct mem_kind *mem_kind_find(uint8_t number)
{
	for (size_t i = 0; mem_kinds[i]; i++)
		if (mem_kinds[i]->number == number)
			return mem_kinds[i];
	return NULL;
}

const char *vma_title(struct arena *a, const struct smaps_vma *s)
{
	return arena_printf(a, "mapping %" PRIx64 "-%" PRIx64 " (%.*s)", s->vma.start, s->vma.end,
			    (int)(s->vma.path.len ? s->vma.path.len : 9),
			    s->vma.path.len ? s->vma.path.p : "anonymous");
}

int vma_open_file(const struct vma_probe *p, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, p->text->vma.start,
		       p->text->vma.end);
	return (int)sys(SYS_openat, p->task->proc_fd, path, flags | 02000000);
}

/* Without its descriptor a userfaultfd watches nothing. */
static bool is_given_up(const struct dump *d, uint64_t flag)
{
	return flag & vm_flag(UM) &&
	       fd_policy_of(d, "anon_inode:[userfaultfd]") != FD_POLICY_FAIL;
}

static int check_flags(struct dump *d, const struct vma_probe *p)
{
	const struct smaps_vma *s = p->text;
	char reason[64];

	for (size_t i = 0; i < array_size(blocker_table); i++)
		if (s->flags & blocker_table[i].flag && !is_given_up(d, blocker_table[i].flag))
			return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, s),
				      blocker_table[i].reason, blocker_table[i].remedy);
	if (s->unknown_flag[0]) {
		(void)snprintf(reason, sizeof(reason), "the kernel shows the unknown flag '%s'",
			       s->unknown_flag);
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, s), reason, NULL);
	}
	/* A mapping that may only be executed has a key of the kernel's own. */
	if (s->protection_key && s->vma.prot != PROT_EXEC)
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, s),
			      "it is guarded by a memory protection key, which is not saved",
			      "free the keys before the dump (pkey_free)");
	return 0;
}

/* "[anon:NAME]" and "[anon_shmem:NAME]" -> NAME */
static const char *given_name(struct arena *a, struct span path)
{
	struct span prefix;

	if (!span_starts(path, "[anon:") && !span_starts(path, "[anon_shmem:"))
		return NULL;
	(void)span_cut(&path, ':', &prefix); /* is there */
	return arena_strndup(a, path.p, path.len - 1);
}

static struct vma vma_of(struct dump *d, const struct smaps_vma *s)
{
	struct vma v = { .start = s->vma.start,
			 .end = s->vma.end,
			 .offset = s->vma.pgoff_bytes,
			 .object = NO_OBJECT,
			 .prot = (uint8_t)s->vma.prot,
			 .shared = s->vma.shared };

	for (size_t i = 0; i < array_size(flag_table); i++)
		if (s->flags & flag_table[i].seen)
			v.flags |= flag_table[i].saved;
	v.name = given_name(&d->arena, s->vma.path);
	return v;
}

/* The tool's own blob is left out; it may have become one mapping with a neighbour of the task's.
 */
static void push_without_blob(struct dump *d, const struct task *t, struct mm *m,
			      const struct vma *v)
{
	uint64_t start, len;
	struct vma part = *v;

	victim_blob_range(t, &start, &len);
	if (!len || start >= v->end || start + len <= v->start) {
		*vec_push(&d->arena, &m->vma) = *v;
		return;
	}
	part.end = start;
	if (part.start < part.end)
		*vec_push(&d->arena, &m->vma) = part;
	part = *v;
	part.start = start + len;
	part.offset += part.start - v->start;
	if (part.start < part.end)
		*vec_push(&d->arena, &m->vma) = part;
}

static int add_vma(struct dump *d, const struct task *t, struct mm *m, const struct smaps_vma *s)
{
	struct vma_probe p = { t, s };
	struct vma v = vma_of(d, s);
	int r = check_flags(d, &p);

	for (size_t i = 0; !r && mem_kinds[i]; i++) {
		if (!mem_kinds[i]->match(d, &p))
			continue;
		v.kind = mem_kinds[i]->number;
		r = mem_kinds[i]->dump(d, &p, &v);
		if (!r)
			push_without_blob(d, t, m, &v);
		return r;
	}
	return r ?: refuse(&d->blockers, t->pid, vma_title(&d->arena, s),
			   "this kind of mapping is not saved", "unmap it before the dump");
}

int memory_add(struct dump *d, const struct task *t, const struct smaps_vma *s, struct mm *m)
{
	int r;

	if (span_eq(s->vma.path, "[vsyscall]") || span_eq(s->vma.path, "[uprobes]"))
		return 0;
	r = add_vma(d, t, m, s);
	if (r && r != -ENOTSUP)
		return r;
	d->stats.mappings++;
	return 0;
}

int memory_parse(struct dump *d, const struct task *t, struct span text, struct mm *m)
{
	struct smaps_vma s;
	int r;

	while ((r = smaps_next(&text, &s)) > 0) {
		r = memory_add(d, t, &s, m);
		if (r)
			return r;
	}
	return r ? fail(r, "task %d: the text of smaps is not understood", t->pid) : 0;
}

/*
 * How mappings to come are locked is told nowhere, but the blob was mapped under it. Most tasks
 * have no locked memory at all, then smaps need not be read.
 */
int memory_lock_future(struct dump *d, const struct task *t, uint32_t *ret_flags)
{
	uint64_t start, len;
	struct smaps_vma s;
	struct arena scratch;
	struct span text;
	uint32_t flags = 0;
	bool look;
	int r;

	*ret_flags = 0;
	r = victim_lock_future(d, t, &look);
	if (r || !look)
		return r;
	victim_blob_range(t, &start, &len);
	arena_init(&scratch);
	r = io_slurp_at(&d->arena, t->proc_fd, "status", &text);
	if (!r && len && !memmem(text.p, text.len, "VmLck:\t       0 kB", 18)) {
		r = io_slurp_at(&scratch, t->proc_fd, "smaps", &text);
		while (!r && smaps_next(&text, &s) > 0)
			if (s.vma.start <= start && start < s.vma.end && (s.flags & vm_flag(LO)))
				flags = MCL_FUTURE | (s.flags & vm_flag(LF) ? MCL_ONFAULT : 0);
	}
	arena_deinit(&scratch);
	if (r)
		return fail(r, "read status and smaps of task %d", t->pid);
	*ret_flags = flags;
	return 0;
}
