#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/kind.h"

/*
 * The engine of the task kinds: which record belongs to whom, one image per kind, one program per
 * thread on dump, operations in the order of the registry on restore.
 */

/* Everything stopped. Blockers are collected: -ENOTSUP, unreported, when there are any. */
int task_kinds_dump(struct dump *d);
/* Reads the images, checks that every record has its owner and every owner its record, plans. */
int task_kinds_plan(struct restore *r);
/* The record of the task or thread with this index, also while its image is still written; or NULL.
 */
const void *task_kinds_record(const struct task_records *all, const struct task_kind *k,
			      uint32_t index);
/* In a forked process, see `session` of struct task_kind. */
int task_kinds_session(struct self *s, enum session_step step);
/* In a forked task: its children exist, its files and mappings are open (the root may change here).
 */
int task_kinds_apply(struct self *s);
/* Whether a fork of `from`, where that was done, has what these would give to the task. */
bool task_kinds_inherit(const struct restore *r, const struct task *t, const struct task *from);
/*
 * Operations of one stage for at->thread. STAGE_INHERIT, STAGE_TASK, STAGE_ARM: the leader's
 * program. SCOPE_TASK kinds always go into the program of the leader, which therefore runs all
 * stages, dead or not.
 */
int task_kinds_stage(struct prog *p, const struct stage_at *at);
/* Whether STAGE_ARM of this task starts something that counts time. */
bool task_kinds_count(const struct restore *r, const struct task *t);
/* For each live thread, stopped, as the last thing before it is let go. */
int task_kinds_last(struct restore *r, const struct thread *t);

/* What a kind keeps for itself between its plan and stage hooks: zeroed when asked for first. */
void *task_kinds_memo(struct restore *r, const struct task_kind *k, size_t len_bytes);
