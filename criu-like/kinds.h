#pragma once
#include "core/kind.h"

/*
 * The registry: one word per kind. The order of task kinds is the order of their operations within
 * a stage; the order of descriptor kinds is the order in which they are matched.
 */
#define TASK_KINDS(X)      \
	X(oom_score_adj)   \
	X(coredump_filter) \
	X(loginuid)        \
	X(ctty)            \
	X(autogroup)       \
	X(fs)              \
	X(sigaction)       \
	X(sigqueue)        \
	X(sigpending)      \
	X(x86)             \
	X(sigaltstack)     \
	X(robust_list)     \
	X(tid_address)     \
	X(rseq)            \
	X(ring_user)       \
	X(comm)            \
	X(numa)            \
	X(membarrier)      \
	X(rlimits)         \
	X(subreaper)       \
	X(seccomp)         \
	X(sched)           \
	X(creds)           \
	X(prctl)           \
	X(personality)     \
	X(brk)             \
	X(mm_flags)        \
	X(user_dispatch)   \
	X(sem_undo)        \
	X(posix_timers)    \
	X(itimers)

#define FD_KINDS(X)  \
	X(stub)      \
	X(tty)       \
	X(external)  \
	X(memfd)     \
	X(mqueue)    \
	X(pipe)      \
	X(dev)       \
	X(procfile)  \
	X(namespace) \
	X(opath)     \
	X(regular)   \
	X(fifo)      \
	X(eventfd)   \
	X(signalfd)  \
	X(timerfd)   \
	X(epoll)     \
	X(pidfd)     \
	X(inotify)   \
	X(fanotify)  \
	X(io_uring)  \
	X(bpf_map)   \
	X(unix)      \
	X(tcp)       \
	X(udp)       \
	X(raw)       \
	X(netlink)   \
	X(packet)    \
	X(socket)

/* Kinds of mappings, in match order. */
#define MEM_KINDS(X) \
	X(special) X(ring_mapping) X(packet_mapping) X(aio) X(hugetlb) X(sysv_map) X(shmem) \
	X(mapped_file) X(anon)

/* Objects of namespaces, in the order in which they are made. */
#define WORLD_KINDS(X) X(sysv_shm) X(sysv_sem) X(sysv_msg) X(mqueue_object)
