/*
 * Contents that can be recomputed: patterns by seed, so that a check needs no second copy in the
 * memory that is itself under test, and single values from the files in /proc/self.
 */
#include "test.h"

#include <fcntl.h>

static uint64_t pattern_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

void pattern_fill(void *buf, size_t len, uint64_t seed)
{
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = pattern_next(&seed);

		memcpy((char *)buf + at, &word, len - at < 8 ? len - at : 8);
	}
}

bool pattern_ok(const void *buf, size_t len, uint64_t seed)
{
	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = pattern_next(&seed);

		if (memcmp((const char *)buf + at, &word, len - at < 8 ? len - at : 8))
			return false;
	}
	return true;
}

bool proc_value(const char *file, const char *key, char *ret, size_t len)
{
	char path[64], line[1024];
	size_t key_len = strlen(key);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/%s", file);
	f = must_ptr(fopen(path, "re"));
	while (!found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, key_len) || line[key_len] != ':')
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(ret, len, "%s", line + key_len + 1 + strspn(line + key_len + 1, " \t"));
		found = true;
	}
	fclose(f);
	return found;
}
