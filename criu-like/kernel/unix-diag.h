#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

/* What sock_diag tells about one unix socket of the caller's network namespace. */
struct unix_diag {
	uint32_t ino;	       /* 0: of a connection that nobody has accepted, or of the kernel */
	uint32_t type, state;  /* SOCK_x; TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
	struct span name;      /* behind the family */
	uint32_t file_ino;     /* of the file it is bound to; 0: none */
	uint64_t file_dev;     /* of its file system */
	bool has_peer;
	uint32_t peer;	       /* inode; 0: closed by its owner, or not accepted */
	uint32_t shutdown;     /* 1: receiving, 2: sending */
	uint32_t backlog;      /* of a listener */
	const uint32_t *icons; /* inodes of clients it has not accepted; 0: closed already */
	size_t n_icon;
};
/* All of them, asked once: the kernel walks over every socket of the namespace anyway. */
struct unix_sockets {
	VEC(struct unix_diag) all;
	struct map by_ino;  /* inode -> struct unix_diag */
	struct map by_name; /* hash of type and name -> struct unix_sharing */
	struct map waiting; /* inode of a client -> struct unix_diag of the listener */
};
struct unix_sharing {
	VEC(const struct unix_diag *) socket;
};
/* 0 or -errno; not reported. */
int unix_sockets_read(struct arena *a, struct unix_sockets *ret);
const struct unix_diag *unix_sockets_find(const struct unix_sockets *s, uint64_t ino);
/* Those of this type and name (equal in hash: compare again); NULL: none. */
const struct unix_sharing *unix_sockets_named(const struct unix_sockets *s, uint32_t type,
					      struct span name);
