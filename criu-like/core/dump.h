#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "core/refuse.h"
#include "core/stats.h"
#include "core/task.h"
#include "images/image.h"

/* Role context: the coordinator during a dump. Reads /proc, numbers objects, writes images. */
struct dump_options {
	pid_t pid;
	int images_fd, work_fd;
	bool cancel_requests; /* of io_uring, in flight */
	bool leave_running, leave_stopped, shell_job, file_locks, link_remap, no_sync, show_stats;
	const char *ext_unix_sk; /* datagram peers that may stay outside: inodes; "": all; NULL */
	bool tcp_established, tcp_close, skip_in_flight, no_network_lock;
	uint64_t ghost_limit_bytes;
	unsigned int timeout_s; /* to stop the tree; 0: the default */
	unsigned int bound_s;   /* for everything up to the commit; 0: none */
	const char *pidfile;
	const char *const *action_script; /* NULL-terminated */
	const char *const *external;      /* NULL-terminated */
	const char *const *fd_policy;     /* NULL-terminated: KIND=fail|close|null */
};

struct file_looks; /* core/file/file-look.c */
struct file_space; /* core/file/file.h: open file descriptions and tables */
struct inode_space; /* core/file/inode.h: files by identity, ghosts, link remaps */
struct world; /* core/world.c */
struct queue_seen;
struct memory; /* core/memory/memory.h */
struct rings; /* core/file/ring.h */
struct net_guard; /* core/net-guard.c */
struct net_lock; /* core/net-lock.c */
struct read_ahead; /* kernel/read-ahead.h */
struct status_ahead; /* kernel/status-ahead.h */
struct share_guess; /* core/stop/share.c: who shared nothing before the stop */
struct sleeps; /* core/stop/sleep.c: since when threads sleep */
struct task_records; /* core/task-kinds.h */
struct tty_tree; /* fd/tty.h: who has which terminal */
struct victim_tree; /* core/stop/stopped.h: what the tracer knows */

struct dump {
	struct arena arena;
	const struct dump_options *opt;
	struct blockers blockers;
	bool patient, again; /* what may pass is not reported: the dump begins anew */
	VEC(pid_t) seen;        /* processes of the tree, as the look before the freeze saw them */
	size_t seen_threads;    /* of all of them */
	uint64_t ns[8]; /* the tool's namespaces, which the tree shares (core/stop/namespaces.h) */
	struct tree tree;
	struct image_set *set;
	uint8_t checkpoint_id[16];
	bool committed; /* from here on the images stay, whatever happens to the tree */
	struct stats stats;
	struct file_looks *looks; /* NULL: none */
	struct file_space *files;
	struct inode_space *inodes;
	struct memory *memory;
	struct world *world;
	struct task_records *task_records;
	struct victim_tree *victims;
	struct share_guess *share_guess; /* NULL: nobody looked */
	struct sleeps *sleeps; /* NULL: none known */
	struct read_ahead *ahead; /* smaps of many processes; NULL: read when needed */
	struct status_ahead *statuses; /* of many threads; NULL: as above */
	struct rings *rings; /* NULL: none met */
	struct journal *journal;
	struct tty_tree *ttys;
	VEC(struct queue_seen *) queue; /* POSIX message queues that are open (core/queue.h) */
	struct map *directories; /* task/fs.c: (name and mount, file) -> FileRef; NULL: none yet */
	int8_t alone; /* in the ipc namespace: 1 yes, -1 no, 0: not asked yet */
	struct net_lock *lock; /* NULL: nobody asked yet */
	struct net_guard *guard; /* NULL: not started */
	struct unix_space *unix_space; /* sock/unix.h */
	struct pipe_sides *pipes; /* NULL: none met */
	struct sem_undo_reader *sem_undo; /* ns/sem_undo.h; NULL: nobody has asked for undo */
};
