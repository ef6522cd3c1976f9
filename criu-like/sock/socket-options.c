/*
 * Options that every socket has. They are asked from our copy of the descriptor and set again as
 * they were, all of them: a restored socket must not depend on the defaults of the day. Buffer
 * sizes are told doubled and set halved, with the privileged call that no limit applies to.
 * SO_ERROR is never asked: asking clears it.
 */
#include "sock/socket-options.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/err.h"
#include "kernel/descriptor.h"

enum { VALUE_BYTES = 16 };

static const int plain[] = {
	SO_REUSEADDR, SO_KEEPALIVE, SO_OOBINLINE,   SO_PRIORITY,	 SO_MARK,      SO_LINGER,
	SO_PASSCRED,  SO_PASSSEC,   SO_RCVLOWAT,    SO_RCVTIMEO,	 SO_SNDTIMEO,  SO_PEEK_OFF,
	SO_RXQ_OVFL,  SO_TIMESTAMP, SO_TIMESTAMPNS, SO_SELECT_ERR_QUEUE, SO_BROADCAST,
};

static long ask(int fd, int name, void *value, uint32_t *len)
{
	return sys(SYS_getsockopt, fd, SOL_SOCKET, name, value, len);
}

static void add(struct dump *d, size_t *n, SocketOption ***list, const SocketOption *o)
{
	SocketOption *copy = arena_memdup(&d->arena, o, sizeof(*o));

	copy->value.data = arena_memdup(&d->arena, o->value.data, o->value.len);
	*list = arena_grow(&d->arena, *list, *n * sizeof(copy), (*n + 1) * sizeof(copy));
	(*list)[(*n)++] = copy;
}

int socket_options_dump(struct dump *d, const struct fd_probe *p, size_t *ret_n,
			SocketOption ***ret)
{
	static const int all[] = { SO_SNDBUF, SO_RCVBUF };

	for (size_t i = 0; i < array_size(all) + array_size(plain); i++) {
		SocketOption o = SOCKET_OPTION__INIT;
		char value[VALUE_BYTES];
		uint32_t len = sizeof(value);
		long r;

		o.level = SOL_SOCKET;
		o.name = i < array_size(all) ? all[i] : plain[i - array_size(all)];
		r = ask(p->fd, o.name, value, &len);
		if (r == -EOPNOTSUPP || r == -ENOPROTOOPT)
			continue; /* not of this family or kernel */
		if (r)
			return fail(r, "descriptor %d: ask for socket option %d", p->number,
				    o.name);
		o.value = (ProtobufCBinaryData){ len, (uint8_t *)value };
		add(d, ret_n, ret, &o);
	}
	return 0;
}

static int set_buffer(int fd, int name, const SocketOption *o)
{
	int value = o->value.len == sizeof(int) ? *(const int *)(const void *)o->value.data / 2 : 0;

	return (int)sys(SYS_setsockopt, fd, SOL_SOCKET, name, &value, sizeof(value));
}

static bool is_default(int fd, const SocketOption *o)
{
	char value[VALUE_BYTES];
	uint32_t len = sizeof(value);

	return !ask(fd, o->name, value, &len) && len == o->value.len &&
	       !__builtin_memcmp(value, o->value.data, len);
}

int socket_options_restore(int fd, size_t n, SocketOption *const *option)
{
	for (size_t i = 0; i < n; i++) {
		const SocketOption *o = option[i];
		long r = 0;

		if (o->value.len > VALUE_BYTES)
			return fail(-EPROTO, "socket option %d has no such value", o->name);
		if (is_default(fd, o))
			continue; /* equal already: some cannot even be set to what they are */
		if (o->name == SO_SNDBUF || o->name == SO_RCVBUF)
			r = set_buffer(fd, o->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE,
				       o);
		else
			r = sys(SYS_setsockopt, fd, o->level, o->name, o->value.data, o->value.len);
		if (r)
			return fail(r, "set socket option %d", o->name);
	}
	return 0;
}
