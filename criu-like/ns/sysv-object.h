#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/restore.h"

/* What objects of System V IPC have in common. `what`: "shm", "sem", "msg". */

/* Whether slot numbers of ids are equal: an id is a slot and a count of its uses. */
int32_t sysv_slot(int32_t id);
/* The next object of this sort gets the id, if its slot is free. */
int sysv_next_id(const char *what, int32_t id);

/* The tool as somebody else for a moment, so that an object has the right creator. */
struct sysv_self {
	uint32_t uid, gid;
	int dumpable;
	bool changed;
};
int sysv_become(uint32_t uid, uint32_t gid, struct sysv_self *ret);
int sysv_return(const struct sysv_self *self);
