/*
 * Credentials of a thread (threads may differ: the raw system calls change only the caller). All of
 * it is in status but the secure bits. They come back while the thread still has the tool's
 * privileges: groups, then "no setuid fixup" so that changing ids costs no capability, ids,
 * inheritable set while the bounding set is whole, ambient set while the secure bits allow it,
 * bounding set, secure bits, the final sets (they keep the ambient one), no_new_privs.
 *
 * setfsuid and setfsgid report nothing, so they are asked back. The bounding set is only touched
 * with CAP_SETPCAP; a tool without it restores tasks whose bounding set is its own. A task that has
 * all of it from the tool anyway sets nothing.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "core/kind.h"
#include "core/task-kinds.h"
#include "creds.pb-c.h"
#include "kernel/own.h"
#include "kernel/proc-status.h"

enum { IDS = 4, GROUPS_MAX = 65536, CAPS = 64, SECUREBITS_KNOWN = 0xff };
extern const struct task_kind kind_creds;

static int ask(struct dump *d, struct prog *p, const struct thread *t, void *answers)
{
	(void)d, (void)t;
	prog_call(p, SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
	prog_result(p, answers);
	return 0;
}

static int dump(struct dump *d, const struct thread *t, const void *answers, void *msg)
{
	const struct proc_status *s = t->status;
	Creds *m = msg;

	m->n_uid = m->n_gid = IDS;
	m->uid = arena_memdup(&d->arena, s->uid, sizeof(s->uid));
	m->gid = arena_memdup(&d->arena, s->gid, sizeof(s->gid));
	m->n_group = s->n_groups;
	m->group = s->groups;
	m->inheritable = s->cap_inh;
	m->permitted = s->cap_prm;
	m->effective = s->cap_eff;
	m->bounding = s->cap_bnd;
	m->ambient = s->cap_amb;
	m->securebits = (uint32_t) * (const int64_t *)answers;
	m->no_new_privs = s->no_new_privs;
	return 0;
}

static bool own_groups_are(struct restore *r, const Creds *m)
{
	uint32_t *own = arena_array(&r->arena, uint32_t, m->n_group + 1);
	int n = own_groups(own, (int)m->n_group);

	return n == (int)m->n_group && !memcmp(own, m->group, m->n_group * sizeof(*own));
}

static int plan_privilege(struct restore *r, const struct thread *t, const Creds *m)
{
	uint64_t own[3];
	int n = own_capabilities(own);

	if (n)
		return fail(n, "ask for the tool's capabilities");
	if (!(own[0] >> CAP_SETGID & 1) && !own_groups_are(r, m))
		return refuse(&r->blockers, t->tid, "supplementary groups",
			      "the tool may not change groups", "run it with CAP_SETGID");
	if (!(own[0] >> CAP_SETPCAP & 1) &&
	    (own_bounding() != m->bounding || own_securebits() != (int)m->securebits))
		return refuse(&r->blockers, t->tid, "bounding set and secure bits",
			      "the tool may not change them and has others",
			      "run it with CAP_SETPCAP");
	if ((m->permitted | m->ambient) & ~own[1])
		return refuse(
			&r->blockers, t->tid,
			arena_printf(&r->arena, "capabilities %#llx",
				     (unsigned long long)((m->permitted | m->ambient) & ~own[1])),
			"the tool does not have them", "run it with these capabilities");
	return 0;
}

/* What the tool cannot shed, every task would inherit. */
static int plan_inherited(struct restore *r, const Creds *m)
{
	if (own_seccomp())
		return refuse(&r->blockers, 0, "seccomp",
			      "the tool runs under it, and so would the tasks",
			      "run the tool without seccomp");
	if (own_no_new_privs() && !m->no_new_privs)
		return refuse(&r->blockers, 0, "no_new_privs",
			      "the tool has it, and so would the tasks",
			      "run the tool without no_new_privs");
	return 0;
}

static int plan(struct restore *r, const struct thread *t, const void *msg)
{
	const Creds *m = msg;
	int n;

	if (m->n_uid != IDS || m->n_gid != IDS)
		return fail(-EPROTO, "%zu user and %zu group ids", m->n_uid, m->n_gid);
	if (m->n_group > GROUPS_MAX)
		return fail(-EPROTO, "%zu supplementary groups", m->n_group);
	if (m->effective & ~m->permitted || m->ambient & ~(m->permitted & m->inheritable))
		return fail(-EPROTO, "effective or ambient capabilities that are not permitted");
	if (m->securebits & ~SECUREBITS_KNOWN)
		return refuse(&r->blockers, t->tid, "secure bits",
			      "some are unknown to this version", "use a newer torpor");
	n = plan_inherited(r, m);
	return plan_privilege(r, t, m) ?: n;
}

