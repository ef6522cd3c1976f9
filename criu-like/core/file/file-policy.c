/*
 * What the operator wants to happen to files that cannot be saved (--fd-policy
 * KIND=fail|close|null, the last one that fits decides). KIND is the word in the refusal: the
 * kernel's text for the file without "anon_inode:" and brackets, whole or up to its first '-' or
 * ':' ("perf_event", "userfaultfd", "io_uring", "kvm" for kvm-vm and kvm-vcpu:0, "bpf-prog",
 * "socket"), or a path.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file-space.h"

static const struct policy_word {
	const char *word;
	enum fd_policy policy;
} words[] = {
	{ "fail", FD_POLICY_FAIL }, { "close", FD_POLICY_CLOSE }, { "null", FD_POLICY_NULL }
};

static const struct policy_word *word_of(const char *text)
{
	for (size_t i = 0; i < array_size(words); i++)
		if (!strcmp(text, words[i].word))
			return &words[i];
	return NULL;
}

static bool fits(const char *kind, size_t len, const char *link)
{
	if (!strncmp(link, "anon_inode:", 11))
		link += 11;
	link += *link == '[';
	return !strncmp(link, kind, len) && strchr("]-:", link[len]);
}

enum fd_policy fd_policy_of(const struct dump *d, const char *link)
{
	enum fd_policy found = FD_POLICY_FAIL;

	for (const char *const *o = d->opt->fd_policy; o && *o; o++) {
		const char *equals = strrchr(*o, '=');

		if (equals && fits(*o, (size_t)(equals - *o), link))
			found = word_of(equals + 1)->policy;
	}
	return found;
}

int file_policy_check(const struct dump *d)
{
	for (const char *const *o = d->opt->fd_policy; o && *o; o++) {
		const char *equals = strrchr(*o, '=');

		if (!equals || equals == *o || !word_of(equals + 1))
			return fail(-EINVAL,
				    "--fd-policy '%s': this is not KIND=fail, close or null", *o);
	}
	return 0;
}

bool file_give_up(struct dump *d, struct fd_probe *p, const char *reason)
{
	p->policy = fd_policy_of(d, fd_link(d, p));
	if (p->policy == FD_POLICY_FAIL)
		return false;
	log_warn("%s: %s; given up by --fd-policy: %s", fd_text(d, p), reason,
		 p->policy == FD_POLICY_CLOSE ? "it will be closed" : "it will be /dev/null");
	return true;
}
