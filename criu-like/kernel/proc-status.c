/*
 * /proc/PID/status: "Key:\tvalue" lines, read once per thread.
 *
 * A table says for each key where its value goes and in which form it is written. The kernel
 * writes keys in a fixed order, so the search for a line's key starts behind the last one found;
 * lines nobody asked for cost one pass over the lengths in the table. The Name line escapes
 * newlines and backslashes, so a process cannot smuggle a line in by its name.
 */
#include "proc-status.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

enum form {
	FORM_OCTAL,
	FORM_STATE,
	FORM_PID,
	FORM_U32,
	FORM_BOOL,
	FORM_KB,
	FORM_HEX,
	FORM_0X,
	FORM_SIG_Q,
	FORM_IDS,
	FORM_GROUPS,
	FORM_NS_PIDS,
	FORM_TEXT,
};

#define STATUS_NAME(name, key) [STATUS_##name] = key,
static const char *const key_name[] = { STATUS_KEYS(STATUS_NAME) };

#define STATUS_LEN(name, key) [STATUS_##name] = sizeof(key) - 1,
static const uint8_t key_len[] = { STATUS_KEYS(STATUS_LEN) };

/* clang-format off */
static const struct {
	uint16_t form, offset;
} key_place[] = {
#define PLACE(key, form, field) [STATUS_##key] = { form, offsetof(struct proc_status, field) }
	PLACE(UMASK, FORM_OCTAL, umask),
	PLACE(STATE, FORM_STATE, state),
	PLACE(TGID, FORM_PID, tgid),
	PLACE(NGID, FORM_PID, ngid),
	PLACE(PID, FORM_PID, pid),
	PLACE(PPID, FORM_PID, ppid),
	PLACE(TRACER_PID, FORM_PID, tracer_pid),
	PLACE(UID, FORM_IDS, uid),
	PLACE(GID, FORM_IDS, gid),
	PLACE(FDSIZE, FORM_U32, fdsize),
	PLACE(GROUPS, FORM_GROUPS, groups),
	PLACE(NSTGID, FORM_NS_PIDS, nstgid),
	PLACE(NSPID, FORM_NS_PIDS, nspid),
	PLACE(NSPGID, FORM_NS_PIDS, nspgid),
	PLACE(NSSID, FORM_NS_PIDS, nssid),
	PLACE(KTHREAD, FORM_BOOL, kthread),
	PLACE(VM_SIZE, FORM_KB, vm_size_kb),
	PLACE(VM_RSS, FORM_KB, vm_rss_kb),
	PLACE(CORE_DUMPING, FORM_BOOL, core_dumping),
	PLACE(THP_ENABLED, FORM_BOOL, thp_enabled),
	PLACE(UNTAG_MASK, FORM_0X, untag_mask),
	PLACE(THREADS, FORM_U32, threads),
	PLACE(SIG_Q, FORM_SIG_Q, sig_q_num),
	PLACE(SIGPND, FORM_HEX, sigpnd),
	PLACE(SHDPND, FORM_HEX, shdpnd),
	PLACE(SIGBLK, FORM_HEX, sigblk),
	PLACE(SIGIGN, FORM_HEX, sigign),
	PLACE(SIGCGT, FORM_HEX, sigcgt),
	PLACE(CAP_INH, FORM_HEX, cap_inh),
	PLACE(CAP_PRM, FORM_HEX, cap_prm),
	PLACE(CAP_EFF, FORM_HEX, cap_eff),
	PLACE(CAP_BND, FORM_HEX, cap_bnd),
	PLACE(CAP_AMB, FORM_HEX, cap_amb),
	PLACE(NO_NEW_PRIVS, FORM_BOOL, no_new_privs),
	PLACE(SECCOMP, FORM_U32, seccomp),
	PLACE(SECCOMP_FILTERS, FORM_U32, seccomp_filters),
	PLACE(SPEC_STORE_BYPASS, FORM_TEXT, spec_store_bypass),
	PLACE(SPEC_INDIRECT_BRANCH, FORM_TEXT, spec_indirect_branch),
	PLACE(CPUS_ALLOWED, FORM_TEXT, cpus_allowed),
	PLACE(MEMS_ALLOWED, FORM_TEXT, mems_allowed),
	PLACE(X86_FEATURES, FORM_TEXT, x86_features),
	PLACE(X86_FEATURES_LOCKED, FORM_TEXT, x86_features_locked),
};
/* clang-format on */

_Static_assert(array_size(key_place) == STATUS_KEY_COUNT, "each key has a place");
_Static_assert(STATUS_KEY_COUNT <= 64, "one presence bit per key");

static int parse_pid(struct span v, pid_t *ret)
{
	uint32_t n;

	if (span_u32(v, 10, &n) || n > INT_MAX)
		return -EINVAL;
	*ret = (pid_t)n;
	return 0;
}

