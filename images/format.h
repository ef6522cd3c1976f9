#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * The bytes of one image (docs/image-format.md): header, records, trailer. All numbers are little
 * endian.
 */
enum {
	FORMAT_VERSION = 1,
	FORMAT_MAGIC_BYTES = 8,
	FORMAT_HEADER_BYTES = 64,
	FORMAT_STEM_BYTES = 48,	 /* with at least one NUL */
	FORMAT_RECORD_BYTES = 8, /* before the message: length, id */
	FORMAT_TRAILER_BYTES = 16,
	FORMAT_RECORD_MAX = 64 << 20,
};
#define FORMAT_IMAGE_MAX (4ULL << 30)

bool format_stem_valid(const char *stem);
/* Whether a file that begins with these may be an image, of any version and cut anywhere. */
bool format_is_image(const void *p, size_t len);
/* Whether the name is that of a file of the page store. */
bool format_is_shard(const char *name);
void format_header(const char *stem, unsigned char ret[FORMAT_HEADER_BYTES]);
void format_record(uint32_t len, uint32_t id, unsigned char ret[FORMAT_RECORD_BYTES]);
/* The hash is put in by the caller, who hashes the count as well: see format_trailer_hash(). */
void format_trailer_count(uint64_t count, unsigned char ret[FORMAT_TRAILER_BYTES]);
void format_trailer_hash(uint64_t hash, unsigned char ret[FORMAT_TRAILER_BYTES]);

struct format_image {
	struct span records;
	uint32_t count;
};
/* Checks header, trailer and the frame of every record. Reports what is wrong. */
int format_check(const char *stem, struct span bytes, struct format_image *ret);
/* Cuts the first record off checked records; false at the end. */
bool format_next(struct span *records, uint32_t *ret_id, struct span *ret_message);
