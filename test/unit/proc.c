/*
 * Parsers of /proc text: values of recorded files (fixtures/, Linux 6.18), of lines this kernel
 * does not write, and malformed texts that must be rejected.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/proc.h"
#include "kernel/proc-limits.h"
#include "kernel/proc-list.h"
#include "kernel/proc-maps.h"
#include "kernel/proc-mountinfo.h"
#include "kernel/proc-stat.h"
#include "kernel/proc-status.h"
#include "kernel/proc-sched.h"
#include "kernel/proc-timers.h"
#include "kernel/read-ahead.h"
#include "procbox.h"

static const char *test_status(struct arena *a)
{
	struct proc_status s;

	check(!proc_status_parse(a, fixture(a, "status"), &s));
	check(s.umask == 027 && s.state == 'R' && s.tgid == 2531 && s.pid == 2531);
	check(s.ppid == 2530 && s.tracer_pid == 0 && s.fdsize == 256 && s.threads == 3);
	check(s.n_groups == 4 && s.groups[2] == 24 && s.groups[3] == 4000000000);
	check(s.nspid.n == 1 && s.nspid.v[0] == 2531 && s.nssid.n == 1);
	check(s.nspgid.v[0] == 2530 && s.nstgid.v[0] == 2531);
	check(s.sig_q_num == 6 && s.sig_q_limit == 96365 && s.shdpnd == 0x800 && !s.sigpnd);
	check(s.sigblk == 0x800 && s.sigign == 0x1001000 && s.sigcgt == 0x100000202);
	check(s.cap_prm == 0x1fffeffffff && s.cap_eff == s.cap_bnd && !s.cap_inh && !s.cap_amb);
	check(s.no_new_privs && !s.kthread && !s.core_dumping && s.thp_enabled);
	check(s.untag_mask == UINT64_MAX && span_eq(s.cpus_allowed, "3"));
	check(span_starts(s.mems_allowed, "00000000,") &&
	      span_eq(s.spec_store_bypass, "vulnerable"));
	check(proc_status_has(&s, STATUS_SECCOMP_FILTERS) && proc_status_has(&s, STATUS_VM_RSS));
	check(!proc_status_has(&s, STATUS_X86_FEATURES) && s.vm_size_kb > s.vm_rss_kb);
	return NULL;
}

static const char *test_status_kthread(struct arena *a)
{
	struct proc_status s;

	check(!proc_status_parse(a, fixture(a, "status-kthread"), &s));
	check(s.kthread && s.pid == 2 && s.ppid == 0 && !s.n_groups && !s.groups);
	check(!proc_status_has(&s, STATUS_VM_SIZE) && !proc_status_has(&s, STATUS_CORE_DUMPING));
	return NULL;
}

static const char *test_status_name(struct arena *a)
{
	struct proc_status s;

	check(!proc_status_parse(a, fixture(a, "status-weird"), &s));
	check(s.pid == 2531 && s.state == 'R');
	return NULL;
}

static const char *test_status_levels(struct arena *a)
{
	struct span text = fixture(a, "status");
	struct proc_status s;

	check(!proc_status_parse(a, edit(a, text, "NSpid:\t2531", "NSpid:\t2531\t44\t1"), &s));
	check(s.nspid.n == 3 && s.nspid.v[0] == 2531 && s.nspid.v[1] == 44 && s.nspid.v[2] == 1);
	check(!proc_status_parse(a, edit(a, text, "Uid:\t0\t0\t0\t0", "Uid:\t1\t2\t3\t4294967295"),
				 &s));
	check(s.uid[0] == 1 && s.uid[1] == 2 && s.uid[2] == 3 && s.uid[3] == UINT32_MAX);
	return NULL;
}

#define ONES "1 1 1 1 1 1 1 1 1 1 1 "

static const char *test_status_malformed(struct arena *a)
{
	static const char *const bad[][2] = {
		{ "Umask:\t0027", "Umask:\t0028" },
		{ "State:\tR", "State:\t" },
		{ "State:", "Stale:" },
		{ "Pid:\t2531", "Pid:\t" },
		{ "Pid:\t2531", "Pid:\t-1" },
		{ "Pid:\t2531", "Pid:\t2147483648" },
		{ "Uid:\t0\t0\t0\t0", "Uid:\t0\t0\t0" },
		{ "Uid:\t0\t0\t0\t0", "Uid:\t0\t0\t0\t0\t0" },
		{ "Gid:\t0\t0\t0\t0", "Uid:\t0\t0\t0\t0" },
		{ "4000000000", "4294967296" },
		{ "NSpid:\t2531", "NSpid:\t" ONES ONES ONES "4" },
		{ "SigQ:\t6/", "SigQ:\t6 " },
		{ "SigBlk:\t0000000000000800", "SigBlk:\t10000000000000800" },
		{ "NoNewPrivs:\t1", "NoNewPrivs:\t2" },
		{ "untag_mask:\t0x", "untag_mask:\t" },
		{ "VmSize:\t", "VmSize:\tx" },
	};
	struct span text = fixture(a, "status");
	struct proc_status s = { .pid = 7 };

	for (size_t i = 0; i < array_size(bad); i++)
		if (proc_status_parse(a, edit(a, text, bad[i][0], bad[i][1]), &s) != -EINVAL)
			return bad[i][1];
	check(s.pid == 7);
	check(proc_status_parse(a, span_of(""), &s) == -EINVAL);
	return NULL;
}

static const char *test_stat(struct arena *a)
{
	struct proc_stat s;

	check(!proc_stat_parse(fixture(a, "stat-weird"), &s));
	check(s.pid == 2531 && !strcmp(s.comm, "we) \nR ( 1 2)\\\n") && s.state == 'R');
	check(s.ppid == 2530 && s.pgrp == 2530 && s.session == 2683);
	check(s.tty_nr == 0 && s.tpgid == -1 && s.flags == 4194560);
	check(s.utime == 6 && s.stime == 0 && s.nice == 0 && s.num_threads == 3);
	check(s.start_time == 241671 && s.vsize == 170078208);
	check(s.start_code == 94667896238080 && s.end_code == 94667896238421);
	check(s.start_stack == 140735052751952 && s.exit_signal == 17 && s.processor == 1);
	check(s.rt_priority == 0 && s.policy == 0);
	check(s.start_data == 94667896249776 && s.end_data == 94667896250392);
	check(s.start_brk == 94667955630080 && s.arg_start == 140735052757083);
	check(s.arg_end == 140735052757170 && s.env_start == 140735052757170);
	check(s.env_end == 140735052758991 && s.exit_code == 0);
	check(!proc_stat_parse(fixture(a, "stat-kthread"), &s));
	check(!strcmp(s.comm, "kthreadd") && s.state == 'S' && s.ppid == 0 && s.start_code == 0);
	return NULL;
}

static const char *test_stat_malformed(struct arena *a)
{
	static const char *const bad[][2] = {
		{ "2 (kthreadd) S", "(kthreadd) S" },
		{ "2 (kthreadd) S", "2 kthreadd) S" },
		{ "2 (kthreadd) S", "2 (kthreadd S" },
		{ "2 (kthreadd) S", "2 (kthreadd) SS" },
		{ "2 (kthreadd) S", "-2 (kthreadd) S" },
		{ "2129984", "4294967296" },
		{ " 0 0 0 0 -1 ", " 0 0 0 0 - " },
		{ " 0 0 0 0 0\n", " 0 0 0 0\n" },
		{ "kthreadd", "12345678901234567890123456789012345678901234567890123456789012345" },
	};
	struct span text = fixture(a, "stat-kthread");
	struct proc_stat s;

	for (size_t i = 0; i < array_size(bad); i++)
		if (proc_stat_parse(edit(a, text, bad[i][0], bad[i][1]), &s) != -EINVAL)
			return bad[i][1];
	check(proc_stat_parse(span_of(""), &s) == -EINVAL);
	return NULL;
}

/* The first mapping whose path is that. */
static bool find_vma(struct span text, const char *path, struct vma_text *ret)
{
	while (maps_next(&text, ret) == 1)
		if (span_eq(ret->path, path))
			return true;
	return false;
}

