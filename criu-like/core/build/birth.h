#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/restore.h"
#include "core/task.h"

/*
 * In which order, by whom and in which session every process of a restore is born. Besides the
 * tasks there are stand-ins: processes with the number of a dead session or group leader that live
 * only until their session or group is populated.
 */
struct birth {
	uint32_t index;
	struct task *task;      /* NULL: stand-in */
	pid_t pid;
	struct birth *parent;   /* NULL: the coordinator (root) */
	struct birth *maker;    /* who calls clone3: the parent, or a sibling with CLONE_PARENT */
	struct thread *by;      /* and which of its threads, an early one; NULL: the first */
	bool before_setsid;     /* born before its maker's setsid */
	bool setsid, lead_group;
	bool orphan; /* its maker is a stand-in that exits: comes to `parent`, a subreaper, then */
	bool subreaper;         /* is one while the tree is built */
	bool heir; /* forked by its maker's program (core/build/heir.c) */
	pid_t pgid;
	uint32_t exit_signal;
	uint64_t clone_flags;   /* CLONE_FILES, CLONE_FS, CLONE_VM | CLONE_SIGHAND */
	uint64_t unshare_flags; /* born sharing only so that a descendant can */
	VEC(struct birth *) make; /* whom it makes; those before its setsid first */
};
struct birth_plan {
	VEC(struct birth *) all; /* index 0: root; makers before those whom they make */
	uint32_t n_task;         /* births with a task */
	uint32_t n_stand_in;
	uint32_t n_fork;         /* births by fork of host code: all but heirs and those that share
				    their maker's memory */
	uint32_t n_heir;
	uint32_t n_leave_group;  /* lead a group that others join, then go to another */
	uint32_t n_zombie, n_mm_shared, n_mm; /* n_mm: address spaces */
	uint32_t n_early, n_with_early; /* early threads, and tasks that have some */
};

int birth_plan(struct restore *r);
struct birth *birth_of(const struct restore *r, const struct task *t);
