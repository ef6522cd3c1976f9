#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* The kernel's own description of its types (/sys/kernel/btf/vmlinux). */
struct btf {
	struct span types, names;
	uint32_t *offset; /* of each type in `types`; index: id */
	size_t n;
};
enum { BTF_STRUCT = 4, BTF_FUNCTION = 12 };

/* 0 or -errno, -EBADMSG: not what it should be. Not reported. */
int btf_parse(struct arena *a, struct span text, struct btf *ret);
int btf_read(struct arena *a, struct btf *ret);
/* Id of a type by kind and name, -ENOENT. */
int btf_find(const struct btf *b, uint32_t kind, const char *name);
/* Where a member of a structure is, those of unnamed parts included; -ENOENT. */
int btf_member(const struct btf *b, const char *structure, const char *member);
/* Whether the member is a pointer (not what it points to); a missing one is none. */
bool btf_is_pointer(const struct btf *b, const char *structure, const char *member);
