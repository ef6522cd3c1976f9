/*
 * Attributes of a thread that only x86 has, from arch_prctl inside and status: faulting CPUID and
 * the permission for AMX tiles come back. A local descriptor table, tagged addresses and shadow
 * stacks are refused. Not told by the kernel and lost: iopl and ioperm (docs/limits.md).
 */
#include "base/err.h"
#include "core/kind.h"
#include "kernel/proc-status.h"
#include "kernel/sys.h"
#include "x86.pb-c.h"

enum { GET_CPUID = 0x1011, SET_CPUID = 0x1012, GET_XCOMP_PERM = 0x1022, REQ_XCOMP_PERM = 0x1023 };
enum { XFEATURE_TILEDATA = 18, LDT_READ = 0, LDT_ENTRY_BYTES = 8 };

struct answers {
	int64_t cpuid, perm_result, ldt_bytes;
	uint64_t perm, ldt_entry;
};

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
#ifdef __x86_64__
	struct answers *a = answers;

	prog_any(prog_call(p, SYS_arch_prctl, GET_CPUID, 0));
	prog_result(p, &a->cpuid);
	prog_any(prog_call(p, SYS_arch_prctl, GET_XCOMP_PERM,
			   prog_out(p, &a->perm, sizeof(a->perm))));
	prog_result(p, &a->perm_result);
	if (t == task_main(t->task)) {
		prog_any(prog_call(p, SYS_modify_ldt, LDT_READ,
				   prog_out(p, &a->ldt_entry, sizeof(a->ldt_entry)),
				   LDT_ENTRY_BYTES));
		prog_result(p, &a->ldt_bytes);
	}
#else
	(void)p, (void)t, (void)answers;
#endif
	(void)d;
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct proc_status *s = t->status;
	const struct answers *a = answers;
	X86 *m = msg;
	int r = 0;

	if ((int32_t)a->ldt_bytes > 0)
		r = refuse(&d->blockers, t->tid, "local descriptor table",
			   "modify_ldt was used; it is not restored", NULL);
	if (proc_status_has(s, STATUS_UNTAG_MASK) && s->untag_mask != UINT64_MAX)
		r = refuse(&d->blockers, t->tid, "tagged addresses", "linear address masking is on",
			   NULL);
	if (proc_status_has(s, STATUS_X86_FEATURES) && s->x86_features.len)
		r = refuse(&d->blockers, t->tid, "shadow stack", "it is not restored",
			   "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
	m->cpuid_faults = a->cpuid == 0;
	m->tiles_permitted = a->perm_result == 0 && (a->perm >> XFEATURE_TILEDATA & 1);
	return r;
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const X86 *m = msg;

#ifdef __x86_64__
	prog_where(p, "permission for AMX tiles");
	if (at->stage == STAGE_THREAD && m->tiles_permitted && at->thread == task_main(at->task))
		prog_call(p, SYS_arch_prctl, REQ_XCOMP_PERM, XFEATURE_TILEDATA);
	if (at->stage != STAGE_CREDS)
		return 0;
	prog_where(p, "faulting CPUID %d", m->cpuid_faults);
	if (m->cpuid_faults)
		prog_call(p, SYS_arch_prctl, SET_CPUID, 0);
	else
		prog_accept(prog_call(p, SYS_arch_prctl, SET_CPUID, 1), ENODEV);
#else
	(void)p, (void)at, (void)m;
#endif
	return 0;
}

const struct task_kind kind_x86 = {
	"x86",	    &x86__descriptor, SCOPE_THREAD,   .answer_bytes = sizeof(struct answers),
	.ask = ask, .dump = dump,     .stage = stage,
};
