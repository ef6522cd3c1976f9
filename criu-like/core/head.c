/*
 * The head names the checkpoint (128 random bits), the tool, the host and its clocks. On restore it
 * decides whether the rest can be understood here: machine, page size, features of the vector unit,
 * and whether the monotonic clock would run backwards.
 */
#include "core/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "head.pb-c.h"
#include "kernel/sys.h"
#include "kernel/xstate.h"

enum { FORMAT_VERSION = 1, ID_BYTES = 16 };

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)sys(SYS_clock_gettime, clock, &t); /* cannot fail for these clocks */
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint8_t hex_value(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* /proc/sys/kernel/random/boot_id: 36 characters with dashes. */
static void boot_id(struct arena *a, uint8_t ret[ID_BYTES])
{
	struct span text;
	size_t n = 0;

	memset(ret, 0, ID_BYTES);
	if (io_slurp_at(a, AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text))
		return; /* without /proc/sys every boot looks alike, and the clocks decide */
	for (size_t i = 0; i + 1 < text.len && n < ID_BYTES; i++)
		if (text.p[i] != '-') {
			ret[n++] = (uint8_t)(hex_value(text.p[i]) << 4 | hex_value(text.p[i + 1]));
			i++;
		}
}

static void now(HeadClocks *c)
{
	c->realtime_ns = clock_ns(CLOCK_REALTIME);
	c->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	c->boottime_ns = clock_ns(CLOCK_BOOTTIME);
}

int head_dump(struct dump *d)
{
	uint8_t boot[ID_BYTES];
	HeadClocks clocks = HEAD_CLOCKS__INIT;
	Head m = HEAD__INIT;
	struct utsname host;
	struct image *i;
	long k;
	int r;

	k = sys(SYS_getrandom, d->checkpoint_id, ID_BYTES, 0);
	k = k < 0 ? k : sys(SYS_uname, &host);
	if (k < 0)
		return fail(k, "make an id for the checkpoint");
	boot_id(&d->arena, boot);
	now(&clocks);
	m.checkpoint_id = (ProtobufCBinaryData){ ID_BYTES, d->checkpoint_id };
	m.boot_id = (ProtobufCBinaryData){ ID_BYTES, boot };
	m.format_version = FORMAT_VERSION;
	m.tool_version = (char *)TORPOR_VERSION;
	m.hostname = host.nodename;
	m.kernel_release = host.release;
	m.machine = host.machine;
	m.clocks = &clocks;
	m.time_s = clocks.realtime_ns / 1000000000;
	m.has_xsave_features = m.has_xsave_size = true;
	m.xsave_features = xstate_features();
	m.xsave_size = xstate_size();
	m.root_pid = d->opt->pid;
	m.pid_levels = 1;
	m.page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	r = image_create(d->set, "head", &i);
	r = r ?: image_append(i, 0, &m.base);
	return r ?: image_finish(i);
}

static int check_cpu(struct restore *r, const Head *m)
{
	char reason[120];

	if (m->has_xsave_size && m->xsave_size == xstate_size() &&
	    !(m->xsave_features & ~xstate_features()))
		return 0;
	(void)snprintf(
		reason, sizeof(reason),
		"its vector state (features %#lx, %u bytes) does not fit this one's (%#lx, "
		"%u bytes)",
		(unsigned long)m->xsave_features, m->xsave_size, (unsigned long)xstate_features(),
		xstate_size());
	return refuse(&r->blockers, 0, "the processor of the checkpoint", reason,
		      "restore on a host with the same processor features");
}

static int check_clocks(struct restore *r, const Head *m)
{
	uint8_t boot[ID_BYTES];

	boot_id(&r->arena, boot);
	if (m->boot_id.len == ID_BYTES && !memcmp(boot, m->boot_id.data, ID_BYTES))
		return 0;
	if (m->clocks->monotonic_ns <= clock_ns(CLOCK_MONOTONIC) &&
	    m->clocks->boottime_ns <= clock_ns(CLOCK_BOOTTIME))
		return 0;
	return refuse(
		&r->blockers, 0, "the monotonic clock",
		"it would step back: this host was started later",
		"restore inside a time namespace whose clocks are ahead of the checkpoint's "
		"(unshare --time)");
}

static int check(struct restore *r, const Head *m)
{
	struct utsname host;

	if (m->format_version != FORMAT_VERSION)
		return fail(-EPROTO, "the checkpoint has format %u, this tool reads %u",
			    m->format_version, FORMAT_VERSION);
	if (m->n_required_feature)
		return fail(-EPROTO, "the checkpoint needs '%s', which this tool does not know",
			    m->required_feature[0]);
	if (sys(SYS_uname, &host) < 0 || strcmp(host.machine, m->machine))
		return fail(-EPROTO, "the checkpoint is from a machine of another kind (%s)",
			    m->machine);
	if (m->page_size != (uint32_t)sysconf(_SC_PAGESIZE))
		return fail(-EPROTO, "the checkpoint has pages of %u bytes", m->page_size);
	if (m->checkpoint_id.len != ID_BYTES)
		return fail(-EPROTO, "broken checkpoint: its id has %zu bytes",
			    m->checkpoint_id.len);
	memcpy(r->checkpoint_id, m->checkpoint_id.data, ID_BYTES);
	(void)check_cpu(r, m); /* collected, reported with the plan */
	(void)check_clocks(r, m);
	return 0;
}

int head_check(struct restore *r)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int k = image_open(r->set, "head", &i);

	if (k)
		return k == -ENOENT ? fail(-EPROTO, "broken checkpoint: it has no head") : k;
	k = image_next(i, &head__descriptor, &id, &m);
	if (k <= 0)
		return k ?: fail(-EPROTO, "broken checkpoint: its head is empty");
	return check(r, (const Head *)m);
}
