/*
 * nf_tables without a program or a library: one netlink batch is one transaction of the kernel, and
 * costs a fraction of a millisecond.
 *
 * A table of family inet with two base chains, in front of everything else at LOCAL_IN and
 * LOCAL_OUT; per IP version one hash set of (local address, port, remote address, port), whose
 * fields fill whole 32-bit registers. Incoming packets are looked up the other way round. A
 * connection between two local sockets has an element for each end. IPv4 packets of IPv6 sockets
 * are IPv4 packets here.
 *
 * The kernel handles a batch inside sendmsg(); its answers are waiting when that returns: an error
 * for each message it refused, and what was asked to be acknowledged.
 */
#include "kernel/nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "kernel/sys.h"

enum { ELEMENTS_PER_MESSAGE = 500, REPLY_BYTES = 8192, REGISTER_BYTES = 4 };
enum { V4, V6, VERSIONS };

static const struct ip_version {
	const char *set;
	uint8_t nfproto, addr_bytes, source, destination; /* offsets in the header */
	uint32_t id;
} version[VERSIONS] = {
	{ "four", NFPROTO_IPV4, 4, 12, 16, 1 },
	{ "six", NFPROTO_IPV6, 16, 8, 24, 2 },
};
static const struct direction {
	const char *chain;
	uint32_t hook;
	bool in;
} direction[] = { { "in", NF_INET_LOCAL_IN, true }, { "out", NF_INET_LOCAL_OUT, false } };

/* --- messages ------------------------------------------------------------------------------------
 */

struct batch {
	struct arena *arena;
	char *p;
	size_t len, cap, message; /* where the current one begins */
	uint32_t n;
};

static void *grow(struct batch *b, size_t len)
{
	size_t padded = NLMSG_ALIGN(len), at = b->len;

	if (b->len + padded > b->cap) {
		size_t cap = 2 * (b->len + padded) + 4096;

		b->p = arena_grow(b->arena, b->p, b->len, cap);
		b->cap = cap;
	}
	b->len += padded;
	return memset(b->p + at, 0, padded);
}

static void message(struct batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *h;
	struct nfgenmsg *g;

	b->message = b->len;
	h = grow(b, sizeof(*h) + sizeof(*g));
	g = NLMSG_DATA(h);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = b->n++;
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
}

static void message_end(struct batch *b)
{
	((struct nlmsghdr *)(void *)(b->p + b->message))->nlmsg_len =
		(uint32_t)(b->len - b->message);
}

