/*
 * Classic filters of sockets (SO_ATTACH_FILTER). SO_GET_FILTER gives the instructions as they were
 * set, counted in instructions. Of an eBPF program it says EACCES: such a socket is refused. Not
 * told, and lost: the programs that choose among the sockets of one port
 * (SO_ATTACH_REUSEPORT_CBPF, _EBPF).
 */
#include "sock/socket-filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "base/err.h"
#include "kernel/descriptor.h"

int socket_filter_dump(struct dump *d, struct fd_probe *p, ProtobufCBinaryData *ret)
{
	struct sock_filter *code;
	uint32_t n = 0;
	long r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n);

	if (r == -EACCES)
		return fd_refuse(d, p, "an eBPF program filters its socket (SO_ATTACH_BPF)",
				 "detach it before the dump");
	if (r == -EOPNOTSUPP || r == -ENOPROTOOPT || (!r && !n))
		return 0;
	code = arena_array(&d->arena, struct sock_filter, n);
	if (!r)
		r = sys(SYS_getsockopt, p->fd, SOL_SOCKET, SO_GET_FILTER, code, &n);
	if (r)
		return fail(r, "descriptor %d: ask for the filter of its socket", p->number);
	*ret = (ProtobufCBinaryData){ n * sizeof(*code), (uint8_t *)code };
	return 0;
}

int socket_filter_attach(int fd, const ProtobufCBinaryData *filter)
{
	struct sock_fprog f = { .len = (uint16_t)(filter->len / FILTER_INSTRUCTION_BYTES),
				.filter = (struct sock_filter *)filter->data };
	long r = sys(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f));

	return r ? fail(r, "attach a filter of %u instructions to a socket", f.len) : 0;
}
