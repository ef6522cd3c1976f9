/*
 * protobuf reads generously: what it does not know is kept aside, what comes twice is merged, what
 * nests is followed down the stack. A checkpoint read that way would lose state silently or bring
 * the reader down, so each record is walked over its descriptor first, with an explicit stack, and
 * only what passes is given to the library. Its memory comes from the arena under a budget: a few
 * bytes on the wire may stand for a big message.
 */
#include "wire.h"

#include <endian.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

enum { SEEN_BITS = 256, BUDGET_FACTOR = 64 };
static const size_t budget_base = 64 << 10, budget_max = 1 << 30;

struct frame {
	const ProtobufCMessageDescriptor *d;
	struct span rest;
	uint64_t seen[SEEN_BITS / 64]; /* by index in d->fields; later fields are not watched */
};

struct walk {
	const struct wire_place *at;
	int depth; /* of the innermost message */
	struct frame frame[WIRE_NESTING_MAX];
};

struct value {
	uint64_t number;
	struct span bytes; /* of a length-delimited field */
};

static int broken(const struct walk *w, const char *field, const char *what)
{
	return fail(-EPROTO, "image '%s': record %" PRIu32 ": %s%s%s %s", w->at->stem,
		    w->at->record, w->frame[w->depth].d->name, *field ? "." : "", field, what);
}

static bool cut_varint(struct span *s, size_t max_bytes, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s->len && i < max_bytes; i++) {
		v |= (uint64_t)((unsigned char)s->p[i] & 0x7f) << (7 * i);
		if ((unsigned char)s->p[i] & 0x80)
			continue;
		*s = (struct span){s->p + i + 1, s->len - i - 1};
		*ret = v;
		return true;
	}
	return false;
}

static bool cut_bytes(struct span *s, uint64_t len, struct span *ret)
{
	if (len > s->len)
		return false;
	*ret = (struct span){s->p, len};
	*s = (struct span){s->p + len, s->len - len};
	return true;
}

static bool cut_value(struct span *s, ProtobufCWireType type, struct value *ret)
{
	uint64_t len;

	switch (type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT: return cut_varint(s, 10, &ret->number);
	case PROTOBUF_C_WIRE_TYPE_64BIT: return cut_bytes(s, 8, &ret->bytes);
	case PROTOBUF_C_WIRE_TYPE_32BIT: return cut_bytes(s, 4, &ret->bytes);
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		return cut_varint(s, 5, &len) && cut_bytes(s, len, &ret->bytes);
	}
	return false;
}

static ProtobufCWireType wire_type(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT: return PROTOBUF_C_WIRE_TYPE_32BIT;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return PROTOBUF_C_WIRE_TYPE_64BIT;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE: return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
	default: return PROTOBUF_C_WIRE_TYPE_VARINT;
	}
}

static int check_number(const struct walk *w, const ProtobufCFieldDescriptor *f, uint64_t v)
{
	if (f->type == PROTOBUF_C_TYPE_ENUM &&
	    !protobuf_c_enum_descriptor_get_value(f->descriptor, (int)v))
		return broken(w, f->name, "has an unknown value");
	return 0;
}

static int check_packed(const struct walk *w, const ProtobufCFieldDescriptor *f, struct span list)
{
	struct value v;
	int r = 0;

	while (list.len && !r) {
		v.number = 0;
		if (!cut_value(&list, wire_type(f->type), &v))
			return broken(w, f->name, "is a malformed list");
		r = check_number(w, f, v.number);
	}
	return r;
}

static int enter(struct walk *w, const ProtobufCFieldDescriptor *f, struct span bytes)
{
	if (w->depth + 1 == WIRE_NESTING_MAX)
		return broken(w, f->name, "is nested too deeply");
	w->frame[++w->depth] = (struct frame){.d = f->descriptor, .rest = bytes};
	return 0;
}

