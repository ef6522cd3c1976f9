/*
 * A pseudo terminal of which the tree has the master. Most of its state can be asked from the
 * master, which answers for the slave; the line discipline and the exclusive mark are told by each
 * side for itself, so a slave that nobody has open is opened for the time, unless it never was:
 * that shows at the master, and could not be undone. Stopped output is not told; it shows in that
 * the slave cannot be written to.
 *
 * A new pair gets the lowest free index of its devpts: pairs are made until the wanted index comes,
 * and the others closed again.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <termios.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/refuse.h"
#include "fd/tty.h"
#include "kernel/descriptor.h"

enum { MAX_INDEX = 1 << 20, MAX_DISCIPLINE = 64 };

/* --- dump ----------------------------------------------------------------------------------------
 */

/* 0: it is usable through this copy. */
static int readable_slave(int fd)
{
	struct tty_modes m;
	int flags = sys_fcntl(fd, F_GETFL, 0);
	int r = sys_ioctl(fd, TTY_GET_MODES, &m);

	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	return r == -ENOTTY || r == -EINVAL ? 0 : r; /* disciplines that know no modes */
}

/* One that somebody in the tree has; -ENOENT: none that is good for it. */
static int copy_slave(const struct dump *d, const struct tty_end *master)
{
	const struct tty_end *e;

	for (size_t n = 0; (e = tty_slave_of(d, master, n)); n++) {
		int fd = tty_copy(d, e);

		if (fd < 0 || !readable_slave(fd))
			return fd;
		(void)sys_close(fd); /* a copy */
	}
	return -ENOENT;
}

