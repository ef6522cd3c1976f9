/*
 * The network lock during a dump (docs/phases.md).
 *
 * From before the first socket is read until the tree goes on, a table that belongs to our netlink
 * socket drops the packets of the connections: should the tool die, the kernel removes it and the
 * connections go on. When the tree is to be killed, a second table of the same content takes over,
 * in one transaction, that belongs to nobody; its name is in the committed images. We hold copies
 * of the connected sockets then, so that it is us who close them last: in repair mode (TCP_REPAIR),
 * which sends nothing and leaves nothing behind.
 */
#include "core/net-lock.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "core/net-guard.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"
#include "kernel/task-list.h"
#include "net_lock.pb-c.h"

enum { LOOKS = 3 };

struct net_lock {
	struct connections again[LOOKS]; /* before the freeze, once there is a doubt */
	int n_again;
	struct connections all;
	VEC(int) copy;
	const char *name; /* of the table that outlives us */
	uint32_t n_waiting;
	int socket;	  /* that owns the first one; -1: none */
};

static struct net_lock *lock_new(struct dump *d)
{
	struct net_lock *l = arena_new(&d->arena, struct net_lock);

	connections_init(&l->all, &d->arena);
	l->socket = -1;
	return l;
}

static struct nft_block block_of(struct dump *d, bool owned)
{
	struct net_lock *l = d->lock;
	struct nft_pair *pair = arena_array(&d->arena, struct nft_pair, l->all.list.n);

	size_t n = 0;

	vec_foreach(c, &l->all.list)
		if (!c->waits)
			pair[n++] = c->pair;
	return (struct nft_block){ .name = owned ? arena_printf(&d->arena, "%s-dump", l->name)
						 : l->name,
				   .mark = NET_LOCK_MARK,
				   .owned = owned,
				   .pair = pair,
				   .n = n };
}

static bool has_packets(const struct dump *d)
{
	vec_foreach(c, &d->lock->all.list)
		if (!c->waits)
			return true;
	return false;
}

static int find_waiting(struct dump *d, struct connection *c)
{
	int r = connections_waits(&d->lock->all, &c->pair, &c->waiting_bytes);

	c->waits = r > 0;
	d->lock->n_waiting += c->waits;
	return r < 0 ? fail(r, "look for the other end of a connection") : 0;
}

/* Under the same number the parent has the same description: it was seen there. */
static bool inherited(const struct task *t, int number)
{
	const struct thread *its = t->parent ? task_main(t->parent) : NULL;

	return its && !sys_kcmp_file(task_main(t)->tid, number, its->tid, number);
}

/* -EBADF: one of the numbers is closed, so there may be others. */
static int add_table(struct dump *d, const struct task *t, const struct proc_list *number)
{
	int r = 0;

	for (size_t i = 0; !r && i < number->n; i++) {
		const struct fd_glance *g;

		if (inherited(t, number->v[i]))
			continue;
		r = files_glance(d, t, number->v[i], &g);
		if (r && r != -EBADF)
			return connections_add_all(&d->lock->all, t); /* one is not to be had */
		r = r ?: connections_add(&d->lock->all, t, number->v[i], &g->st);
	}
	return r;
}

/* Parents come first. */
static int find_connections(struct dump *d)
{
	int r = 0;

	vec_foreach(t, &d->tree.task) {
		const struct proc_list *number;

		if ((*t)->state == TASK_ZOMBIE || (*t)->files != (*t)->index)
			continue;
		r = files_numbers(d, *t, &number);
		r = r ?: add_table(d, *t, number);
		if (r == -EBADF)
			r = connections_add_all(&d->lock->all, *t);
		if (r)
			return fail(r, "look for connections of task %d", (*t)->pid);
	}
	vec_foreach(c, &d->lock->all.list)
		r = r < 0 || d->opt->skip_in_flight ? r : find_waiting(d, c);
	return r < 0 ? r : 0;
}

static int write_image(struct dump *d)
{
	NetLock m = NET_LOCK__INIT;
	struct image *i;
	int r;

	m.table = (char *)d->lock->name;
	r = image_create(d->set, "net_lock", &i);
	r = r ?: image_append(i, 0, &m.base);
	return r ?: image_finish(i);
}

static int choose_name(struct dump *d)
{
	uint64_t random;
	long r = sys(SYS_getrandom, &random, sizeof(random), 0);

	if (r < 0)
		return fail(r, "name the network lock");
	d->lock->name = arena_printf(&d->arena, "torpor-%016" PRIx64, random);
	return 0;
}

static int raise_lock(struct dump *d)
{
	struct nft_block b = block_of(d, true);
	int r;

	d->lock->socket = nft_socket();
	r = d->lock->socket < 0 ? d->lock->socket : nft_block(d->lock->socket, &d->arena, &b);
	return r ? fail(r, "lock the network (nf_tables; --network-lock skip goes without)") : 0;
}

int net_lock_dump(struct dump *d)
{
	int r;

	d->lock = lock_new(d); /* what the look before the freeze saw counts no more */
	r = find_connections(d);
	if (r || !has_packets(d) || d->opt->tcp_close)
		return r;
	r = choose_name(d);
	r = r ?: write_image(d);
	return r || d->opt->no_network_lock ? r : raise_lock(d);
}

