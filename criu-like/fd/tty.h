#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "core/dump.h"
#include "core/restore.h"
#include "tty.pb-c.h"

/* What the files about terminals share. */

/* struct termios2 and termios of asm/termbits.h, which the C library's headers exclude. */
struct tty_modes {
	uint32_t in, out, control, local;
	uint8_t line, cc[19];
	uint32_t speed[2];
};
struct tty_locked_modes {
	uint32_t flag[4];
	uint8_t line, cc[19];
};
#define TTY_GET_MODES _IOR('T', 0x2A, struct tty_modes)
#define TTY_SET_MODES _IOW('T', 0x2B, struct tty_modes)

enum { TTY_DEVICE_MAJOR = 5, TTY_SLAVE_MAJOR = 136, TTY_SLAVE_LAST_MAJOR = 143 };

/* Numbers of devices: as /proc/PID/stat and TIOCGDEV tell them, and as stat(2) does. */
dev_t tty_from_number(uint32_t number);
bool tty_is_slave(dev_t rdev);

/* --- tty-tree.c: who in the tree has which terminal ------------------------------------------- */
struct tty_end {
	pid_t pid;
	int number;	    /* there */
	bool master;
	dev_t rdev;	    /* of the slave, also for a master */
	dev_t dev;	    /* of the devpts */
	uint32_t index;	    /* master: of the pair */
	const char *devpts; /* master: directory of the slave */
};
/* The master of this slave; dev 0: in any devpts. *ret NULL: not in the tree. */
int tty_master_of(struct dump *d, dev_t rdev, dev_t dev, const struct tty_end **ret);
/* The n-th descriptor of this slave; NULL: no more. */
const struct tty_end *tty_slave_of(const struct dump *d, const struct tty_end *master, size_t n);
/* A copy of such a descriptor (after the freeze). */
int tty_copy(const struct dump *d, const struct tty_end *e);
/* Whether --external names the terminal with this number. */
bool tty_is_external(const struct dump *d, dev_t rdev);
/* "tty[8803:18]" of a slave that somebody in the tree has open, or of /dev/pts. */
const char *tty_key(struct dump *d, dev_t rdev);
/* Who has the pair with this index now, for messages. */
const char *tty_holder(struct restore *r, uint32_t index);

/* --- tty-pair.c ------------------------------------------------------------------------------- */
int tty_pair_dump(struct dump *d, const struct tty_end *master, TtyPair **ret);
/* Images are hostile: 0 or -EPROTO, reported. */
int tty_pair_check(const TtyPair *p);
/* A new pair with this index, unlocked, by opening that name; the master. */
int tty_pair_open(const char *ptmx, uint32_t index, int flags);
/* The same with any index. */
int tty_pair_any(const char *ptmx, uint32_t *ret_index);
/* Content and state, when everything of it is open; slave -1: nobody ever opened it. */
int tty_pair_fill(const TtyPair *p, int master, int slave);
/* Stops the output of a slave, as its reader or the program would. */
int tty_stop(const struct tty_modes *m, int fd);

/* --- tty-queue.c ------------------------------------------------------------------------------ */
/*
 * What nobody has read yet: reading takes it away, and it is put back at once. slave -1: nobody has
 * it.
 */
int tty_queue_dump(struct dump *d, TtyPair *p, int master, int slave);
int tty_queue_fill(const TtyPair *p, int master, int slave);
/* Puts bytes into what the descriptor's own side is to read, as if they had come in. */
int tty_push(int fd, const void *bytes, size_t len);
/* POLLIN, POLLOUT... of a descriptor, now; or -errno. */
int tty_ready(int fd);

/* --- tty.c ------------------------------------------------------------------------------------ */
struct fd_obj;
/* The description through which the session gets its controlling terminal; NULL: none. */
const struct fd_obj *tty_of_session(const struct restore *r, pid_t sid, dev_t rdev);
