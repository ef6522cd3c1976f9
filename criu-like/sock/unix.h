#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include "base/map.h"
#include "core/file/file.h"
#include "kernel/unix-diag.h"
#include "unix.pb-c.h"

/* What the files of the kind `unix` share. */
enum {
	UNIX_SHUT_RECEIVE = 1,
	UNIX_SHUT_SEND = 2,
	UNIX_NAME_BYTES = sizeof(struct sockaddr_un) - 2
};

/* --- dump ------------------------------------------------------------------------------------ */
/* A socket that refers to one that must be in the tree as well. */
struct unix_note {
	const struct task *task;
	int number;
	uint64_t dev, ino, peer;
	const char *reason, *remedy;
};
struct unix_space {
	struct unix_sockets sockets; /* of the namespace, asked once */
	struct map seen;	     /* inode -> itself, of the look */
	bool in_flight;		     /* look: descriptors travel, some may be sockets */
	VEC(struct unix_note) note;
	char *buf, *control, *scratch; /* to look into queues */
	size_t size;
	struct unix_kernel *kernel; /* unix-pending.c */
	int kernel_error;
	struct unix_keeper *keeper;
};
/* getsockname() or getpeername(): 1 and the bytes behind the family, 0: none, -errno. */
int unix_name(struct arena *a, int fd, long call, ProtobufCBinaryData *ret);
/* 1: the bytes behind the family, of a path without the terminator; 0: none. */
int unix_name_keep(struct arena *a, const struct sockaddr_un *name, uint32_t len,
		   ProtobufCBinaryData *ret);
/* unix-keeper.c: begin for this descriptor, note an option and what it was, change it; done: all
 * are put back. */
int unix_keeper_begin(struct unix_space *s, int fd);
void unix_keeper_note(struct unix_space *s, int name, int value);
void unix_keeper_done(struct unix_space *s);
void unix_keeper_end(struct unix_space *s);
/* Fills m->pending, or refuses. */
int unix_pending_dump(struct dump *d, struct fd_probe *p, const struct unix_diag *u, Unix *m);
/* Fills m->queue. */
int unix_queue_dump(struct dump *d, struct fd_probe *p, Unix *m);

/* --- restore --------------------------------------------------------------------------------- */
struct unix_end;
/* A name that is bound once, by whoever holds it or by a socket that serves only this. */
struct unix_address {
	int32_t type;
	ProtobufCBinaryData name;
	const UnixFile *file;	/* where it was; NULL: abstract, or nobody knows */
	struct unix_end *owner; /* who holds it; NULL: a socket is made for it */
	bool needed;		/* somebody connects or sends to it */
	bool listening;
	int socket, path;	/* bound; O_PATH of its file; -1 */
	const UnixCred *cred;	/* as whom it listens at the moment */
};
struct unix_end { /* a socket of the tree, or one that has to be there for a moment */
	struct fd_obj *obj;	/* NULL: for a moment */
	const Unix *m;		/* NULL: as above */
	struct unix_world *world;
	struct unix_end *peer;	/* the other end; made with it if it is gone */
	struct unix_end *pair;	/* with whom it is made by socketpair(2) */
	struct unix_address *name, *peer_name;
	struct unix_end **client; /* parallel to m->pending */
	int32_t type;
	bool simple;		/* a pair or a single one that its task can make */
	bool accepted, waits;	/* made by a listener; to be made by one */
	bool joined;		/* connected already */
	int fd;			/* until the object takes it; of those for a moment: always */
	int64_t left;		/* about what its peers have yet to get from it */
};
struct unix_world {
	struct restore *r;
	VEC(struct unix_end *) end;	/* made together */
	VEC(struct unix_end *) passing; /* for a moment */
	VEC(struct unix_address *) address;
	struct map by_inode; /* -> struct unix_end */
	struct map by_name;  /* hash -> struct unix_namesakes */
	size_t left;	     /* ends not filled yet */
	bool made;
};
static inline int unix_fd(const struct unix_end *e)
{
	return e->obj && e->obj->fd >= 0 ? e->obj->fd : e->fd;
}
static inline bool unix_is_path(const ProtobufCBinaryData *name)
{
	return name->len && name->data[0];
}
static inline bool unix_same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && !__builtin_memcmp(a->data, b->data, a->len);
}

/* unix-plan.c: who is whose peer, and who makes what. */
int unix_plan_group(struct restore *r, struct fd_obj **member, size_t n);

/* unix-address.c: the names that are needed. */
int unix_addresses_plan(struct unix_world *w);
/* Refuses names that others have by now. */
int unix_addresses_check(struct unix_world *w);
/* One with this name, somebody's for preference; NULL: none. */
struct unix_address *unix_address_find(const struct unix_world *w, int32_t type,
				       const ProtobufCBinaryData *name);

/* unix-make.c: sockets, connections. All sockets of the world are open afterwards. */
int unix_world_make(struct unix_world *w);
int unix_socket(int32_t type);
/* A pair that somebody else made (NULL: the caller). */
int unix_pair(const UnixCred *c, int32_t type, int ret[2]);
/* Runs fn(arg) as somebody else; NULL: as the tool. */
int unix_act_as(const UnixCred *c, int (*fn)(void *), void *arg);

/* unix-bind.c: binds every address; connects to one. */
int unix_addresses_bind(struct unix_world *w);
int unix_connect(int fd, const struct unix_address *a);
/* The address to send to, as the kernel wants it. */
void unix_sockaddr(const struct unix_address *a, struct sockaddr_un *ret, uint32_t *ret_len);
/* Mode and owner of the files. */
int unix_addresses_settle(struct unix_world *w);

/* unix-send.c: what this end has not read. */
int unix_queue_fill(struct unix_end *e);

/* unix-settle.c: everything is filled: late connections, shutdown, options, the peers go. */
int unix_world_settle(struct unix_world *w);
