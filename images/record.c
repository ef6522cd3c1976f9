/*
 * Images as sequences of records. Writing collects packed messages in a buffer, so that a record
 * costs no system call; the hash runs over each full buffer while it is in the cache. Reading walks
 * over bytes that lie in the arena since the set was opened and were checked there.
 */
#include "record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "images/hash.h"
#include "images/set.h"

enum { BUFFER_BYTES = 64 << 10 };

struct image {
	struct image_set *set;
	struct entry *entry;
	/* writing */
	struct backend_file *file;
	XXH3_state_t *hash;
	unsigned char *buf;
	size_t used, hashed, cap;
	/* reading */
	struct span rest, last;
	const ProtobufCMessage *last_message;
	/* both */
	uint32_t count;
};

XXH3_state_t *hash_new(struct arena *a)
{
	const uintptr_t align = _Alignof(XXH3_state_t);
	uintptr_t p = (uintptr_t)arena_alloc(a, sizeof(XXH3_state_t) + align);
	XXH3_state_t *s = (XXH3_state_t *)((p + align - 1) & ~(align - 1));

	(void)XXH3_64bits_reset(s); /* fails for NULL only */
	return s;
}

static void hash_pending(struct image *i)
{
	/* fails for NULL only */
	(void)XXH3_64bits_update(i->hash, i->buf + i->hashed, i->used - i->hashed);
	i->hashed = i->used;
}

static int flush(struct image *i)
{
	struct iovec iov = {i->buf, i->used};
	struct backend *b = i->set->backend;
	int r;

	if (!i->used)
		return 0;
	if (i->entry->size + i->used > FORMAT_IMAGE_MAX)
		return fail(-EFBIG, "image '%s'", i->entry->stem);
	hash_pending(i);
	r = b->ops->append(b, i->file, &iov, 1);
	if (r)
		return r;
	i->entry->size += i->used;
	i->used = i->hashed = 0;
	return 0;
}

static int make_room(struct image *i, size_t len)
{
	int r = i->cap - i->used < len ? flush(i) : 0;

	if (r || i->cap - i->used >= len)
		return r;
	i->cap = len > 2 * i->cap ? len : 2 * i->cap;
	i->buf = arena_alloc(i->set->arena, i->cap);
	return 0;
}

int image_create(struct image_set *s, const char *stem, struct image **ret)
{
	struct image *i = arena_new(s->arena, struct image);
	int r = set_add(s, stem, ENTRY_RECORDS, &i->entry, &i->file);

	if (r)
		return r;
	i->set = s;
	i->hash = hash_new(s->arena);
	i->cap = BUFFER_BYTES;
	i->buf = arena_alloc(s->arena, i->cap);
	format_header(stem, i->buf);
	i->used = FORMAT_HEADER_BYTES;
	*ret = i;
	return 0;
}

int image_append(struct image *i, uint32_t id, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	int r;

	bug_on(!i->entry->open, "records are appended before image_finish()");
	if (len > FORMAT_RECORD_MAX)
		return fail(-EFBIG, "image '%s': record %" PRIu32 " (%s, %zu bytes)",
			    i->entry->stem, i->count, m->descriptor->name, len);
	r = make_room(i, FORMAT_RECORD_BYTES + len);
	if (r)
		return r;
	format_record((uint32_t)len, id, i->buf + i->used);
	(void)protobuf_c_message_pack(m, i->buf + i->used +
						 FORMAT_RECORD_BYTES); /* writes len bytes */
	i->used += FORMAT_RECORD_BYTES + len;
	i->count++;
	return 0;
}

int image_finish(struct image *i)
{
	struct backend *b = i->set->backend;
	unsigned char *trailer;
	int r = make_room(i, FORMAT_TRAILER_BYTES);

	if (r)
		return r;
	trailer = i->buf + i->used;
	format_trailer_count(i->count, trailer);
	i->used += FORMAT_TRAILER_BYTES - sizeof(uint64_t); /* the hash covers the count */
	hash_pending(i);
	format_trailer_hash(XXH3_64bits_digest(i->hash), trailer);
	i->used += sizeof(uint64_t);
	r = flush(i);
	if (!r)
		r = b->ops->finish(b, i->file);
	if (r)
		return r;
	i->entry->hash = XXH3_64bits_digest(i->hash);
	i->entry->open = false;
	return 0;
}

struct span record_pack_single(struct arena *a, const char *stem, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	size_t size = FORMAT_HEADER_BYTES + FORMAT_RECORD_BYTES + len + FORMAT_TRAILER_BYTES;
	unsigned char *p = arena_alloc(a, size), *record = p + FORMAT_HEADER_BYTES;
	unsigned char *trailer = record + FORMAT_RECORD_BYTES + len;

	format_header(stem, p);
	format_record((uint32_t)len, 0, record);
	(void)protobuf_c_message_pack(m, record + FORMAT_RECORD_BYTES); /* writes len bytes */
	format_trailer_count(1, trailer);
	format_trailer_hash(XXH3_64bits(p, size - 8), trailer);
	return (struct span){(const char *)p, size};
}

int image_open(struct image_set *s, const char *stem, struct image **ret)
{
	struct entry *e = set_find(s, stem);
	struct image *i;

	bug_on(s->writing, "a set is either written or read");
	if (!e || e->type != ENTRY_RECORDS)
		return -ENOENT;
	i = arena_new(s->arena, struct image);
	i->set = s;
	i->entry = e;
	i->rest = e->image.records;
	*ret = i;
	return 0;
}

uint32_t image_count(const struct image *i)
{
	return i->set->writing ? i->count : i->entry->image.count;
}

int image_next(struct image *i, const ProtobufCMessageDescriptor *d, uint32_t *ret_id,
	       ProtobufCMessage **ret)
{
	struct wire_place at = {i->entry->stem, i->count};
	struct span bytes;
	uint32_t id;
	int r;

	if (!format_next(&i->rest, &id, &bytes))
		return 0;
	r = wire_unpack(i->set->arena, &at, d, bytes, ret);
	if (r)
		return r;
	i->count++;
	*ret_id = id;
	return 1;
}

static bool equal(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

int image_next_alike(struct image *i, const ProtobufCMessageDescriptor *d, uint32_t *ret_id,
		     const ProtobufCMessage **ret)
{
	struct span rest = i->rest, bytes;
	ProtobufCMessage *m;
	uint32_t id;
	int n;

	if (!format_next(&rest, &id, &bytes))
		return 0;
	if (i->last_message && equal(bytes, i->last)) {
		i->rest = rest;
		i->count++;
		*ret_id = id;
		*ret = i->last_message;
		return 1;
	}
	n = image_next(i, d, ret_id, &m);
	if (n == 1) {
		i->last = bytes;
		*ret = i->last_message = m;
	}
	return n;
}

int image_each(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
	       image_reader *reader, void *context)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int n = 1, r = image_open(s, stem, &i);

	if (r)
		return r == -ENOENT ? 0 : r;
	while (!r && (n = image_next(i, d, &id, &m)) > 0)
		r = reader(context, id, m);
	return r ?: n;
}
