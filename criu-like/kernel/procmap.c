/*
 * PROCMAP_QUERY (Linux 6.11): single mappings of a process, 0.5 us each, where the text of maps
 * costs one microsecond for every mapping there is. It tells what a line of maps tells. A name that
 * does not fit is refused by the kernel with ENAMETOOLONG; whoever asks here wants to know special
 * mappings, whose names are short, so that the question is asked again without the name.
 */
#include "kernel/procmap.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kernel/sys.h"

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
