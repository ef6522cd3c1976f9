/*
 * /proc/PID/maps and /proc/PID/smaps: one header line per mapping, in smaps with detail lines.
 *
 * A process may have tens of thousands of mappings, so that lines are walked once, byte by byte.
 * Headers begin with a digit or a small hexadecimal letter, detail lines with a capital one. What
 * maps does not tell and smaps does: madvise and mlock state, userfaultfd registration, protection
 * keys, hugetlb page sizes. What neither tells: policies (numa_maps), which file an overlay mapping
 * was opened through (map_files).
 */
#include "proc-maps.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/err.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Cuts a number and the `end` character behind it; false when it is malformed. */
static bool cut_number(struct span *line, int base, char end, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < line->len && line->p[n] != end; n++) {
		int d = hex_digit(line->p[n]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	if (!n || n == line->len)
		return false;
	*line = (struct span){ line->p + n + 1, line->len - n - 1 };
	*ret = v;
	return true;
}

/* Cuts "rwxp ". */
static bool cut_prot(struct span *line, struct vma_text *ret)
{
	static const struct {
		char c;
		int prot;
	} bit[] = { { 'r', PROT_READ }, { 'w', PROT_WRITE }, { 'x', PROT_EXEC } };
	const char *p = line->p;

	if (line->len < 5 || (p[3] != 'p' && p[3] != 's') || p[4] != ' ')
		return false;
	for (size_t i = 0; i < array_size(bit); i++) {
		if (p[i] == bit[i].c)
			ret->prot |= bit[i].prot;
		else if (p[i] != '-')
			return false;
	}
	ret->shared = p[3] == 's';
	*line = (struct span){ p + 5, line->len - 5 };
	return true;
}

static int parse_header(struct span line, struct vma_text *ret)
{
	struct vma_text v = {};
	uint64_t major, minor;

	if (!cut_number(&line, 16, '-', &v.start) || !cut_number(&line, 16, ' ', &v.end) ||
	    !cut_prot(&line, &v) || !cut_number(&line, 16, ' ', &v.pgoff_bytes) ||
	    !cut_number(&line, 16, ':', &major) || !cut_number(&line, 16, ' ', &minor) ||
	    !cut_number(&line, 10, ' ', &v.ino))
		return -EINVAL;
	if (v.start >= v.end || major > UINT32_MAX || minor > UINT32_MAX)
		return -EINVAL;
	v.major = (uint32_t)major;
	v.minor = (uint32_t)minor;
	/* Padding; no path begins with a space, but it may end with one. */
	while (line.len && *line.p == ' ')
		line = (struct span){ line.p + 1, line.len - 1 };
	v.path = line;
	*ret = v;
	return 0;
}

int maps_next(struct span *text, struct vma_text *ret)
{
	struct span line;

	if (!span_line(text, &line))
		return 0;
	return parse_header(line, ret) ?: 1;
}

char *maps_path(struct arena *a, struct span path)
{
	return proc_unescape(a, path, "\n");
}

static int flag_of(const char *code)
{
	switch ((unsigned char)code[0] << 8 | (unsigned char)code[1]) {
#define VM_FLAG_CASE(name, a, b) \
	case (a) << 8 | (b): return VM_FLAG_##name;
		VM_FLAG_LIST(VM_FLAG_CASE)
#undef VM_FLAG_CASE
	default: return -1;
	}
}

static int parse_flags(struct span text, struct smaps_vma *ret)
{
	struct span w;

	while (span_word(&text, &w)) {
		int flag;

		if (w.len != 2)
			return -EINVAL;
		flag = flag_of(w.p);
		if (flag >= 0)
			ret->flags |= 1ULL << flag;
		else if (!*ret->unknown_flag)
			memcpy(ret->unknown_flag, w.p, 2);
	}
	return 0;
}

static int parse_kb(struct span text, uint64_t *ret)
{
	struct span w;

	if (!span_word(&text, &w) || !span_eq(span_trim(text), "kB"))
		return -EINVAL;
	return span_u64(w, 10, ret);
}

/* has_flags: VmFlags is in every complete entry; without it the text was cut off. */
static int parse_detail(struct span line, struct smaps_vma *ret, bool *has_flags)
{
	struct span v;

	switch (*line.p) {
	case 'V':
		*has_flags = *has_flags || span_key(line, "VmFlags", &v);
		return span_key(line, "VmFlags", &v) ? parse_flags(v, ret) : 0;
	case 'K':
		if (!span_key(line, "KernelPageSize", &v))
			return 0;
		if (parse_kb(v, &ret->page_size_bytes) || ret->page_size_bytes > UINT64_MAX >> 10)
			return -EINVAL;
		ret->page_size_bytes <<= 10;
		return 0;
	case 'P':
		return span_key(line, "ProtectionKey", &v) ? span_u32(v, 10, &ret->protection_key)
							   : 0;
	case 'A': return span_key(line, "Anonymous", &v) ? parse_kb(v, &ret->anonymous_kb) : 0;
	case 'S': return span_key(line, "Swap", &v) ? parse_kb(v, &ret->swap_kb) : 0;
	default: return 0;
	}
}

int smaps_next(struct span *text, struct smaps_vma *ret)
{
	struct smaps_vma s = {};
	struct span rest = *text, line;
	bool has_flags = false;

	if (!span_line(&rest, &line))
		return 0;
	if (parse_header(line, &s.vma))
		return -EINVAL;
	while (rest.len && hex_digit(*rest.p) == 16) {
		(void)span_line(&rest, &line); /* there is one: the text has not ended */
		if (line.len && parse_detail(line, &s, &has_flags))
			return -EINVAL;
	}
	if (!has_flags || !s.page_size_bytes)
		return -EINVAL;
	*text = rest;
	*ret = s;
	return 1;
}

const char *vm_flags_text(uint64_t flags, char buf[3 * VM_FLAG_COUNT + 1])
{
	static const char code[VM_FLAG_COUNT][2] = {
#define VM_FLAG_CODE(name, a, b) { a, b },
		VM_FLAG_LIST(VM_FLAG_CODE)
#undef VM_FLAG_CODE
	};
	size_t n = 0;

	for (int i = 0; i < VM_FLAG_COUNT; i++) {
		if (!(flags >> i & 1))
			continue;
		if (n)
			buf[n++] = ' ';
		memcpy(buf + n, code[i], 2);
		n += 2;
	}
	buf[n] = 0;
	return buf;
}

/*
 * PROCMAP_QUERY (Linux 6.11): single mappings of a process, 0.5 us each, where the text of maps
 * costs one microsecond for every mapping there is. A name that does not fit is refused by the
 * kernel with ENAMETOOLONG; whoever asks here wants to know special mappings, whose names are
 * short, so that the question is asked again without the name.
 */
struct procmap_query_6_11 {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY_6_11 _IOWR('f', 17, struct procmap_query_6_11)
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, SHARED = 8, COVERING_OR_NEXT = 16 };

static int query(int maps_fd, uint64_t address, uint64_t flags, char name[PROCMAP_NAME_BYTES],
		 struct vma_text *ret)
{
	struct procmap_query_6_11 q = { .size = sizeof(q), .query_flags = flags,
					.query_addr = address, .vma_name_addr = (uintptr_t)name,
					.vma_name_size = PROCMAP_NAME_BYTES };
	long r = sys(SYS_ioctl, maps_fd, PROCMAP_QUERY_6_11, &q);

	if (r == -ENAMETOOLONG) {
		q.vma_name_size = 0;
		q.vma_name_addr = 0;
		r = sys(SYS_ioctl, maps_fd, PROCMAP_QUERY_6_11, &q);
		memcpy(name, "?", 2);
		q.vma_name_size = 2;
	}
	if (r < 0)
		return (int)r;
	*ret = (struct vma_text){
		.start = q.vma_start, .end = q.vma_end, .pgoff_bytes = q.vma_offset,
		.major = q.dev_major, .minor = q.dev_minor, .ino = q.inode,
		.prot = (q.vma_flags & READABLE ? PROT_READ : 0) |
			(q.vma_flags & WRITABLE ? PROT_WRITE : 0) |
			(q.vma_flags & EXECUTABLE ? PROT_EXEC : 0),
		.shared = q.vma_flags & SHARED,
		.path = { name, q.vma_name_size ? q.vma_name_size - 1 : 0 },
	};
	return 0;
}

int procmap_at(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES], struct vma_text *ret)
{
	return query(maps_fd, address, 0, name, ret);
}

int procmap_next_rwx(int maps_fd, uint64_t address, char name[PROCMAP_NAME_BYTES],
		     struct vma_text *ret)
{
	return query(maps_fd, address, READABLE | WRITABLE | EXECUTABLE | COVERING_OR_NEXT, name,
		     ret);
}
