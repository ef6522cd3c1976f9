/* Spans and strict numbers: what all parsers of kernel text are made of. */
#include "str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct span span_of(const char *s)
{
	return (struct span){ s, strlen(s) };
}

bool span_cut(struct span *text, char c, struct span *ret_piece)
{
	const char *e = text->len ? memchr(text->p, c, text->len) : NULL;

	if (!e)
		return false;
	*ret_piece = (struct span){ text->p, (size_t)(e - text->p) };
	*text = (struct span){ e + 1, text->len - ret_piece->len - 1 };
	return true;
}

bool span_line(struct span *text, struct span *ret_line)
{
	if (!text->len)
		return false;
	if (!span_cut(text, '\n', ret_line)) {
		*ret_line = *text;
		*text = (struct span){ text->p + text->len, 0 };
	}
	return true;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

bool span_word(struct span *text, struct span *ret_word)
{
	size_t n = 0;

	while (text->len && blank(*text->p))
		*text = (struct span){ text->p + 1, text->len - 1 };
	while (n < text->len && !blank(text->p[n]))
		n++;
	if (!n)
		return false;
	*ret_word = (struct span){ text->p, n };
	*text = (struct span){ text->p + n, text->len - n };
	return true;
}

struct span span_trim(struct span s)
{
	while (s.len && blank(*s.p))
		s = (struct span){ s.p + 1, s.len - 1 };
	while (s.len && (blank(s.p[s.len - 1]) || s.p[s.len - 1] == '\n'))
		s.len--;
	return s;
}

bool span_eq(struct span s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.p, text, s.len);
}

bool span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && !memcmp(s.p, prefix, n);
}

bool span_key(struct span line, const char *key, struct span *ret_value)
{
	size_t n = strlen(key);

	if (!span_starts(line, key) || line.len <= n || line.p[n] != ':')
		return false;
	*ret_value = span_trim((struct span){ line.p + n + 1, line.len - n - 1 });
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

int span_u64(struct span s, int base, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		int d = digit(s.p[i]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

int span_i64(struct span s, int base, int64_t *ret)
{
	bool minus = s.len && *s.p == '-';
	uint64_t v;

	if (minus)
		s = (struct span){ s.p + 1, s.len - 1 };
	if (span_u64(s, base, &v) || v > (uint64_t)INT64_MAX + minus)
		return -EINVAL;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int span_u32(struct span s, int base, uint32_t *ret)
{
	uint64_t v;

	if (span_u64(s, base, &v) || v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

static size_t utf8_length(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : (*s & 0xe0) == 0xc0 && *s >= 0xc2 ? 2 : (*s & 0xf0) == 0xe0 ? 3 :
		   (*s & 0xf8) == 0xf0 && *s < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void str_json(const char *s, char *buf, size_t size)
{
	size_t n = 0, step;

	if (size < 16)
		return;
	buf[n++] = '"';
	for (const unsigned char *p = (const unsigned char *)s; *p && n + 8 < size; p += step) {
		size_t u = utf8_length(p);

		step = u ? u : 1;
		if (*p == '"' || *p == '\\') {
			buf[n++] = '\\';
			buf[n++] = (char)*p;
		} else if (*p < 0x20 || *p == 0x7f || !u) {
			n += (size_t)snprintf(buf + n, size - n, "\\u%04x", *p);
		} else {
			memcpy(buf + n, p, step);
			n += step;
		}
	}
	buf[n++] = '"';
	buf[n] = 0;
}
