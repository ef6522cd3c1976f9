#pragma once
#include "base/map.h"
#include "core/file/file.h"
#include "fd_table.pb-c.h"
#include "images/image.h"
#include "kernel/proc-list.h"

/* What the files of core/ that dump descriptors share. */
struct seen_class { /* descriptions that look alike from outside, in kcmp order */
	VEC(struct fd_seen *) seen;
};
struct late_dump {
	const struct task *task;
	int number;
	uint32_t id;
	const struct fd_kind *kind;
};
struct fd_answers { /* what the task said of its descriptors: struct file_space.answers */
	struct proc_list number;
	int64_t *flags; /* F_GETFD, of the first n numbers */
	size_t n;
};
struct file_space {
	struct map by_look;   /* hash of what is visible -> struct seen_class */
	struct map by_inode;  /* device, inode -> first struct fd_seen */
	struct map by_number; /* table, number -> struct fd_seen */
	struct map group;     /* device, inode -> number + 1 */
	struct map fs_type;   /* device -> struct fs_entry */
	uint32_t n_ofd, n_group;
	struct image *ofd_image;
	struct image **kind_image; /* parallel to fd_kinds[] */
	VEC(struct late_dump) late;
	const struct task *at; /* whose directories are open */
	int fd_dir, fdinfo_dir;
	int own_dir, own_pidfd; /* of the tool: copies out of queues are found there */
	VEC(PosixLock *) posix;	 /* of the table at hand */
	VEC(uint32_t) posix_ofd; /* parallel: the description it was seen through */
	VEC(int) kept;		 /* copies whose close would ask a file server */
	struct scratch_pipe scratch;
	struct map answers;	 /* table -> struct fd_answers */
	struct map glance;	 /* table, number -> struct fd_glance */
	VEC(struct fd_glance *) glanced;
	uint64_t copies;	 /* how many numbers of the tool these may take; 0: not asked yet */
	struct map open;	 /* table -> struct proc_list: files_numbers() */
	struct map locked;	 /* inode numbers of files with locks on them */
	uint32_t n_lockable;	 /* files that were asked about before the list was read */
	bool locks_read;
	bool lock_anywhere;	 /* the kernel does not show all locks: any file may have one */
	VEC(struct fd_kept) after; /* by fd_keep() */
};

void files_space_init(struct dump *d);
/* Whether every number that was asked about is open. */
bool answers_good(const struct fd_answers *a);
/*
 * Fills flags and position (p->fd, st and mnt_id are known) without fdinfo, whose text stays empty:
 * there is nothing in it that anybody needs. False: it must be read.
 */
bool quick_look(struct dump *d, struct fd_probe *p);
/* Whether nobody has a lock on what p->st describes, as far as /proc/locks tells for certain. */
bool quick_lockless(struct dump *d, const struct fd_probe *p);

/* The description p->fd is a copy of; *ret_new tells that it was not met before. */
int identity_find(struct dump *d, struct fd_probe *p, struct fd_seen **ret, bool *ret_new);
/* The options of --fd-policy are understood. */
int file_policy_check(const struct dump *d);
/* Whether the operator gave this one up: p->policy then says how. */
bool file_give_up(struct dump *d, struct fd_probe *p, const char *reason);
/* Fills msg->owner and msg->signal. */
int owner_dump(struct dump *d, const struct fd_probe *p, Ofd *msg);
/* Fills msg->lock, or refuses. */
int lock_dump(struct dump *d, struct fd_probe *p, Ofd *msg);
/* POSIX locks belong to tables: start one, add what this descriptor shows, fill msg->lock. */
void lock_table_start(struct dump *d);
int lock_dump_posix(struct dump *d, struct fd_probe *p, uint32_t ofd);
void lock_table(struct dump *d, FdTable *msg);
/* The numbers that the look before the stop saw; NULL: it did not see this process. */
const struct proc_list *look_numbers(const struct dump *d, pid_t pid);
/*
 * The name that the look before the stop saw, if it still leads to what is open now and the file
 * has no other: nothing can tell it from what the kernel would say. NULL: ask the kernel.
 */
const char *look_link(struct dump *d, const struct fd_probe *p);
/* Why a file with this text cannot be saved; NULL: may be possible. */
const char *opaque_reason(const char *link, const char **ret_remedy);

/* Before the stop: refuses the descriptor if no kind knows it. file_look_end() when all were seen.
 */
int file_look_at(struct dump *d, const struct task *t, unsigned int number);
int file_look_end(struct dump *d);
