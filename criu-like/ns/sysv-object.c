/*
 * Ids and creators of System V objects. /proc/sys/kernel/x_next_id (3.8, needs
 * CAP_CHECKPOINT_RESTORE) chooses the id of the next object; if its slot is taken, the kernel takes
 * another one without a word, so callers compare. The creator's user and group are the effective
 * ones of the task that makes it, and nothing changes them later.
 */
#include "ns/sysv-object.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"

enum { SLOTS = 32768 };

int32_t sysv_slot(int32_t id)
{
	return id % SLOTS;
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
	struct sysv_self s = { (uint32_t)sys(SYS_geteuid), (uint32_t)sys(SYS_getegid),
			       (int)sys(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0), false };
	int r;

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
