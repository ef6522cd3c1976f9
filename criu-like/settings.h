#pragma once
#include "options.h"

/*
 * Everything a command line can say, for all commands under both names; `option_table` says which
 * option exists where and fills it. Defaults: settings_default.
 */
enum command_bit {
	ON_DUMP = 1,
	ON_RESTORE = 2,
	ON_RECOVER = 4,
	ON_SHOW = 8,
	ON_CHECK = 16,
	ON_NONE = 32, /* no command: torpor --help */
	/* The same under the name criu, where every option is understood with every action. */
	CRIU_DUMP = 64,
	CRIU_RESTORE = 128,
	CRIU_CHECK = 256,
	CRIU_NONE = 512,
};

/* Words of --network-lock. The third exists under the name criu and means the first. */
enum network_lock { LOCK_NFTABLES, LOCK_SKIP, LOCK_IPTABLES };

struct settings {
	bool help, version;

	/* places */
	const char *images_dir, *work_dir, *log_file, *pidfile;
	int images_fd, log_fd, status_fd; /* -1: none */
	unsigned int verbosity; /* 0, 1: errors; 2: warnings; 3: what is done; 4: everything */
	unsigned int log_format;          /* enum log_format */

	/* what */
	pid_t pid; /* 0: not given */
	bool leave_running, leave_stopped, detach, sibling, shell_job, plan, json;
	bool file_locks, link_remap, no_sync, statistics, cancel_requests;
	const char *ext_unix_sk; /* NULL: not given; inodes of peers, "": all */
	bool tcp_established, tcp_close, skip_in_flight;
	unsigned int network_lock; /* enum network_lock */
	uint64_t ghost_limit_bytes;
	unsigned int timeout_s; /* 0: not given */
	option_list action_script, external, inherit_fd, map_ip, fd_policy;

	/* under the name criu only */
	bool no_default_config;
	option_list config, close_fd, feature;
	option_refusals refused;
	/* Understood, without meaning for the trees that can be saved. */
	bool nothing;
	const char *nothing_text;
	unsigned int nothing_choice;
	option_list nothing_list;
};

extern const struct settings settings_default;
extern const struct option_row option_table[];
