/*
 * torpor check: what this kernel and these privileges allow; with -t what stands against a dump of
 * a tree (looked at from outside, nothing is stopped); with -D what stands against a restore here.
 * The answers go to stdout, one line each, or as one JSON array. Status 0 only if nothing stands
 * against it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cmd.h"
#include "dump.h"
#include "kernel/features.h"
#include "place.h"
#include "restore.h"

static void print_member(const char *name, const char *value, const char *end)
{
	char text[1200];

	str_json(value ? value : "", text, sizeof(text));
	printf("\"%s\":%s%s", name, text, end);
}

static void print_blocker(const struct blocker *b)
{
	if (b->pid)
		printf("task %d: ", b->pid);
	printf("%s: %s%s%s\n", b->object, b->reason, b->remedy ? "; " : "",
	       b->remedy ? b->remedy : "");
}

static void print_blocker_json(const struct blocker *b)
{
	printf("{\"pid\":%d,", b->pid);
	print_member("object", b->object, ",");
	print_member("reason", b->reason, ",");
	print_member("remedy", b->remedy, "}");
}

/* r: what the check yielded. */
static int print_blockers(const struct blockers *b, int r, bool json)
{
	const char *between = "";

	if (r && r != -ENOTSUP)
		return STATUS_FAILED; /* reported */
	if (json)
		printf("[");
	vec_foreach(o, &b->list) {
		json ? (void)printf("%s\n", between) : (void)0;
		json ? print_blocker_json(o) : print_blocker(o);
		between = ",";
	}
	if (json)
		printf("%s]\n", b->list.n ? "\n" : "");
	return b->list.n ? STATUS_FAILED : 0;
}

static int check_dump(const struct invocation *in)
{
	const struct settings *s = in->set;
	struct dump_options o = { .pid = s->pid, .images_fd = -1, .work_fd = -1,
				  .shell_job = s->shell_job, .file_locks = s->file_locks,
				  .link_remap = s->link_remap,
				  .ext_unix_sk = s->ext_unix_sk,
				  .cancel_requests = s->cancel_requests,
				  .tcp_established = s->tcp_established,
				  .tcp_close = s->tcp_close,
				  .skip_in_flight = s->skip_in_flight,
				  .no_network_lock = s->network_lock == LOCK_SKIP,
				  .ghost_limit_bytes = s->ghost_limit_bytes,
				  .external = terminated(in->arena, &s->external),
				  .fd_policy = terminated(in->arena, &s->fd_policy) };
	struct blockers b = { 0 };
	int r = dump_check(&o, in->arena, &b);

	if (!r && !s->json)
		printf("nothing stands against a dump of %d\n", s->pid);
	return !r && !s->json ? 0 : print_blockers(&b, r, s->json);
}

static int check_restore(const struct invocation *in, const struct place *p)
{
	const struct settings *s = in->set;
	struct restore_options o = { .images_fd = p->images_fd, .work_fd = p->work_fd,
				     .shell_job = s->shell_job,
				     .tcp_close = s->tcp_close,
				     .no_network_lock = s->network_lock == LOCK_SKIP,
				     .map_ip = terminated(in->arena, &s->map_ip),
				     .external = terminated(in->arena, &s->external) };
	struct blockers b = { 0 };
	int r = inherit_list(in, &o.inherit);

	r = r ?: map_ip_check(in);
	if (r)
		return r;
	r = restore_check(&o, in->arena, &b);
	if (!r && !s->json)
		printf("nothing stands against a restore\n");
	return !r && !s->json ? 0 : print_blockers(&b, r, s->json);
}

static void print_feature(const struct feature *f, int result)
{
	printf("%-8s %-16s %s%s%s\n", !result ? "ok" : f->needed ? "MISSING" : "missing", f->name,
	       f->purpose, result ? ": " : "", feature_reason(result));
}

static void print_feature_json(const struct feature *f, int result)
{
	printf("{\"feature\":\"%s\",\"ok\":%s,\"needed\":%s,", f->name, result ? "false" : "true",
	       f->needed ? "true" : "false");
	print_member("purpose", f->purpose, ",");
	print_member("reason", feature_reason(result), "}");
}

/* Yields the status; how many of each kind are missing. */
static int check_features(bool json, unsigned int ret_missing[2])
{
	ret_missing[0] = ret_missing[1] = 0;
	for (const struct feature *f = features; f->name; f++) {
		int result = f->probe();

		if (json)
			printf("%s\n", f == features ? "[" : ",");
		json ? print_feature_json(f, result) : print_feature(f, result);
		ret_missing[f->needed] += result ? 1 : 0;
	}
	if (json)
		printf("\n]\n");
	return ret_missing[1] ? STATUS_FAILED : 0;
}

/* What people and test programs call some of them. */
static const char *own_name(const char *name)
{
	static const char *const other[][2] = {
		{ "network_lock_nftables", "nftables" },
		{ "tcp_half_closed", "tcp_repair" },
	};

	for (size_t i = 0; i < array_size(other); i++)
		if (!strcmp(other[i][0], name))
			return other[i][1];
	return name;
}

static int check_one(const char *asked)
{
	const char *name = own_name(asked);

	for (const struct feature *f = features; f->name; f++) {
		int result;

		if (strcmp(f->name, name) != 0)
			continue;
		result = f->probe();
		printf("%s is %s\n", asked, result ? "not supported" : "supported");
		return result ? STATUS_FAILED : 0;
	}
	printf("%s is unknown\n", asked);
	return STATUS_FAILED;
}

static int list_features(void)
{
	for (const struct feature *f = features; f->name; f++)
		printf("%s%s", f == features ? "" : " ", f->name);
	printf("\n");
	return 0;
}

static int check_as_criu(const struct settings *s)
{
	unsigned int missing[2];
	int status = 0;

	for (size_t i = 0; i < s->feature.n; i++) {
		const char *name = s->feature.v[i];

		status |= strcmp(name, "list") ? check_one(name) : list_features();
	}
	if (s->feature.n)
		return status;
	status = check_features(false, missing);
	printf("%s\n", missing[1]   ? "Does not look good."
		       : missing[0] ? "Looks good but some kernel features are missing."
				    : "Looks good.");
	return status;
}

int cmd_check(const struct invocation *in)
{
	const struct settings *s = in->set;
	bool restore = !in->criu && (s->images_dir || s->images_fd >= 0);
	_place_close_ struct place place = { -1, -1, -1 };
	unsigned int missing[2];

	if (!in->criu && s->pid && restore)
		return usage_error(in, "check: -t and -D are two questions");
	if (place_open(s, (restore ? 0 : PLACE_LOG_ONLY) | (in->criu ? PLACE_CRIU : 0), NULL,
		       &place))
		return STATUS_FAILED;
	if (in->criu)
		return check_as_criu(s);
	if (s->pid)
		return check_dump(in);
	return restore ? check_restore(in, &place) : check_features(s->json, missing);
}
