#pragma once
#include "core/file/file.h"
#include "socket_option.pb-c.h"

/*
 * Socket options of all levels, by one table (socket-option-table.c): what getsockopt() tells is
 * kept byte by byte and set again where a new socket has another value. How a kind uses them:
 *
 *	dump	socket_options_dump(d, p, &m->n_option, &m->option)
 *	plan	socket_options_plan(r, o, m->n_option, m->option): levels, names and lengths
 *	open	socket(), owner, socket_options_apply(fd, n, option, SOCKET_FRESH)
 *		bind, connect, listen, queues: room for them by socket_buffers_enlarge()
 *		socket_options_apply(.., SOCKET_READY), then (.., SOCKET_LAST)
 *
 * SOCKET_PORT are SO_REUSEADDR and SO_REUSEPORT: a socket with a port sets them when everybody is
 * bound (inet.h). socket_options_restore() applies everything, for sockets that have no port.
 */
enum socket_when {
	SOCKET_FRESH = 1, /* before bind, connect and listen */
	SOCKET_PORT = 2,
	SOCKET_READY = 4, /* bound, connected, queues full: buffer sizes and their locks too */
	SOCKET_LAST = 8,  /* what forbids later changes */
	SOCKET_ANY = 15
};
enum { SOCKET_OPTION_BYTES = 2048 }; /* longest value: IPv6 extension headers */

struct socket_type {
	int domain, type, protocol;
};
/* False: not a socket that could be asked. */
bool socket_type_of(const struct fd_probe *p, struct socket_type *ret);
/* getsockopt() of an int: the value (not negative) or -errno. */
long socket_int(int fd, int level, int name);
int socket_set_int(int fd, int level, int name, int value);
/* Which of these events of poll(2) are there now; -errno with a message. */
int socket_events(const struct fd_probe *p, short events);

int socket_options_dump(struct dump *d, struct fd_probe *p, size_t *ret_n, SocketOption ***ret);
int socket_options_plan(struct restore *r, const struct fd_obj *o, size_t n,
			SocketOption *const *option);
int socket_options_apply(int fd, size_t n, SocketOption *const *option, unsigned int when);
int socket_options_restore(int fd, size_t n, SocketOption *const *option);
/* The saved value of an option that is an int, or `otherwise`. */
int socket_option_int(size_t n, SocketOption *const *option, const int level_name[2],
		      int otherwise);
/* Room in both buffers for queues to be filled; SOCKET_READY puts the sizes back. */
int socket_buffers_enlarge(int fd);

/* Rows of the table; the last has no text. */
struct socket_option_row {
	int level, name;
	uint16_t bytes; /* most that the value may have */
	uint8_t when;	/* enum socket_when */
	uint8_t trait;	/* enum socket_trait */
	const char *text;
};
enum socket_trait {
	SOCKET_PLAIN,
	SOCKET_BUFFER,	    /* twice what is set, by another name */
	SOCKET_UNCONNECTED, /* of a connected socket it says something else */
	SOCKET_REFUSED,	    /* refused if it has a value at all */
};
extern const struct socket_option_row socket_option_table[];
