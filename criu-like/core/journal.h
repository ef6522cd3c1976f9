#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/arena.h"

/*
 * Changes outside the tool's own memory, written down (and synced) before they are made, so that a
 * run that dies can be undone: `torpor recover -D DIR`, and the next run in the same directory. The
 * file `journal` in the work directory exists only while something is not undone.
 */
struct journal;

enum journal_op {
	JOURNAL_UNLINK, /* a name was made: unlink it */
	JOURNAL_RMDIR,	/* a directory was made: remove it if it is empty */
	JOURNAL_REMAP,	/* a name that a checkpoint refers to: unlink it unless that is committed */
	JOURNAL_IPC,  /* "shm ID NS" (sem, msg) is being made in the ipc namespace NS: remove it */
	JOURNAL_SWAP, /* NAME.torpor-N may hold what belongs at NAME (`made`): move it back */
};

/* Nothing is written before the first entry. */
/*
 * `sync`: each entry is on disk before the change, for names that outlive the run. Without it the
 * entry outlives the tool, but perhaps not the machine.
 */
struct journal *journal_new(struct arena *a, int work_fd, bool sync);
/* Announces a change; its number in *ret. */
int journal_add(struct journal *j, enum journal_op op, const char *path, uint32_t *ret);
/* JOURNAL_IPC, for this namespace. `what`: "shm", "sem", "msg". */
int journal_add_ipc(struct journal *j, const char *what, int id, uint32_t *ret);
/* What was made: nothing else is ever removed under that name. */
int journal_made(struct journal *j, uint32_t id, const struct stat *st);
/* The change was undone, or is to stay. */
int journal_done(struct journal *j, uint32_t id);
/* Undoes everything that is open, last first. */
int journal_undo(struct journal *j);
/* Forgets it: the file goes when nothing is open. */
void journal_close(struct journal *j);
/* Undoes what an earlier run left behind in this work directory. Yields how many changes, or
 * -errno; -EBUSY: that run is at work still. */
int journal_recover(struct arena *a, int work_fd);