static void set_ids(struct prog *p, const Creds *m)
{
	const uint32_t *u = m->uid, *g = m->gid;

	prog_where(p, "group ids %u %u %u %u", g[0], g[1], g[2], g[3]);
	prog_call(p, SYS_setresgid, g[0], g[1], g[2]);
	prog_any(prog_call(p, SYS_setfsgid, g[3]));
	prog_call(p, SYS_setfsgid, -1);
	prog_check(p, prog_keep(p), g[3], EPERM);
	prog_where(p, "user ids %u %u %u %u", u[0], u[1], u[2], u[3]);
	prog_call(p, SYS_setresuid, u[0], u[1], u[2]);
	prog_any(prog_call(p, SYS_setfsuid, u[3]));
	prog_call(p, SYS_setfsuid, -1);
	prog_check(p, prog_keep(p), u[3], EPERM);
}

static void set_sets(struct prog *p, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	prog_where(p, "capabilities %#llx", (unsigned long long)permitted);
	prog_call(p, SYS_capset, prog_in(p, &head, sizeof(head)), prog_in(p, data, sizeof(data)));
}

/* Those above what this kernel knows are in nobody's set. */
static void set_bounding(struct prog *p, const Creds *m)
{
	prog_where(p, "bounding set %#llx", (unsigned long long)m->bounding);
	for (int cap = 0; cap < CAPS; cap++)
		if (cap > CAP_LAST_CAP && !own_knows_capability(cap))
			break;
		else if (!(m->bounding >> cap & 1))
			prog_call(p, SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static void set_ambient(struct prog *p, const Creds *m)
{
	prog_where(p, "ambient capabilities %#llx", (unsigned long long)m->ambient);
	prog_call(p, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap < CAPS; cap++)
		if (m->ambient >> cap & 1)
			prog_call(p, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

/* What every task has from the tool. */
struct own {
	bool asked, simple;
	struct proc_status status;
};

/*
 * Simple: root with all that it may have in use. A task that takes on other ids for a moment (the
 * owner of a signal) has the same behind it.
 */
static void ask_own(struct restore *r, struct own *o)
{
	struct proc_status *s = &o->status;
	struct span text;

	o->asked = true;
	if (io_slurp_at(&r->arena, AT_FDCWD, "/proc/self/status", &text) < 0 ||
	    proc_status_parse(&r->arena, text, s))
		return; /* then everything is set */
	o->simple = !s->uid[0] && !s->uid[1] && !s->uid[2] && !s->uid[3] &&
		    s->gid[3] == s->gid[1] && s->cap_eff == s->cap_prm && !s->cap_amb &&
		    !s->no_new_privs && !own_securebits();
}

/* Nothing has to be set. */
static bool has_them(struct restore *r, const Creds *m)
{
	struct own *o = task_kinds_memo(r, &kind_creds, sizeof(*o));
	const struct proc_status *s = &o->status;

	if (!o->asked)
		ask_own(r, o);
	return o->simple && !m->securebits && !m->no_new_privs && !m->ambient &&
	       m->effective == s->cap_eff && m->permitted == s->cap_prm &&
	       m->inheritable == s->cap_inh && m->bounding == s->cap_bnd &&
	       m->n_group == s->n_groups && !memcmp(m->uid, s->uid, sizeof(s->uid)) &&
	       !memcmp(m->gid, s->gid, sizeof(s->gid)) &&
	       (!m->n_group || !memcmp(m->group, s->groups, m->n_group * sizeof(*m->group)));
}

static int stage(struct prog *p, const struct stage_at *at, const void *msg)
{
	const Creds *m = msg;
	uint64_t own[3] = { 0 }, keep;
	int n;

	if (at->stage != STAGE_CREDS || has_them(at->r, m))
		return 0;
	n = own_capabilities(own);
	if (n)
		return fail(n, "ask for the tool's capabilities");
	prog_where(p, "%zu supplementary groups", m->n_group);
	if (own[0] >> CAP_SETGID & 1)
		prog_call(p, SYS_setgroups, m->n_group,
			  prog_in(p, m->group, m->n_group * sizeof(*m->group)));
	prog_where(p, "secure bits");
	if (own[0] >> CAP_SETPCAP & 1)
		prog_call(p, SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	set_ids(p, m);
	keep = m->permitted | (own[0] & 1ull << CAP_SETPCAP);
	set_sets(p, keep, keep, m->inheritable);
	set_ambient(p, m);
	if (own[0] >> CAP_SETPCAP & 1) {
		set_bounding(p, m);
		prog_where(p, "secure bits %#x", m->securebits);
		prog_call(p, SYS_prctl, PR_SET_SECUREBITS, m->securebits, 0, 0, 0);
	}
	set_sets(p, m->effective, m->permitted, m->inheritable);
	prog_where(p, "no_new_privs");
	if (m->no_new_privs)
		prog_call(p, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return 0;
}

const struct task_kind kind_creds = {
	"creds",
	&creds__descriptor,
	SCOPE_THREAD,
	.outlives = true,
	.alike = true,
	.answer_bytes = sizeof(int64_t),
	.ask = ask,
	.dump = dump,
	.plan = plan,
	.stage = stage,
};