static const char *test_maps(struct arena *a)
{
	struct span text = fixture(a, "maps"), all = text;
	struct vma_text v;
	int n = 0, r;

	while ((r = maps_next(&all, &v)) == 1)
		n++;
	check(r == 0 && n == 43);
	check(v.start == 0xffffffffff600000 && v.prot == PROT_EXEC &&
	      span_eq(v.path, "[vsyscall]"));
	check(find_vma(text, "/usr/lib/x86_64-linux-gnu/libc.so.6", &v));
	check(v.start == 0x7fa59981e000 && v.end == 0x7fa599844000 && v.prot == PROT_READ);
	check(!v.shared && v.pgoff_bytes == 0 && v.major == 0xfe && v.minor == 0 &&
	      v.ino == 332835);
	check(find_vma(text, "/memfd:mem fd (deleted)", &v));
	check(v.shared && v.prot == (PROT_READ | PROT_WRITE) && v.minor == 1);
	check(find_vma(text, "/tmp/maps/two words ", &v) && v.pgoff_bytes == 4096 && v.shared);
	check(find_vma(text, "", &v) && v.start == 0x7fa58c000000 && v.ino == 0);
	return NULL;
}

static const char *test_maps_path(struct arena *a)
{
	struct span text = fixture(a, "maps");
	struct vma_text v;

	check(find_vma(text, "/tmp/maps/new\\012line", &v));
	check(!strcmp(maps_path(a, v.path), "/tmp/maps/new\nline"));
	check(!strcmp(maps_path(a, span_of("a\\134b\\01")), "a\\134b\\01"));
	check(!strcmp(maps_path(a, span_of("\\012\\012")), "\n\n"));
	check(!strcmp(maps_path(a, span_of("")), ""));
	return NULL;
}

