/*
 * The options of all commands under both names. Names, letters and meanings follow criu where it
 * has them. Rows of the second half exist only under the name criu: options without meaning for the
 * trees that can be saved here are understood and do nothing, the others are refused by name.
 */
#include <stddef.h>

#include "settings.h"

enum {
	RUN = ON_DUMP | ON_RESTORE,
	ALL = RUN | ON_RECOVER | ON_SHOW | ON_CHECK,
	CRIU = CRIU_DUMP | CRIU_RESTORE | CRIU_CHECK | CRIU_NONE,
	/* Refused where the action would have to do something; understood elsewhere. */
	CRIU_NOT_DUMP = CRIU & ~CRIU_DUMP,
	CRIU_NOT_RESTORE = CRIU & ~CRIU_RESTORE,
	CRIU_NOT_RUN = CRIU & ~(CRIU_DUMP | CRIU_RESTORE),
	CRIU_RUN = CRIU_DUMP | CRIU_RESTORE,
};

const struct settings settings_default = {
	.images_fd = -1,
	.log_fd = -1,
	.status_fd = -1,
	.verbosity = 2,
	.ghost_limit_bytes = 1 << 20,
};

#define AT(field) offsetof(struct settings, field)
#define FLAG(name, letter, on, field, help)                                                        \
	{ name, letter, OPTION_FLAG, on, AT(field), NULL, help }
#define SWITCH(name, letter, on, field, help)                                                      \
	{ name, letter, OPTION_SWITCH, on, AT(field), NULL, help }
#define TEXT(name, letter, on, field, value, help)                                                 \
	{ name, letter, OPTION_TEXT, on, AT(field), value, help }
#define LIST(name, on, field, value, help)                                                         \
	{ name, 0, OPTION_LIST, on, AT(field), value, help }
#define FD(name, on, field, help)                                                                  \
	{ name, 0, OPTION_FD, on, AT(field), "N", help }
/* Understood, nothing to do. */
#define QUIET(name, letter, on)                                                                    \
	{ name, letter, OPTION_SWITCH, on, AT(nothing), NULL, NULL }
#define QUIET_TEXT(name, letter, on, value)                                                        \
	{ name, letter, OPTION_TEXT, on, AT(nothing_text), value, NULL }
#define QUIET_MAYBE(name, letter, on, value)                                                       \
	{ name, letter, OPTION_MAYBE, on, AT(nothing_text), value, NULL }
#define QUIET_CHOICE(name, on, words)                                                              \
	{ name, 0, OPTION_CHOICE, on, AT(nothing_choice), words, NULL }
#define QUIET_LIST(name, letter, on, value)                                                        \
	{ name, letter, OPTION_LIST, on, AT(nothing_list), value, NULL }
#define REFUSED(name, on, reason)                                                                  \
	{ name, 0, OPTION_REFUSED, on, AT(refused), NULL, reason }
#define REFUSED_VALUE(name, letter, on, reason)                                                    \
	{ name, letter, OPTION_REFUSED_VALUE, on, AT(refused), "VALUE", reason }

