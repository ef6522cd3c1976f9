/*
 * Shared memory is the one medium between the coordinator and the tasks it restores: programs,
 * barrier words, the first failure. Waiting is done with futexes that are shared (not
 * FUTEX_PRIVATE), because the waiters live in different address spaces.
 */
#include "core/build/area.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "core/memory/memory.h"
#include "core/build/watch.h"
#include "kernel/sys.h"

extern const char blob_start[], blob_end[];

/* Address space is free: the hole is far larger than any area, which is sized when all is planned.
 */
static const uint64_t hole_bytes = 1ull << 30;
enum { LOG_BYTES = 64 * 1024, LOOKS_PER_READ = 8 };

int area_reserve(struct restore *r)
{
	r->area_len = AREA_REPORT + 4096;
	r->log_at = area_take(r, LOG_BYTES);
	return memory_find_hole(r, hole_bytes, &r->area_base);
}

uint32_t area_take(struct restore *r, uint32_t len)
{
	uint32_t at = (uint32_t)r->area_len;

	bug_on(r->area_len + len > hole_bytes, "the programs outgrew the area");
	r->area_len += (len + 15) & ~15u;
	return at;
}

int area_map(struct restore *r)
{
	size_t code = (size_t)(blob_end - blob_start);
	long p;

	/* Nothing else may be mapped in the hole while rings look for their places. */
	r->area_len = memory_has_rings(r) ? hole_bytes : (r->area_len + 4095) & ~4095ull;
	p = sys(SYS_mmap, r->area_base, r->area_len, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE |
			(memory_has_rings(r) ? 0 : MAP_POPULATE),
		-1, 0);
	if (p < 0)
		return fail(p, "map the area of %lu bytes at %lx", r->area_len, r->area_base);
	r->area = (char *)p;
	memcpy(r->area, blob_start, code);
	area_log(r)->size = LOG_BYTES - sizeof(struct log_buffer);
	p = sys(SYS_mprotect, r->area, AREA_CODE_BYTES, PROT_READ | PROT_EXEC);
	return p < 0 ? fail(p, "make the blob executable") : 0;
}

struct prog_report *area_report(const struct restore *r)
{
	return (struct prog_report *)(r->area + AREA_REPORT);
}

struct log_buffer *area_log(const struct restore *r)
{
	return (struct log_buffer *)(r->area + r->log_at);
}

uint8_t *area_born(const struct restore *r, uint32_t birth)
{
	return (uint8_t *)r->area + r->born_at + birth;
}

/* Whoever is not woken sleeps for ever, so it is asked twice. Waking nobody is no failure. */
static void wake(uint32_t *word)
{
	if (sys(SYS_futex, word, FUTEX_WAKE, INT32_MAX, 0, 0, 0) < 0)
		(void)sys(SYS_futex, word, FUTEX_WAKE, INT32_MAX, 0, 0, 0); /* as above */
}

void area_pass(struct restore *r, enum area_word w, uint32_t n)
{
	struct prog_report *rep = area_report(r);

	if (__atomic_add_fetch(&rep->word[w], n, __ATOMIC_ACQ_REL) >=
	    __atomic_load_n(&rep->goal[w], __ATOMIC_ACQUIRE))
		wake(&rep->word[w]);
}

void area_goal(struct restore *r, enum area_word w, uint32_t goal)
{
	__atomic_store_n(&area_report(r)->goal[w], goal, __ATOMIC_RELEASE);
}

/* A zombie is not there either, but that takes reading /proc, and many may be waiting here. */
static bool coordinator_lives(const struct restore *r, uint32_t look)
{
	uint32_t threads;
	char state;

	if (sys(SYS_kill, r->coordinator, 0) == -ESRCH)
		return false;
	if (look % LOOKS_PER_READ)
		return true;
	state = watch_state(r->coordinator, &threads);
	return state != 'X' && state != 'Z';
}

bool area_failed(const struct restore *r)
{
	return __atomic_load_n(&area_report(r)->claim, __ATOMIC_ACQUIRE) != 0;
}

/*
 * For tasks, in their host code. The tool may have died before PDEATHSIG was armed, or, for a root
 * that is its sibling, without any signal: then nobody will ever come.
 */
int area_wait(struct restore *r, enum area_word w, uint32_t target)
{
	uint32_t *word = &area_report(r)->word[w];
	const struct timespec look_up = { 0, 50 * 1000 * 1000 };

	for (uint32_t look = 1;; look++) {
		uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);

		if (area_failed(r))
			return -ECANCELED;
		if ((int32_t)(seen - target) >= 0)
			return 0;
		if (sys(SYS_futex, word, FUTEX_WAIT, seen, &look_up, 0, 0) == -ETIMEDOUT &&
		    !coordinator_lives(r, look))
			return -ECANCELED;
	}
}

void area_fail(struct restore *r)
{
	struct prog_report *rep = area_report(r);

	(void)__atomic_exchange_n(&rep->claim, 1, __ATOMIC_ACQ_REL);
	for (int i = 0; i < PROG_WORDS; i++)
		wake(&rep->word[i]);
}