static const char *test_maps_malformed(struct arena *a)
{
	static const char *const bad[] = {
		"x000-2000 rw-p 00000000 00:00 0 \n",
		"1000-1000 rw-p 00000000 00:00 0 \n",
		"1000 2000 rw-p 00000000 00:00 0 \n",
		"1000-2000 rw-q 00000000 00:00 0 \n",
		"1000-2000 wr-p 00000000 00:00 0 \n",
		"1000-2000 rw-p 0000000g 00:00 0 \n",
		"1000-2000 rw-p 00000000 0000 0 \n",
		"1000-2000 rw-p 00000000 00:00 a \n",
		"1000-2000 rw-p 00000000 00:00\n",
		"11000000000000000-2000 r--p 0 0:0 0 \n",
		"1000-2000 rw-p\n",
		"1000-\n",
		"\n",
		"1000-2000 rw-p 0 100000000:0 0 \n",
	};
	struct vma_text v;

	(void)a;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct span text = span_of(bad[i]);

		if (maps_next(&text, &v) != -EINVAL)
			return bad[i];
	}
	return NULL;
}

static const char *test_smaps(struct arena *a)
{
	struct span maps = fixture(a, "maps"), text = fixture(a, "smaps");
	struct smaps_vma s;
	struct vma_text v;
	uint64_t all = 0;
	int r;

	while ((r = smaps_next(&text, &s)) == 1) {
		check(maps_next(&maps, &v) == 1 && v.start == s.vma.start && v.end == s.vma.end);
		check(s.page_size_bytes == 4096 && !*s.unknown_flag && !s.protection_key);
		if (span_eq(s.vma.path, "[stack]"))
			check(s.flags & vm_flag(GD) && s.anonymous_kb);
		all |= s.flags;
	}
	check(r == 0 && maps_next(&maps, &v) == 0);
	check(all & vm_flag(DC) && all & vm_flag(WF) && all & vm_flag(LO) && all & vm_flag(NH));
	check(all & vm_flag(NR) && all & vm_flag(PF) && !(all & vm_flag(SL)));
	text = fixture(a, "smaps-jvm");
	while ((r = smaps_next(&text, &s)) == 1)
		check(s.page_size_bytes == 4096 && !*s.unknown_flag);
	check(r == 0);
	return NULL;
}

