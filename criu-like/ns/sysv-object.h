#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/ipc.h>

#include "core/dump.h"
#include "core/restore.h"
#include "sysv_perm.pb-c.h"

/*
 * What objects of System V IPC have in common. `what`: "shm", "sem", "msg". An id is a slot and a
 * count of its uses.
 */

/* --- dump --- */
SysvPerm *sysv_perm(struct dump *d, int id, const struct ipc_perm *p, int64_t ctime);
/*
 * Whose an object is by the pids that it remembers (0: none): of the tree, or (`outside`) also of a
 * process that lives elsewhere. One that nobody remembers is the tree's if nobody else lives in the
 * ipc namespace.
 */
bool sysv_is_ours(struct dump *d, const pid_t *user, size_t n, bool *ret_outside);

/* --- restore --- */
int sysv_check(const SysvPerm *m);
bool sysv_is_same(const SysvPerm *m, const struct ipc_perm *p);
const char *sysv_title(struct restore *r, const char *what, const SysvPerm *m);
/*
 * Judges what is in the place of the object: `r_stat` is the result of IPC_STAT for its id, `slot`
 * that of x_STAT_ANY for its slot, `by_key` that of xget for its key.
 */
struct sysv_found {
	int r_stat, slot, by_key;
	const struct ipc_perm *perm;
	int64_t ctime;
};
int sysv_plan(struct restore *r, const char *what, const SysvPerm *m, const struct sysv_found *f);
static inline int sysv_slot(int32_t id)
{
	return id % 32768;
}

/* Makes the next object of this sort have the id, if its slot is free. */
int sysv_next_id(const char *what, int32_t id);
/* The tool as somebody else for a moment, so that an object has the right creator. */
struct sysv_self {
	uint32_t uid, gid;
	int dumpable;
	bool changed;
};
int sysv_become(uint32_t uid, uint32_t gid, struct sysv_self *ret);
int sysv_return(const struct sysv_self *self);
