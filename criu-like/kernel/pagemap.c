/*
 * PAGEMAP_SCAN (Linux 6.7) tells in one call which pages of a whole address space are private data;
 * before, every entry of pagemap has to be read. Guard pages are told since 6.15 (the category is
 * refused before); older kernels show them as swapped. An entry holds frame numbers only for
 * CAP_SYS_ADMIN; without it the zero page cannot be told from data, and is saved like data.
 */
#include "pagemap.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kernel/sys.h"

struct pm_scan_arg_6_7 {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_6_7 _IOWR('f', 16, struct pm_scan_arg_6_7)

int pagemap_scan(int pagemap_fd, uint64_t *start, uint64_t end, struct page_region *region,
		 size_t n)
{
	struct pm_scan_arg_6_7 arg = {
		.size = sizeof(arg), .start = *start, .end = end,
		.vec = (uintptr_t)region, .vec_len = n,
		.category_inverted = PAGE_FILE | PAGE_ZERO, .category_mask = PAGE_FILE | PAGE_ZERO,
		.category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED,
		.return_mask = PAGE_HUGE | PAGE_SWAPPED | PAGE_GUARD,
	};
	long r = sys(SYS_ioctl, pagemap_fd, PAGEMAP_SCAN_6_7, &arg);

	if (r == -EINVAL) {
		arg.return_mask &= ~(uint64_t)PAGE_GUARD;
		r = sys(SYS_ioctl, pagemap_fd, PAGEMAP_SCAN_6_7, &arg);
	}
	/* walk_end is stale when the kernel filled its own buffer more than once (seen on 6.18). */
	if (r >= 0 && (size_t)r < n)
		*start = end;
	else if (r > 0)
		*start = region[r - 1].end > arg.walk_end ? region[r - 1].end : arg.walk_end;
	return (int)r;
}

int pagemap_read(int pagemap_fd, uint64_t start, uint64_t *entry, size_t n)
{
	size_t done = 0;

	while (done < n) {
		long r = sys(SYS_pread64, pagemap_fd, (char *)entry + done * 8, (n - done) * 8,
			     start / 4096 * 8 + done * 8);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return (int)r;
		if (r == 0)
			break;
		done += (size_t)r / 8;
	}
	return (int)done;
}

/* The frame of the zero page: what an untouched private page shows after it was read. */
static uint64_t zero_frame(int own_pagemap_fd)
{
	uint64_t entry = 0;
	long p = sys(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p < 0)
		return 0;
	(void)*(volatile char *)p;
	if (pagemap_read(own_pagemap_fd, (uint64_t)p, &entry, 1) != 1)
		entry = 0;
	(void)sys(SYS_munmap, p, 4096); /* our own page: cannot fail */
	return entry & PAGEMAP_FRAME;
}

static uint64_t categories(uint64_t entry, uint64_t zero)
{
	if (entry & PAGEMAP_GUARD)
		return PAGE_GUARD;
	if (entry & PAGEMAP_FILE)
		return 0;
	if (entry & PAGEMAP_SWAP)
		return PAGE_SWAPPED;
	return (entry & PAGEMAP_PRESENT) && (!zero || (entry & PAGEMAP_FRAME) != zero)
		       ? PAGE_PRESENT
		       : 0;
}

int pagemap_walk(int pagemap_fd, uint64_t *start, uint64_t end, struct page_region *region,
		 size_t n)
{
	uint64_t entry[512], at = *start, zero;
	size_t found = 0;
	long own = sys(SYS_openat, -100, "/proc/self/pagemap", 02000000);

	zero = own < 0 ? 0 : zero_frame((int)own);
	if (own >= 0)
		(void)sys(SYS_close, own); /* only read from */
	while (at < end) {
		size_t want = (end - at) / 4096 < 512 ? (end - at) / 4096 : 512;
		int got = pagemap_read(pagemap_fd, at, entry, want);

		if (got <= 0)
			return got < 0 ? got : (*start = end, (int)found);
		for (int i = 0; i < got; i++, at += 4096) {
			uint64_t c = categories(entry[i], zero) & ~(uint64_t)PAGE_PRESENT;

			if (!categories(entry[i], zero))
				continue;
			if (found && region[found - 1].end == at &&
			    region[found - 1].categories == c) {
				region[found - 1].end += 4096;
				continue;
			}
			if (found == n)
				return *start = at, (int)found;
			region[found++] = (struct page_region){ at, at + 4096, c };
		}
	}
	*start = end;
	return (int)found;
}