#define HEADER "7f0000200000-7f0000400000 rw-p 00000000 00:0f 99    /anon_hugepage (deleted)\n"

static const char *test_smaps_values(struct arena *a)
{
	struct span text = span_of(HEADER "KernelPageSize:     2048 kB\nFuture: x\nSwap: 8 kB\n"
					  "ProtectionKey:         3\n"
					  "VmFlags: rd wr ht zz sl yy gu \n" HEADER
					  "KernelPageSize: 4 kB\nVmFlags: \xff\xff \n");
	char names[3 * VM_FLAG_COUNT + 1];
	struct smaps_vma s;

	(void)a;
	check(smaps_next(&text, &s) == 1 && s.page_size_bytes == 2 << 20);
	check(s.protection_key == 3 && s.swap_kb == 8 && !strcmp(s.unknown_flag, "zz"));
	check(s.flags == (vm_flag(RD) | vm_flag(WR) | vm_flag(HT) | vm_flag(SL) | vm_flag(GU)));
	check(!strcmp(vm_flags_text(s.flags, names), "rd wr ht sl gu"));
	check(smaps_next(&text, &s) == 1 && s.flags == 0 && smaps_next(&text, &s) == 0);
	check(strlen(vm_flags_text((1ULL << VM_FLAG_COUNT) - 1, names)) == 3 * VM_FLAG_COUNT - 1);
	return NULL;
}

static const char *test_smaps_malformed(struct arena *a)
{
	static const char *const bad[] = {
		"VmFlags: rd \n",
		HEADER "KernelPageSize: 4 kB\n",
		HEADER "VmFlags: rd \n",
		HEADER "KernelPageSize: 4\nVmFlags: rd \n",
		HEADER "KernelPageSize: 4 MB\nVmFlags: rd \n",
		HEADER "KernelPageSize: 18446744073709551615 kB\nVmFlags: rd \n",
		HEADER "KernelPageSize: 4 kB\nVmFlags: rdw \n",
		HEADER "KernelPageSize: 4 kB\nProtectionKey: k\nVmFlags: rd \n",
	};
	struct smaps_vma s;

	(void)a;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct span text = span_of(bad[i]);

		if (smaps_next(&text, &s) != -EINVAL)
			return bad[i];
	}
	return NULL;
}

static const char *test_sched(struct arena *a)
{
	struct proc_sched s;

	check(!proc_sched_parse(fixture(a, "sched"), &s));
	check(s.ran_ns == 7486520918029 && s.n_sleeps == 8);
	check(proc_sched_parse(span_of("se.exec_start : 1.000000\n"), &s) == -EPROTO);
	check(proc_sched_parse(span_of("se.exec_start : 1.5\nnr_voluntary_switches : 1\n"), &s) ==
	      -EPROTO);
	return NULL;
}

static const char *test_timers(struct arena *a)
{
	struct span text = fixture(a, "timers");
	struct proc_timer t;

	check(proc_timers_next(&text, &t) == 1 && t.id == 3 && t.clock == -6);
	check(t.notify == SIGEV_THREAD && t.value == 1 && t.target == 2531);
	check(proc_timers_next(&text, &t) == 1 && t.id == 2 && t.value == 0xdeadbeefcafe);
	check(t.notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID) && t.signo == SIGUSR1 && t.clock == 1);
	check(proc_timers_next(&text, &t) == 1 && t.notify == SIGEV_NONE && t.value == 0);
	check(proc_timers_next(&text, &t) == 1 && t.notify == SIGEV_SIGNAL && t.value == 0x1234);
	check(proc_timers_next(&text, &t) == 0);
	text = span_of("ID: 0\nsignal: 34/(null)\nnotify: signal/pid.0\nClockID: 0\n");
	check(proc_timers_next(&text, &t) == 1 && t.value == 0 && t.signo == 34 && t.target == 0);
	return NULL;
}

