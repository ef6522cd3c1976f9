#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

#include "base/map.h"
#include "core/dump.h"
#include "kernel/ptrace-inquiry.h"
#include "kernel/ptrace.h"
#include "pie/program.h"

/*
 * What the tracer knows about stopped threads and the address spaces they run in; shared by
 * freeze.c (stops them), victim.c (runs programs in them), gadget.c and restart.c. Nobody else
 * looks in here: victim.h is the interface.
 */

/* Pieces of code in the target that the way home is made of; any alignment. */
struct gadgets {
	uint64_t call; /* syscall; ret */
	uint64_t ret;
	uint64_t unmap;	  /* munmap(first argument, second argument); ret */
	uint64_t restore; /* rt_sigreturn */
	uint64_t list;	  /* runs a list of calls (calls.c); 0: only in a tail of ours */
	uint64_t tail;	  /* where we wrote them; 0: they were there */
};

/*
 * Frames lie on pages of [stack] that were never touched: first both chains with their contexts, so
 * that one write within a page changes both at once, then the vector registers.
 * A chain is what the thread's stack pointer shows: [unmap or plain ret][restore][context].
 */
enum { FRAME_SLOTS = 2, FRAME_HEAD_BYTES = 704, FRAME_CHAIN_BYTES = 16 };
/* Programs begin behind the report. */
enum { PROG_AREA_START = AREA_REPORT + 256 };

/* Whether mappings to come are locked. ASK_AGAIN: they are, or it cannot be told: map the blob. */
enum victim_lock { LOCK_UNKNOWN, LOCK_NONE, LOCK_ASK_AGAIN };
struct calls;

/* One address space of the tree, numbered like task.mm. */
struct victim_mm {
	struct task *task;	   /* the first that has it */
	int mem_fd;		   /* /proc/PID/mem */
	struct gadgets gadgets;	   /* call 0: not looked for yet */
	uint64_t hole_end;	   /* free addresses end here... */
	uint64_t hole_len;	   /* ...and are so many */
	uint64_t stack, stack_len; /* [stack]; 0: none */
	uint64_t vdso, vdso_end;   /* 0: none */
	uint64_t orphan_blob, orphan_blob_len; /* of a dump whose tool died */
	uint64_t frames; /* where frames lie; 0: not chosen yet */
	uint32_t frames_len;
	const void *under; /* what was there before, to be put back; NULL: zeroes */
	char frame[FRAME_HEAD_BYTES];		 /* what lies there */
	struct victim_thread *slot[FRAME_SLOTS]; /* whose frame; NULL: free */
	uint64_t blob, blob_len;		 /* len 0: not mapped */
	struct victim_thread *keeper;		 /* whose way home unmaps the blob */
	char *area;				 /* host copy of the blob's area */
	bool needs_blob; /* some program is more than a list of calls */
	uint32_t n_inside;  /* threads that run lists */
	bool second_half;   /* of the frames was used last */
	enum victim_lock lock_future;
	const struct calls *lock_prober; /* whose list tries it */
};

struct victim_thread {
	pid_t tid;
	struct task *task;
	struct thread *thread;	      /* NULL until the tree is complete */
	struct user_regs_struct live; /* go back at the end: unmodified, or repaired */
	bool stopped, gone;
	bool interrupted;      /* or born of a seized thread: it stops by itself */
	bool away;	       /* its registers or its mask are not its own */
	int group_stop;	       /* the signal, 0: none */
	int pass_on;	       /* signal of the signal-delivery-stop it stands in */
	int cpu;	       /* where it ran last; -1: unknown */
	uint32_t slot;	       /* of the frames, while away */
	bool prepared;	       /* marker is chosen */
	int marker; /* signal that ends its programs; 0: none can, its calls are watched */
	struct victim_mm **mm; /* place of its address space in victim_tree.mm */
	struct victim_thread *next_in_mm;
	uint64_t rseq_cs;
	struct trace_rseq rseq; /* as it is registered */
	bool rseq_known, dispatch_off; /* the kernel was asked */
	uint64_t slept_ns; /* in the call that the stop interrupted, at least; 0: not known */
	int64_t sleep_call; /* which one; -1: not known */
	const struct proc_status *status; /* read after the stop */
	uint32_t ahead; /* its place among those that are read ahead; 0: none */
};

/* A process while the tree is being collected. */
struct victim_task {
	struct task *task;
	VEC(struct victim_thread *) thread;
	pid_t parent_tid;
	bool gone, reached; /* reached: found below a member in the last pass */
};

struct victim_tree {
	struct map by_tid, by_pid; /* keys (number, 0); victim_thread, victim_task */
	VEC(struct victim_thread *) thread;
	VEC(struct victim_task *) task;
	struct victim_mm **mm; /* by task.mm */
	struct victim_thread **in_mm; /* by task.mm: the first of its live threads */
	char *buffer; /* what one list of calls is built in */
	size_t buffer_len;
	uint64_t vdso;	    /* where the address space before had it; 0: not known */
	uint64_t vdso_len;  /* of one whose end is empty ... */
	char vdso_first[4096]; /* ... and its first page; len 0: not known */
	uint64_t deadline_ns, old_sigmask;
	pid_t self;
	bool waiting;  /* SIGCHLD is blocked */
	bool complete; /* the whole tree is stopped */
	int cpu;       /* we moved there; -1: no */
	int affinity_len;
	uint64_t affinity[128]; /* as it was before we moved */
};

/* Looks until the thread stops or dies: 0, -ECHILD (gone), -ETIMEDOUT, or another errno. */
int stopped_wait(pid_t tid, uint64_t until_ns, struct trace_stop *ret);
/* Goes to the cpu the thread ran on last: waking it there costs a tenth. Back home with -1. */
void stopped_follow(struct victim_tree *vt, int cpu);
/* /proc/TGID/task/TID/status, read once after the stop; the first one logs nothing. */
int stopped_look(struct dump *d, struct victim_thread *v);
int stopped_status(struct dump *d, struct victim_thread *v, const struct proc_status **ret);
/* The files as they are now (tid 0: the process' own stat). 0 or -errno, nothing is logged. */
struct proc_stat;
struct proc_status;
int stopped_parse_status(struct dump *d, const struct task *t, pid_t tid, struct proc_status *ret);
int stopped_parse_stat(struct dump *d, const struct task *t, pid_t tid, struct proc_stat *ret);
struct victim_thread *stopped_find(const struct victim_tree *vt, pid_t tid);