static int parse_bool(struct span v, bool *ret)
{
	if (v.len != 1 || (*v.p != '0' && *v.p != '1'))
		return -EINVAL;
	*ret = *v.p == '1';
	return 0;
}

static int parse_kb(struct span v, uint64_t *ret)
{
	struct span number;

	if (!span_word(&v, &number) || !span_eq(span_trim(v), "kB"))
		return -EINVAL;
	return span_u64(number, 10, ret);
}

static int parse_0x(struct span v, uint64_t *ret)
{
	if (!span_starts(v, "0x"))
		return -EINVAL;
	return span_u64((struct span){ v.p + 2, v.len - 2 }, 16, ret);
}

/* ret[0] queued, ret[1] limit */
static int parse_sig_q(struct span v, uint64_t *ret)
{
	struct span num;

	if (!span_cut(&v, '/', &num))
		return -EINVAL;
	return span_u64(num, 10, &ret[0]) ?: span_u64(v, 10, &ret[1]);
}

static int parse_ids(struct span v, uint32_t *ret)
{
	struct span w;

	for (int i = 0; i < 4; i++)
		if (!span_word(&v, &w) || span_u32(w, 10, &ret[i]))
			return -EINVAL;
	return span_word(&v, &w) ? -EINVAL : 0;
}

static int parse_ns_pids(struct span v, struct proc_ns_pids *ret)
{
	struct span w;

	ret->n = 0;
	while (span_word(&v, &w))
		if (ret->n == PROC_PID_LEVELS || parse_pid(w, &ret->v[ret->n++]))
			return -EINVAL;
	return 0;
}

static int parse_groups(struct arena *a, struct span v, struct proc_status *ret)
{
	struct span all = v, w;
	size_t n = 0;

	while (span_word(&all, &w))
		n++;
	ret->groups = n ? arena_array(a, uint32_t, n) : NULL;
	ret->n_groups = n;
	for (size_t i = 0; i < n; i++)
		if (!span_word(&v, &w) || span_u32(w, 10, &ret->groups[i]))
			return -EINVAL;
	return 0;
}

/* "S (sleeping)" */
static int parse_state(struct span v, char *ret)
{
	if (v.len < 3 || v.p[1] != ' ' || v.p[2] != '(')
		return -EINVAL;
	*ret = v.p[0];
	return 0;
}

static int parse_value(struct arena *a, enum status_key key, struct span v, struct proc_status *ret)
{
	void *place = (char *)ret + key_place[key].offset;

	switch (key_place[key].form) {
	case FORM_OCTAL: return span_u32(v, 8, place);
	case FORM_STATE: return parse_state(v, place);
	case FORM_PID: return parse_pid(v, place);
	case FORM_U32: return span_u32(v, 10, place);
	case FORM_BOOL: return parse_bool(v, place);
	case FORM_KB: return parse_kb(v, place);
	case FORM_HEX: return span_u64(v, 16, place);
	case FORM_0X: return parse_0x(v, place);
	case FORM_SIG_Q: return parse_sig_q(v, place);
	case FORM_IDS: return parse_ids(v, place);
	case FORM_GROUPS: return parse_groups(a, v, ret);
	case FORM_NS_PIDS: return parse_ns_pids(v, place);
	default: *(struct span *)place = v; return 0;
	}
}

/* The number of the key, looked for from `first` on and around; STATUS_KEY_COUNT: unknown. */
static unsigned int find_key(struct span name, unsigned int first)
{
	for (unsigned int n = 0; n < STATUS_KEY_COUNT; n++) {
		unsigned int i =
			first + n < STATUS_KEY_COUNT ? first + n : first + n - STATUS_KEY_COUNT;

		if (key_len[i] == name.len && !memcmp(key_name[i], name.p, name.len))
			return i;
	}
	return STATUS_KEY_COUNT;
}

int proc_status_parse(struct arena *a, struct span text, struct proc_status *ret)
{
	const uint64_t needed = 1ULL << STATUS_STATE | 1ULL << STATUS_TGID | 1ULL << STATUS_PID |
				1ULL << STATUS_PPID | 1ULL << STATUS_UID | 1ULL << STATUS_GID;
	struct proc_status s = {};
	struct span line, name;
	unsigned int next = 0;

	while (span_line(&text, &line)) {
		unsigned int key;

		if (!span_cut(&line, ':', &name))
			continue;
		key = find_key(name, next);
		if (key == STATUS_KEY_COUNT)
			continue;
		if (s.has >> key & 1 || parse_value(a, key, span_trim(line), &s))
			return -EINVAL;
		s.has |= 1ULL << key;
		next = key + 1 == STATUS_KEY_COUNT ? 0 : key + 1;
	}
	if ((s.has & needed) != needed)
		return -EINVAL;
	*ret = s;
	return 0;
}