static const char *test_timers_malformed(struct arena *a)
{
	static const char *const bad[][2] = {
		{ "ID: 3", "ID: x" },
		{ "signal: 10/", "signal: 10" },
		{ "signal: 10/0", "signal: 10/x" },
		{ "notify: thread/pid.2531", "notify: thread/pid2531" },
		{ "notify: thread/pid.2531", "notify: fax/pid.2531" },
		{ "notify: thread/pid.2531", "notify: thread/uid.2531" },
		{ "notify: thread/pid.2531\n", "" },
		{ "ClockID: -6\n", "" },
		{ "ClockID: -6\n", "ClockID: -2147483649\n" },
	};
	struct span good = fixture(a, "timers");
	struct proc_timer t;

	for (size_t i = 0; i < array_size(bad); i++) {
		struct span text = edit(a, good, bad[i][0], bad[i][1]);

		if (proc_timers_next(&text, &t) != -EINVAL)
			return bad[i][1];
	}
	return NULL;
}

static const char *test_limits(struct arena *a)
{
	struct span text = fixture(a, "limits");
	struct proc_limits l;

	check(!proc_limits_parse(text, &l));
	check(l.v[RLIMIT_NOFILE].rlim_cur == 512 && l.v[RLIMIT_NOFILE].rlim_max == 1024);
	check(l.v[RLIMIT_STACK].rlim_cur == 1 << 20 && l.v[RLIMIT_STACK].rlim_max == 8 << 20);
	check(l.v[RLIMIT_CORE].rlim_cur == 0 && l.v[RLIMIT_CORE].rlim_max == RLIM64_INFINITY);
	check(l.v[RLIMIT_NICE].rlim_max == 0 && l.v[RLIMIT_RTTIME].rlim_cur == RLIM64_INFINITY);
	check(l.v[RLIMIT_MSGQUEUE].rlim_cur == 819200 && l.v[RLIMIT_NPROC].rlim_cur == 96365);
	check(!proc_limits_parse(edit(a, text, "Max cpu", "Max new thing 1 2\nMax cpu"), &l));
	check(proc_limits_parse(edit(a, text, "Max cpu", "Max gpu"), &l) == -EINVAL);
	check(proc_limits_parse(edit(a, text, "unlimited", "endless  "), &l) == -EINVAL);
	check(proc_limits_parse(edit(a, text, "1048576              8388608", "1048576"), &l) ==
	      -EINVAL);
	check(proc_limits_parse(edit(a, text, "Max file locks", "Max nice priority 0 0\nMax"),
				&l) == -EINVAL);
	return NULL;
}

static const char *test_mountinfo(struct arena *a)
{
	struct span text = fixture(a, "mountinfo");
	struct mountinfo m;
	int n = 0;

	for (; n < 20; n++)
		check(mountinfo_next(&text, &m) == 1);
	check(m.id == 63 && m.parent == 43 && m.major == 0 && m.minor == 39);
	check(mountinfo_next(&text, &m) == 1 && m.shared == 1 && !m.master && !m.source.len);
	check(!strcmp(mountinfo_unescape(a, m.point), "/mnt/a b") && span_eq(m.root, "/"));
	check(span_eq(m.super_options, "rw") && span_eq(m.options, "rw,relatime"));
	check(mountinfo_next(&text, &m) == 1 && m.shared == 2 && m.master == 1);
	check(span_eq(m.root, "/sub"));
	check(mountinfo_next(&text, &m) == 1 && span_eq(m.super_options, "ro,size=64k"));
	check(!strcmp(mountinfo_unescape(a, m.source), "sp ace#1") && !m.unbindable);
	check(!strcmp(mountinfo_unescape(a, m.point), "/mnt/d#\\x"));
	check(mountinfo_next(&text, &m) == 1 && m.unbindable && !m.shared);
	check(mountinfo_next(&text, &m) == 1 && span_eq(m.root, "net:[4026531833]"));
	check(span_eq(m.fstype, "nsfs") && mountinfo_next(&text, &m) == 0);
	text = span_of("1 2 0:3 / /m rw master:4 propagate_from:5 newtag:x newflag - a b c d\n");
	check(mountinfo_next(&text, &m) == 1 && m.master == 4 && m.propagate_from == 5);
	check(span_eq(m.super_options, "c d"));
	return NULL;
}

