/*
 * The network lock during a restore. The table of the dump is there still, as a rule; it is
 * replaced in one transaction by one with the addresses of this restore. Where there is none (a
 * reboot, another host, a second restore) it is made. A restore that fails leaves it, so that it
 * can be repeated; `torpor recover` removes it.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/net-lock.h"
#include "kernel/descriptor.h"
#include "net_lock.pb-c.h"

struct restore_lock {
	VEC(struct nft_pair) pair;
	const char *name;
	int socket;
};

static struct restore_lock *lock_of(struct restore *r)
{
	if (!r->lock) {
		r->lock = arena_new(&r->arena, struct restore_lock);
		r->lock->socket = -1;
	}
	return r->lock;
}

void net_lock_want(struct restore *r, const struct nft_pair *p)
{
	*vec_push(&r->arena, &lock_of(r)->pair) = *p;
}

/* An image must not make us remove somebody's table. */
static bool is_ours(const char *name)
{
	return !strncmp(name, "torpor-", 7) && strlen(name) == 23 &&
	       strspn(name + 7, "0123456789abcdef") == 16;
}

static int read_name(void *c, uint32_t id, const ProtobufCMessage *m)
{
	const char **name = c;

	(void)id;
	*name = ((const NetLock *)m)->table;
	return is_ours(*name) ? 0
			      : fail(-EPROTO, "image 'net_lock': '%s' is no name of ours", *name);
}

int net_lock_restore(struct restore *r)
{
	struct restore_lock *l = r->lock;
	struct nft_block b = { .mark = NET_LOCK_MARK };
	int e;

	if (!l || !l->pair.n)
		return 0;
	e = image_each(r->set, "net_lock", &net_lock__descriptor, read_name, &l->name);
	if (e || !l->name || r->opt->no_network_lock)
		return e;
	b.name = l->name;
	b.pair = l->pair.v;
	b.n = l->pair.n;
	l->socket = nft_socket();
	if (l->socket < 0)
		return fail(l->socket, "lock the network (nf_tables)");
	e = nft_exists(l->socket, &r->arena, l->name);
	b.replace = !e;
	if (!e || e == -ENOENT)
		e = nft_block(l->socket, &r->arena, &b);
	if (e)
		return fail(e, "lock the network (nf_tables; --network-lock skip goes without)");
	if (!b.replace)
		log_info("the network lock of the dump is gone; made it again");
	return 0;
}

int net_lock_end(struct restore *r)
{
	struct restore_lock *l = r->lock;
	int e;

	if (!l || l->socket < 0)
		return 0;
	e = nft_unblock(l->socket, &r->arena, l->name);
	fd_close(&l->socket);
	return e && e != -ENOENT ? fail(e, "unlock the network (table %s)", l->name) : 0;
}

int net_lock_abandon(struct arena *a, int images_fd)
{
	struct image_set *set;
	const char *name = NULL;
	_close_ int socket = -1;
	struct stat st;
	int r;

	/* Without a commit record no lock outlived its dump. */
	if (images_fd < 0 || sys_stat(images_fd, "net_lock.img", 0, &st, NULL) ||
	    sys_stat(images_fd, "commit.img", 0, &st, NULL))
		return 0;
	r = image_set_open(a, images_fd, &set);
	if (r)
		return r;
	r = image_each(set, "net_lock", &net_lock__descriptor, read_name, &name);
	image_set_close(set);
	if (r || !name)
		return r;
	socket = nft_socket();
	r = socket < 0 ? socket : nft_unblock(socket, a, name);
	if (r == -ENOENT)
		return 0;
	return r ? fail(r, "remove the network lock %s", name) : 1;
}
