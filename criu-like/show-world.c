/*
 * What a checkpoint holds beside tasks: System V objects and message queues, unread events of
 * inotify that were saved when the tree was dead (in a file beside the set), the network lock that
 * waits for the restore. One line of text each.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "inotify.pb-c.h"
#include "mqueue_object.pb-c.h"
#include "net_lock.pb-c.h"
#include "show.h"
#include "sysv_msg.pb-c.h"
#include "sysv_sem.pb-c.h"
#include "sysv_shm.pb-c.h"

static const char *perm(struct arena *a, const SysvPerm *p)
{
	return arena_printf(a, "%d, key %#x, uid %u, mode %o", p->id, (unsigned int)p->key, p->uid,
			    p->mode);
}

static int shared_memory(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	const SysvShm *m = (const SysvShm *)msg;
	struct show *s = c;

	(void)id;
	*vec_push(s->arena, &s->world) =
		arena_printf(s->arena, "shared memory %s, %" PRIu64 " bytes%s",
			     perm(s->arena, m->perm), m->size, m->removed ? ", removed" : "");
	return 0;
}

static int semaphores(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	const SysvSem *m = (const SysvSem *)msg;
	struct show *s = c;

	(void)id;
	*vec_push(s->arena, &s->world) = arena_printf(s->arena, "semaphores %s, %zu of them",
						      perm(s->arena, m->perm), m->n_value);
	return 0;
}

static int messages(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	const SysvMsg *m = (const SysvMsg *)msg;
	struct show *s = c;

	(void)id;
	*vec_push(s->arena, &s->world) =
		arena_printf(s->arena, "message queue %s, %zu message%s", perm(s->arena, m->perm),
			     m->n_message, m->n_message == 1 ? "" : "s");
	return 0;
}

static int posix_queue(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	const MqueueObject *m = (const MqueueObject *)msg;
	struct show *s = c;

	(void)id;
	*vec_push(s->arena, &s->world) =
		arena_printf(s->arena, "message queue /%s, uid %u, mode %o, %zu message%s%s",
			     m->name, m->uid, m->mode, m->n_message, m->n_message == 1 ? "" : "s",
			     m->removed ? ", removed" : "");
	return 0;
}

static int lock(void *c, uint32_t id, const ProtobufCMessage *msg)
{
	const NetLock *m = (const NetLock *)msg;
	struct show *s = c;

	(void)id;
	*vec_push(s->arena, &s->world) =
		arena_printf(s->arena, "network lock %s, until the restore", m->table);
	return 0;
}

static const char late_stem[] = "inotify_queues";

/* Queues of another checkpoint are nobody's. */
int show_late(struct show *s, const char *stem, const ProtobufCMessage **ret)
{
	const InotifyQueues *m;
	ProtobufCMessage *msg;
	int r = strcmp(stem, late_stem) ? -ENOENT
					: image_late_read(s->arena, s->dirfd, late_stem,
							  &inotify_queues__descriptor, &msg);

	if (r)
		return r;
	m = (const InotifyQueues *)msg;
	if (m->checkpoint_id.len != s->head->checkpoint_id.len ||
	    memcmp(m->checkpoint_id.data, s->head->checkpoint_id.data, m->checkpoint_id.len) != 0)
		return -ENOENT;
	*ret = msg;
	return 0;
}

static int late_events(struct show *s)
{
	const ProtobufCMessage *msg;
	const InotifyQueues *m;
	size_t n = 0;
	int r = show_late(s, late_stem, &msg);

	if (r)
		return r == -ENOENT ? 0 : r;
	m = (const InotifyQueues *)msg;
	for (size_t i = 0; i < m->n_queue; i++)
		n += m->queue[i]->n_event;
	*vec_push(s->arena, &s->world) =
		arena_printf(s->arena, "unread events of inotify: %zu (%s.late)", n, late_stem);
	return 0;
}

int show_read_world(struct show *s)
{
	static const struct {
		const char *stem;
		image_reader *reader;
	} part[] = {
		{ "sysv_shm", shared_memory }, { "sysv_sem", semaphores },
		{ "sysv_msg", messages },      { "mqueue_object", posix_queue },
		{ "net_lock", lock },
	};
	int r = 0;

	for (size_t i = 0; !r && i < array_size(part); i++)
		r = image_each(s->set, part[i].stem, show_descriptor(part[i].stem), part[i].reader,
			       s);
	return r ?: late_events(s);
}