static const char *test_mountinfo_malformed(struct arena *a)
{
	static const char *const bad[] = {
		"x 2 0:3 / /m rw - a b c\n",
		"1 -2 0:3 / /m rw - a b c\n",
		"1 2 03 / /m rw - a b c\n",
		"1 2 0:3 / /m rw a b c\n",
		"1 2 0:3 / /m rw - a b\n",
		"1 2 0:3 / /m rw shared:x - a b c\n",
		"1 2 0:3  /m rw - a b c\n",
		"1 2 0:3 / /m rw -  b c\n",
		"\n",
		"1 2 0:4294967296 / /m rw - a b c\n",
	};
	struct mountinfo m;

	(void)a;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct span text = span_of(bad[i]);

		if (mountinfo_next(&text, &m) != -EINVAL)
			return bad[i];
	}
	return NULL;
}

static const char *test_list(struct arena *a)
{
	struct proc_list l;

	check(!proc_list_parse(a, fixture(a, "children"), &l));
	check(l.n == 3 && l.v[0] == 2575 && l.v[2] == 2577);
	check(!proc_list_parse(a, span_of("7\n5\n"), &l) && l.n == 2 && l.v[1] == 5);
	check(!proc_list_parse(a, span_of(""), &l) && l.n == 0);
	check(proc_list_parse(a, span_of("1 x"), &l) == -EINVAL);
	check(proc_list_parse(a, span_of("2147483648"), &l) == -EINVAL);
	return NULL;
}

static const char *test_self(struct arena *a)
{
	_proc_close_ struct proc_dir p = { -1, 0 };
	struct proc_list l, again;
	struct proc_status s;
	bool has_fd = false;
	struct span text;
	char *exe;

	check(!proc_open(getpid(), &p) && p.pid == getpid());
	check(!proc_read(a, &p, "status", &text) && !proc_status_parse(a, text, &s));
	check(s.pid == getpid() && s.ppid == getppid());
	check(!proc_list_at(a, p.fd, "task", &l) && l.n == s.threads && l.v[0] == getpid());
	check(!proc_list_at(a, p.fd, "fd", &l) && l.n >= 2); /* the directory's own as well */
	for (size_t i = 0; i < l.n; i++) {
		check(!i || l.v[i - 1] < l.v[i]);
		has_fd = has_fd || l.v[i] == p.fd;
	}
	check(has_fd);
	check(!proc_link(a, &p, "exe", &exe) && exe[0] == '/');
	check(proc_read(a, &p, "no-such-file", &text) == -ENOENT);
	check(proc_list_at(a, p.fd, "status", &l) == -ENOTDIR);
	check(proc_list_dir(a, p.fd, &l) == 0 && proc_list_dir(a, p.fd, &again) == 0 && !again.n);
	return NULL;
}

static const char *test_self_texts(struct arena *a)
{
	_proc_close_ struct proc_dir p = { -1, 0 };
	struct proc_limits l;
	struct mountinfo m;
	struct smaps_vma v;
	struct proc_stat s;
	struct span text;
	int r;

	check(!proc_open(getpid(), &p));
	check(!proc_read(a, &p, "stat", &text) && !proc_stat_parse(text, &s) && s.pid == getpid());
	check(!proc_read(a, &p, "limits", &text) && !proc_limits_parse(text, &l));
	check(!proc_read(a, &p, "mountinfo", &text));
	while ((r = mountinfo_next(&text, &m)) == 1)
		check(m.id > 0);
	check(r == 0);
	check(!proc_read(a, &p, "smaps", &text));
	while ((r = smaps_next(&text, &v)) == 1)
		check(v.vma.start < v.vma.end);
	check(r == 0);
	return NULL;
}

