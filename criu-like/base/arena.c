/*
 * A bump allocator over malloc'ed chunks. One arena lives as long as one operation (a dump, a
 * restore, one request of a service), so that nothing has to be freed singly and error paths need
 * no cleanup of memory. Big requests get a chunk of their own.
 */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ARENA_CHUNK_BYTES /* fuzzing sets it small, so that each allocation has its own borders */
#define ARENA_CHUNK_BYTES (256 * 1024)
#endif
enum {
	CHUNK_BYTES = ARENA_CHUNK_BYTES,
	MOST_BYTES = 64 * CHUNK_BYTES,
	ALIGN = 16,
	PAGE_BYTES = 4096,
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
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

		free(a->chunk);
		a->chunk = next;
	}
}

static struct arena_chunk *chunk_new(size_t size)
{
	struct arena_chunk *c = calloc(1, sizeof(*c) + size);

	if (!c)
		out_of_memory();
	c->size = size;
	return c;
}

bool arena_pages_next(const struct arena *a, const void **at, struct arena_pages *ret)
{
	const struct arena_chunk *c = *at ? ((const struct arena_chunk *)*at)->next : a->chunk;
	uintptr_t start, end;

	if (!c)
		return false;
	start = ((uintptr_t)c->data + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	end = ((uintptr_t)c->data + c->used) & ~(uintptr_t)(PAGE_BYTES - 1);
	*at = c;
	*ret = (struct arena_pages){ (void *)start, end > start ? end - start : 0 };
	return true;
}

/* Few chunks for much memory; pages that nobody touched cost nothing. */
static size_t next_size(const struct arena_chunk *c)
{
	size_t size = c ? 2 * c->size : CHUNK_BYTES;

	return size < MOST_BYTES ? size : MOST_BYTES;
}

void *arena_alloc(struct arena *a, size_t len_bytes)
{
	size_t len = (len_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
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

void arena_shrink(struct arena *a, const void *p, size_t len_bytes, size_t used_bytes)
{
	size_t len = (len_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	size_t used = (used_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct arena_chunk *c = a->chunk;

	if (c && c->used >= len && c->data + c->used - len == p)
		c->used -= len - used;
}

void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t new_bytes)
{
	void *p = arena_alloc(a, new_bytes);

	if (old_bytes)
		memcpy(p, old, old_bytes);
	return p;
}

void *arena_memdup(struct arena *a, const void *src, size_t len_bytes)
{
	return arena_grow(a, (void *)src, len_bytes, len_bytes);
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
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	p = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
	if (n >= 0)
		(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
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
