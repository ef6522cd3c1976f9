#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page tables of a process as /proc/PID/pagemap shows them. */
enum page_category {
	PAGE_FILE = 4,     /* of a file or shared object, not a private copy */
	PAGE_PRESENT = 8,
	PAGE_SWAPPED = 16,
	PAGE_ZERO = 32,    /* the kernel's zero page */
	PAGE_HUGE = 64,
	PAGE_GUARD = 256,
};
struct page_region {
	uint64_t start, end, categories;
};

/* Bits of a pagemap entry. */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAP (1ULL << 62)
#define PAGEMAP_FILE (1ULL << 61)
#define PAGEMAP_GUARD (1ULL << 58)
#define PAGEMAP_EXCLUSIVE (1ULL << 56)
#define PAGEMAP_FRAME ((1ULL << 55) - 1)

/*
 * Private pages (no zero page, nothing of a file) from *start to end: fills at most `n` regions,
 * advances *start to where to go on. Yields their number or -errno. PAGEMAP_SCAN (6.7) or, where it
 * is missing, pagemap; only there the zero page's frame number has to be known (0: unknown).
 */
int pagemap_scan(int pagemap_fd, uint64_t *start, uint64_t end, struct page_region *region,
		 size_t n);
/* The same by reading the entries; [*start, end) should be mapped for the most part. */
int pagemap_walk(int pagemap_fd, uint64_t *start, uint64_t end, struct page_region *region,
		 size_t n);
/* The entries of n pages; shorter only at the end of the address space. Number or -errno. */
int pagemap_read(int pagemap_fd, uint64_t start, uint64_t *entry, size_t n);
