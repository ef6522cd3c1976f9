/*
 * The frame of an image: a header that says what it is, records, and a trailer that says how many
 * they are and what all bytes before it hash to. The checks are made once, over bytes that already
 * lie in memory, so that nothing can change between the check and the use.
 *
 * The hash finds damage, not malice: who can write the image can write the hash. Therefore nothing
 * behind it trusts a length or a count.
 */
#include "format.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "images/backend.h"
#include "images/hash.h"

/* The high byte and the line ends show transfers that are not 8-bit clean. */
static const unsigned char magic[FORMAT_MAGIC_BYTES] = {0x89, 'T', 'O', 'R', 'P', '\r', '\n', 0x1a};

enum { AT_VERSION = 8, AT_RESERVED = 12, AT_STEM = 16 };
_Static_assert(AT_STEM + FORMAT_STEM_BYTES == FORMAT_HEADER_BYTES, "the header has no gaps");

static void put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

bool format_stem_valid(const char *stem)
{
	size_t n = strspn(stem, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return n && n < FORMAT_STEM_BYTES && !stem[n];
}

bool format_is_image(const void *p, size_t len)
{
	return !memcmp(p, magic, len < sizeof(magic) ? len : sizeof(magic));
}

bool format_is_shard(const char *name)
{
	size_t digits = strncmp(name, "pages-", 6) ? 0 : strspn(name + 6, "0123456789");

	return digits && !strcmp(name + 6 + digits, IMAGE_SUFFIX);
}

void format_header(const char *stem, unsigned char ret[FORMAT_HEADER_BYTES])
{
	bug_on(!format_stem_valid(stem), "the stem of an image has letters, digits, - and _ only");
	memset(ret, 0, FORMAT_HEADER_BYTES);
	memcpy(ret, magic, sizeof(magic));
	put32(ret + AT_VERSION, FORMAT_VERSION);
	memcpy(ret + AT_STEM, stem, strlen(stem));
}

void format_record(uint32_t len, uint32_t id, unsigned char ret[FORMAT_RECORD_BYTES])
{
	put32(ret, len);
	put32(ret + 4, id);
}

void format_trailer_count(uint64_t count, unsigned char ret[FORMAT_TRAILER_BYTES])
{
	put64(ret, count);
}

void format_trailer_hash(uint64_t hash, unsigned char ret[FORMAT_TRAILER_BYTES])
{
	put64(ret + 8, hash);
}

static int check_header(const char *stem, struct span bytes)
{
	unsigned char want[FORMAT_HEADER_BYTES];
	uint32_t version;

	format_header(stem, want);
	if (!bytes.len)
		return fail(-EPROTO, "image '%s' is empty", stem);
	if (!format_is_image(bytes.p, bytes.len))
		return fail(-EPROTO, "image '%s' is no image of torpor (wrong magic)", stem);
	if (bytes.len < FORMAT_HEADER_BYTES + FORMAT_TRAILER_BYTES)
		return fail(-EPROTO, "image '%s' is truncated (%zu bytes)", stem, bytes.len);
	version = get32(bytes.p + AT_VERSION);
	if (version != FORMAT_VERSION)
		return fail(-EPROTO,
			    "image '%s' has format version %" PRIu32
			    ", this torpor reads version %d",
			    stem, version, FORMAT_VERSION);
	if (memcmp(bytes.p + AT_STEM, want + AT_STEM, FORMAT_STEM_BYTES) != 0)
		return fail(-EPROTO, "image '%s' holds another image (was a file renamed?)", stem);
	if (get32(bytes.p + AT_RESERVED))
		return fail(-EPROTO, "image '%s' has an unknown header field", stem);
	return 0;
}

static int check_records(const char *stem, struct span records, uint32_t *ret_count)
{
	uint32_t n = 0;

	while (records.len) {
		uint32_t len;

		if (records.len < FORMAT_RECORD_BYTES)
			return fail(-EPROTO, "image '%s': record %" PRIu32 " is truncated", stem,
				    n);
		len = get32(records.p);
		if (len > FORMAT_RECORD_MAX)
			return fail(-EPROTO,
				    "image '%s': record %" PRIu32 " claims %" PRIu32
				    " bytes, more than %d",
				    stem, n, len, FORMAT_RECORD_MAX);
		if (len > records.len - FORMAT_RECORD_BYTES)
			return fail(-EPROTO, "image '%s': record %" PRIu32 " is truncated", stem,
				    n);
		records.p += FORMAT_RECORD_BYTES + len;
		records.len -= FORMAT_RECORD_BYTES + len;
		n++;
	}
	*ret_count = n;
	return 0;
}

int format_check(const char *stem, struct span bytes, struct format_image *ret)
{
	const char *trailer;
	uint64_t claimed;
	uint32_t count = 0;
	int r = check_header(stem, bytes);

	if (r)
		return r;
	if (bytes.len > FORMAT_IMAGE_MAX)
		return fail(-EPROTO, "image '%s' has %zu bytes, more than %llu", stem, bytes.len,
			    FORMAT_IMAGE_MAX);
	trailer = bytes.p + bytes.len - FORMAT_TRAILER_BYTES;
	if (get64(trailer + 8) != XXH3_64bits(bytes.p, bytes.len - 8))
		return fail(
			-EPROTO,
			"image '%s' is damaged: wrong checksum, truncated or garbage at its end",
			stem);
	ret->records = (struct span){bytes.p + FORMAT_HEADER_BYTES,
				     bytes.len - FORMAT_HEADER_BYTES - FORMAT_TRAILER_BYTES};
	r = check_records(stem, ret->records, &count);
	if (r)
		return r;
	claimed = get64(trailer);
	if (claimed != count)
		return fail(-EPROTO,
			    "image '%s' has %" PRIu32 " records, its trailer says %" PRIu64, stem,
			    count, claimed);
	ret->count = count;
	return 0;
}

bool format_next(struct span *records, uint32_t *ret_id, struct span *ret_message)
{
	uint32_t len;

	if (!records->len)
		return false;
	len = get32(records->p);
	*ret_id = get32(records->p + 4);
	*ret_message = (struct span){records->p + FORMAT_RECORD_BYTES, len};
	records->p += FORMAT_RECORD_BYTES + len;
	records->len -= FORMAT_RECORD_BYTES + len;
	return true;
}
