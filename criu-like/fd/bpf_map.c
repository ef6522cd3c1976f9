/*
 * Maps of BPF that only user space uses: hash tables, arrays and longest-prefix tries, by what
 * BPF_OBJ_GET_INFO_BY_FD and fdinfo tell, and their elements. The map gets a new id. A map that was
 * frozen is frozen again when it is full.
 *
 * Refused: other types (their content is per cpu, queues, other objects), maps with BTF, and maps
 * that a loaded program uses: those live on with the program.
 */
#include "bpf_map.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file.h"
#include "kernel/descriptor.h"

enum { MOST_BYTES = 48 << 20, MOST_PROG_MAPS = 1024 };

static long bpf(int command, union bpf_attr *attr)
{
	return sys(SYS_bpf, command, attr, sizeof(*attr));
}

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "bpf-map");
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static int info_of(int fd, void *info, size_t size)
{
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd,
					  .info_len = (uint32_t)size,
					  .info = (uintptr_t)info } };

	return (int)bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int open_id(int command, uint32_t id, uint32_t flags)
{
	union bpf_attr attr = { .map_id = id, .open_flags = flags };

	return (int)bpf(command, &attr);
}

static bool is_in(uint32_t id, const uint32_t *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* Programs that end while we look are of no interest. */
static bool is_used(struct dump *d, uint32_t map)
{
	uint32_t *list = arena_array(&d->arena, uint32_t, MOST_PROG_MAPS);
	union bpf_attr next = { 0 };

	while (!bpf(BPF_PROG_GET_NEXT_ID, &next)) {
		_close_ int fd = open_id(BPF_PROG_GET_FD_BY_ID, next.next_id, 0);
		struct bpf_prog_info info = { .nr_map_ids = MOST_PROG_MAPS,
					      .map_ids = (uintptr_t)list };

		if (fd >= 0 && !info_of(fd, &info, sizeof(info)) &&
		    is_in(map, list,
			  info.nr_map_ids < MOST_PROG_MAPS ? info.nr_map_ids : MOST_PROG_MAPS))
			return true;
		next.start_id = next.next_id;
	}
	return false;
}

static const char *why_not(struct dump *d, const struct bpf_map_info *i)
{
	if (i->type != BPF_MAP_TYPE_HASH && i->type != BPF_MAP_TYPE_ARRAY &&
	    i->type != BPF_MAP_TYPE_LPM_TRIE)
		return arena_printf(&d->arena, "maps of type %u cannot be saved", i->type);
	if (i->btf_id || i->btf_key_type_id || i->btf_value_type_id || i->btf_vmlinux_value_type_id)
		return "it has types (BTF), which cannot be saved";
	if (i->ifindex || i->map_extra)
		return "it belongs to a device, or has extra settings";
	if ((uint64_t)i->max_entries * ((uint64_t)i->key_size + i->value_size) > MOST_BYTES)
		return "it is too large to be saved";
	return is_used(d, i->id) ? "a program in the kernel uses it" : NULL;
}

static int read_elements(int fd, BpfMap *m)
{
	uint8_t *key = NULL;
	long r = 0;

	for (uint32_t n = 0; n < m->max_entries; n++) {
		uint8_t *next = m->key.data + m->key.len;
		union bpf_attr attr = { .map_fd = (uint32_t)fd,
					.key = (uintptr_t)key,
					.next_key = (uintptr_t)next };

		r = bpf(BPF_MAP_GET_NEXT_KEY, &attr);
		if (r)
			break;
		attr = (union bpf_attr){ .map_fd = (uint32_t)fd,
					 .key = (uintptr_t)next,
					 .value = (uintptr_t)(m->value.data + m->value.len) };
		r = bpf(BPF_MAP_LOOKUP_ELEM, &attr);
		if (r)
			return (int)r;
		key = next;
		m->key.len += m->key_size;
		m->value.len += m->value_size;
	}
	return r == -ENOENT ? 0 : (int)r;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	BpfMap *m = msg;
	struct bpf_map_info info = { 0 };
	int r = info_of(p->fd, &info, sizeof(info));
	const char *reason = r ? NULL : why_not(d, &info);
	_close_ int fd = r || reason ? -1 : open_id(BPF_MAP_GET_FD_BY_ID, info.id, 0);

	if (reason)
		return fd_refuse(d, p, reason, "let the program close it before the dump");
	r = r ?: fd < 0 ? fd : fdinfo_flag(&p->info, "frozen", &m->frozen);
	if (r)
		return fail(r, "descriptor %d: ask about the map", p->number);
	m->id = info.id;
	m->type = info.type;
	m->key_size = info.key_size;
	m->value_size = info.value_size;
	m->max_entries = info.max_entries;
	m->flags = info.map_flags;
	m->name = arena_strndup(&d->arena, info.name, strnlen(info.name, sizeof(info.name)));
	m->key.data = arena_alloc(&d->arena, (size_t)m->max_entries * m->key_size + 1);
	m->value.data = arena_alloc(&d->arena, (size_t)m->max_entries * m->value_size + 1);
	r = read_elements(fd, m);
	return r ? fail(r, "descriptor %d: read the map", p->number) : 0;
}

/* --- restore -------------------------------------------------------------------------------------
 */

static int plan(struct restore *r, struct fd_obj *o)
{
	const BpfMap *m = o->msg;
	size_t n = m->key_size ? m->key.len / m->key_size : 0;

	(void)r;
	if (!m->key_size || m->key_size > MOST_BYTES || m->value_size > MOST_BYTES ||
	    m->key.len != n * m->key_size || m->value.len != n * m->value_size ||
	    n > m->max_entries || strlen(m->name) >= BPF_OBJ_NAME_LEN)
		return fail(-EPROTO, "image 'bpf_map': map %" PRIu32 " is impossible", m->id);
	return 0;
}

static uint64_t group(const void *msg)
{
	return ((const BpfMap *)msg)->id;
}

static int plan_group(struct restore *r, struct fd_obj **member, size_t n)
{
	for (size_t i = 1; i < n; i++)
		*vec_push(&r->arena, &member[i]->needs) = member[0];
	return 0;
}

static int fill(int fd, const BpfMap *m)
{
	long r = 0;

	for (size_t i = 0; !r && (i + 1) * m->key_size <= m->key.len; i++) {
		union bpf_attr attr = { .map_fd = (uint32_t)fd,
					.key = (uintptr_t)m->key.data + i * m->key_size,
					.value = (uintptr_t)m->value.data + i * m->value_size };

		r = bpf(BPF_MAP_UPDATE_ELEM, &attr);
	}
	if (!r && m->frozen)
		r = bpf(BPF_MAP_FREEZE, &(union bpf_attr){ .map_fd = (uint32_t)fd });
	return (int)r;
}

static int create(const BpfMap *m)
{
	union bpf_attr attr = { .map_type = m->type,
				.key_size = m->key_size,
				.value_size = m->value_size,
				.max_entries = m->max_entries,
				.map_flags = m->flags };
	_close_ int fd = -1;
	int r;

	memcpy(attr.map_name, m->name, strlen(m->name));
	fd = (int)bpf(BPF_MAP_CREATE, &attr);
	r = fd < 0 ? fd : fill(fd, m);
	return r ? fail(r, "make the map '%s'", m->name) : take_fd(&fd);
}

/* What was opened for reading or for writing only is another description of the map. */
static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const BpfMap *m = obj->msg;
	const struct fd_obj *first = obj->needs.n ? obj->needs.v[0] : NULL;
	uint32_t mode = (uint32_t)obj->ofd->flags & O_ACCMODE;
	_close_ int own = first ? -1 : create(m);
	struct bpf_map_info info = { 0 };
	int fd;

	(void)o;
	if (!first && (own < 0 || mode == O_RDWR))
		return own < 0 ? own : take_fd(&own);
	fd = info_of(first ? first->fd : own, &info, sizeof(info));
	if (!fd)
		fd = open_id(BPF_MAP_GET_FD_BY_ID, info.id,
			     mode == O_RDONLY	? BPF_F_RDONLY
			     : mode == O_WRONLY ? BPF_F_WRONLY
						: 0);
	return fd < 0 ? fail(fd, "open the map '%s' again", m->name) : fd;
}

const struct fd_kind kind_bpf_map = { .name = "bpf_map",
				      .descriptor = &bpf_map__descriptor,
				      .match = match,
				      .dump = dump,
				      .plan = plan,
				      .group = group,
				      .plan_group = plan_group,
				      .open = open_fd };
