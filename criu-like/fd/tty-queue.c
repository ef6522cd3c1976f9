/*
 * What is on its way in a pseudo terminal. There is no way to look at it without taking it: it is
 * read while the tree is stopped and put back at once, byte by byte with TIOCSTI, which hands each
 * of them to the line discipline before it returns. Used on a master it fills what the master is to
 * read. What the line discipline has no room for (4095 bytes) follows by write(2) from the other
 * side.
 *
 * In canonical mode a line comes with each read(2); whether VEOF ended it shows in the missing
 * newline. The unfinished line is readable only while canonical mode is off. Modes for the time in
 * between leave IXON alone: clearing it would start stopped output. Not told by any interface: a
 * pending VLNEXT, the column of the cursor.
 *
 * A process of its own does it, which blocks all signals and outlives the tool: between taking and
 * putting back nothing must end it. It hands over what it saw in a pipe.
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/refuse.h"
#include "fd/tty.h"
#include "images/wire.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"
#include "kernel/own.h"

enum { ROOM = 4095, READ_BYTES = 8192 };

int tty_ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI, 0 };
	long r = sys(SYS_poll, &p, 1, 0);

	return r < 0 ? (int)r : p.revents;
}

static int unread(int fd)
{
	int n = 0, r = sys_ioctl(fd, FIONREAD, &n);

	return r < 0 ? r : n;
}

int tty_push(int fd, const void *bytes, size_t len)
{
	const char *c = bytes;
	int r = 0;

	for (size_t i = 0; i < len && !r; i++)
		r = sys_ioctl(fd, TIOCSTI, (void *)(uintptr_t)&c[i]);
	return r;
}

struct bytes {
	char *p;
	size_t len;
};

/* Everything there is, with one status byte before each piece in packet mode. */
static int take(struct dump *d, int fd, bool packet, struct bytes *ret)
{
	struct bytes all = { 0 };
	int n;

	while ((n = unread(fd)) > 0) {
		char *buf = arena_alloc(&d->arena, (size_t)n + 1);
		long got = sys_read(fd, buf, (size_t)n + packet) - packet;

		if (got <= 0)
			return got ? (int)got : -EIO;
		all.p = arena_grow(&d->arena, all.p, all.len, all.len + (size_t)got);
		memcpy(all.p + all.len, buf + packet, (size_t)got);
		all.len += (size_t)got;
		(void)tty_ready(fd); /* lets the kernel move up what waits behind it */
	}
	if (n < 0)
		return n;
	*ret = all;
	return 0;
}

/* --- modes for the time in between ---------------------------------------------------------------
 */

static int set_modes(int fd, const struct tty_modes *m)
{
	return sys_ioctl(fd, TTY_SET_MODES, (void *)(uintptr_t)m);
}

/* Nothing that comes in means anything. */
static struct tty_modes neutral(const struct tty_modes *m, bool lines, bool packet)
{
	struct tty_modes n = *m;

	n.in &= IXON;
	n.local = (m->local & EXTPROC) | (lines ? ICANON : 0);
	for (size_t i = 0; i < sizeof(n.cc); i++)
		if (!packet || (i != VSTART && i != VSTOP)) /* a change of those is a message */
			n.cc[i] = 0;
	if (!lines)
		n.cc[VMIN] = 1;
	return n;
}

/* A byte that is in none of the text, to end it with. */
static uint8_t unused_byte(const struct tty_modes *m, const TtyLine *l)
{
	for (int c = 1; c < 256; c++)
		if (c != '\n' && c != m->cc[VSTART] && c != m->cc[VSTOP] &&
		    !memchr(l->text.data, c, l->text.len))
			return (uint8_t)c;
	return 4; /* a line has 4095 bytes and may use them all: it is cut into two */
}

static int push_line(int slave, struct tty_modes n, const TtyLine *l)
{
	uint8_t last = l->text.len ? l->text.data[l->text.len - 1] : 0;
	int r;

	if (l->end_of_file)
		n.cc[VEOF] = unused_byte(&n, l);
	else if (last != '\n')
		n.cc[VEOL] = last;
	r = set_modes(slave, &n);
	if (!r)
		r = tty_push(slave, l->text.data, l->text.len);
	if (!r && l->end_of_file)
		r = tty_push(slave, &n.cc[VEOF], 1);
	return r;
}

/* What is behind the room of the line discipline: it goes through the buffers of the other side. */
static int push_rest(int fd, bool stopped, const void *bytes, size_t len)
{
	int r = stopped ? (int)sys(SYS_ioctl, fd, TCXONC, TCOOFF) : 0;

	if (!r && stopped) /* only what TCOOFF stopped can be started so */
		r = (int)sys(SYS_ioctl, fd, TCXONC, TCOON);
	return r ?: io_write(fd, bytes, len);
}

