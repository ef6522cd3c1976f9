/*
 * /proc/PID/fdinfo/N: four keys that all files have, then whatever the kind of file adds.
 *
 * Kinds ask for their keys by name; a text has a few lines, so that searching it for each key is
 * cheaper than building an index. Only texts with many lines, epoll and locks, have iterators.
 * Numbers are decimal, octal or hexadecimal without a prefix, as each kind of file likes.
 * Limits: locks on btrfs and overlayfs name the superblock's device; leases that break name the
 * type they become.
 */
#include "proc-fdinfo.h"

#include <errno.h>
#include <limits.h>

#include "base/err.h"

bool fdinfo_next(struct span *text, const char *key, struct span *ret_rest)
{
	struct span line;

	while (span_line(text, &line)) {
		size_t n = span_starts(line, key) ? span_of(key).len : 0;

		if (!n || line.len == n || (line.p[n] != ':' && line.p[n] != ' '))
			continue;
		*ret_rest = span_trim((struct span){ line.p + n + 1, line.len - n - 1 });
		return true;
	}
	return false;
}

int fdinfo_text(const struct fdinfo *i, const char *key, struct span *ret)
{
	struct span text = i->text, line;

	while (span_line(&text, &line))
		if (span_key(line, key, ret))
			return 0;
	return -ENOENT;
}

bool fdinfo_has(const struct fdinfo *i, const char *key)
{
	struct span v;

	return fdinfo_text(i, key, &v) == 0;
}

int fdinfo_u64(const struct fdinfo *i, const char *key, int base, uint64_t *ret)
{
	struct span v;

	return fdinfo_text(i, key, &v) ?: span_u64(v, base, ret);
}

int fdinfo_i64(const struct fdinfo *i, const char *key, int base, int64_t *ret)
{
	struct span v;

	return fdinfo_text(i, key, &v) ?: span_i64(v, base, ret);
}

int fdinfo_u32(const struct fdinfo *i, const char *key, int base, uint32_t *ret)
{
	struct span v;

	return fdinfo_text(i, key, &v) ?: span_u32(v, base, ret);
}

int fdinfo_flag(const struct fdinfo *i, const char *key, int *ret)
{
	uint32_t v;
	int r = fdinfo_u32(i, key, 10, &v);

	if (r || v > 1)
		return r ?: -EINVAL;
	*ret = (int)v;
	return 0;
}

static int parse_i32(struct span s, int32_t *ret)
{
	int64_t v;

	if (span_i64(s, 10, &v) || v < INT32_MIN || v > INT32_MAX)
		return -EINVAL;
	*ret = (int32_t)v;
	return 0;
}

int fdinfo_parse(struct span text, struct fdinfo *ret)
{
	struct fdinfo i = { .text = text };
	struct span mnt;
	int r;

	if (fdinfo_i64(&i, "pos", 10, &i.pos) || fdinfo_u32(&i, "flags", 8, &i.flags) ||
	    fdinfo_text(&i, "mnt_id", &mnt) || parse_i32(mnt, &i.mnt_id))
		return -EINVAL;
	r = fdinfo_u64(&i, "ino", 10, &i.ino);
	if (r == -EINVAL)
		return r;
	i.has_ino = r == 0;
	*ret = i;
	return 0;
}

int fdinfo_word(struct span line, const char *name, struct span *ret)
{
	struct span w, key;

	while (span_word(&line, &w))
		if (span_cut(&w, ':', &key) && span_eq(key, name)) {
			*ret = w;
			return 0;
		}
	return -ENOENT;
}

int fdinfo_word_u64(struct span line, const char *name, int base, uint64_t *ret)
{
	struct span v;

	return fdinfo_word(line, name, &v) ?: span_u64(v, base, ret);
}

/* The place of the next word of *line in the list, or -EINVAL. */
static int word_among(struct span *line, const char *const *list, int n)
{
	struct span w;

	if (!span_word(line, &w))
		return -EINVAL;
	for (int i = 0; i < n; i++)
		if (span_eq(w, list[i]))
			return i;
	return -EINVAL;
}

/* "00:2e:12345" or "<none>:0"; the device is hexadecimal */
static int parse_lock_inode(struct span s, struct fdinfo_lock *ret)
{
	struct span major, minor;

	if (span_eq(s, "<none>:0"))
		return 0;
	ret->has_inode = true;
	if (!span_cut(&s, ':', &major) || !span_cut(&s, ':', &minor))
		return -EINVAL;
	return span_u32(major, 16, &ret->major) ?: span_u32(minor, 16, &ret->minor)
						?: span_u64(s, 10, &ret->ino);
}

static int parse_lock_range(struct span line, struct fdinfo_lock *ret)
{
	struct span start, end, more;

	if (!span_word(&line, &start) || !span_word(&line, &end) || span_word(&line, &more))
		return -EINVAL;
	if (span_eq(end, "EOF"))
		ret->end = INT64_MAX;
	else if (span_i64(end, 10, &ret->end))
		return -EINVAL;
	return span_i64(start, 10, &ret->start);
}

