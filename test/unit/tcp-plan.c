/*
 * Records of TCP sockets from images that somebody changed: each is spoilt in one way and must be
 * refused by the plan; those as they should be pass, and tell whose packets are held back. Names of
 * ends with --map-ip. No root.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "core/file/file.h"
#include "sock/inet-map.h"
#include "tcp.pb-c.h"

extern const struct fd_kind kind_tcp;
const struct fd_kind *const fd_kinds[] = { NULL };
const struct task_kind *const task_kinds[] = { NULL };
struct mem_kind;
extern const struct mem_kind *const mem_kinds[];
const struct mem_kind *const mem_kinds[] = { NULL };

struct record {
	uint8_t address[2][16];
	InetName local, peer;
	Inet inet;
	TcpWindow window;
	TcpConnection connection;
	Tcp tcp;
};

static void make_name(InetName *n, uint8_t *address)
{
	inet_name__init(n);
	n->family = AF_INET;
	n->port = 0;
	n->address = (ProtobufCBinaryData){ 4, address };
	memcpy(address, &(in_addr_t){ htonl(INADDR_LOOPBACK) }, 4);
}

static void make_record(struct record *k)
{
	make_name(&k->local, k->address[0]);
	make_name(&k->peer, k->address[1]);
	inet__init(&k->inet);
	k->inet.family = AF_INET;
	k->inet.type = SOCK_STREAM;
	k->inet.protocol = IPPROTO_TCP;
	k->inet.local = &k->local;
	k->inet.peer = &k->peer;
	tcp_window__init(&k->window);
	tcp_connection__init(&k->connection);
	k->connection.has_mss = 1;
	k->connection.mss = 1460;
	k->connection.window = &k->window;
	tcp__init(&k->tcp);
	k->tcp.inet = &k->inet;
	k->tcp.state = TCP_ESTABLISHED;
	k->tcp.connection = &k->connection;
}

static void none(struct record *k)
{
	(void)k;
}
static void unbound(struct record *k)
{
	k->tcp.state = TCP_CLOSE;
	k->tcp.connection = NULL;
	k->inet.local = k->inet.peer = NULL;
}
static void listener(struct record *k)
{
	unbound(k);
	k->tcp.state = TCP_LISTEN;
	k->tcp.has_backlog = 1;
	k->inet.local = &k->local;
}
static void connecting(struct record *k)
{
	k->tcp.state = TCP_SYN_SENT;
	k->connection.window = NULL;
	k->connection.has_mss = 0;
}
static void multipath(struct record *k)
{
	listener(k);
	k->inet.protocol = 262;
}
static void multipath_connection(struct record *k)
{
	k->inet.protocol = 262;
}
static void no_state(struct record *k)
{
	k->tcp.state = 0;
}
static void state_beyond(struct record *k)
{
	k->tcp.state = TCP_CLOSING + 1;
}
static void no_connection(struct record *k)
{
	k->tcp.connection = NULL;
}
static void no_peer(struct record *k)
{
	k->inet.peer = NULL;
}
static void no_window(struct record *k)
{
	k->connection.window = NULL;
}
static void no_mss(struct record *k)
{
	k->connection.has_mss = 0;
}
static void more_unsent(struct record *k)
{
	k->connection.unsent = 1;
}
static void waiting_closed(struct record *k)
{
	k->tcp.has_waits_since_ms = 1;
	k->tcp.state = TCP_CLOSE_WAIT;
}
static void long_queue(struct record *k)
{
	k->connection.has_content = 1;
	k->connection.content_receive = 1U << 31;
}
static void bytes_twice(struct record *k)
{
	k->connection.has_content = 1;
	k->connection.content_send = 4096;
	k->connection.receive.data = k->address[0];
	k->connection.receive.len = 1;
}
static void half_scale(struct record *k)
{
	k->connection.has_snd_wscale = 1;
}
static void large_scale(struct record *k)
{
	k->connection.has_snd_wscale = k->connection.has_rcv_wscale = 1;
	k->connection.rcv_wscale = 15;
}
static void backlog(struct record *k)
{
	k->tcp.has_backlog = 1;
}
static void datagrams(struct record *k)
{
	k->inet.type = SOCK_DGRAM;
}
static void short_peer(struct record *k)
{
	k->peer.address.len = 3;
}

static const struct {
	const char *text;
	void (*spoil)(struct record *k);
	int result;
	bool locked;
} cases[] = {
	{ "a connection", none, 0, true },
	{ "nothing but a socket", unbound, 0, false },
	{ "a listener", listener, 0, false },
	{ "a connection being made", connecting, 0, true },
	{ "a multipath listener", multipath, 0, false },
	{ "a multipath connection", multipath_connection, -EPROTO, false },
	{ "no state", no_state, -EPROTO, false },
	{ "a state beyond all", state_beyond, -EPROTO, false },
	{ "a connection without one", no_connection, -EPROTO, false },
	{ "no other end", no_peer, -EPROTO, false },
	{ "no windows", no_window, -EPROTO, false },
	{ "no segment size", no_mss, -EPROTO, false },
	{ "more unsent than there is", more_unsent, -EPROTO, false },
	{ "waits to be accepted, and was closed", waiting_closed, -EPROTO, false },
	{ "a queue longer than any", long_queue, -EPROTO, false },
	{ "bytes at two places", bytes_twice, -EPROTO, false },
	{ "windows scaled at one end", half_scale, -EPROTO, false },
	{ "a scale beyond all", large_scale, -EPROTO, false },
	{ "a connection that listens", backlog, -EPROTO, false },
	{ "datagrams", datagrams, -EPROTO, false },
	{ "a short address", short_peer, -EPROTO, false },
};

static bool run(size_t i)
{
	struct restore *r = &(struct restore){ 0 };
	struct record k = { 0 };
	struct fd_obj o = { .kind = &kind_tcp, .msg = &k.tcp };
	bool ok;

	arena_init(&r->arena);
	blockers_init(&r->blockers, &r->arena);
	make_record(&k);
	cases[i].spoil(&k);
	ok = kind_tcp.plan(r, &o) == cases[i].result && !!r->lock == cases[i].locked;
	arena_deinit(&r->arena);
	return ok;
}

static const struct {
	const char *option;
	uint32_t address; /* what 127.0.0.1 becomes; 0: the option makes no sense */
} maps[] = {
	{ "127.0.0.1=10.0.0.2", 0x0a000002 }, { "10.0.0.1=10.0.0.2", INADDR_LOOPBACK },
	{ "::1=::2", INADDR_LOOPBACK },	      { "127.0.0.1", 0 },
	{ "127.0.0.1=", 0 },		      { "=10.0.0.2", 0 },
	{ "127.0.0.1=::1", 0 },		      { "127.0.0.1=10.0.0.256", 0 },
	{ "127.0.0.1=10.0.0.2=10.0.0.3", 0 },
};

static bool map(size_t i)
{
	const char *const option[] = { maps[i].option, NULL };
	const struct restore_options opt = { .map_ip = option };
	struct record k = { 0 };
	in_addr_t a;

	if (inet_map_ok(maps[i].option) != !!maps[i].address)
		return false;
	make_name(&k.local, k.address[0]);
	inet_map(&(struct restore){ .opt = &opt }, &k.local);
	memcpy(&a, k.address[0], sizeof(a));
	return ntohl(a) == (maps[i].address ? maps[i].address : INADDR_LOOPBACK);
}

int main(void)
{
	size_t n = array_size(cases) + array_size(maps), failed = 0;

	log_setup(&(struct log_config){ .fd = open("/dev/null", O_WRONLY), .level = LOG_ERROR });
	for (size_t i = 0; i < n; i++) {
		size_t m = i - array_size(cases);
		bool ok = i < array_size(cases) ? run(i) : map(m);

		(void)printf("%s: %s\n", ok ? "ok" : "FAIL",
			     i < array_size(cases) ? cases[i].text : maps[m].option);
		failed += !ok;
	}
	(void)printf("%zu passed, %zu failed, 0 skipped\n", n - failed, failed);
	return failed != 0;
}
