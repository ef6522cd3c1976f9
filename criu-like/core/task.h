#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/vec.h"

/*
 * The model of a process tree: on dump filled from the frozen tasks, on restore from the images.
 * Indices are what images use; pids are the tool's pid namespace's (level 0).
 */
struct proc_status;
struct proc_stat;
struct task;

enum task_state { TASK_ALIVE, TASK_ZOMBIE, TASK_DEAD_LEADER };

/* Registers as ptrace gives and takes them. */
struct regs {
	void *prstatus;
	uint32_t prstatus_len;
	void *xstate;
	uint32_t xstate_len;
	uint64_t sigmask;
	uint64_t rseq_cs;       /* 0: none to put back */
};

struct thread {
	uint32_t index;         /* over the whole tree */
	pid_t tid;
	struct task *task;
	bool dead;              /* leader that exited before its threads */
	bool early;             /* restore: made before the blob, it has children of its own */
	struct regs regs;
	uint64_t restart_left_ns, restart_syscall; /* interrupted relative sleep; syscall 0: none */
	const struct proc_status *status;          /* dump: as read after the stop */
	struct victim_thread *victim;              /* dump: the tracer's view */
};

struct task {
	uint32_t index;         /* parents before children, root is 0 */
	pid_t pid;
	struct task *parent;    /* NULL: root */
	VEC(struct task *) child;
	VEC(struct thread *) thread; /* leader first; empty for a zombie */
	pid_t pgid, sid;
	uint32_t exit_signal;
	enum task_state state;
	uint32_t exit_status, stop_signal;
	char comm[16];
	uint64_t start_time;
	uint32_t uid[4], gid[4];
	uint64_t sigblk, sigign, sigcgt; /* zombies: what /proc shows of them */
	uint32_t mm, files, fs,
		sighand; /* ids of shared objects: index of the first task that has it */
	struct thread *parent_thread; /* NULL: not told */
	const struct proc_stat *stat;    /* dump */
	int proc_fd;            /* dump: /proc/PID (of a live thread when the leader is dead) */
	int pidfd;              /* dump: of the process; with a dead leader of a live thread */
};

struct tree {
	VEC(struct task *) task;
	VEC(struct thread *) thread;
};

/* The thread that acts for the process: the leader, or with a dead leader the first live thread. */
struct thread *task_main(const struct task *t);
struct task *tree_find(const struct tree *t, pid_t pid);
struct thread *tree_find_thread(const struct tree *t, pid_t tid);
