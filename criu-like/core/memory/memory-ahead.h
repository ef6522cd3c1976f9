#pragma once
#include "images/image.h"
#include "kernel/pagemap.h"
#include "kernel/proc-maps.h"
#include "kernel/read-ahead.h"

/*
 * What a helper sees of an address space (kernel/read-ahead.h): its mappings, which pages of it are
 * private, where each of them is, and what is on those that nobody else has.
 */
enum { AHEAD_EXPECTED_BYTES = 12 << 10 }; /* of a small process */

struct ahead_page {
	uint64_t entry;		   /* of pagemap */
	struct page_digest digest; /* both words 0: not known */
};
struct ahead {
	size_t n_vma, n_region;
	bool pages_known; /* else only the mappings are */
	bool vdso_known, auxv_known, exe_known;
	uint64_t vdso_hash;
	struct span auxv;
	uint64_t exe_key[2]; /* of the executable: equal for the same file under the same name */
	const struct smaps_vma *vma;
	const struct page_region *region;
	const struct ahead_page
		*page; /* one after the other, of all regions that are ahead_small() */
};

/* The helper's part; the argument is the seed of the digests, 0: nobody needs any. */
long memory_ahead_look(const struct read_ahead_job *j);

/* Whether its pages are told one by one; with huge ones among them none are. */
static inline bool ahead_small(const struct page_region *g)
{
	return !(g->categories & PAGE_GUARD);
}
