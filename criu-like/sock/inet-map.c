/*
 * Addresses of the checkpoint that are others here (--map-ip): a tree that comes back on another
 * host, or behind another interface. Names change at both ends: a connection within the tree has
 * the address twice. An IPv4 address is meant in its IPv6 form as well.
 */
#include "sock/inet-map.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"

struct address {
	int family;
	size_t len;
	uint8_t bytes[16];
};

static bool parse_address(struct span text, struct address *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (!text.len || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	ret->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	ret->len = ret->family == AF_INET ? 4 : 16;
	return inet_pton(ret->family, copy, ret->bytes) == 1;
}

static bool parse(const char *text, struct address *ret_old, struct address *ret_new)
{
	struct span rest = span_of(text), first;

	return span_cut(&rest, '=', &first) && parse_address(first, ret_old) &&
	       parse_address(rest, ret_new) && ret_old->family == ret_new->family;
}

bool inet_map_ok(const char *text)
{
	struct address from, to;

	return parse(text, &from, &to);
}

/* Where an address of this family stands in the name; NULL: it has none. */
static uint8_t *place_of(InetName *n, int family)
{
	bool mapped = n->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(n->address.data);

	if ((int)n->family == family)
		return n->address.data;
	return mapped && family == AF_INET ? n->address.data + 12 : NULL;
}

void inet_map(struct restore *r, InetName *n)
{
	for (const char *const *m = r->opt ? r->opt->map_ip : NULL; n && m && *m; m++) {
		struct address from = { 0 }, to = { 0 };
		uint8_t *p = parse(*m, &from, &to) ? place_of(n, from.family) : NULL;

		if (!p || memcmp(p, from.bytes, from.len))
			continue;
		memcpy(p, to.bytes, to.len);
		return; /* an address that was mapped is not mapped again */
	}
}
