/*
 * The last steps, once every queue is full: datagram sockets are connected (which may drop what a
 * receiver has from others, so not before), peers that are gone go, and then shutdown, options,
 * owner and flags are put on. A peer that went without reading everything leaves an error behind:
 * it is sent a byte before it goes.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/descriptor.h"
#include "sock/socket-options.h"
#include "sock/unix.h"

static int connect_outside(const struct unix_end *e, int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const ProtobufCBinaryData *n = &e->m->peer_name;
	int r;

	memcpy(name.sun_path, n->data, n->len);
	r = (int)sys(SYS_connect, fd, &name, sizeof(sa_family_t) + n->len);
	return r ? fail(r, "connect to the server outside, '%.*s'", (int)n->len, n->data) : 0;
}

static int connect_datagrams(struct unix_end *e)
{
	int r;

	if (e->type != SOCK_DGRAM || !e->m->connected || e->joined)
		return 0;
	if (!e->peer)
		return connect_outside(e, unix_fd(e));
	r = e->peer->name ? unix_connect(unix_fd(e), e->peer->name) : 0;
	return r ? fail(r, "connect a datagram socket") : 0;
}

static int leave_error(const struct unix_end *e)
{
	long n;

	if (!e->m->error || e->type == SOCK_DGRAM || !e->peer || e->peer->m)
		return 0;
	n = sys(SYS_sendto, unix_fd(e), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	return n < 0 ? fail(n, "leave the error of a closed peer") : 0;
}

/* What both ends know was shut; the rest was done before they were connected. */
static int shut(const struct unix_end *e)
{
	uint32_t what = e->m->shutdown;
	int r;

	if (e->type != SOCK_DGRAM && e->peer && e->peer->m) {
		uint32_t other = e->peer->m->shutdown;

		what &= (other & UNIX_SHUT_SEND ? UNIX_SHUT_RECEIVE : 0u) |
			(other & UNIX_SHUT_RECEIVE ? UNIX_SHUT_SEND : 0u);
	}
	if (!what)
		return 0;
	r = (int)sys(SYS_shutdown, unix_fd(e), what == 3 ? SHUT_RDWR : what == 1 ? SHUT_RD
										 : SHUT_WR);
	return r == -ENOTCONN ? 0 : r ? fail(r, "shut a socket down") : 0;
}

static int set_owner(int fd, const Unix *m)
{
	struct stat st;
	int r = sys_stat(fd, "", 0, &st, NULL);

	if (!r && (st.st_uid != m->uid || st.st_gid != m->gid))
		r = (int)sys(SYS_fchown, fd, m->uid, m->gid);
	if (!r && st.st_mode != m->mode)
		r = (int)sys(SYS_fchmod, fd, m->mode & 07777);
	return r ? fail(r, "give a socket its owner") : 0;
}

static int settle(const struct unix_end *e)
{
	int fd = unix_fd(e), r = shut(e);

	r = r ?: socket_options_restore(fd, e->m->n_option, e->m->option);
	r = r ?: set_owner(fd, e->m);
	if (r)
		return r;
	r = sys_fcntl(fd, F_SETFL, (long)(e->obj->ofd->flags & O_NONBLOCK));
	return r ? fail(r, "set the flags of a socket") : 0;
}

int unix_world_settle(struct unix_world *w)
{
	int r = 0;

	vec_foreach(e, &w->end)
		r = r ?: connect_datagrams(*e);
	vec_foreach(e, &w->end)
		r = r ?: leave_error(*e);
	vec_foreach(e, &w->passing)
		fd_close(&(*e)->fd);
	vec_foreach(e, &w->end)
		r = r ?: settle(*e);
	return r ?: unix_addresses_settle(w);
}
