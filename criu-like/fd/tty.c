/*
 * Open terminals. A pseudo terminal whose master is in the tree is made again with its index and
 * everything on its way (tty-pair.c, tty-queue.c); all its descriptions are opened by the
 * coordinator, before the sessions exist that it is to control (ctty.c). A slave that was hung up
 * is opened and hung up again. /dev/tty leads to the controlling terminal of who opens it: a
 * stand-in founds a session for the moment.
 *
 * A terminal whose other side is outside of the tree cannot be saved. That of a shell job becomes
 * the one that the restore was started from (--shell-job), with the saved modes and foreground
 * group and the size it has. Others are declared (--external) and handed over at the restore
 * (--inherit-fd). Consoles and serial lines are opened by name and get their modes.
 */
#include "fd/tty.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/build/stand-in.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "fd/external.h"
#include "kernel/descriptor.h"
#include "kernel/proc-stat.h"

enum { MAJOR_VT = 4, MAJOR_HVC = 229, MAJOR_USB = 188, MAJOR_ACM = 166, MAJOR_LOW_DENSITY = 204 };

extern const struct fd_kind kind_tty;

static bool match(struct dump *d, struct fd_probe *p)
{
	unsigned int type = major(p->st.st_rdev), n = minor(p->st.st_rdev);

	(void)d;
	if (!S_ISCHR(p->st.st_mode) || p->flags & O_PATH)
		return false;
	return tty_is_slave(p->st.st_rdev) || type == MAJOR_VT || type == MAJOR_HVC ||
	       type == MAJOR_USB || type == MAJOR_ACM || type == MAJOR_LOW_DENSITY ||
	       (type == TTY_DEVICE_MAJOR && n < 3);
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static bool is_master(const struct fd_probe *p)
{
	return p->st.st_rdev == makedev(TTY_DEVICE_MAJOR, 2);
}

/* What is behind /dev/tty and masters is told by the descriptor; the number of the slave. */
static int real_device(const struct fd_probe *p, dev_t *ret)
{
	uint32_t n = 0;
	int r = 0;

	*ret = p->st.st_rdev;
	if (major(*ret) != TTY_DEVICE_MAJOR)
		return 0;
	r = sys_ioctl(p->fd, TIOCGDEV, &n);
	if (!r)
		*ret = tty_from_number(n);
	return r;
}

/* What was hung up knows no request and is always ready, with an error. */
static bool is_hung_up(const struct fd_probe *p)
{
	struct tty_modes m;
	int ready = tty_ready(p->fd);

	return ready > 0 && ready & POLLERR && sys_ioctl(p->fd, TTY_GET_MODES, &m) == -EIO;
}

static int refuse_outside(struct dump *d, struct fd_probe *p, dev_t rdev)
{
	const char *key = tty_key(d, rdev);

	return fd_refuse(
		d, p, "the other side of this terminal is outside of the tree",
		arena_printf(&d->arena,
			     "-j (--shell-job) attaches it to the terminal of the restore; or "
			     "--external '%s' here and --inherit-fd 'fd[N]:%s' there",
			     key, key));
}

static int find_master(struct dump *d, const struct fd_probe *p, dev_t rdev,
		       const struct tty_end **ret)
{
	bool named = !is_master(p) && major(p->st.st_rdev) != TTY_DEVICE_MAJOR;

	*ret = NULL;
	return tty_is_slave(rdev) ? tty_master_of(d, rdev, named ? p->st.st_dev : 0, ret) : 0;
}

static bool is_declared(struct dump *d, struct fd_probe *p, dev_t rdev)
{
	return external_declared(d, p) ||
	       (p->st.st_rdev != rdev && tty_is_external(d, rdev)); /* /dev/tty */
}

static int look(struct dump *d, struct fd_probe *p)
{
	const struct tty_end *master;
	dev_t rdev;
	int r;

	if (is_hung_up(p) || real_device(p, &rdev))
		return 0;
	r = find_master(d, p, rdev, &master);
	if (r || master || !tty_is_slave(rdev) || d->opt->shell_job || is_declared(d, p, rdev))
		return r;
	return refuse_outside(d, p, rdev);
}

static bool controls_session(const struct dump *d, dev_t dev)
{
	vec_foreach(t, &d->tree.task) {
		const struct proc_stat *s = (*t)->stat;

		if (s && s->tty_nr && tty_from_number((uint32_t)s->tty_nr) == dev &&
		    tree_find(&d->tree, (*t)->sid))
			return true;
	}
	return false;
}

/* The foreground group, if it is one of the tree's. */
static pid_t foreground(const struct dump *d, dev_t dev)
{
	pid_t pgid = 0;

	vec_foreach(t, &d->tree.task)
		if ((*t)->stat && tty_from_number((uint32_t)(*t)->stat->tty_nr) == dev)
			pgid = (*t)->stat->tpgid;
	vec_foreach(t, &d->tree.task)
		if (pgid > 0 && (*t)->pgid == pgid)
			return pgid;
	return 0;
}

static int dump_modes(struct dump *d, struct fd_probe *p, Tty *m)
{
	struct tty_modes *modes = arena_new(&d->arena, struct tty_modes);
	int r = sys_ioctl(p->fd, TTY_GET_MODES, modes);

	if (r)
		return fail(r, "descriptor %d: ask for the modes of the terminal", p->number);
	m->has_termios = true;
	m->termios.data = (uint8_t *)modes;
	m->termios.len = sizeof(*modes);
	return 0;
}

static int dump_callers(struct dump *d, struct fd_probe *p, Tty *m)
{
	if (controls_session(d, m->rdev))
		return fd_refuse(d, p,
				 "it is the controlling terminal of a session in the tree, and its "
				 "other side is outside",
				 arena_printf(&d->arena, "--external '%s', without -j",
					      tty_key(d, m->rdev)));
	m->role = TTY__ROLE__CALLER;
	m->foreground = foreground(d, m->rdev);
	m->has_foreground = m->foreground > 0;
	return dump_modes(d, p, m);
}

static int dump_member(struct dump *d, struct fd_probe *p, Tty *m, const struct tty_end *master)
{
	const char *node = arena_printf(&d->arena, "%s/%" PRIu32, master->devpts, master->index);
	struct fd_probe of_node = { .task = p->task };
	bool first;
	int r = sys_stat(AT_FDCWD, node, 0, &of_node.st, NULL);

	if (r)
		return fail(r, "look at '%s'", node);
	m->has_terminal = true;
	m->terminal = files_group(d, &of_node, &first) + 1;
	m->role = is_master(p)	   ? TTY__ROLE__MASTER
		  : m->controlling ? TTY__ROLE__CONTROLLING
				   : TTY__ROLE__SLAVE;
	if (m->role == TTY__ROLE__SLAVE && strcmp(m->path, node))
		return fd_refuse(d, p, "this name of a terminal is a mount of its own",
				 "let the program open it by its name in the devpts");
	return first ? tty_pair_dump(d, master, &m->pair) : 0;
}

static int dump_hung_up(struct dump *d, struct fd_probe *p, Tty *m)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(m->path);
	const struct tty_end *master;
	struct fd_probe of_node = { .task = p->task, .st = p->st };
	bool first;
	int r;

	m->role = TTY__ROLE__HUNG_UP;
	if (len >= sizeof(mark) && !strcmp(m->path + len - sizeof(mark) + 1, mark))
		m->path = arena_strndup(&d->arena, m->path, len - sizeof(mark) + 1);
	if (!tty_is_slave(p->st.st_rdev) && !m->controlling)
		return fd_refuse(d, p, "this device was hung up", "let the program close it");
	r = find_master(d, p, p->st.st_rdev, &master);
	if (r)
		return r;
	m->has_terminal = true;
	m->terminal = files_group(d, &of_node, &first) + 1;
	return first && master ? tty_pair_dump(d, master, &m->pair) : 0;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	const struct tty_end *master;
	Tty *m = msg;
	dev_t rdev = p->st.st_rdev;
	int r;

	m->has_role = true;
	m->path = (char *)fd_link(d, p);
	if (m->path[0] != '/')
		return fail(-EIO, "descriptor %d: the terminal has no name", p->number);
	m->controlling = p->st.st_rdev == makedev(TTY_DEVICE_MAJOR, 0);
	m->rdev = (uint32_t)p->st.st_rdev;
	if (is_hung_up(p))
		return dump_hung_up(d, p, m);
	r = real_device(p, &rdev);
	if (r)
		return fail(r, "descriptor %d: ask for the device of the terminal", p->number);
	m->rdev = (uint32_t)rdev;
	r = find_master(d, p, rdev, &master);
	if (r || master)
		return r ? r : dump_member(d, p, m, master);
	p->key = arena_printf(&d->arena, "tty[%lx:%lx]", (unsigned long)p->st.st_rdev,
			      (unsigned long)p->st.st_dev);
	if (is_declared(d, p, rdev)) {
		const char *key = external_declared(d, p);

		p->key = key ? key : p->key;
		m->role = key ? TTY__ROLE__EXTERNAL : TTY__ROLE__CONTROLLING;
		return 0;
	}
	if (tty_is_slave(rdev))
		return d->opt->shell_job ? dump_callers(d, p, m) : refuse_outside(d, p, rdev);
	m->role = m->controlling ? TTY__ROLE__CONTROLLING : TTY__ROLE__DEVICE;
	return m->controlling ? 0 : dump_modes(d, p, m);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

/* The terminal that the tool was started from: a descriptor, or -1. */
static int own_terminal(void)
{
	struct tty_modes modes;

	for (int fd = 0; fd < 3; fd++)
		if (!sys_ioctl(fd, TTY_GET_MODES, &modes))
			return fd;
	return -1;
}

static int plan_callers(struct restore *r, const struct fd_obj *o)
{
	const char *key = o->ofd->key ? o->ofd->key : "tty";

	if (own_terminal() >= 0)
		return 0;
	return refuse(&r->blockers, 0, o->ofd->name ? o->ofd->name : key,
		      "the terminal of a shell job was dumped, and the restore has none",
		      arena_printf(&r->arena,
				   "start the restore from a terminal, or --inherit-fd 'fd[N]:%s'",
				   key));
}

static int plan_device(struct restore *r, const Tty *m)
{
	struct stat st;
	int e = sys_stat(AT_FDCWD, m->path, 0, &st, NULL);

	if (e || !S_ISCHR(st.st_mode) || st.st_rdev != m->rdev)
		return refuse(&r->blockers, 0, m->path,
			      "this name does not lead to the terminal that it was",
			      "put the device back, or declare it at the dump (--external)");
	return 0;
}

static const struct fd_obj *find_outside(const struct restore *r, dev_t rdev)
{
	const struct fd_obj *o;

	for (size_t i = 0; (o = files_nth(r, i)); i++) {
		const Tty *m = o->msg;

		if (o->kind == &kind_tty && m->rdev == rdev &&
		    (m->role == TTY__ROLE__EXTERNAL || m->role == TTY__ROLE__DEVICE))
			return o;
	}
	return NULL;
}

/* /dev/tty of a terminal outside of the tree: through another description of that. */
static int plan_controlling(struct restore *r, struct fd_obj *o)
{
	const Tty *m = o->msg;
	const struct fd_obj *of = m->has_terminal ? NULL : find_outside(r, m->rdev);

	if (m->has_terminal)
		return 0; /* with its pair */
	if (!of)
		return refuse(&r->blockers, 0, "/dev/tty",
			      "no other descriptor of this terminal was saved", NULL);
	*vec_push(&r->arena, &o->needs) = (struct fd_obj *)(uintptr_t)of;
	return 0;
}

static int plan(struct restore *r, struct fd_obj *o)
{
	const Tty *m = o->msg;

	o->shared = true; /* opened before there are sessions */
	if ((m->role == TTY__ROLE__CALLER || m->role == TTY__ROLE__DEVICE) &&
	    m->termios.len != sizeof(struct tty_modes))
		return fail(-EPROTO, "image 'tty': these are no modes");
	if (m->role != TTY__ROLE__CALLER && (!m->path || m->path[0] != '/'))
		return fail(-EPROTO, "image 'tty': a terminal without a name");
	if (((m->role == TTY__ROLE__MASTER || m->role == TTY__ROLE__SLAVE) && !m->has_terminal) ||
	    (m->role == TTY__ROLE__HUNG_UP && !m->controlling && !tty_is_slave(m->rdev)))
		return fail(-EPROTO, "image 'tty': one side of no terminal");
	if (m->role >= TTY__ROLE__ADDED || (m->has_terminal && !m->terminal))
		return fail(-EPROTO, "image 'tty': there is no such terminal");
	if (m->pair && tty_pair_check(m->pair))
		return -EPROTO;
	switch (m->role) {
	case TTY__ROLE__CALLER: return plan_callers(r, o);
	case TTY__ROLE__DEVICE: return plan_device(r, m);
	case TTY__ROLE__CONTROLLING: return plan_controlling(r, o);
	case TTY__ROLE__EXTERNAL:
		return refuse(&r->blockers, 0, o->ofd->key ? o->ofd->key : m->path,
			      "it was declared external at the dump",
			      arena_printf(&r->arena, "hand it over: --inherit-fd 'fd[N]:%s'",
					   o->ofd->key ? o->ofd->key : m->path));
	default: return 0;
	}
}

static uint64_t group(const void *msg)
{
	const Tty *m = msg;

	return m->has_terminal ? m->terminal : 1ull << 32 | m->rdev;
}

static int check_free(struct restore *r, const char *devpts, uint32_t index)
{
	const char *path = arena_printf(&r->arena, "%s/%" PRIu32, devpts, index);
	struct stat st;

	if (sys_stat(AT_FDCWD, devpts, 0, &st, NULL))
		return refuse(&r->blockers, 0, devpts, "this devpts is not mounted here",
			      "mount it");
	if (sys_stat(AT_FDCWD, path, 0, &st, NULL))
		return 0;
	return refuse(&r->blockers, 0, path,
		      arena_printf(&r->arena, "the terminal is in use here: %s has it",
				   tty_holder(r, index)),
		      "wait until it is closed, or restore with a devpts of its own");
}

/* One more description, which the coordinator has until all tasks are complete. */
static struct fd_obj *add(struct restore *r, const Tty *like, const char *path)
{
	Tty *m = arena_new(&r->arena, Tty);
	struct fd_obj *o;

	*m = *like;
	m->role = TTY__ROLE__ADDED;
	m->path = (char *)path;
	m->rdev = (uint32_t)makedev(TTY_SLAVE_MAJOR + like->pair->index / 256,
				    like->pair->index % 256);
	o = files_add(r, &kind_tty, m);
	o->shared = true;
	return o;
}

/* Slaves need the master, and those that live need the others to be hung up before. */
static void order(struct restore *r, struct fd_obj **member, size_t n, struct fd_obj *first)
{
	for (size_t i = 0; i < n; i++) {
		const Tty *m = member[i]->msg;

		if (m->role == TTY__ROLE__HUNG_UP && first != member[i])
			*vec_push(&r->arena, &first->needs) = member[i];
	}
}

static int plan_pair(struct restore *r, struct fd_obj **member, size_t n, const Tty *full)
{
	struct fd_obj *master = NULL, *slave = NULL;
	const TtyPair *p = full->pair;

	for (size_t i = 0; i < n; i++)
		if (((const Tty *)member[i]->msg)->role == TTY__ROLE__MASTER)
			master = member[i];
	if (!master)
		return fail(-EPROTO, "image 'tty': a terminal without a master");
	((Tty *)(uintptr_t)master->msg)->pair = full->pair;
	if (!p->unopened) {
		slave = add(r, full,
			    arena_printf(&r->arena, "%s/%" PRIu32, p->devpts, p->index));
		*vec_push(&r->arena, &slave->needs) = master;
		order(r, member, n, slave);
	}
	for (size_t i = 0; i < n; i++) {
		const Tty *m = member[i]->msg;

		if (member[i] == master)
			continue;
		if (!slave)
			return fail(-EPROTO, "image 'tty': a slave that nobody opened");
		*vec_push(&r->arena, &member[i]->needs) =
			m->role == TTY__ROLE__HUNG_UP ? master : slave;
	}
	return check_free(r, p->devpts, p->index);
}

/* A hung up /dev/tty takes any number, when those have theirs that want one. */
static void order_behind_numbers(struct restore *r, struct fd_obj *gone)
{
	struct fd_obj *o;

	for (size_t i = 0; (o = files_nth(r, i)); i++) {
		const Tty *m = o->msg;

		if (o->kind == &kind_tty && !files_inherited(o) && !m->controlling &&
		    (m->role == TTY__ROLE__MASTER || m->role == TTY__ROLE__HUNG_UP))
			*vec_push(&r->arena, &gone->needs) = o;
	}
}

static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	const Tty *full = member[0]->msg;

	if (!full->has_terminal)
		return 0;
	for (size_t i = 0; i < n; i++)
		full = ((const Tty *)member[i]->msg)->pair ? member[i]->msg : full;
	if (full->pair)
		return plan_pair(r, member, n, full);
	for (size_t i = 0; i < n; i++) {
		if (((const Tty *)member[i]->msg)->role != TTY__ROLE__HUNG_UP)
			return fail(-EPROTO, "image 'tty': a terminal without its state");
		if (((const Tty *)member[i]->msg)->controlling)
			order_behind_numbers(r, member[i]);
		member[i]->twin = n > 1 ? member[(i + 1) % n] : NULL;
	}
	return 0;
}

