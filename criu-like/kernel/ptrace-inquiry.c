/*
 * The inquiring ptrace requests. The numbers of some are newer than the headers of the build
 * machine. The caller must be the tracer and the tracee stopped; nothing is changed in it. The
 * kernel wants CAP_SYS_ADMIN, and a tracer without seccomp, for telling filters.
 */
#include "kernel/ptrace-inquiry.h"

#include <errno.h>

enum {
	PEEK_SIGINFO = 0x4209,
	SECCOMP_GET_FILTER = 0x420c,
	SECCOMP_GET_METADATA = 0x420d,
	GET_RSEQ = 0x420f,
	SET_DISPATCH = 0x4210,
	GET_DISPATCH = 0x4211,
};

int trace_rseq(pid_t tid, struct trace_rseq *ret)
{
	return (int)sys(SYS_ptrace, GET_RSEQ, tid, sizeof(*ret), ret);
}

int trace_dispatch(pid_t tid, struct trace_dispatch *ret)
{
	long r = sys(SYS_ptrace, GET_DISPATCH, tid, sizeof(*ret), ret);

	if (r == -EIO || r == -EINVAL) {
		*ret = (struct trace_dispatch){ 0 };
		return 0;
	}
	return (int)r;
}

int trace_set_dispatch(pid_t tid, const struct trace_dispatch *value)
{
	return (int)sys(SYS_ptrace, SET_DISPATCH, tid, sizeof(*value), value);
}

int trace_peek_signals(pid_t tid, int shared, uint64_t first, void *infos, int n)
{
	struct {
		uint64_t first;
		uint32_t shared;
		int32_t n;
	} which = { first, shared ? 1 : 0, n };

	return (int)sys(SYS_ptrace, PEEK_SIGINFO, tid, &which, infos);
}

int trace_seccomp_filter(pid_t tid, unsigned int index, void *instructions)
{
	return (int)sys(SYS_ptrace, SECCOMP_GET_FILTER, tid, (long)index, instructions);
}

int trace_seccomp_flags(pid_t tid, unsigned int index, uint64_t *ret)
{
	struct {
		uint64_t index, flags;
	} which = { index, 0 };
	long r = sys(SYS_ptrace, SECCOMP_GET_METADATA, tid, sizeof(which), &which);

	if (r >= 0)
		*ret = which.flags;
	return r < 0 ? (int)r : 0;
}
