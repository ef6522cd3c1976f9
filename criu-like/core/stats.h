#pragma once
#include <stdint.h>

/* What a run cost; becomes the statistics record of a checkpoint. Times in microseconds. */
struct stats {
	uint64_t frozen_from_ns;
	uint64_t look_us, freeze_us, frozen_us, memory_us, write_us, total_us, fork_us, resume_us;
	uint64_t tasks, threads, mappings, descriptors;
	uint64_t pages_looked_at, pages_saved, pages_shared, pages_zero, bytes_written;
};