/* Puts the input of the slave there. base: the modes to keep flow control from. */
static int push_input(const TtyPair *p, const struct tty_modes *base, int master, int slave)
{
	const struct tty_modes n = neutral(base, base->local & ICANON, p->packet);
	size_t now = p->input.len < ROOM ? p->input.len : ROOM;
	int r = set_modes(slave, &n);

	for (size_t i = 0; i < p->n_line && !r; i++)
		r = push_line(slave, n, p->line[i]);
	if (!r && p->n_line)
		r = set_modes(slave, &n);
	if (!r)
		r = tty_push(slave, p->input.data, now);
	if (!r && now < p->input.len)
		r = push_rest(master, p->master_stopped, p->input.data + now, p->input.len - now);
	return r;
}

static int push_output(const TtyPair *p, const struct tty_modes *base, int master, int slave)
{
	size_t now = p->output.len < ROOM ? p->output.len : ROOM;
	struct tty_modes plain = *base;
	int r = tty_push(master, p->output.data, now);

	if (r || now == p->output.len)
		return r;
	if (slave < 0)
		return -EPROTO;
	plain.out &= ~(uint32_t)OPOST;
	r = set_modes(slave, &plain);
	if (!r)
		r = push_rest(slave, p->stopped, p->output.data + now, p->output.len - now);
	return r ?: set_modes(slave, base);
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static bool ends_line(const struct tty_modes *m, uint8_t c)
{
	return c == '\n' || (c && c == m->cc[VEOL]) ||
	       (c && m->local & IEXTEN && c == m->cc[VEOL2]);
}

static int take_lines(struct dump *d, TtyPair *p, const struct tty_modes *m, int slave)
{
	while (tty_ready(slave) & POLLIN) {
		TtyLine *l = arena_new(&d->arena, TtyLine);
		char *buf = arena_alloc(&d->arena, READ_BYTES);
		long n = sys_read(slave, buf, READ_BYTES);

		if (n < 0)
			return (int)n;
		tty_line__init(l);
		l->text.data = (uint8_t *)buf;
		l->text.len = (size_t)n;
		l->has_end_of_file = l->end_of_file = !n || !ends_line(m, (uint8_t)buf[n - 1]);
		p->line = arena_grow(&d->arena, p->line, p->n_line * sizeof(TtyLine *),
				     (p->n_line + 1) * sizeof(TtyLine *));
		p->line[p->n_line++] = l;
	}
	return 0;
}

static int take_input(struct dump *d, TtyPair *p, const struct tty_modes *m, int slave)
{
	const struct tty_modes raw = neutral(m, false, p->packet);
	struct bytes all = { 0 };
	int r = m->local & ICANON ? take_lines(d, p, m, slave) : 0;

	r = r ?: set_modes(slave, &raw);
	r = r ?: take(d, slave, false, &all);
	p->has_input = all.len > 0;
	p->input.data = (uint8_t *)all.p;
	p->input.len = all.len;
	return r;
}

static int dump_input(struct dump *d, TtyPair *p, int master, int slave)
{
	const struct tty_modes *m = (const struct tty_modes *)p->termios.data;
	int before = unread(slave), r, e;

	if (before < 0)
		return fail(before, "ask for the unread input of a terminal");
	if (!(m->local & ICANON) && !before)
		return 0;
	r = take_input(d, p, m, slave);
	p->master_stopped = !(tty_ready(master) & POLLOUT); /* not only full */
	e = push_input(p, m, master, slave);
	e = e ?: set_modes(slave, m);
	if (!e && p->master_stopped && p->input.len > ROOM)
		e = (int)sys(SYS_ioctl, master, TCXONC, TCOOFF);
	if (!r && !e && before < ROOM && unread(slave) != before)
		r = -EIO;
	return r || e ? fail(r ?: e, "read the unread input of a terminal and put it back") : 0;
}

static int dump_output(struct dump *d, TtyPair *p, int master, int slave)
{
	const struct tty_modes *m = (const struct tty_modes *)p->termios.data;
	struct bytes all = { 0 };
	int n = unread(master), r, e;

	if (n <= 0)
		return n ? fail(n, "ask for the unread output of a terminal") : 0;
	r = take(d, master, p->packet, &all);
	p->has_output = true;
	p->output.data = (uint8_t *)all.p;
	p->output.len = all.len;
	p->stopped = slave >= 0 && !(tty_ready(slave) & POLLOUT); /* not only full */
	e = push_output(p, m, master, slave);
	if (!e && p->stopped && p->output.len > ROOM)
		e = tty_stop(m, slave);
	return r || e ? fail(r ?: e, "read the unread output of a terminal and put it back") : 0;
}

static int refuse_queue(struct dump *d, const TtyPair *p, const char *reason, const char *remedy)
{
	return refuse(&d->blockers, 0,
		      arena_printf(&d->arena, "terminal %s/%u", p->devpts, p->index), reason,
		      remedy);
}

/* What could not be put back must not be taken. */
static int check_output(struct dump *d, const TtyPair *p, int n, int master, int slave)
{
	int ready = tty_ready(master);

	if (ready < 0)
		return fail(ready, "look at terminal %s/%u", p->devpts, p->index);
	if (p->packet && ready & POLLPRI)
		return refuse_queue(d, p, "a message of packet mode waits before unread output",
				    "try again when the master has read it");
	if (n >= ROOM && slave < 0)
		return refuse_queue(d, p, "more unread output than can be put back",
				    "let the master read it");
	return 0;
}

static int take_and_put_back(struct dump *d, TtyPair *p, int master, int slave)
{
	int r = p->master_ldisc ? 0 : dump_output(d, p, master, slave);

	return r || p->ldisc || slave < 0 ? r : dump_input(d, p, master, slave);
}

static _Noreturn void guard_live(struct dump *d, TtyPair *p, const int end[4])
{
	size_t len;
	void *bytes;
	int r;

	fault_off(); /* between taking and putting back nothing may fail */
	(void)sys_close(end[0]); /* the reading end is the tool's */
	r = take_and_put_back(d, p, end[2], end[3]);
	len = tty_pair__get_packed_size(p);
	bytes = arena_alloc(&d->arena, len);
	(void)tty_pair__pack(p, bytes); /* as long as it said */
	r = r ?: io_write(end[1], bytes, len);
	(void)sys(SYS_exit_group, r ? 1 : 0);
	_exit(1);
}

static int guard_start(struct dump *d, TtyPair *p, int master, int slave, int *ret_fd)
{
	const uint64_t all = ~0ull;
	uint64_t old = 0;
	int end[4] = { -1, -1, master, slave };
	long pid, r = sys(SYS_pipe2, end, O_CLOEXEC);

	if (!r)
		r = sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	if (r)
		return fail(r, "prepare to read a terminal");
	pid = clone_process(0, 0, 0);
	if (!pid)
		guard_live(d, p, end);
	(void)sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old)); /* as it was */
	(void)sys_close(end[1]); /* the process has it */
	*ret_fd = end[0];
	return pid < 0 ? fail(pid, "start a process to read a terminal") : (int)pid;
}