static void nft_message(struct batch *b, uint16_t type, uint16_t flags)
{
	message(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

static void put(struct batch *b, uint16_t type, const void *value, size_t len)
{
	struct nlattr *a = grow(b, NLA_HDRLEN + len);

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((char *)a + NLA_HDRLEN, value, len);
}

static void put_text(struct batch *b, uint16_t type, const char *text)
{
	put(b, type, text, strlen(text) + 1);
}

static void put_number(struct batch *b, uint16_t type, uint32_t value)
{
	value = htonl(value);
	put(b, type, &value, sizeof(value));
}

static size_t nest(struct batch *b, uint16_t type)
{
	size_t at = b->len;

	put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void nest_end(struct batch *b, size_t at)
{
	((struct nlattr *)(void *)(b->p + at))->nla_len = (uint16_t)(b->len - at);
}

static void put_value(struct batch *b, uint16_t type, const void *value, size_t len)
{
	size_t data = nest(b, type);

	put(b, NFTA_DATA_VALUE, value, len);
	nest_end(b, data);
}

/* --- expressions ---------------------------------------------------------------------------------
 */

struct expression {
	size_t element, data;
};

static struct expression expression(struct batch *b, const char *name)
{
	struct expression e = { nest(b, NFTA_LIST_ELEM), 0 };

	put_text(b, NFTA_EXPR_NAME, name);
	e.data = nest(b, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct batch *b, struct expression e)
{
	nest_end(b, e.data);
	nest_end(b, e.element);
}

static void expect_meta(struct batch *b, uint32_t key, const void *value, size_t len)
{
	struct expression e = expression(b, "meta");

	put_number(b, NFTA_META_KEY, key);
	put_number(b, NFTA_META_DREG, NFT_REG_1);
	expression_end(b, e);
	e = expression(b, "cmp");
	put_number(b, NFTA_CMP_SREG, NFT_REG_1);
	put_number(b, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(b, NFTA_CMP_DATA, value, len);
	expression_end(b, e);
}

struct piece {
	uint32_t base, offset, len;
};

/* Into the registers from *reg on. */
static void load(struct batch *b, struct piece p, uint32_t *reg)
{
	struct expression e = expression(b, "payload");

	put_number(b, NFTA_PAYLOAD_DREG, *reg);
	put_number(b, NFTA_PAYLOAD_BASE, p.base);
	put_number(b, NFTA_PAYLOAD_OFFSET, p.offset);
	put_number(b, NFTA_PAYLOAD_LEN, p.len);
	expression_end(b, e);
	*reg += (p.len + REGISTER_BYTES - 1) / REGISTER_BYTES;
}

static void load_end(struct batch *b, const struct ip_version *v, bool source, uint32_t *reg)
{
	load(b, (struct piece){ NFT_PAYLOAD_NETWORK_HEADER, source ? v->source : v->destination,
				v->addr_bytes },
	     reg);
	load(b, (struct piece){ NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, 2 }, reg);
}

static void put_verdict(struct batch *b, uint32_t code)
{
	struct expression e = expression(b, "immediate");
	size_t data, verdict;

	put_number(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nest(b, NFTA_DATA_VERDICT);
	put_number(b, NFTA_VERDICT_CODE, code);
	nest_end(b, verdict);
	nest_end(b, data);
	expression_end(b, e);
}

/* --- the table -----------------------------------------------------------------------------------
 */

static void delete_table(struct batch *b, const char *name, uint16_t flags)
{
	nft_message(b, NFT_MSG_DELTABLE, flags);
	put_text(b, NFTA_TABLE_NAME, name);
	message_end(b);
}

static void add_table(struct batch *b, const struct nft_block *t)
{
	nft_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	put_text(b, NFTA_TABLE_NAME, t->name);
	put_number(b, NFTA_TABLE_FLAGS, t->owned ? NFT_TABLE_F_OWNER : 0);
	message_end(b);
}

static uint32_t end_bytes(const struct ip_version *v)
{
	return v->addr_bytes + (uint32_t)REGISTER_BYTES;
}

static void add_set(struct batch *b, const struct nft_block *t, const struct ip_version *v)
{
	nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
	put_text(b, NFTA_SET_TABLE, t->name);
	put_text(b, NFTA_SET_NAME, v->set);
	put_number(b, NFTA_SET_ID, v->id);
	put_number(b, NFTA_SET_FLAGS, 0);
	put_number(b, NFTA_SET_KEY_TYPE, 0);
	put_number(b, NFTA_SET_KEY_LEN, 2 * end_bytes(v));
	message_end(b);
}

static void add_element(struct batch *b, const struct ip_version *v, const struct nft_pair *p)
{
	size_t element = nest(b, NFTA_LIST_ELEM), len = end_bytes(v);
	uint8_t key[2 * (16 + REGISTER_BYTES)] = { 0 };

	memcpy(key, p->local, v->addr_bytes);
	memcpy(key + v->addr_bytes, &p->local_port, 2);
	memcpy(key + len, p->remote, v->addr_bytes);
	memcpy(key + len + v->addr_bytes, &p->remote_port, 2);
	put_value(b, NFTA_SET_ELEM_KEY, key, 2 * len);
	nest_end(b, element);
}

static void add_elements(struct batch *b, const struct nft_block *t, const struct ip_version *v)
{
	for (size_t i = 0; i < t->n;) {
		size_t list, n = 0;

		nft_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		put_text(b, NFTA_SET_ELEM_LIST_TABLE, t->name);
		put_text(b, NFTA_SET_ELEM_LIST_SET, v->set);
		put_number(b, NFTA_SET_ELEM_LIST_SET_ID, v->id);
		list = nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < t->n && n < ELEMENTS_PER_MESSAGE; i++)
			if (t->pair[i].v6 == (v == &version[V6])) {
				add_element(b, v, &t->pair[i]);
				n++;
			}
		nest_end(b, list);
		message_end(b);
	}
}

static void add_chain(struct batch *b, const struct nft_block *t, const struct direction *d)
{
	size_t hook;

	nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	put_text(b, NFTA_CHAIN_TABLE, t->name);
	put_text(b, NFTA_CHAIN_NAME, d->chain);
	hook = nest(b, NFTA_CHAIN_HOOK);
	put_number(b, NFTA_HOOK_HOOKNUM, d->hook);
	put_number(b, NFTA_HOOK_PRIORITY, (uint32_t)INT_MIN);
	nest_end(b, hook);
	put_number(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	put_text(b, NFTA_CHAIN_TYPE, "filter");
	message_end(b);
}

static size_t rule(struct batch *b, const struct nft_block *t, const struct direction *d)
{
	nft_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	put_text(b, NFTA_RULE_TABLE, t->name);
	put_text(b, NFTA_RULE_CHAIN, d->chain);
	return nest(b, NFTA_RULE_EXPRESSIONS);
}

static void rule_end(struct batch *b, size_t at)
{
	nest_end(b, at);
	message_end(b);
}

static void add_drop(struct batch *b, const struct nft_block *t, const struct direction *d,
		     const struct ip_version *v)
{
	const uint8_t tcp = IPPROTO_TCP;
	size_t at = rule(b, t, d);
	uint32_t reg = NFT_REG32_00;
	struct expression e;

	expect_meta(b, NFT_META_NFPROTO, &v->nfproto, 1);
	expect_meta(b, NFT_META_L4PROTO, &tcp, 1);
	load_end(b, v, !d->in, &reg);
	load_end(b, v, d->in, &reg);
	e = expression(b, "lookup");
	put_text(b, NFTA_LOOKUP_SET, v->set);
	put_number(b, NFTA_LOOKUP_SREG, NFT_REG32_00);
	put_number(b, NFTA_LOOKUP_SET_ID, v->id);
	expression_end(b, e);
	put_verdict(b, NF_DROP);
	rule_end(b, at);
}

static void add_accept(struct batch *b, const struct nft_block *t, const struct direction *d)
{
	size_t at = rule(b, t, d);

	expect_meta(b, NFT_META_MARK, &t->mark, sizeof(t->mark));
	put_verdict(b, NF_ACCEPT);
	rule_end(b, at);
}

static void add_all(struct batch *b, const struct nft_block *t)
{
	bool used[VERSIONS] = { false };

	for (size_t i = 0; i < t->n; i++)
		used[t->pair[i].v6 ? V6 : V4] = true;
	if (t->replace)
		delete_table(b, t->name, 0);
	add_table(b, t);
	for (size_t v = 0; v < VERSIONS; v++)
		if (used[v]) {
			add_set(b, t, &version[v]);
			add_elements(b, t, &version[v]);
		}
	for (size_t i = 0; i < array_size(direction); i++) {
		add_chain(b, t, &direction[i]);
		add_accept(b, t, &direction[i]);
		for (size_t v = 0; v < VERSIONS; v++)
			if (used[v])
				add_drop(b, t, &direction[i], &version[v]);
	}
}

/* --- talking -------------------------------------------------------------------------------------
 */

int nft_socket(void)
{
	return (int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}

/* The first error among the answers, or 0. */
static int read_answers(int socket)
{
	union {
		struct nlmsghdr head;
		char bytes[REPLY_BYTES];
	} b;
	int first = 0;
	long n;

	while ((n = sys(SYS_recvfrom, socket, b.bytes, sizeof(b), MSG_DONTWAIT, NULL, NULL)) > 0) {
		size_t left = (size_t)n;

		for (struct nlmsghdr *h = &b.head; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_ERROR && !first)
				first = e->error;
		}
	}
	return first || n == -EAGAIN ? first : (int)n;
}

static int send_all(int socket, const struct batch *b)
{
	int room = (int)b->len + REPLY_BYTES;
	long r;

	/* Without the privilege the send tells. */
	(void)sys(SYS_setsockopt, socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	r = sys(SYS_sendto, socket, b->p, b->len, 0, NULL, 0);
	return r < 0 ? (int)r : read_answers(socket);
}

static void batch_begin(struct batch *b)
{
	message(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
}

static void batch_end(struct batch *b)
{
	message(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
}

int nft_block(int socket, struct arena *a, const struct nft_block *t)
{
	struct batch b = { .arena = a };

	batch_begin(&b);
	add_all(&b, t);
	batch_end(&b);
	return send_all(socket, &b);
}

int nft_unblock(int socket, struct arena *a, const char *name)
{
	struct batch b = { .arena = a };

	batch_begin(&b);
	delete_table(&b, name, 0);
	batch_end(&b);
	return send_all(socket, &b);
}

int nft_exists(int socket, struct arena *a, const char *name)
{
	struct batch b = { .arena = a };

	nft_message(&b, NFT_MSG_GETTABLE, 0);
	put_text(&b, NFTA_TABLE_NAME, name);
	message_end(&b);
	return send_all(socket, &b);
}
