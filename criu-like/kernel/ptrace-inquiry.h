#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/sys.h"

/* What a stopped tracee tells about itself besides registers. All yield a result >= 0 or -errno. */

struct trace_rseq {
	uint64_t pointer;
	uint32_t size, signature, flags, reserved;
};
struct trace_dispatch {
	uint64_t mode, selector, offset, len;
};
enum { SIGINFO_BYTES = 128 };

int trace_rseq(pid_t tid, struct trace_rseq *ret);
/* Syscall user dispatch (6.4+); without that request, mode 0. */
int trace_dispatch(pid_t tid, struct trace_dispatch *ret);
int trace_set_dispatch(pid_t tid, const struct trace_dispatch *value);
/* Queued signals from number `first` on, at most n; yields how many. Each SIGINFO_BYTES long. */
int trace_peek_signals(pid_t tid, int shared, uint64_t first, void *infos, int n);
/* The index-th filter, oldest first: yields its number of instructions (8 bytes each); -ENOENT. */
int trace_seccomp_filter(pid_t tid, unsigned int index, void *instructions);
int trace_seccomp_flags(pid_t tid, unsigned int index, uint64_t *ret);