void net_lock_lift(struct dump *d)
{
	net_guard_end(d);
	if (d->lock)
		fd_close(&d->lock->socket);
}

int net_lock_socket(const struct dump *d)
{
	return d->lock ? d->lock->socket : -1;
}

static int raise_limit(void)
{
	struct rlimit limit;
	int r = (int)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);

	limit.rlim_cur = limit.rlim_max;
	return r ? r : (int)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

static int hold_copies(struct dump *d)
{
	int r = raise_limit();

	if (r)
		return fail(r, "raise the limit of open files");
	vec_foreach(c, &d->lock->all.list) {
		int fd = sys_pidfd_getfd(c->task->pidfd, c->number);

		if (fd < 0)
			return fail(fd, "copy descriptor %d of task %d", c->number, c->task->pid);
		*vec_push(&d->arena, &d->lock->copy) = fd;
	}
	return 0;
}

int net_lock_keep(struct dump *d)
{
	struct nft_block b;
	int r;

	net_guard_end(d);
	if (!d->lock || !d->lock->all.list.n || d->opt->tcp_close)
		return 0;
	r = hold_copies(d);
	if (r || d->lock->socket < 0)
		return r;
	b = block_of(d, false);
	r = nft_block(d->lock->socket, &d->arena, &b);
	if (r)
		return fail(r, "lock the network until the restore");
	fd_close(&d->lock->socket);
	return 0;
}

void net_lock_silence(struct dump *d)
{
	const int on = 1;

	if (!d->lock)
		return;
	vec_foreach(fd, &d->lock->copy) {
		/* One that ended meanwhile needs no silence. */
		(void)sys(SYS_setsockopt, *fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
		(void)sys_close(*fd); /* the last of its descriptors */
	}
	d->lock->copy.n = 0;
}

bool net_lock_covers(const struct dump *d, const struct nft_pair *p)
{
	return d->lock && connections_has(&d->lock->all, p);
}

uint32_t net_lock_waiting(const struct dump *d, uint16_t port)
{
	uint32_t n = 0;

	if (d->lock)
		vec_foreach(c, &d->lock->all.list)
			n += c->waits && c->pair.remote_port == port;
	return n;
}

static void look(struct dump *d)
{
	if (!d->lock) { /* before the freeze */
		d->lock = lock_new(d);
		vec_foreach(pid, &d->seen) {
			const char *path = arena_printf(&d->arena, "/proc/%d", *pid);
			_close_ int dir =
				sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
			_close_ int pidfd = (int)sys(SYS_pidfd_open, *pid, 0);
			struct task t = { .pid = *pid, .proc_fd = dir, .pidfd = pidfd };

			if (dir >= 0 && pidfd >= 0) /* else it ended: the stop decides */
				(void)connections_add_all(&d->lock->all, &t);
		}
	}
}

bool net_lock_inside(struct dump *d, const struct nft_pair *p)
{
	look(d);
	return connections_both(&d->lock->all, p);
}

static void add_process(struct dump *d, struct connections *c, pid_t pid, struct pid_list *ret)
{
	const char *path = arena_printf(&d->arena, "/proc/%d", pid);
	_close_ int dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_close_ int pidfd = (int)sys(SYS_pidfd_open, pid, 0);
	struct task t = { .pid = pid, .proc_fd = dir, .pidfd = pidfd };
	struct pid_list thread = { 0 };

	if (dir < 0 || pidfd < 0 || task_list_threads(&d->arena, dir, &thread))
		return; /* it ended: the stop decides */
	vec_foreach(tid, &thread)
		(void)task_list_children(&d->arena, dir, *tid, ret); /* as above */
	(void)connections_add_all(c, &t);			     /* as above */
}

static void look_again(struct dump *d, struct connections *c)
{
	struct pid_list tree = { 0 };

	connections_init(c, &d->arena);
	*vec_push(&d->arena, &tree) = d->opt->pid;
	for (size_t i = 0; i < tree.n; i++)
		add_process(d, c, tree.v[i], &tree);
}

bool net_lock_outside(struct dump *d, const struct nft_pair *p)
{
	struct net_lock *l = d->lock;
	uint32_t bytes;

	for (int i = 0; i < LOOKS; i++) {
		struct connections *c = &l->again[i];

		if (i == l->n_again) {
			look_again(d, c);
			l->n_again++;
		}
		if (!connections_has(c, p) || connections_both(c, p) ||
		    connections_waits(c, p, &bytes))
			return false;
	}
	return true;
}

static bool same_pair(const struct nft_pair *a, const struct nft_pair *b)
{
	return a->v6 == b->v6 && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && !memcmp(a->local, b->local, sizeof(a->local)) &&
	       !memcmp(a->remote, b->remote, sizeof(a->remote));
}

bool net_lock_waits(struct dump *d, const struct nft_pair *p, uint32_t *ret_bytes)
{
	look(d);
	if (d->opt->skip_in_flight)
		return false;
	if (!d->tree.task.n) /* before the freeze */
		return connections_waits(&d->lock->all, p, ret_bytes) > 0;
	if (d->lock->n_waiting)
		vec_foreach(c, &d->lock->all.list)
			if (c->waits && same_pair(&c->pair, p)) {
				*ret_bytes = c->waiting_bytes;
				return true;
			}
	return false;
}