const struct fd_obj *tty_of_session(const struct restore *r, pid_t sid, dev_t rdev)
{
	const struct fd_obj *o;

	for (size_t i = 0; (o = files_nth(r, i)); i++) {
		const Tty *m = o->msg;

		if (o->kind == &kind_tty && m->role == TTY__ROLE__ADDED &&
		    m->pair->session == sid)
			return o;
	}
	return find_outside(r, rdev);
}

/* --- open ----------------------------------------------------------------------------------------
 */

static int keep(const struct fd_obj *obj)
{
	return (int)obj->ofd->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND);
}

static int open_name(const char *path, int flags)
{
	int fd = sys_openat(AT_FDCWD, path, flags | O_NOCTTY | O_CLOEXEC, 0);

	return fd < 0 ? fail(fd, "open the terminal '%s'", path) : fd;
}

struct founder {
	int terminal, to, flags;
};

/* In a process of its own: the new description takes the number of a placeholder. */
static int found(void *arg)
{
	const struct founder *f = arg;
	long fd, r = sys(SYS_setsid);

	r = r < 0 ? r : sys(SYS_ioctl, f->terminal, TIOCSCTTY, 0);
	if (r < 0)
		return (int)r;
	fd = sys_openat(AT_FDCWD, "/dev/tty", f->flags | O_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	r = sys_dup3((int)fd, f->to, O_CLOEXEC);
	(void)sys_close((int)fd); /* the table is shared with the tool */
	return r < 0 ? (int)r : 0;
}

static int open_controlling(const struct fd_obj *obj, int terminal)
{
	_close_ int to = sys_fcntl(terminal, F_DUPFD_CLOEXEC, 0);
	struct founder f = { terminal, to, keep(obj) };
	int r = to < 0 ? fail(to, "copy a descriptor")
		       : stand_in_run(&(struct stand_in){
				 .uid = (uid_t)-1, .gid = (gid_t)-1, .inside = found, .arg = &f });

	return r ? r : take_fd(&to);
}

static int open_hung_up(const struct fd_obj *obj, const char *node)
{
	const Tty *m = obj->msg;
	_close_ int slave = open_name(node, m->controlling ? O_RDWR : keep(obj)), fd = -1;
	int r;

	if (slave < 0)
		return slave;
	fd = m->controlling ? open_controlling(obj, slave) : take_fd(&slave);
	if (fd < 0)
		return fd;
	r = (int)sys(SYS_ioctl, fd, TIOCVHANGUP, 0);
	return r ? fail(r, "hang up the terminal '%s'", node) : take_fd(&fd);
}

/* Nobody has the master: one is made for the moment, and all that hung on it are opened. */
static int open_orphans(const struct fd_obj *obj, struct opener *o)
{
	const Tty *m = obj->msg;
	const char *slash = strrchr(m->path, '/');
	const char *dir = m->controlling ? "/dev/pts"
					 : arena_strndup(o->arena, m->path,
							 (size_t)(slash - m->path));
	const char *ptmx = !strcmp(dir, "/dev/pts") ? "/dev/ptmx"
						    : arena_printf(o->arena, "%s/ptmx", dir);
	uint32_t index = (major(m->rdev) - TTY_SLAVE_MAJOR) * 256 + minor(m->rdev);
	_close_ int master = m->controlling ? tty_pair_any(ptmx, &index)
					    : tty_pair_open(ptmx, index, O_RDWR);
	int fd = master;

	for (struct fd_obj *t = obj->twin; fd >= 0 && t && t != obj; t = t->twin)
		fd = t->fd = open_hung_up(
			t, arena_printf(o->arena, "%s/%" PRIu32, dir, index));
	return fd < 0 ? fd
		      : open_hung_up(obj, arena_printf(o->arena, "%s/%" PRIu32, dir, index));
}

static int set_modes(const Tty *m, int fd)
{
	struct tty_modes now;
	int r = sys_ioctl(fd, TTY_GET_MODES, &now);

	if (!r && memcmp(&now, m->termios.data, sizeof(now)))
		r = sys_ioctl(fd, TTY_SET_MODES, m->termios.data); /* SIGTTOU is blocked */
	return r ? fail(r, "set the modes of the terminal") : 0;
}

static int open_callers(const struct fd_obj *obj)
{
	const Tty *m = obj->msg;
	_close_ int fd = m->controlling
				 ? sys_openat(AT_FDCWD, "/dev/tty", keep(obj) | O_CLOEXEC, 0)
				 : sys_reopen(own_terminal(), keep(obj) | O_NOCTTY);
	int r = fd < 0 ? fail(fd, "open the terminal") : set_modes(m, fd);

	return r ? r : take_fd(&fd);
}

/* Without waiting for a modem. */
static int open_device(const struct fd_obj *obj)
{
	const Tty *m = obj->msg;
	_close_ int fd = open_name(m->path, keep(obj) | O_NONBLOCK);
	int r = fd < 0 ? fd : set_modes(m, fd);

	if (r)
		return r;
	r = sys_fcntl(fd, F_SETFL, keep(obj));
	return r ? fail(r, "set the flags of '%s'", m->path) : take_fd(&fd);
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Tty *m = obj->msg;

	switch (m->role) {
	case TTY__ROLE__MASTER: return tty_pair_open(m->path, m->pair->index, keep(obj));
	case TTY__ROLE__ADDED: return open_name(m->path, O_RDWR);
	case TTY__ROLE__SLAVE: return open_name(m->path, keep(obj));
	case TTY__ROLE__CONTROLLING: return open_controlling(obj, obj->needs.v[0]->fd);
	case TTY__ROLE__HUNG_UP:
		return obj->needs.n && !m->controlling ? open_hung_up(obj, m->path)
						       : open_orphans(obj, o);
	case TTY__ROLE__DEVICE: return open_device(obj);
	case TTY__ROLE__CALLER: return open_callers(obj);
	default: return fail(-EPROTO, "terminal '%s' is external", m->path);
	}
}

/* The state of a pair comes with the slave that was added, or with a master without one. */
static int fill(struct opener *o, const struct fd_obj *obj, int fd)
{
	const Tty *m = obj->msg;

	(void)o;
	if (m->role == TTY__ROLE__ADDED)
		return tty_pair_fill(m->pair, obj->needs.v[0]->fd, fd);
	if (m->role == TTY__ROLE__MASTER && m->pair->unopened)
		return tty_pair_fill(m->pair, fd, -1);
	return 0;
}

/* The group exists now. Signals are blocked, so asking from the background does not stop us. */
static int finish(struct self *s, const struct fd_obj *obj, int fd)
{
	const Tty *m = obj->msg;
	int r;

	(void)s;
	if (m->role != TTY__ROLE__CALLER || !m->has_foreground)
		return 0;
	r = sys_ioctl(fd, TIOCSPGRP, &(int32_t){ m->foreground });
	if (r) /* the terminal is no controlling one: of another session, or handed over */
		log_info("the terminal's foreground group stays as it is: error %d", -r);
	return 0;
}

const struct fd_kind kind_tty = { .name = "tty",
				  .descriptor = &tty__descriptor,
				  .dump_last = true,
				  .match = match,
				  .look = look,
				  .dump = dump,
				  .plan = plan,
				  .group = group,
				  .plan_group = plan_group,
				  .open = open_fd,
				  .fill = fill,
				  .finish = finish };