/* clang-format off */
const struct option_row option_table[] = {
	{ "tree", 't', OPTION_PID, ON_DUMP | ON_CHECK | CRIU, AT(pid), "PID",
	  "the root of the tree" },
	TEXT("images-dir", 'D', RUN | ON_RECOVER | ON_CHECK | CRIU, images_dir, "DIR",
	     "where the checkpoint is (.)"),
	FD("images-fd", RUN | ON_RECOVER | ON_CHECK, images_fd,
	   "the same as a descriptor of the caller"),
	TEXT("work-dir", 'W', RUN | ON_RECOVER | CRIU, work_dir, "DIR",
	     "log, pid file and journal go there (where the checkpoint is)"),

	FLAG("leave-running", 'R', ON_DUMP | CRIU, leave_running,
	     "the tree goes on after the dump"),
	FLAG("leave-stopped", 's', RUN | CRIU, leave_stopped, "the tree is left stopped (SIGSTOP)"),
	SWITCH("restore-detached", 'd', ON_RESTORE | CRIU, detach, "end when the tree runs"),
	SWITCH("daemon", 0, CRIU, detach, NULL),
	SWITCH("restore-sibling", 'S', ON_RESTORE | CRIU, sibling,
	       "the root becomes a child of the caller; needs -d"),
	SWITCH("shell-job", 'j', RUN | ON_CHECK | CRIU, shell_job,
	       "session, group and terminal are those of the caller"),
	FLAG("plan", 0, ON_RESTORE, plan, "print all programs, run nothing"),

	SWITCH("file-locks", 'l', RUN | ON_CHECK | CRIU, file_locks,
	     "save file locks (taken by others, too)"),
	SWITCH("link-remap", 0, RUN | ON_CHECK | CRIU, link_remap,
	       "files that lost their name may get a temporary one"),
	{ "ghost-limit", 0, OPTION_BYTES, RUN | ON_CHECK | CRIU, AT(ghost_limit_bytes), "SIZE",
	  "largest deleted file to be saved; K, M, G (1M)" },
	{ "ext-unix-sk", 'x', OPTION_MAYBE, RUN | ON_CHECK | CRIU, AT(ext_unix_sk), "INODES",
	  "datagram sockets may be connected to servers outside; connect them again" },
	LIST("external", RUN | ON_CHECK | CRIU, external, "KEY",
	     "an object whose far end stays outside; repeatable"),
	SWITCH("cancel-requests", 0, RUN | ON_CHECK, cancel_requests,
	       "requests of io_uring in flight are cancelled"),
	LIST("fd-policy", RUN | ON_CHECK, fd_policy, "KIND=WHAT",
	     "files that cannot be saved: fail, close or null; repeatable"),
	LIST("inherit-fd", ON_RESTORE | ON_CHECK | CRIU, inherit_fd, "fd[N]:KEY",
	     "descriptor N of the caller instead of the dumped KEY; repeatable"),
	SWITCH("tcp-established", 0, RUN | ON_CHECK | CRIU, tcp_established,
	       "keep TCP connections to the outside; they wait for the restore"),
	SWITCH("tcp-close", 0, RUN | ON_CHECK | CRIU, tcp_close,
	       "TCP connections to the outside are closed on restore"),
	SWITCH("skip-in-flight", 0, ON_DUMP | ON_CHECK | CRIU, skip_in_flight,
	       "connections that nobody accepted yet are dropped"),
	SWITCH("tcp-skip-in-flight", 0, ON_DUMP | ON_CHECK, skip_in_flight, NULL),
	{ "network-lock", 0, OPTION_CHOICE, RUN | ON_CHECK, AT(network_lock), "nftables|skip",
	  "how packets of saved connections are held back (nftables)" },
	LIST("map-ip", ON_RESTORE | ON_CHECK, map_ip, "OLD=NEW",
	     "connections and names with the address OLD get NEW; repeatable"),
	LIST("action-script", RUN | CRIU, action_script, "FILE",
	     "run at every hook point; repeatable"),
	FLAG("no-sync", 0, ON_DUMP | CRIU, no_sync, "do not wait for the disk"),
	{ "timeout", 0, OPTION_SECONDS, ON_DUMP | CRIU, AT(timeout_s), "SECONDS",
	  "give up when the dump takes longer; to stop the tree: 10" },
	TEXT("pidfile", 0, RUN | CRIU, pidfile, "FILE", "the pid of the root is written there"),
	FD("status-fd", RUN | CRIU, status_fd,
	     "a zero byte is written there when the command succeeded"),
	SWITCH("display-stats", 0, RUN | CRIU, statistics, "print what it cost"),
	FLAG("stats", 0, RUN, statistics, "the same"),
	FLAG("json", 0, ON_SHOW | ON_CHECK, json, "for programs"),

	TEXT("log-file", 'o', ALL | CRIU, log_file, "FILE",
	     "messages go there (in the work directory); - is stdout"),
	FD("log-fd", ALL, log_fd, "messages go to this descriptor"),
	{ "log-format", 0, OPTION_CHOICE, ALL, AT(log_format), "text|json",
	  "how messages look (text)" },
	{ "verbosity", 'v', OPTION_LEVEL, ALL | CRIU, AT(verbosity), "N",
	  "-v, -vv: more messages; 0 errors, 2 warnings, 4 all (2)" },
	FLAG("help", 'h', ALL | ON_NONE | CRIU, help, "this text"),
	FLAG("version", 'V', ALL | ON_NONE | CRIU, version, "the version"),

	/* --- under the name criu only --- */
	LIST("config", CRIU, config, "FILE", "options from a file"),
	FLAG("no-default-config", 0, CRIU, no_default_config, "no configuration but the given"),
	LIST("close", CRIU, close_fd, "FD", "close this descriptor first"),
	LIST("feature", CRIU, feature, "NAME", "whether the kernel has it (check); list"),

	QUIET("log-pid", 0, CRIU),
	QUIET_TEXT("root", 'r', CRIU, "DIR"),
	QUIET_LIST("ext-mount-map", 'M', CRIU, "KEY:VALUE"),
	QUIET("enable-external-sharing", 0, CRIU),
	QUIET("enable-external-masters", 0, CRIU),
	QUIET_LIST("veth-pair", 0, CRIU, "IN=OUT"),
	QUIET_CHOICE("empty-ns", CRIU, "net"),
	QUIET_LIST("skip-mnt", 0, CRIU, "PATH"),
	QUIET_LIST("enable-fs", 0, CRIU, "NAMES"),
	QUIET("ghost-fiemap", 0, CRIU),
	QUIET("force-irmap", 0, CRIU),
	QUIET_LIST("irmap-scan-path", 0, CRIU, "PATH"),
	QUIET("evasive-devices", 0, CRIU),
	QUIET_MAYBE("manage-cgroups", 0, CRIU, "MODE"),
	QUIET_LIST("cgroup-props", 0, CRIU, "TEXT"),
	QUIET_LIST("cgroup-props-file", 0, CRIU, "FILE"),
	QUIET_LIST("cgroup-dump-controller", 0, CRIU, "NAME"),
	QUIET_TEXT("cgroup-yard", 0, CRIU, "DIR"),
	QUIET_TEXT("freeze-cgroup", 0, CRIU, "DIR"),
	QUIET("track-mem", 0, CRIU),
	QUIET_CHOICE("pre-dump-mode", CRIU, "splice|read"),
	QUIET("auto-dedup", 0, CRIU),
	QUIET_TEXT("address", 0, CRIU, "ADDRESS"),
	QUIET_TEXT("port", 0, CRIU, "PORT"),
	QUIET_TEXT("tls-cacert", 0, CRIU, "FILE"),
	QUIET_TEXT("tls-cacrl", 0, CRIU, "FILE"),
	QUIET_TEXT("tls-cert", 0, CRIU, "FILE"),
	QUIET_TEXT("tls-key", 0, CRIU, "FILE"),
	QUIET("tls-no-cn-verify", 0, CRIU),
	QUIET_MAYBE("cpu-cap", 0, CRIU, "NAMES"),
	QUIET_CHOICE("file-validation", CRIU, "filesize|buildid"),
	QUIET("skip-file-rwx-check", 0, CRIU),
	{ "network-lock", 0, OPTION_CHOICE, CRIU, AT(network_lock), "nftables|skip|iptables",
	  NULL },
	QUIET("mntns-compat-mode", 0, CRIU),
	QUIET("weak-sysctls", 0, CRIU),
	QUIET("allow-uprobes", 0, CRIU),
	QUIET("unprivileged", 0, CRIU),
	QUIET("deprecated", 0, CRIU),
	QUIET_TEXT("libdir", 'L', CRIU, "DIR"),
	QUIET("extra", 0, CRIU),
	QUIET("experimental", 0, CRIU),
	QUIET("all", 0, CRIU),

	REFUSED_VALUE("join-ns", 'J', CRIU_RESTORE, "namespaces are not entered on restore"),
	QUIET_LIST("join-ns", 'J', CRIU_NOT_RESTORE, "NS"),
	REFUSED_VALUE("cgroup-root", 0, CRIU_RESTORE, "tasks stay in the cgroups of the tool"),
	QUIET_LIST("cgroup-root", 0, CRIU_NOT_RESTORE, "PATH"),
	REFUSED_VALUE("lsm-profile", 0, CRIU_RESTORE, "security profiles are not set"),
	QUIET_TEXT("lsm-profile", 0, CRIU_NOT_RESTORE, "TYPE:NAME"),
	REFUSED_VALUE("lsm-mount-context", 0, CRIU_RESTORE, "nothing is mounted on restore"),
	QUIET_TEXT("lsm-mount-context", 0, CRIU_NOT_RESTORE, "CONTEXT"),
	REFUSED_VALUE("prev-images-dir", 0, CRIU_DUMP, "checkpoints do not build on others yet"),
	QUIET_TEXT("prev-images-dir", 0, CRIU_NOT_DUMP, "DIR"),
	REFUSED("page-server", CRIU_RUN, "memory is saved in the images only"),
	QUIET("page-server", 0, CRIU_NOT_RUN),
	REFUSED_VALUE("ps-socket", 0, CRIU_RUN, "memory is saved in the images only"),
	QUIET_TEXT("ps-socket", 0, CRIU_NOT_RUN, "FD"),
	REFUSED("lazy-pages", CRIU_RUN, "all memory is there before the tree runs"),
	QUIET("lazy-pages", 0, CRIU_NOT_RUN),
	REFUSED("stream", CRIU_RUN, "images are files in a directory"),
	QUIET("stream", 0, CRIU_NOT_RUN),
	REFUSED("tls", CRIU_RUN, "nothing is sent over a network"),
	QUIET("tls", 0, CRIU_NOT_RUN),
	REFUSED("exec-cmd", CRIU_RESTORE, "the restored root has no command as its parent"),
	QUIET("exec-cmd", 0, CRIU_NOT_RESTORE),
	{ 0 },
};
/* clang-format on */
