#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "core/prog.h"
#include "core/refuse.h"
#include "core/stats.h"
#include "core/task.h"
#include "images/image.h"

/* Role contexts of a restore. */
struct inherit_fd {
	int fd;
	const char *key;
};
struct restore_options {
	int images_fd, work_fd;
	bool detach, sibling, leave_stopped, shell_job, plan_only, show_stats;
	bool tcp_close, no_network_lock;
	const char *pidfile;
	const char *const *action_script; /* NULL-terminated */
	const struct inherit_fd *inherit; /* ends with key NULL */
	const char *const *external;
	const char *const *map_ip; /* "OLD=NEW", NULL-terminated */
};

struct fd_pool;   /* core/file/file.h: descriptors opened before the fork, for several tasks */
struct file_plan; /* core/file/file.h */
struct mem_plan;  /* core/memory/memory.h */
struct world;     /* core/world.c */
struct inode_space;
struct restore_lock; /* core/net-lock-restore.c */
struct task_records; /* core/task-kinds.h */

/* The coordinator during a restore: reads images, builds the plan, drives the phases. */
struct restore {
	struct arena arena;
	const struct restore_options *opt;
	struct blockers blockers;
	struct tree tree;
	struct image_set *set;
	uint8_t checkpoint_id[16];
	struct stats stats;
	struct file_plan *files;
	struct inode_space *inodes;
	struct mem_plan *memory;
	struct world *world;
	struct task_records *task_records;
	struct journal *journal;
	struct restore_lock *lock; /* NULL: no connection */
	uint64_t area_base; /* where the area (blob, report page, programs) lies in every task */
	char *area;             /* the coordinator's own mapping of it (same address) */
	uint64_t area_len;
	uint32_t log_at;        /* offset of the tasks' struct log_buffer */
	uint32_t born_at;       /* offset of the bytes that say who was born */
	struct birth_plan *births; /* core/build/birth.h */
	struct program_set *programs; /* core/build/program.h */
	pid_t coordinator;
	bool traced;            /* every thread is attached */
};

/* The process in which descriptors are being opened: the task, the coordinator or a helper. */
struct opener {
	struct arena *arena;
	struct restore *r;
	const struct task *task; /* NULL: the coordinator, for a shared description */
};

/* A forked task before the blob: applies its own slice. */
struct self {
	struct arena *arena;
	struct restore *r;
	const struct task *task;
};

/*
 * When the operations of a kind run in the blob. Between the stages stand barriers over all tasks.
 * STAGE_INHERIT, STAGE_TASK and STAGE_ARM: leader program only. The others: for every thread in its
 * own program.
 */
enum stage {
	STAGE_INHERIT, /* before heirs are forked, who inherit it: for things that do not matter
			* until the end */
	STAGE_TASK,    /* the address space is final, the process has one thread */
	STAGE_THREAD,  /* each thread, first thing: what it needs before anything can go wrong */
	STAGE_SIGNALS, /* all helpers and zombies are dead: pending signals, SIGCHLD's action */
	STAGE_CREDS,   /* limits, locks, seccomp, credentials and what they reset */
	STAGE_ARM,     /* timers start to run */
	STAGE_COUNT
};
struct stage_at {
	enum stage stage;
	struct restore *r;
	const struct task *task;
	const struct thread *thread;
	const struct task *from; /* STAGE_INHERIT of an heir: whose fork it is */
};
