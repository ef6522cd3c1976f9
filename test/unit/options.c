/*
 * Command lines under both names: each row is a line and what it says, written as the fields that
 * are not at their default, then the words; or the text of the error.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "settings.h"

struct row {
	uint32_t commands;
	const char *line;
	const char *says;
};

static const struct row rows[] = {
	{ ON_DUMP, "-t 5 -D dir", "images_dir=dir pid=5" },
	{ ON_DUMP, "-t5 -Ddir", "images_dir=dir pid=5" },
	{ ON_DUMP, "--tree 5 --images-dir=dir", "images_dir=dir pid=5" },
	{ ON_DUMP, "--tree=5 --im dir", "option '--im' may be --images-dir or --images-fd" },
	{ ON_DUMP, "--images-d dir --tr 7", "images_dir=dir pid=7" },
	{ ON_DUMP, "-Rjt 5", "pid=5 leave_running shell_job" },
	{ ON_DUMP, "-jRt5", "pid=5 leave_running shell_job" },
	{ ON_DUMP, "--shell-job --no-shell-job", "" },
	{ ON_DUMP, "--no-shell-j", "" },
	{ ON_DUMP, "--no-sync", "no_sync" },
	{ ON_DUMP, "--no-tree", "there is no option '--no-tree'" },
	{ ON_DUMP, "--no-shell-job=1", "option '--no-shell-job' takes no value" },
	{ ON_DUMP, "--shell-job=1", "option '--shell-job' takes no value" },
	{ ON_DUMP, "-t", "option '--tree' needs a value (PID)" },
	{ ON_DUMP, "-t x", "option '--tree': 'x' is no number" },
	{ ON_DUMP, "-t 0", "option '--tree': there is no process 0" },
	{ ON_DUMP, "-t -5", "option '--tree': '-5' is no number" },
	{ ON_DUMP, "-t 4294967297", "option '--tree': '4294967297' is no number" },
	{ ON_DUMP, "-v", "verbosity=3" },
	{ ON_DUMP, "-vv", "verbosity=4" },
	{ ON_DUMP, "-vRv", "option '-v': 'Rv' is no level" },
	{ ON_DUMP, "-v0", "verbosity=0" },
	{ ON_DUMP, "-v4 --verbosity=1", "verbosity=1" },
	{ ON_DUMP, "--verbosity", "verbosity=3" },
	{ ON_DUMP, "--ghost-limit 5M", "ghost_limit_bytes=5242880" },
	{ ON_DUMP, "--cancel-requests --fd-policy a=close --fd-policy b=null",
	  "cancel_requests fd_policy=a=close,b=null" },
	{ ON_DUMP, "--ghost-limit=7", "ghost_limit_bytes=7" },
	{ ON_DUMP, "--ghost-limit 2g", "ghost_limit_bytes=2147483648" },
	{ ON_DUMP, "--ghost-limit 1K1",
	  "option '--ghost-limit': '1K1' is no size (a number with K, M or G)" },
	{ ON_DUMP, "--ghost-limit 99999999999G",
	  "option '--ghost-limit': '99999999999G' is no size (a number with K, M or G)" },
	{ ON_DUMP, "--log-format json", "log_format=1" },
	{ ON_DUMP, "--log-format xml", "option '--log-format': 'xml' is none of text|json" },
	{ ON_DUMP, "--action-script a --action-script b", "action_script=a,b" },
	{ ON_DUMP, "--timeout 3 --pidfile p --log-fd 4", "timeout_s=3 pidfile=p log_fd=4" },
	{ ON_DUMP, "--plan", "option '--plan' does not belong to this command" },
	{ ON_DUMP, "--foo=bar", "there is no option '--foo'" },
	{ ON_DUMP, "--=bar", "there is no option '--'" },
	{ ON_DUMP, "-q", "there is no option '-q'" },
	{ ON_DUMP, "--tcp-established --skip-in-flight --network-lock skip",
	  "network_lock=1 tcp_established skip_in_flight" },
	{ ON_DUMP, "--network-lock iptables",
	  "option '--network-lock': 'iptables' is none of nftables|skip" },
	{ ON_DUMP, "--tcp-skip-in-flight", "skip_in_flight" },
	{ ON_DUMP, "--map-ip a=b", "option '--map-ip' does not belong to this command" },
	{ ON_RESTORE, "--map-ip a=b --map-ip c=d --tcp-close", "tcp_close map_ip=a=b,c=d" },
	{ ON_DUMP, "a -- -t b - c", "[a][-t][b][-][c]" },
	{ ON_RESTORE, "-dsS", "detach leave_stopped sibling" },
	{ ON_RESTORE, "--restore",
	  "option '--restore' may be --restore-detached or --restore-sibling" },
	{ ON_RESTORE, "--plan --inherit-fd fd[3]:pipe:[4]", "plan inherit_fd=fd[3]:pipe:[4]" },
	{ ON_RESTORE, "-t 4", "there is no option '-t'" },
	{ ON_SHOW, "dir creds --json", "json [dir][creds]" },
	{ ON_CHECK, "-t 4 --json", "pid=4 json" },
	{ ON_RECOVER, "-D x", "images_dir=x" },
	{ ON_NONE, "--vers", "version" },
	{ ON_NONE, "-V", "version" },

	{ CRIU_DUMP, "dump -t 5 -D d -vvvv -o dump.log",
	  "images_dir=d pid=5 verbosity=6 log_file=dump.log [dump]" },
	{ CRIU_DUMP, "-t 5 dump -v4", "pid=5 verbosity=4 [dump]" },
	{ CRIU_DUMP, "--tcp-established --no-tcp-established --tcp-close", "tcp_close" },
	{ CRIU_DUMP, "-x --ext-unix-sk=1,2 -x3 --manage-cgroups --manage-cgroups=soft",
	  "ext_unix_sk=3" },
	{ CRIU_DUMP, "-M a:b --external mnt[x]:y --veth-pair a=b -r /x -L /y",
	  "external=mnt[x]:y" },
	{ CRIU_DUMP, "--freeze-cgroup /x --track-mem --cpu-cap=none --evasive-devices", "" },
	{ CRIU_DUMP, "--network-lock skip --empty-ns net --file-validation buildid",
	  "network_lock=1" },
	{ CRIU_DUMP, "--network-lock nope",
	  "option '--network-lock': 'nope' is none of nftables|skip|iptables" },
	{ CRIU_DUMP, "--page-server", "refused=page-server" },
	{ CRIU_DUMP, "--page-server --no-page-server", "" },
	{ CRIU_DUMP, "--lazy-pages --prev-images-dir ../1", "refused=lazy-pages,prev-images-dir" },
	{ CRIU_DUMP, "-J net:4 --cgroup-root /a", "" },
	{ CRIU_RESTORE, "-J net:4 --cgroup-root /a", "refused=join-ns,cgroup-root" },
	{ CRIU_RESTORE, "--prev-images-dir ../1 -t 4 -R", "pid=4 leave_running" },
	{ CRIU_RESTORE, "--restore-detached --no-restore-detached", "" },
	{ CRIU_RESTORE, "--restore-d --daemon", "detach" },
	{ CRIU_RESTORE, "-d --exec-cmd -- a b", "detach refused=exec-cmd [a][b]" },
	{ CRIU_RESTORE, "--tcp",
	  "option '--tcp' may be --tcp-established or --tcp-close" },
	{ CRIU_NONE, "--no-default-config --config a --config b dump",
	  "no_default_config config=a,b [dump]" },
	{ CRIU_CHECK, "check --feature mnt_id --extra --all", "feature=mnt_id [check]" },
};

struct text {
	char p[400];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->p + t->n, sizeof(t->p) - t->n, fmt, ap);
	va_end(ap);
}

static void add_text(struct text *t, const char *name, const char *value)
{
	if (value)
		add(t, " %s=%s", name, value);
}

static void add_number(struct text *t, const char *name, long long value, long long usual)
{
	if (value != usual)
		add(t, " %s=%lld", name, value);
}

static void add_flag(struct text *t, const char *name, bool value)
{
	if (value)
		add(t, " %s", name);
}

static void add_list(struct text *t, const char *name, const option_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		add(t, "%s%s%s%s", i ? "," : " ", i ? "" : name, i ? "" : "=", l->v[i]);
}

static void describe_places(struct text *t, const struct settings *s)
{
	add_text(t, "images_dir", s->images_dir);
	add_text(t, "work_dir", s->work_dir);
	add_number(t, "pid", s->pid, 0);
	add_number(t, "verbosity", s->verbosity, 2);
	add_number(t, "log_format", s->log_format, 0);
	add_text(t, "log_file", s->log_file);
	add_number(t, "timeout_s", s->timeout_s, 0);
	add_text(t, "pidfile", s->pidfile);
	add_number(t, "network_lock", s->network_lock, LOCK_NFTABLES);
	add_number(t, "images_fd", s->images_fd, -1);
	add_number(t, "log_fd", s->log_fd, -1);
	add_number(t, "status_fd", s->status_fd, -1);
	add_number(t, "ghost_limit_bytes", (long long)s->ghost_limit_bytes, 1 << 20);
}

static void describe_flags(struct text *t, const struct settings *s)
{
	add_flag(t, "help", s->help);
	add_flag(t, "version", s->version);
	add_flag(t, "detach", s->detach);
	add_flag(t, "leave_running", s->leave_running);
	add_flag(t, "leave_stopped", s->leave_stopped);
	add_flag(t, "sibling", s->sibling);
	add_flag(t, "shell_job", s->shell_job);
	add_flag(t, "plan", s->plan);
	add_flag(t, "json", s->json);
	add_flag(t, "file_locks", s->file_locks);
	add_flag(t, "link_remap", s->link_remap);
	add_text(t, "ext_unix_sk", s->ext_unix_sk);
	add_flag(t, "cancel_requests", s->cancel_requests);
	add_flag(t, "tcp_established", s->tcp_established);
	add_flag(t, "tcp_close", s->tcp_close);
	add_flag(t, "skip_in_flight", s->skip_in_flight);
	add_flag(t, "no_sync", s->no_sync);
	add_flag(t, "statistics", s->statistics);
	add_flag(t, "no_default_config", s->no_default_config);
}

static void describe(struct text *t, const struct settings *s, const option_list *word)
{
	describe_places(t, s);
	describe_flags(t, s);
	add_list(t, "action_script", &s->action_script);
	add_list(t, "external", &s->external);
	add_list(t, "fd_policy", &s->fd_policy);
	add_list(t, "inherit_fd", &s->inherit_fd);
	add_list(t, "map_ip", &s->map_ip);
	add_list(t, "config", &s->config);
	add_list(t, "close_fd", &s->close_fd);
	add_list(t, "feature", &s->feature);
	for (size_t i = 0; i < s->refused.n; i++)
		add(t, "%s%s", i ? "," : " refused=", s->refused.v[i]->name);
	for (size_t i = 0; i < word->n; i++)
		add(t, "%s[%s]", i ? "" : " ", word->v[i]);
}

static bool run(struct arena *a, const struct row *row)
{
	struct settings s = settings_default;
	struct option_parse p = { option_table, row->commands, &s, a, { 0 }, "" };
	option_list argv = { 0 };
	struct span rest = span_of(row->line), word;
	struct text t = { "", 0 };
	const char *said;

	while (span_word(&rest, &word))
		*vec_push(a, &argv) = arena_strndup(a, word.p, word.len);
	if (!options_parse(&p, (int)argv.n, argv.v))
		describe(&t, &s, &p.word);
	said = p.error[0] ? p.error : t.p[0] == ' ' ? t.p + 1 : t.p;
	if (!strcmp(said, row->says))
		return true;
	printf("not ok '%s': '%s', expected '%s'\n", row->line, said, row->says);
	return false;
}

/* Two rows of one name or letter would hide each other. */
static bool unique(void)
{
	bool ok = true;

	for (const struct option_row *o = option_table; o->name; o++)
		for (const struct option_row *k = o + 1; k->name; k++)
			if ((o->commands & k->commands) &&
			    (!strcmp(o->name, k->name) || (o->letter && o->letter == k->letter))) {
				printf("not ok '--%s' and '--%s' are one\n", o->name, k->name);
				ok = false;
			}
	return ok;
}

int main(void)
{
	unsigned int passed = 0, failed = 0;
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < array_size(rows); i++)
		*(run(&a, &rows[i]) ? &passed : &failed) += 1;
	*(unique() ? &passed : &failed) += 1;
	arena_deinit(&a);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
