/*
 * The vdso. Its code is the kernel's; a restored task gets the running kernel's at the address
 * where it had its own, provided that they are equal: then addresses inside it, looked up by libc
 * or lying on a stack, stay right. The mappings of the tool itself are moved (the kernel follows
 * them), all parts separately, since parts may have been unmapped by the program.
 *
 * The unused end of its last page is left out of comparisons: the dump borrows it for a moment.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/memory/memory-plan.h"
#include "images/image.h"
#include "kernel/proc-maps.h"

enum { VDSO_MAX_BYTES = 1 << 20 };

static bool is_special(struct span path)
{
	return span_eq(path, "[vdso]") || span_eq(path, "[vvar]") || span_eq(path, "[vvar_vclock]");
}

/* What is in use of it, without the zeros behind. */
static uint64_t used_bytes(const struct special *s)
{
	const char *p = (const char *)(uintptr_t)s->start;
	uint64_t n = s->end - s->start;

	while (n && !p[n - 1])
		n--;
	return n;
}

static void look_into(struct own_vdso *v, const struct special *s)
{
	const char *p = (const char *)(uintptr_t)s->start;
	uint64_t n = used_bytes(s);
	const char *found = memmem(p, n, "\x0f\x05", 2);

	v->hash = page_hash(p, n);
	v->syscall_offset = found ? (uint64_t)(found - p) : UINT64_MAX;
}

int own_vdso_find(struct arena *a, struct own_vdso *ret)
{
	struct own_vdso v = { .syscall_offset = UINT64_MAX };
	struct span text;
	struct vma_text line;
	int r = io_slurp_at(a, -1, "/proc/self/maps", &text);

	if (r)
		return fail(r, "read /proc/self/maps");
	while ((r = maps_next(&text, &line)) > 0) {
		struct special s = { NULL, line.start, line.end, v.len };

		if (!is_special(line.path))
			continue;
		s.name = arena_strndup(a, line.path.p, line.path.len);
		v.len += s.end - s.start;
		if (span_eq(line.path, "[vdso]"))
			look_into(&v, &s);
		*vec_push(a, &v.part) = s;
	}
	if (r)
		return fail(r, "the text of /proc/self/maps is not understood");
	*ret = v;
	return 0;
}

int vdso_hash(struct arena *a, const struct own_vdso *own, int mem_fd, const struct vma *v,
	      uint64_t *ret)
{
	uint64_t n = v->end - v->start;
	char small[2 * 4096], *bytes = small;
	int r;

	if (n > VDSO_MAX_BYTES)
		return fail(-EPROTO, "a vdso of %zu bytes", (size_t)n);
	vec_foreach(p, &own->part)
		if (!strcmp(p->name, "[vdso]") && used_bytes(p) < n)
			n = used_bytes(p);
	if (n > sizeof(small))
		bytes = arena_alloc(a, n);
	r = io_pread(mem_fd, bytes, n, v->start);
	if (r)
		return fail(r, "read the vdso");
	*ret = page_hash(bytes, n);
	return 0;
}
