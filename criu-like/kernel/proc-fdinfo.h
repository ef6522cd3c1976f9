#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/str.h"

/* /proc/PID/fdinfo/N: the keys every file has. The rest is asked for by key. */
struct fdinfo {
	struct span text;
	int64_t pos;	/* negative for a few character devices */
	uint32_t flags; /* O_x of the description; O_CLOEXEC is the descriptor's */
	int32_t mnt_id; /* of mountinfo; recycled by the kernel */
	uint64_t ino;
	bool has_ino; /* 5.14+ */
};

/* 0 or -EINVAL: pos, flags and mnt_id must be there. Keeps the span: the text must live on. */
int fdinfo_parse(struct span text, struct fdinfo *ret);

/* Values of lines "key: value". -ENOENT: no such line; -EINVAL: no such number. */
bool fdinfo_has(const struct fdinfo *i, const char *key);
int fdinfo_text(const struct fdinfo *i, const char *key, struct span *ret);
int fdinfo_u64(const struct fdinfo *i, const char *key, int base, uint64_t *ret);
int fdinfo_i64(const struct fdinfo *i, const char *key, int base, int64_t *ret);
int fdinfo_u32(const struct fdinfo *i, const char *key, int base, uint32_t *ret);
/* 0 is false and 1 is true (an int, as protobuf-c keeps it); anything else is malformed. */
int fdinfo_flag(const struct fdinfo *i, const char *key, int *ret);

/*
 * Lines that may repeat: start with `struct span text = i->text;`. fdinfo_next() cuts up to the
 * next line "key: rest" or "key rest" (lock, tfd, inotify, fanotify) and yields the rest; false at
 * the end.
 */
bool fdinfo_next(struct span *text, const char *key, struct span *ret_rest);
/* The value of "name:value" among the words of such a line. 0, -ENOENT, -EINVAL. */
int fdinfo_word(struct span line, const char *name, struct span *ret);
int fdinfo_word_u64(struct span line, const char *name, int base, uint64_t *ret);

enum fdinfo_lock_kind {
	FDINFO_LOCK_POSIX,
	FDINFO_LOCK_OFD,
	FDINFO_LOCK_FLOCK,
	FDINFO_LOCK_LEASE,
	FDINFO_LOCK_DELEG,
};
enum fdinfo_lock_state {
	FDINFO_LOCK_ADVISORY,
	FDINFO_LOCK_MANDATORY, /* until 5.14 */
	FDINFO_LEASE_ACTIVE,
	FDINFO_LEASE_BREAKING,
	FDINFO_LEASE_BREAKER,
};
enum fdinfo_lock_type { FDINFO_LOCK_READ, FDINFO_LOCK_WRITE, FDINFO_LOCK_UNLOCK };

/* A lock that this description, or this table's owner through it, holds. */
struct fdinfo_lock {
	enum fdinfo_lock_kind kind;
	enum fdinfo_lock_state state;
	enum fdinfo_lock_type type; /* of a lease that is being broken: what it becomes */
	pid_t pid;		    /* -1: OFD; 0: not visible in the /proc mount's namespace */
	bool has_inode;
	uint32_t major, minor;
	uint64_t ino;
	int64_t start, end; /* last byte; INT64_MAX: to the end of the file */
};
int fdinfo_lock_next(struct span *text, struct fdinfo_lock *ret); /* 1, 0 at the end, -EINVAL */
/* The same of the lines of /proc/locks; those that wait are left out. */
int proc_lock_next(struct span *text, struct fdinfo_lock *ret);

/* One watched file of an epoll, in the order of its tree. */
struct fdinfo_epoll {
	int32_t tfd; /* number when it was added */
	uint32_t events;
	uint64_t data;
	int64_t pos;
	uint64_t ino;
	uint32_t major, minor; /* of the superblock */
};
int fdinfo_epoll_next(struct span *text, struct fdinfo_epoll *ret); /* 1, 0 at the end, -EINVAL */

struct fdinfo_timerfd {
	int32_t clockid;
	uint64_t ticks;
	uint32_t settime_flags;
	struct timespec value, interval; /* value: remaining */
};
int fdinfo_timerfd(const struct fdinfo *i, struct fdinfo_timerfd *ret);

int fdinfo_signalfd(const struct fdinfo *i, uint64_t *ret_mask);

struct fdinfo_pidfd {
	pid_t pid; /* -1: reaped; 0: not visible */
	uint32_t n_ns;
	pid_t ns_pid[33]; /* the reader's namespace first; none before 5.3 or once reaped */
};
int fdinfo_pidfd(const struct fdinfo *i, struct fdinfo_pidfd *ret);
