#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text. A `struct span` is a piece of a larger text, not terminated. Parsers take spans, so that a
 * /proc file is read once and never copied.
 */
struct span {
	const char *p;
	size_t len;
};

struct span span_of(const char *s);
/* Cuts the next line (without its newline) off *text; false at the end. */
bool span_line(struct span *text, struct span *ret_line);
/* Cuts the next word, separated by blanks or tabs; false when there is none. */
bool span_word(struct span *text, struct span *ret_word);
/* Cuts everything before the next `c` and drops the `c`; false (and nothing cut) when there is no
 * c. */
bool span_cut(struct span *text, char c, struct span *ret_piece);
struct span span_trim(struct span s);
bool span_eq(struct span s, const char *text);
bool span_starts(struct span s, const char *prefix);
/* "Key:\tvalue" -> value without leading blanks when the line's key is `key`. */
bool span_key(struct span line, const char *key, struct span *ret_value);

/* Whole numbers, nothing before or behind them. 0 or -EINVAL (also on overflow). */
int span_u64(struct span s, int base, uint64_t *ret);
int span_i64(struct span s, int base, int64_t *ret);
int span_u32(struct span s, int base, uint32_t *ret);

/* s as a JSON string with its quotes; bytes that are no UTF-8 text become \u00XX. Cut when too
 * long. */
void str_json(const char *s, char *buf, size_t size);
