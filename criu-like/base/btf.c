/*
 * BTF: a header, types one after the other, a table of names. A type is three words and what its
 * kind has behind them; ids count from 1. Only what is needed to find functions and members of
 * structures is read; everything is checked against the ends of its part.
 */
#include "base/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"

enum { DEPTH = 4 };

static const struct btf_type *type_at(const struct btf *b, uint32_t id)
{
	return id && id < b->n ? (const void *)(b->types.p + b->offset[id]) : NULL;
}

/* Bytes behind the three words; negative: an unknown kind. */
static long extra_bytes(const struct btf_type *t)
{
	long n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG: return 4;
	case BTF_KIND_ARRAY: return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return n * (long)sizeof(struct btf_member);
	case BTF_KIND_ENUM: return n * (long)sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO: return n * (long)sizeof(struct btf_param);
	case BTF_KIND_DATASEC: return n * (long)sizeof(struct btf_var_secinfo);
	case BTF_KIND_ENUM64: return n * (long)sizeof(struct btf_enum64);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG: return 0;
	default: return -1;
	}
}

int btf_parse(struct arena *a, struct span text, struct btf *ret)
{
	const struct btf_header *h = (const void *)text.p;
	struct btf b = { .n = 1 };
	size_t at = 0;

	if (text.len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len > text.len ||
	    h->type_off > text.len - h->hdr_len ||
	    h->type_len > text.len - h->hdr_len - h->type_off ||
	    h->str_off > text.len - h->hdr_len || h->type_len % 4 || h->hdr_len % 4 ||
	    h->type_off % 4 || h->str_len > text.len - h->hdr_len - h->str_off || !h->str_len)
		return -EBADMSG;
	b.types = (struct span){ text.p + h->hdr_len + h->type_off, h->type_len };
	b.names = (struct span){ text.p + h->hdr_len + h->str_off, h->str_len };
	if (b.names.p[b.names.len - 1])
		return -EBADMSG;
	b.offset = arena_array(a, uint32_t, h->type_len / sizeof(struct btf_type) + 2);
	while (b.types.len - at >= sizeof(struct btf_type)) {
		const struct btf_type *t = (const void *)(b.types.p + at);
		long extra = extra_bytes(t);

		if (extra < 0 || (size_t)extra > b.types.len - at - sizeof(*t))
			return -EBADMSG;
		b.offset[b.n++] = (uint32_t)at;
		at += sizeof(*t) + (size_t)extra;
	}
	*ret = b;
	return at == b.types.len ? 0 : -EBADMSG;
}

int btf_read(struct arena *a, struct btf *ret)
{
	struct span text;
	int r = io_slurp_at(a, AT_FDCWD, "/sys/kernel/btf/vmlinux", &text);

	return r ? r : btf_parse(a, text, ret);
}

static bool is_named(const struct btf *b, uint32_t offset, const char *name)
{
	return offset < b->names.len && !strcmp(b->names.p + offset, name);
}

int btf_find(const struct btf *b, uint32_t kind, const char *name)
{
	for (uint32_t id = 1; id < b->n; id++) {
		const struct btf_type *t = type_at(b, id);

		if (BTF_INFO_KIND(t->info) == kind && is_named(b, t->name_off, name))
			return (int)id;
	}
	return -ENOENT;
}

/* Bytes from the start of this structure, or -ENOENT. */
static int member_of(const struct btf *b, uint32_t id, const char *name, int depth,
		     uint32_t *ret_type)
{
	const struct btf_type *t = type_at(b, id);
	const struct btf_member *m = t ? (const void *)(t + 1) : NULL;
	uint32_t kind = t ? BTF_INFO_KIND(t->info) : 0;

	if ((kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION) || !depth)
		return -ENOENT;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		uint32_t bits = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset)
							: m[i].offset;
		int inner;

		if (m[i].name_off && is_named(b, m[i].name_off, name)) {
			*ret_type = m[i].type;
			return (int)(bits / 8);
		}
		inner = is_named(b, m[i].name_off, "")
				? member_of(b, m[i].type, name, depth - 1, ret_type)
				: -ENOENT;
		if (inner >= 0)
			return (int)(bits / 8) + inner;
	}
	return -ENOENT;
}

int btf_member(const struct btf *b, const char *structure, const char *member)
{
	int id = btf_find(b, BTF_KIND_STRUCT, structure);
	uint32_t type;

	return id < 0 ? id : member_of(b, (uint32_t)id, member, DEPTH, &type);
}

bool btf_is_pointer(const struct btf *b, const char *structure, const char *member)
{
	int id = btf_find(b, BTF_KIND_STRUCT, structure);
	const struct btf_type *t = NULL;
	uint32_t type;

	if (id >= 0 && member_of(b, (uint32_t)id, member, DEPTH, &type) >= 0)
		t = type_at(b, type);
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_PTR;
}