/* "1: POSIX  ADVISORY  WRITE 1234 00:2e:12345 0 EOF" */
static int parse_lock(struct span line, struct fdinfo_lock *ret)
{
	static const char *const kinds[] = { "POSIX", "OFDLCK", "FLOCK", "LEASE", "DELEG" };
	static const char *const states[] = { "ADVISORY", "MANDATORY", "ACTIVE", "BREAKING",
					      "BREAKER" };
	static const char *const types[] = { "READ", "WRITE", "UNLCK" };
	struct fdinfo_lock l = {};
	struct span w;
	int kind, state, type;

	if (!span_cut(&line, ':', &w))
		return -EINVAL;
	kind = word_among(&line, kinds, array_size(kinds));
	state = word_among(&line, states, array_size(states));
	type = word_among(&line, types, array_size(types));
	if (kind < 0 || state < 0 || type < 0)
		return -EINVAL;
	if (!span_word(&line, &w) || parse_i32(w, &l.pid) || !span_word(&line, &w) ||
	    parse_lock_inode(w, &l) || parse_lock_range(line, &l))
		return -EINVAL;
	l.kind = (enum fdinfo_lock_kind)kind;
	l.state = (enum fdinfo_lock_state)state;
	l.type = (enum fdinfo_lock_type)type;
	*ret = l;
	return 0;
}

int proc_lock_next(struct span *text, struct fdinfo_lock *ret)
{
	struct span line, rest, w;

	while (span_line(text, &line)) {
		rest = line;
		if (span_word(&rest, &w) && span_word(&rest, &w) && span_eq(w, "->"))
			continue; /* waits for one that is listed */
		return parse_lock(line, ret) ?: 1;
	}
	return 0;
}

int fdinfo_lock_next(struct span *text, struct fdinfo_lock *ret)
{
	struct span line;

	return fdinfo_next(text, "lock", &line) ? parse_lock(line, ret) ?: 1 : 0;
}

/* The kernel's own device number: 12 bits of major over 20 of minor. */
static void set_dev(struct fdinfo_epoll *e, uint32_t dev)
{
	e->major = dev >> 20;
	e->minor = dev & 0xfffff;
}

/*
 * "       5 events:       19 data: 7fff00000005  pos:0 ino:61af sdev:8": some values stand behind
 * blanks, some do not.
 */
static bool cut_value(struct span *line, const char *name, struct span *ret)
{
	struct span key;

	return span_cut(line, ':', &key) && span_eq(span_trim(key), name) && span_word(line, ret);
}

static int parse_epoll(struct span line, struct fdinfo_epoll *ret)
{
	struct fdinfo_epoll e = {};
	struct span tfd, events, data, pos, ino, sdev;
	uint32_t dev;

	if (!span_word(&line, &tfd) || !cut_value(&line, "events", &events) ||
	    !cut_value(&line, "data", &data) || !cut_value(&line, "pos", &pos) ||
	    !cut_value(&line, "ino", &ino) || !cut_value(&line, "sdev", &sdev))
		return -EINVAL;
	if (parse_i32(tfd, &e.tfd) || span_u32(events, 16, &e.events) ||
	    span_u64(data, 16, &e.data) || span_i64(pos, 10, &e.pos) || span_u64(ino, 16, &e.ino) ||
	    span_u32(sdev, 16, &dev))
		return -EINVAL;
	set_dev(&e, dev);
	*ret = e;
	return 0;
}

int fdinfo_epoll_next(struct span *text, struct fdinfo_epoll *ret)
{
	struct span line;

	return fdinfo_next(text, "tfd", &line) ? parse_epoll(line, ret) ?: 1 : 0;
}

/* "(12, 345)": seconds, nanoseconds */
static int parse_timespec(struct span s, struct timespec *ret)
{
	struct span sec;
	uint64_t v, ns;

	if (!span_starts(s, "(") || s.p[s.len - 1] != ')')
		return -EINVAL;
	s = (struct span){ s.p + 1, s.len - 2 };
	if (!span_cut(&s, ',', &sec) || span_u64(sec, 10, &v) || v > INT64_MAX ||
	    span_u64(span_trim(s), 10, &ns) || ns > 999999999)
		return -EINVAL;
	*ret = (struct timespec){ (time_t)v, (long)ns };
	return 0;
}

int fdinfo_timerfd(const struct fdinfo *i, struct fdinfo_timerfd *ret)
{
	struct fdinfo_timerfd t = {};
	struct span clock, value, interval;

	if (fdinfo_text(i, "clockid", &clock) || parse_i32(clock, &t.clockid) ||
	    fdinfo_u64(i, "ticks", 10, &t.ticks) ||
	    fdinfo_u32(i, "settime flags", 8, &t.settime_flags) ||
	    fdinfo_text(i, "it_value", &value) || parse_timespec(value, &t.value) ||
	    fdinfo_text(i, "it_interval", &interval) || parse_timespec(interval, &t.interval))
		return -EINVAL;
	*ret = t;
	return 0;
}

int fdinfo_signalfd(const struct fdinfo *i, uint64_t *ret_mask)
{
	return fdinfo_u64(i, "sigmask", 16, ret_mask) ? -EINVAL : 0;
}

int fdinfo_pidfd(const struct fdinfo *i, struct fdinfo_pidfd *ret)
{
	struct fdinfo_pidfd p = {};
	struct span v, w;

	if (fdinfo_text(i, "Pid", &v) || parse_i32(v, &p.pid))
		return -EINVAL;
	if (fdinfo_text(i, "NSpid", &v))
		v.len = 0;
	while (span_word(&v, &w))
		if (p.n_ns == array_size(p.ns_pid) || parse_i32(w, &p.ns_pid[p.n_ns++]))
			return -EINVAL;
	*ret = p;
	return 0;
}