/* A descriptor of the slave, -1: nobody has it and nobody ever had, or it is locked. */
static int slave_for_dump(struct dump *d, const struct tty_end *master, bool opened, int *ret)
{
	const char *path = arena_printf(&d->arena, "%s/%" PRIu32, master->devpts, master->index);
	int fd = copy_slave(d, master);

	if (fd == -ENOENT && opened) {
		fd = sys_openat(AT_FDCWD, path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
		if (fd < 0 && fd != -EIO)
			return fail(fd, "open '%s'", path);
		fd = fd == -EIO ? -ENOENT : fd;
	}
	if (fd < 0 && fd != -ENOENT)
		return fd;
	*ret = fd < 0 ? -1 : fd;
	return 0;
}

static int get(int fd, unsigned long request, bool *ret)
{
	int32_t value = 0, r = sys_ioctl(fd, request, &value);

	*ret = value;
	return r;
}

static int get_discipline(int fd, uint32_t *ret)
{
	int32_t value = 0, r = sys_ioctl(fd, TIOCGETD, &value);

	*ret = (uint32_t)value;
	return r;
}

static int get_modes(struct dump *d, TtyPair *p, int master)
{
	struct tty_modes *m = arena_new(&d->arena, struct tty_modes);
	struct tty_locked_modes *locked = arena_new(&d->arena, struct tty_locked_modes);
	struct winsize *w = arena_new(&d->arena, struct winsize);
	const struct tty_locked_modes none = { 0 };
	int r = sys_ioctl(master, TTY_GET_MODES, m);

	r = r ?: sys_ioctl(master, TIOCGLCKTRMIOS, locked);
	r = r ?: sys_ioctl(master, TIOCGWINSZ, w);
	p->termios = (ProtobufCBinaryData){ sizeof(*m), (uint8_t *)m };
	p->window = (ProtobufCBinaryData){ sizeof(*w), (uint8_t *)w };
	if (memcmp(locked, &none, sizeof(none)))
		p->locked_termios =
			(ProtobufCBinaryData){ sizeof(*locked), (uint8_t *)locked };
	return r;
}

static int get_node(struct dump *d, TtyPair *p)
{
	const char *path = arena_printf(&d->arena, "%s/%" PRIu32, p->devpts, p->index);
	struct stat st;
	int r = sys_stat(AT_FDCWD, path, 0, &st, NULL);

	p->uid = st.st_uid;
	p->gid = st.st_gid;
	p->mode = st.st_mode & 07777;
	return r;
}

/* The session that it controls; one outside of the tree would lose it. */
static int get_session(struct dump *d, TtyPair *p, int master)
{
	pid_t sid = 0;
	int r = sys_ioctl(master, TIOCGSID, &sid);

	if (r)
		return r == -ENOTTY ? 0 : fail(r, "ask for the session of a terminal");
	p->has_session = sid > 0 && tree_find(&d->tree, sid);
	p->session = p->has_session ? sid : 0;
	if (p->has_session)
		return 0;
	return refuse(&d->blockers, 0,
		      arena_printf(&d->arena, "terminal %s/%u", p->devpts, p->index),
		      arena_printf(&d->arena, "it controls session %d outside of the tree", sid),
		      "dump the tree that has both");
}

static int get_flags(TtyPair *p, int master, int slave)
{
	bool lock = false, own = false, other = false, packet = false;
	int r = get(master, TIOCGPTLCK, &lock);

	r = r ?: get(master, TIOCGEXCL, &own);
	r = r ?: get(master, TIOCGPKT, &packet);
	r = r ?: get_discipline(master, &p->master_ldisc);
	if (slave >= 0) {
		int there = tty_ready(slave), here = tty_ready(master);

		r = r ?: there < 0 ? there : here < 0 ? here : 0;
		r = r ?: get(slave, TIOCGEXCL, &other);
		r = r ?: get_discipline(slave, &p->ldisc);
		p->stopped = !(there & POLLOUT);
		p->master_stopped = !(here & POLLOUT);
	}
	p->locked = lock;
	p->master_exclusive = own;
	p->exclusive = other;
	p->packet = packet;
	return r;
}

int tty_pair_dump(struct dump *d, const struct tty_end *end, TtyPair **ret)
{
	TtyPair *p = arena_new(&d->arena, TtyPair);
	_close_ int master = tty_copy(d, end), slave = -1;
	int ready = master < 0 ? master : tty_ready(master), r;
	bool opened = ready & POLLHUP || tty_slave_of(d, end, 0);

	if (master < 0)
		return master;
	r = ready < 0 ? fail(ready, "look at terminal %s/%" PRIu32, end->devpts, end->index)
		      : slave_for_dump(d, end, opened, &slave);
	if (r)
		return r;
	tty_pair__init(p);
	p->index = end->index;
	p->devpts = (char *)end->devpts;
	p->unopened = !opened;
	r = get_node(d, p);
	r = r ?: get_modes(d, p, master);
	r = r ?: get_flags(p, master, slave);
	if (r)
		return fail(r, "ask for the state of terminal %s/%" PRIu32, p->devpts, p->index);
	r = get_session(d, p, master);
	r = r ?: tty_queue_dump(d, p, master, slave);
	if (!r)
		*ret = p;
	return r;
}

/* --- restore -------------------------------------------------------------------------------------
 */

int tty_pair_check(const TtyPair *p)
{
	size_t locked = p->locked_termios.len;

	if (p->index >= MAX_INDEX || p->devpts[0] != '/' || p->ldisc >= MAX_DISCIPLINE ||
	    p->master_ldisc >= MAX_DISCIPLINE)
		return fail(-EPROTO, "image 'tty': there is no such terminal");
	if (p->termios.len != sizeof(struct tty_modes) ||
	    (locked && locked != sizeof(struct tty_locked_modes)) ||
	    p->window.len != sizeof(struct winsize))
		return fail(-EPROTO, "image 'tty': these are no modes");
	return 0;
}

/* Each level holds a pair that is not the wanted one. */
static int open_until(const char *ptmx, uint32_t index, int flags)
{
	_close_ int fd = sys_openat(AT_FDCWD, ptmx, flags, 0);
	uint32_t got = 0;
	int r = fd < 0 ? fd : sys_ioctl(fd, TIOCGPTN, &got);

	if (r || got > index)
		return r ?: -EBUSY;
	return got == index ? take_fd(&fd) : open_until(ptmx, index, flags);
}

int tty_pair_open(const char *ptmx, uint32_t index, int flags)
{
	int fd = open_until(ptmx, index, flags | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? fd : sys_ioctl(fd, TIOCSPTLCK, &(int32_t){ 0 });

	if (r && fd >= 0)
		(void)sys_close(fd); /* new and unused */
	return r ? fail(r, "make terminal %" PRIu32 " with '%s'", index, ptmx) : fd;
}

int tty_pair_any(const char *ptmx, uint32_t *ret_index)
{
	_close_ int fd = sys_openat(AT_FDCWD, ptmx, O_RDWR | O_CLOEXEC | O_NOCTTY, 0);
	int r = fd < 0 ? fd : sys_ioctl(fd, TIOCSPTLCK, &(int32_t){ 0 });

	r = r ?: sys_ioctl(fd, TIOCGPTN, ret_index);
	return r ? fail(r, "make a terminal with '%s'", ptmx) : take_fd(&fd);
}

int tty_stop(const struct tty_modes *m, int fd)
{
	if (m->in & IXON && m->cc[VSTOP])
		return tty_push(fd, &m->cc[VSTOP], 1);
	return (int)sys(SYS_ioctl, fd, TCXONC, TCOOFF);
}

/* What each side tells for itself. */
static int set_side(int fd, uint32_t discipline, bool exclusive)
{
	int32_t now = 0, wanted = (int32_t)discipline;
	int r = sys_ioctl(fd, TIOCGETD, &now);

	if (!r && now != wanted)
		r = sys_ioctl(fd, TIOCSETD, &wanted);
	if (r)
		return fail(r, "give the terminal line discipline %" PRIu32, discipline);
	r = exclusive ? (int)sys(SYS_ioctl, fd, TIOCEXCL, 0) : 0;
	return r ? fail(r, "make the terminal exclusive") : 0;
}

static int set_modes(const TtyPair *p, int master)
{
	int r = sys_ioctl(master, TIOCSWINSZ, p->window.data);

	if (r)
		return fail(r, "set the size of a terminal");
	r = sys_ioctl(master, TTY_SET_MODES, p->termios.data);
	if (!r && p->locked_termios.len)
		r = sys_ioctl(master, TIOCSLCKTRMIOS, p->locked_termios.data);
	return r ? fail(r, "set the modes of a terminal") : 0;
}

static int set_node(const TtyPair *p)
{
	char path[4200];
	int n = snprintf(path, sizeof(path), "%s/%" PRIu32, p->devpts, p->index);
	int r = n < (int)sizeof(path) ? (int)sys(SYS_fchownat, AT_FDCWD, path, p->uid, p->gid, 0)
				      : -ENAMETOOLONG;

	r = r ?: (int)sys(SYS_fchmodat, AT_FDCWD, path, p->mode & 07777);
	return r ? fail(r, "give terminal '%s' its owner and mode", path) : 0;
}

static int set_flow(const TtyPair *p, int master, int slave)
{
	const struct tty_modes *m = (const struct tty_modes *)p->termios.data;
	int r = p->stopped && slave >= 0 ? tty_stop(m, slave) : 0;

	if (!r && p->master_stopped)
		r = (int)sys(SYS_ioctl, master, TCXONC, TCOOFF);
	if (!r)
		r = sys_ioctl(master, TIOCPKT, &(int32_t){ p->packet });
	if (!r && p->locked)
		r = sys_ioctl(master, TIOCSPTLCK, &(int32_t){ 1 });
	return r ? fail(r, "set the flags of a terminal") : 0;
}

int tty_pair_fill(const TtyPair *p, int master, int slave)
{
	int r = set_node(p);

	r = r ?: tty_queue_fill(p, master, slave);
	r = r ?: set_modes(p, master);
	r = r ?: set_flow(p, master, slave);
	r = r ?: set_side(master, p->master_ldisc, p->master_exclusive);
	return r || slave < 0 ? r : set_side(slave, p->ldisc, p->exclusive);
}
