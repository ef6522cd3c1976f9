#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"

#define PROC_PID_LEVELS 33 /* 32 nested pid namespaces below the first (MAX_PID_NS_LEVEL) */

/* Keys of /proc/PID/status that are understood, in the kernel's order: X(name, key). */
/* clang-format off */
#define STATUS_KEYS(X)                                                                             \
	X(UMASK, "Umask")                                                                          \
	X(STATE, "State")                                                                          \
	X(TGID, "Tgid")                                                                            \
	X(NGID, "Ngid")                                                                            \
	X(PID, "Pid")                                                                              \
	X(PPID, "PPid")                                                                            \
	X(TRACER_PID, "TracerPid")                                                                 \
	X(UID, "Uid")                                                                              \
	X(GID, "Gid")                                                                              \
	X(FDSIZE, "FDSize")                                                                        \
	X(GROUPS, "Groups")                                                                        \
	X(NSTGID, "NStgid")                                                                        \
	X(NSPID, "NSpid")                                                                          \
	X(NSPGID, "NSpgid")                                                                        \
	X(NSSID, "NSsid")                                                                          \
	X(KTHREAD, "Kthread")                                                                      \
	X(VM_SIZE, "VmSize")                                                                       \
	X(VM_RSS, "VmRSS")                                                                         \
	X(CORE_DUMPING, "CoreDumping")                                                             \
	X(THP_ENABLED, "THP_enabled")                                                              \
	X(UNTAG_MASK, "untag_mask")                                                                \
	X(THREADS, "Threads")                                                                      \
	X(SIG_Q, "SigQ")                                                                           \
	X(SIGPND, "SigPnd")                                                                        \
	X(SHDPND, "ShdPnd")                                                                        \
	X(SIGBLK, "SigBlk")                                                                        \
	X(SIGIGN, "SigIgn")                                                                        \
	X(SIGCGT, "SigCgt")                                                                        \
	X(CAP_INH, "CapInh")                                                                       \
	X(CAP_PRM, "CapPrm")                                                                       \
	X(CAP_EFF, "CapEff")                                                                       \
	X(CAP_BND, "CapBnd")                                                                       \
	X(CAP_AMB, "CapAmb")                                                                       \
	X(NO_NEW_PRIVS, "NoNewPrivs")                                                              \
	X(SECCOMP, "Seccomp")                                                                      \
	X(SECCOMP_FILTERS, "Seccomp_filters")                                                      \
	X(SPEC_STORE_BYPASS, "Speculation_Store_Bypass")                                           \
	X(SPEC_INDIRECT_BRANCH, "SpeculationIndirectBranch")                                       \
	X(CPUS_ALLOWED, "Cpus_allowed")                                                            \
	X(MEMS_ALLOWED, "Mems_allowed")                                                            \
	X(X86_FEATURES, "x86_Thread_features")                                                     \
	X(X86_FEATURES_LOCKED, "x86_Thread_features_locked")
/* clang-format on */

#define STATUS_ENUM(name, key) STATUS_##name,
enum status_key { STATUS_KEYS(STATUS_ENUM) STATUS_KEY_COUNT };
#undef STATUS_ENUM

/* One pid per pid namespace, the reader's (that of the /proc mount) first. */
struct proc_ns_pids {
	uint32_t n;
	pid_t v[PROC_PID_LEVELS];
};

/*
 * /proc/PID/status or /proc/PID/task/TID/status. The name is left out: stat gives comm unescaped.
 * Spans point into the text. pids that the /proc mount cannot name are 0.
 */
struct proc_status {
	uint64_t has; /* bits 1 << STATUS_x: keys that were there */
	uint32_t umask;
	char state; /* R S D T t Z X I P */
	pid_t tgid, ngid, pid, ppid, tracer_pid;
	uint32_t uid[4], gid[4]; /* real, effective, saved, filesystem */
	uint32_t fdsize;
	uint32_t *groups;
	size_t n_groups;
	struct proc_ns_pids nstgid, nspid, nspgid, nssid;
	bool kthread;			/* 6.8+ */
	uint64_t vm_size_kb, vm_rss_kb; /* no memory: keys missing */
	bool core_dumping;
	bool thp_enabled;
	uint64_t untag_mask; /* 6.4+ */
	uint32_t threads;
	uint64_t sig_q_num, sig_q_limit; /* signals queued for the user, and RLIMIT_SIGPENDING */
	uint64_t sigpnd, shdpnd, sigblk, sigign, sigcgt; /* bit n is signal n + 1 */
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	bool no_new_privs;
	uint32_t seccomp;	  /* SECCOMP_MODE_x */
	uint32_t seccomp_filters; /* 5.9+ */
	struct span spec_store_bypass, spec_indirect_branch;
	struct span cpus_allowed, mems_allowed;	       /* hexadecimal words with commas */
	struct span x86_features, x86_features_locked; /* 6.6+: "shstk wrss", may be empty */
};

/* 0 or -EINVAL; State, Tgid, Pid, PPid, Uid and Gid must be there. groups comes from the arena. */
int proc_status_parse(struct arena *a, struct span text, struct proc_status *ret);

static inline bool proc_status_has(const struct proc_status *s, enum status_key key)
{
	return s->has >> key & 1;
}