static int guarded(struct dump *d, TtyPair *p, int master, int slave)
{
	const struct wire_place place = { "tty", 0 };
	_close_ int fd = -1;
	ProtobufCMessage *m;
	struct span bytes;
	int status = 0, pid = guard_start(d, p, master, slave, &fd), r;

	if (pid < 0)
		return pid;
	r = io_slurp(&d->arena, fd, &bytes);
	if (sys(SYS_wait4, pid, &status, __WALL, NULL) != pid || status || r)
		return fail(r ? r : -EIO, "read the terminal %s/%u", p->devpts, p->index);
	r = wire_unpack(&d->arena, &place, &tty_pair__descriptor, bytes, &m);
	if (!r)
		*p = *(TtyPair *)m;
	return r;
}

int tty_queue_dump(struct dump *d, TtyPair *p, int master, int slave)
{
	const struct tty_modes *m = (const struct tty_modes *)p->termios.data;
	int output = p->master_ldisc ? 0 : unread(master);
	int input = p->ldisc || slave < 0 ? 0 : unread(slave), r;

	if (output < 0 || input < 0)
		return fail(output < 0 ? output : input, "ask what is unread in terminal %s/%u",
			    p->devpts, p->index);
	if (!output && !input && (p->ldisc || slave < 0 || !(m->local & ICANON)))
		return 0;
	if (!own_capable(CAP_SYS_ADMIN))
		return output || input ? refuse_queue(d, p,
						      "unread data can only be kept with "
						      "CAP_SYS_ADMIN",
						      NULL)
				       : 0;
	r = output ? check_output(d, p, output, master, slave) : 0;
	return r ?: guarded(d, p, master, slave);
}

/* --- restore -------------------------------------------------------------------------------------
 */

int tty_queue_fill(const TtyPair *p, int master, int slave)
{
	struct tty_modes base = *(const struct tty_modes *)p->termios.data;
	int r = 0;

	base.in &= ~(uint32_t)IXON;
	if (p->n_line || p->input.len)
		r = slave < 0 ? -EPROTO : push_input(p, &base, master, slave);
	if (r)
		return fail(r, "put back the unread input of a terminal");
	if (p->output.len)
		r = push_output(p, &base, master, slave);
	return r ? fail(r, "put back the unread output of a terminal") : 0;
}
