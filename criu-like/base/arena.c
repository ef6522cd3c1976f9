/*
 * A bump allocator over chunks of whole pages. One arena lives as long as one operation (a dump, a
 * restore, one request of a service), so that nothing has to be freed singly and error paths need
 * no cleanup of memory. Big requests get a chunk of their own.
 *
 * Chunks are mappings, not malloc'ed: the kernel puts them side by side and takes them for one, and
 * a restore moves them (core/build/fork-memory.c) without leaving a mapping in every gap, each of
 * which every fork would copy.
 */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef ARENA_CHUNK_BYTES /* fuzzing sets it small, so that each allocation has its own borders */
#define ARENA_CHUNK_BYTES (256 * 1024)
#endif
enum {
	CHUNK_BYTES = ARENA_CHUNK_BYTES,
	MOST_BYTES = 64 * CHUNK_BYTES,
	ALIGN = 16,
	PAGE_BYTES = 4096,
	TEXT_BYTES = 128, /* most are shorter: formatted once */
	HUGE_FROM = 4 << 20, /* large enough to hold huge pages */
	/* Small chunks are for finding reads behind their end: malloc knows where that is. */
	BY_MALLOC = ARENA_CHUNK_BYTES < PAGE_BYTES,
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size; /* of the data */
	_Alignas(ALIGN) unsigned char data[];
};

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "Error: out of memory\n";

	(void)!write(STDERR_FILENO, text,
		     sizeof(text) - 1); /* nothing else can be done with a failure */
	_exit(1);
}

void arena_init(struct arena *a)
{
	a->chunk = NULL;
}

void arena_deinit(struct arena *a)
{
	while (a->chunk) {
		struct arena_chunk *next = a->chunk->next;

		if (BY_MALLOC)
			free(a->chunk);
		else
			(void)munmap(a->chunk, sizeof(*next) + a->chunk->size); /* cannot fail */
		a->chunk = next;
	}
}

static struct arena_chunk *chunk_new(size_t size)
{
	struct arena_chunk *c = NULL;
	size_t len = sizeof(*c) + size;

	if (len < size || len > SIZE_MAX - PAGE_BYTES)
		out_of_memory();
	if (BY_MALLOC) {
		c = calloc(1, len);
	} else {
		len = (len + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
		c = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (c != MAP_FAILED && len >= HUGE_FROM)
			(void)madvise(c, len, MADV_HUGEPAGE); /* only speed */
	}
	if (!c || c == MAP_FAILED)
		out_of_memory();
	c->size = len - sizeof(*c);
	return c;
}

bool arena_pages_next(const struct arena *a, const void **at, struct arena_pages *ret)
{
	const struct arena_chunk *c = *at ? ((const struct arena_chunk *)*at)->next : a->chunk;

	if (!c)
		return false;
	*at = c;
	*ret = (struct arena_pages){ (void *)(uintptr_t)c, sizeof(*c) + c->used,
				     BY_MALLOC ? 0 : sizeof(*c) + c->size };
	return true;
}

static size_t aligned(size_t len_bytes)
{
	return (len_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* Few chunks for much memory; pages that nobody touched cost nothing. */
static size_t next_size(const struct arena_chunk *c)
{
	size_t size = c ? 2 * (c->size + sizeof(*c)) : CHUNK_BYTES;

	if (BY_MALLOC)
		return CHUNK_BYTES;
	return (size < MOST_BYTES ? size : MOST_BYTES) - sizeof(*c);
}

void *arena_alloc(struct arena *a, size_t len_bytes)
{
	size_t len = aligned(len_bytes);
	struct arena_chunk *c = a->chunk;
	void *p;

	if (len < len_bytes)
		out_of_memory();
	if (c && len > CHUNK_BYTES / 4 && c->size - c->used < len) {
		struct arena_chunk *big =
			chunk_new(len); /* behind the current one, which keeps its free space */

		big->used = len;
		big->next = c->next;
		c->next = big;
		return big->data;
	}
	if (!c || c->size - c->used < len) {
		c = chunk_new(len > next_size(c) ? len : next_size(c));
		c->next = a->chunk;
		a->chunk = c;
	}
	p = c->data + c->used;
	c->used += len;
	return p;
}

void arena_prepare(struct arena *a, size_t len_bytes)
{
	struct arena_chunk *c;

	if (BY_MALLOC)
		return;
	c = chunk_new(len_bytes);
	(void)madvise(c, sizeof(*c) + c->size, MADV_POPULATE_WRITE); /* only speed */
	c->next = a->chunk;
	a->chunk = c;
}

/* What was allocated last may grow where it is. */
static bool grow_in_place(struct arena *a, const void *old, size_t old_bytes, size_t new_bytes)
{
	struct arena_chunk *c = a->chunk;
	size_t from = aligned(old_bytes), to = aligned(new_bytes);

	if (!old_bytes || !c || to < from || to < new_bytes ||
	    (const unsigned char *)old + from != c->data + c->used || to - from > c->size - c->used)
		return false;
	c->used += to - from;
	return true;
}

void arena_shrink(struct arena *a, const void *p, size_t len_bytes, size_t used_bytes)
{
	size_t len = aligned(len_bytes), used = aligned(used_bytes);
	struct arena_chunk *c = a->chunk;

	if (c && c->used >= len && c->data + c->used - len == p)
		c->used -= len - used;
}

void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t new_bytes)
{
	void *p;

	if (grow_in_place(a, old, old_bytes, new_bytes))
		return old;
	p = arena_alloc(a, new_bytes);
	if (old_bytes)
		memcpy(p, old, old_bytes);
	return p;
}

void *arena_memdup(struct arena *a, const void *src, size_t len_bytes)
{
	void *p = arena_alloc(a, len_bytes);

	if (len_bytes)
		memcpy(p, src, len_bytes);
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len_bytes)
{
	char *p = arena_alloc(a, len_bytes + 1);

	if (len_bytes)
		memcpy(p, s, len_bytes);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char *p = arena_alloc(a, TEXT_BYTES); /* empty if nothing can be written */
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(p, TEXT_BYTES, fmt, again);
	va_end(again);
	if (n >= TEXT_BYTES) {
		p = arena_alloc(a, (size_t)n + 1);
		(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	} else if (n >= 0) {
		arena_shrink(a, p, TEXT_BYTES, (size_t)n + 1);
	}
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}
