#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Memory of one operation: allocated from large chunks, never freed singly, released as a whole.
 * An allocation never returns NULL: a process that cannot get memory prints one line and exits
 * with status 1, which harms nobody (docs/decisions/0002-arena.md). All memory comes zeroed.
 */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;
};

void arena_init(struct arena *a);
void arena_deinit(struct arena *a);
/* The memory of chunk after chunk, pages that belong to nobody else, and how much of it is used;
 * start with *at NULL. */
struct arena_pages {
	void *start;
	size_t used_bytes, len_bytes;
};
bool arena_pages_next(const struct arena *a, const void **at, struct arena_pages *ret);
void *arena_alloc(struct arena *a, size_t len_bytes);
/* The next so many bytes will cost no page faults. */
void arena_prepare(struct arena *a, size_t len_bytes);
/*
 * Gives back the end of the latest allocation, of which only the first used_bytes were written to;
 * without effect when something was allocated since.
 */
void arena_shrink(struct arena *a, const void *p, size_t len_bytes, size_t used_bytes);
/* Grows an array: the old content is copied, the rest is zero. */
void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t new_bytes);
void *arena_memdup(struct arena *a, const void *src, size_t len_bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len_bytes);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))