enum { FILES = 40, NOBODY = 0x7fffffff };

/* Tells the number it was asked for; nothing of NOBODY. */
static long tell(const struct read_ahead_job *j)
{
	if (j->pid == NOBODY || j->room < sizeof(j->pid) + sizeof(j->argument))
		return -ESRCH;
	memcpy(j->to, &j->pid, sizeof(j->pid));
	memcpy(j->to + sizeof(j->pid), &j->argument, sizeof(j->argument));
	return sizeof(j->pid) + sizeof(j->argument);
}

/*
 * Whoever takes a process that the helper was told of gets what it saw or has to look; nothing
 * hangs when the helper has not begun, when there is no such process, or when one stays disturbed.
 */
static const char *test_ahead(struct arena *a)
{
	pid_t *pid = arena_array(a, pid_t, FILES);
	struct read_ahead *h = read_ahead_new(FILES, 64, tell);
	const uint64_t argument = 77;
	struct span seen;

	for (int i = 0; i < FILES; i++)
		pid[i] = i % 8 == 3 ? NOBODY : i % 8 == 4 ? 0 : 1000 + i;
	read_ahead_go(h, pid, FILES, argument);
	read_ahead_disturb(h, 0);
	read_ahead_disturb(h, 1);
	read_ahead_settle(h, 1);
	for (size_t i = 0; i < FILES; i++)
		if (read_ahead_take(h, i, &seen)) {
			check(pid[i] && pid[i] != NOBODY);
			check(!memcmp(seen.p, &pid[i], sizeof(pid[i])));
			check(!memcmp(seen.p + sizeof(pid[i]), &argument, sizeof(argument)));
		}
	check(!read_ahead_take(h, FILES, &seen));
	read_ahead_free(h);
	check(!read_ahead_take(NULL, 0, &seen));
	return NULL;
}

static const char *test_ahead_never_begun(struct arena *a)
{
	struct read_ahead *h = read_ahead_new(1, 64, tell);
	struct span text;

	(void)a;
	check(!read_ahead_take(h, 0, &text));
	read_ahead_free(h);
	check(waitpid(-1, NULL, WNOHANG | __WALL) < 0);
	return NULL;
}

static const char *test_shrink(struct arena *a)
{
	char *first = arena_alloc(a, 4096), *second;

	arena_shrink(a, first, 4096, 20);
	second = arena_alloc(a, 64);
	check(second < first || second - first == 32 || second - first >= 4096);
	check(!second[0]); /* (sanitized: every piece has a chunk of its own) */
	arena_shrink(a, first, 4096, 0);
	check(arena_alloc(a, 16) != (void *)first);
	return NULL;
}

static const struct test tests[] = {
	{ "status", test_status },
	{ "status of a kernel thread", test_status_kthread },
	{ "status with a strange name", test_status_name },
	{ "status in pid namespaces", test_status_levels },
	{ "status malformed", test_status_malformed },
	{ "stat", test_stat },
	{ "stat malformed", test_stat_malformed },
	{ "maps", test_maps },
	{ "maps paths", test_maps_path },
	{ "maps malformed", test_maps_malformed },
	{ "smaps", test_smaps },
	{ "smaps values", test_smaps_values },
	{ "smaps malformed", test_smaps_malformed },
	{ "sched", test_sched },
	{ "timers", test_timers },
	{ "timers malformed", test_timers_malformed },
	{ "limits", test_limits },
	{ "mountinfo", test_mountinfo },
	{ "mountinfo malformed", test_mountinfo_malformed },
	{ "lists", test_list },
	{ "own directory", test_self },
	{ "own texts", test_self_texts },
	{ "read ahead", test_ahead },
	{ "read ahead, never begun", test_ahead_never_begun },
	{ "arena shrinks", test_shrink },
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
