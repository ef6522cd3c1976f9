#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What sock_diag tells about one unix socket of the caller's network namespace. */
struct unix_diag {
	uint32_t type, state; /* SOCK_x; TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
	bool has_peer;
	uint32_t peer;	   /* inode; 0: closed by its owner */
	uint32_t shutdown; /* 1: receiving, 2: sending */
};

/* 0, -ENOENT: no such socket here, or another -errno. */
int unix_diag_get(uint32_t ino, struct unix_diag *ret);
