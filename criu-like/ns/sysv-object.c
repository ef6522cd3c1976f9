/*
 * Ids and creators of System V objects. /proc/sys/kernel/x_next_id (3.8, needs
 * CAP_CHECKPOINT_RESTORE) chooses the id of the next object; if its slot is taken, the kernel takes
 * another one without a word, so callers compare. The creator's user and group are the effective
 * ones of the task that makes it, and nothing changes them later.
 */
#include "ns/sysv-object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"
#include "kernel/proc-stat.h"

/* --- dump --------------------------------------------------------------------------------------
 */
SysvPerm *sysv_perm(struct dump *d, int id, const struct ipc_perm *p, int64_t ctime)
{
	SysvPerm *m = arena_new(&d->arena, SysvPerm);

	sysv_perm__init(m);
	m->id = id;
	m->key = p->__key;
	m->mode = p->mode & 0777;
	m->uid = p->uid;
	m->gid = p->gid;
	m->cuid = p->cuid;
	m->cgid = p->cgid;
	m->ctime_s = ctime;
	return m;
}

enum { IPC_NAMESPACE = 4 }; /* in dump.ns */
static const uint64_t initial_ipc_namespace = 0xefffffffu; /* linux/proc_ns.h, not exported */

/* The tool and those who started it use nothing of the tree's. */
static bool is_ancestor(struct dump *d, pid_t pid)
{
	pid_t at = (pid_t)sys(SYS_getpid);

	for (int i = 0; i < 100 && at > 0; i++) {
		struct proc_stat s;
		struct span text;

		if (at == pid)
			return true;
		if (io_slurp_at(&d->arena, AT_FDCWD, arena_printf(&d->arena, "/proc/%d/stat", at),
				&text) ||
		    proc_stat_parse(text, &s))
			return false;
		at = s.ppid;
	}
	return false;
}

static bool shares_namespace(pid_t pid)
{
	char path[40], own[64], other[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	if (sys_readlink(AT_FDCWD, "/proc/self/ns/ipc", own, sizeof(own)) < 0 ||
	    sys_readlink(AT_FDCWD, path, other, sizeof(other)) < 0)
		return false; /* it ended */
	return !strcmp(own, other);
}

/* In the first namespace never: kernel threads are there, and processes that we need not see. */
static bool find_alone(struct dump *d)
{
	struct proc_list all;

	if (d->ns[IPC_NAMESPACE] == initial_ipc_namespace)
		return false;
	if (proc_list_at(&d->arena, AT_FDCWD, "/proc", &all))
		return false;
	for (size_t i = 0; i < all.n; i++)
		if (!tree_find(&d->tree, all.v[i]) && !is_ancestor(d, all.v[i]) &&
		    shares_namespace(all.v[i]))
			return false;
	return true;
}

static bool is_alone(struct dump *d)
{
	if (!d->alone)
		d->alone = find_alone(d) ? 1 : -1;
	return d->alone > 0;
}

bool sysv_is_ours(struct dump *d, const pid_t *user, size_t n, bool *ret_outside)
{
	bool known = false;

	*ret_outside = false;
	for (size_t i = 0; i < n; i++) {
		if (user[i] <= 0)
			continue;
		if (tree_find(&d->tree, user[i]))
			known = true;
		else if (!sys(SYS_kill, user[i], 0) && !is_ancestor(d, user[i]))
			*ret_outside = true;
	}
	return known || (!*ret_outside && is_alone(d));
}

/* --- restore -----------------------------------------------------------------------------------
 */
int sysv_check(const SysvPerm *m)
{
	return m->id >= 0 && m->mode <= 0777
		       ? 0
		       : fail(-EPROTO, "System V object %" PRId32 " has wrong attributes", m->id);
}

bool sysv_is_same(const SysvPerm *m, const struct ipc_perm *p)
{
	return p->__key == m->key && p->uid == m->uid && p->gid == m->gid && p->cuid == m->cuid &&
	       p->cgid == m->cgid && (p->mode & 0777) == m->mode;
}

const char *sysv_title(struct restore *r, const char *what, const SysvPerm *m)
{
	return arena_printf(&r->arena, "System V object %s %" PRId32 " (key %#x)", what, m->id,
			    (unsigned int)m->key);
}

int sysv_plan(struct restore *r, const char *what, const SysvPerm *m, const struct sysv_found *f)
{
	const char *title = sysv_title(r, what, m), *reason = NULL;

	if (!f->r_stat) {
		if (!sysv_is_same(m, f->perm) || (m->outside && f->ctime != m->ctime_s))
			reason = "another object has its id";
	} else if (m->outside) {
		return refuse(&r->blockers, 0, title,
			      "it was used by others than the tree, too, and is gone",
			      "dump with all who use it");
	} else if (f->slot >= 0) {
		reason = "another object has its place";
	} else if (m->key && f->by_key >= 0) {
		reason = "another object has its key";
	}
	return !reason ? 0
		       : refuse(&r->blockers, 0, title, reason,
				"remove that (ipcrm), or restore in another ipc namespace");
}

int sysv_next_id(const char *what, int32_t id)
{
	char path[48], text[16];
	_close_ int fd = -1;
	int n, r;

	(void)snprintf(path, sizeof(path), "/proc/sys/kernel/%s_next_id", what);
	n = snprintf(text, sizeof(text), "%" PRId32, id);
	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	r = fd < 0 ? fd : io_write(fd, text, (size_t)n);
	return r < 0 ? fail(r, "write '%s'", path) : 0;
}

static int set_ids(long uid, long gid, bool uid_first)
{
	long r = uid_first ? sys(SYS_setresuid, -1, uid, -1) : sys(SYS_setresgid, -1, gid, -1);

	if (!r)
		r = uid_first ? sys(SYS_setresgid, -1, gid, -1) : sys(SYS_setresuid, -1, uid, -1);
	return r ? fail(r, "become user %ld, group %ld", uid, gid) : 0;
}

int sysv_become(uint32_t uid, uint32_t gid, struct sysv_self *ret)
{
	long own[] = { sys(SYS_geteuid), sys(SYS_getegid),
		       sys(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) };
	struct sysv_self s = { (uint32_t)own[0], (uint32_t)own[1], (int)own[2], false };
	int r;

	for (size_t i = 0; i < array_size(own); i++)
		if (own[i] < 0)
			return fail(own[i], "ask who the tool is");
	s.changed = s.uid != uid || s.gid != gid;
	r = s.changed ? set_ids(uid, gid, false) : 0;
	if (!r)
		*ret = s;
	else if (s.changed)
		(void)set_ids(s.uid, s.gid, true); /* the run fails anyway */
	return r;
}

/* The kernel makes a process that changes its user undumpable: its /proc would be closed to it. */
int sysv_return(const struct sysv_self *s)
{
	int r = s->changed ? set_ids(s->uid, s->gid, true) : 0;

	if (!r && s->changed)
		r = (int)sys(SYS_prctl, PR_SET_DUMPABLE, s->dumpable, 0, 0, 0);
	return r;
}
