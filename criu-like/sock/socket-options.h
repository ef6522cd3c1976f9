#pragma once
#include "core/file/file.h"
#include "socket_option.pb-c.h"

/* Options of SOL_SOCKET that differ from a new socket's, and back. */
int socket_options_dump(struct dump *d, const struct fd_probe *p, size_t *ret_n,
			SocketOption ***ret);
int socket_options_restore(int fd, size_t n, SocketOption *const *option);
