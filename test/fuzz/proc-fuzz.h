#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/*
 * What the fuzz targets of the parsers of /proc text share: the input as a text and an arena. The
 * library hands a block exactly as long as the input: reads behind its end are seen.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline int proc_fuzz(const uint8_t *data, size_t len,
			    void (*parse)(struct arena *a, struct span text))
{
	struct arena a;

	arena_init(&a);
	parse(&a, (struct span){ (const char *)data, len });
	arena_deinit(&a);
	return 0;
}
