/*
 * Checksums of saved pages. Comparing them takes a quarter of the time of reading the pages into
 * place, so for large memory it is done by the coordinator, which has nothing else to do, while the
 * tasks read the same pages: nobody runs before all is compared, and a restore that fails leaves
 * nothing. What is small is compared in the plan, before anything exists.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/memory/memory-plan.h"
#include "core/memory/memory.h"
#include "core/phase.h"
#include "kernel/signal.h"
#include "kernel/sys.h"

static int map_shard(const struct mem_plan *m, uint32_t shard, struct mapping *ret)
{
	uint64_t size = m->shard_size.v[shard];
	long at = sys(SYS_mmap, 0, size, PROT_READ, MAP_SHARED, m->shard.v[shard], 0);

	if (at < 0)
		return fail(at, "map shard %" PRIu32 " of the pages", shard);
	*ret = (struct mapping){ (void *)at, size };
	return 0;
}

static int compare(const struct checksum *c, const char *bytes)
{
	if (page_hash(bytes + c->offset, c->bytes) == c->hash)
		return signal_interrupted() ? phase_interrupted(0) : 0;
	return fail(-EPROTO,
		    "address space %" PRIu32 ": the saved pages are damaged: wrong checksum of "
		    "what lies at %" PRIx64 " of shard %" PRIu32,
		    c->mm, c->offset, c->shard);
}

static int verify_shard(const struct mem_plan *m, uint32_t shard)
{
	_unmap_ struct mapping map = { 0 };
	int e = 0;

	vec_foreach(c, &m->checksum) {
		if (e || c->shard != shard)
			continue;
		e = map.p ? 0 : map_shard(m, shard, &map);
		e = e ?: compare(c, map.p);
	}
	return e;
}

int memory_verify(struct restore *r)
{
	int e = 0;

	for (uint32_t i = 0; !e && r->memory->unverified && i < r->memory->shard.n; i++)
		e = verify_shard(r->memory, i);
	r->memory->checksum.n = 0;
	r->memory->unverified = 0;
	return e;
}