static int check_value(struct walk *w, const ProtobufCFieldDescriptor *f, ProtobufCWireType type,
		       const struct value *v)
{
	bool list = f->label == PROTOBUF_C_LABEL_REPEATED &&
		    type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && wire_type(f->type) != type;

	if (list)
		return check_packed(w, f, v->bytes);
	if (type != wire_type(f->type))
		return broken(w, f->name, "is of another type");
	if (f->type == PROTOBUF_C_TYPE_STRING && memchr(v->bytes.p, 0, v->bytes.len))
		return broken(w, f->name, "has a NUL byte inside");
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return enter(w, f, v->bytes);
	return check_number(w, f, v->number);
}

static bool seen_before(struct frame *m, const ProtobufCFieldDescriptor *f)
{
	size_t i = (size_t)(f - m->d->fields);
	uint64_t bit = 1ULL << (i % 64);
	bool before;

	if (i >= SEEN_BITS)
		return false;
	before = m->seen[i / 64] & bit;
	m->seen[i / 64] |= bit;
	return before && f->label != PROTOBUF_C_LABEL_REPEATED;
}

static int check_field(struct walk *w)
{
	struct frame *m = &w->frame[w->depth];
	const ProtobufCFieldDescriptor *f;
	struct value v = {0};
	uint64_t tag;

	if (!cut_varint(&m->rest, 5, &tag) || tag > UINT32_MAX)
		return broken(w, "", "is malformed");
	f = protobuf_c_message_descriptor_get_field(m->d, (unsigned int)(tag >> 3));
	if (!f)
		return fail(-EPROTO,
			    "image '%s': record %" PRIu32 ": %s has the unknown field %" PRIu64
			    " (written by a newer torpor?)",
			    w->at->stem, w->at->record, m->d->name, tag >> 3);
	if (!cut_value(&m->rest, (ProtobufCWireType)(tag & 7), &v))
		return broken(w, f->name, "is malformed");
	if (seen_before(m, f))
		return broken(w, f->name, "is given twice");
	return check_value(w, f, (ProtobufCWireType)(tag & 7), &v);
}

static int check_required(const struct walk *w)
{
	const struct frame *m = &w->frame[w->depth];

	for (unsigned int i = 0; i < m->d->n_fields && i < SEEN_BITS; i++)
		if (m->d->fields[i].label == PROTOBUF_C_LABEL_REQUIRED &&
		    !(m->seen[i / 64] >> (i % 64) & 1))
			return broken(w, m->d->fields[i].name, "is missing");
	return 0;
}

static int check_message(struct walk *w)
{
	int r = 0;

	while (!r && w->depth >= 0) {
		if (w->frame[w->depth].rest.len) {
			r = check_field(w);
		} else {
			r = check_required(w);
			w->depth--;
		}
	}
	return r;
}

struct budget {
	struct arena *arena;
	size_t left;
};

static void *budget_alloc(void *data, size_t size)
{
	struct budget *b = data;

	if (size > b->left)
		return NULL;
	b->left -= size;
	return arena_alloc(b->arena, size);
}

static void budget_free(void *data, void *p)
{
	(void)data; /* memory of an arena is not given back singly */
	(void)p;
}

int wire_unpack(struct arena *a, const struct wire_place *at, const ProtobufCMessageDescriptor *d,
		struct span bytes, ProtobufCMessage **ret)
{
	struct budget b = {a, budget_base + bytes.len * BUDGET_FACTOR};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
	struct walk w = {.at = at};
	ProtobufCMessage *m;
	int r;

	w.frame[0] = (struct frame){.d = d, .rest = bytes};
	r = check_message(&w);
	if (r)
		return r;
	if (b.left > budget_max)
		b.left = budget_max;
	m = protobuf_c_message_unpack(d, &allocator, bytes.len, (const uint8_t *)bytes.p);
	if (!m)
		return fail(-EPROTO,
			    "image '%s': record %" PRIu32 ": %s is malformed or too big to unpack",
			    at->stem, at->record, d->name);
	*ret = m;
	return 0;
}
