/*
 * Memory that the kernel shares with a program through a packet socket with rings (maps calls it
 * "socket:[inode]"): always all of it, receive ring first. The socket saves and fills it
 * (sock/packet-ring.c). It is opened by the coordinator, and every task that has the mapping maps
 * it anew. A mapping whose socket no descriptor of the tree leads to is refused: the socket could
 * not be asked for anything.
 */
#include "packet_mapping.pb-c.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/memory/memory-kind.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/packet-diag.h"
#include "packet.pb-c.h"

extern const struct mem_kind kind_packet_mapping;

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return span_starts(p->text->vma.path, "socket:[");
}

static bool is_packet(const struct fd_kind *k)
{
	return k && !strcmp(k->name, "packet");
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const struct vma_text *text = &p->text->vma;
	const struct fd_seen *s = files_seen(d, makedev(text->major, text->minor), text->ino);
	PacketMapping m = PACKET_MAPPING__INIT;
	bool is_new;

	struct packet_diag q;

	if (!s || s->next || !is_packet(s->kind))
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
			      "no descriptor leads to its packet socket",
			      "let the program unmap it, or keep the descriptor");
	if (packet_diag_get(&d->arena, (uint32_t)text->ino, &q) || text->pgoff_bytes ||
	    text->end - text->start != packet_diag_bytes(&q))
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
			      "it is a part of the ring of a packet socket",
			      "let the program map all of it");
	m.ofd = s->id;
	v->object = memory_object_id(d, &kind_packet_mapping, s->id, 0, &is_new);
	return is_new ? memory_append_object(d, &kind_packet_mapping, v->object, &m.base) : 0;
}

static struct fd_obj *socket_of(struct restore *r, const struct mem_object *o)
{
	return files_find(r, ((const PacketMapping *)o->msg)->ofd);
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const struct fd_obj *s = socket_of(r, o);
	bool ok = s && is_packet(s->kind) && s->shared;

	(void)t;
	return ok ? 0 : fail(-EPROTO, "image 'packet_mapping': no such socket");
}

static int open_socket(struct restore *r, const struct mem_object *o)
{
	int fd = sys_fcntl(files_parked(socket_of(r, o)), F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? fail(fd, "duplicate a packet socket") : fd;
}

const struct mem_kind kind_packet_mapping = {
	.name = "packet_mapping", .number = VMA__KIND__PACKET,
	.descriptor = &packet_mapping__descriptor,
	.match = match, .dump = dump, .plan = plan, .open = open_socket,
};
