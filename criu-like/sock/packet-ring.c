/*
 * Rings of a packet socket: memory that kernel and program walk through, each with an index of its
 * own. sock_diag(7) tells the geometry, and the memory is read through a mapping of the copy; what
 * no interface tells is the index of the kernel (packet-head.c reads it off the memory).
 *
 * A new ring begins at zero while the program goes on where it was, so the kernel is brought to the
 * index: before the socket gets its protocol, frames of a protocol that nobody uses go to it
 * through the loopback interface, or through its transmit ring. Then the memory is put back, unread
 * frames included.
 *
 * Version 3 fills blocks with as many frames as fit, and hands them over when they are full or
 * old. A block that has begun at the stop is handed over by the dump, as it would have been by its
 * timer. The block at which the kernel arrives begins with a frame of ours, which its header skips:
 * it holds less, once.
 *
 * Lost: the numbers of blocks begin anew; statistics. Other listeners on loopback see the frames.
 */
#include "sock/packet-ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/time.h"
#include "core/memory/memory-kind.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/interface.h"
#include "sock/packet-head.h"
#include "sock/socket-options.h"

enum {
	UNUSED_PROTOCOL = ETH_P_802_EX1,
	PATIENCE_NS = 1000000000,
	STEP_NS = 1000000,
	FRAME_BYTES = 64,
	LARGE_FRAME_BYTES = 60000,
	AT_ONCE = 128, /* frames, before we look whether they came */
	RING_BYTES_MAX = 1 << 30,
	TRIES = 20,
};

static uint64_t ring_bytes(const PacketRing *g)
{
	return g ? (uint64_t)g->block_size * g->block_nr : 0;
}

static void wait_a_moment(void)
{
	struct timespec step = { 0, STEP_NS };

	(void)sys(SYS_ppoll, NULL, 0, &step, 0, 0); /* only a pause */
}

static int map_rings(int fd, uint64_t len, struct mapping *ret)
{
	long at = sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at < 0)
		return fail(at, "map the rings of a packet socket");
	*ret = (struct mapping){ (void *)(uintptr_t)at, len };
	return 0;
}

/* --- dump ----------------------------------------------------------------------------------------
 */

static PacketRing *geometry(struct dump *d, const struct packet_diag_geometry *q, bool v3)
{
	PacketRing *g = q->block_nr ? arena_new(&d->arena, PacketRing) : NULL;

	if (!g)
		return NULL;
	packet_ring__init(g);
	g->block_size = q->block_size;
	g->block_nr = q->block_nr;
	g->frame_size = q->frame_size;
	g->frame_nr = q->frame_nr;
	g->has_retire_ms = g->has_private_bytes = g->has_features = v3;
	g->retire_ms = q->retire_ms;
	g->private_bytes = q->private_bytes;
	g->features = q->features;
	return g;
}

/* A copy that did not change for a moment: a ring that nobody reads is full sooner or later. */
static int copy_quiet(const struct mapping *ring, uint8_t *ret)
{
	uint64_t until = time_now_ns() + PATIENCE_NS;

	memcpy(ret, ring->p, ring->len);
	do {
		wait_a_moment();
		if (!memcmp(ret, ring->p, ring->len))
			return 0;
		memcpy(ret, ring->p, ring->len);
	} while (time_now_ns() < until);
	return -EAGAIN;
}

static int refuse_ring(struct dump *d, struct fd_probe *p, const char *reason)
{
	return fd_refuse(d, p, reason, "close it before the dump");
}

static int read_heads(struct dump *d, struct fd_probe *p, int version, Packet *m, uint8_t *bytes)
{
	uint8_t *tx = bytes + ring_bytes(m->rx);

	if (m->rx && version == TPACKET_V3) {
		m->rx->has_frozen = true;
		packet_head_v3(m->rx, bytes);
	} else if (m->rx && packet_head_rx(m->rx, version, bytes)) {
		return refuse_ring(d, p, "it is not to be seen how far the kernel got in the ring "
					 "of its packet socket");
	}
	if (m->tx && packet_head_tx(m->tx, version, tx))
		return refuse_ring(d, p, "it is not to be seen how far the kernel got in the "
					 "transmit ring of its packet socket");
	return 0;
}

/* Into a file that stays open until the tool ends, and is read by this name. */
static int save(struct dump *d, struct fd_probe *p, int version, Packet *m)
{
	_unmap_ struct mapping ring = { NULL, 0 }, copy = { NULL, 0 };
	uint64_t len = ring_bytes(m->rx) + ring_bytes(m->tx);
	int fd = -1, r = map_rings(p->fd, len, &ring);

	if (!r)
		r = io_memfd("rings", &fd) ?: io_truncate(fd, len) ?: map_rings(fd, len, &copy);
	if (r)
		return fail(r, "descriptor %d: memory for its rings", p->number);
	if (copy_quiet(&ring, copy.p))
		return fd_refuse(d, p, "packets come without pause to the ring of its socket",
				 "try again");
	m->has_content = true;
	m->content = memory_queue_content(d, AT_FDCWD,
					  arena_printf(&d->arena, "/proc/self/fd/%d", fd));
	return read_heads(d, p, version, m, copy.p);
}

int packet_rings_dump(struct dump *d, struct fd_probe *p, const struct packet_diag *q, Packet *m)
{
	int version = (int)socket_int(p->fd, SOL_PACKET, PACKET_VERSION);

	m->rx = geometry(d, &q->rx, version == TPACKET_V3);
	m->tx = geometry(d, &q->tx, false);
	if (!m->rx && !m->tx)
		return 0;
	return version < 0 ? fail(version, "descriptor %d: version of its rings", p->number)
			   : save(d, p, version, m);
}

/* --- plan ----------------------------------------------------------------------------------------
 */

static bool is_possible(const PacketRing *g)
{
	uint64_t per_block;

	if (!g)
		return true;
	if (!g->block_size || g->block_size % PAGE_BYTES || !g->frame_size ||
	    g->frame_size > g->block_size || ring_bytes(g) > RING_BYTES_MAX || !g->block_nr)
		return false;
	per_block = g->block_size / g->frame_size;
	return g->frame_nr == per_block * g->block_nr &&
	       g->private_bytes < g->block_size / 2 &&
	       g->head < (g->has_retire_ms ? g->block_nr : g->frame_nr);
}

static int version_of(const Packet *m)
{
	const int option[] = { SOL_PACKET, PACKET_VERSION };

	return socket_option_int(m->n_option, m->option, option, TPACKET_V1);
}

static bool has_moved(const PacketRing *g)
{
	return g && (g->head || g->frozen);
}

int packet_rings_plan(struct restore *r, struct fd_obj *o, const Packet *m)
{
	bool v3 = version_of(m) == TPACKET_V3;

	if (!m->rx && !m->tx)
		return 0;
	if (!is_possible(m->rx) || !is_possible(m->tx) || !m->has_content ||
	    (m->rx && m->rx->has_retire_ms != v3) || (m->tx && m->tx->has_retire_ms) ||
	    (has_moved(m->rx) && !m->protocol))
		return fail(-EPROTO, "image 'packet': description %" PRIu32 " has impossible rings",
			    o->id);
	o->shared = true; /* the coordinator has the page stores open */
	return memory_check_content(r, m->content, ring_bytes(m->rx) + ring_bytes(m->tx));
}

/* --- restore -------------------------------------------------------------------------------------
 */

struct feed { /* of frames to the socket */
	int fd, sender;
	struct sockaddr_ll to;
	uint8_t *frame;
};

static int begin_feed(int fd, struct feed *f)
{
	int lo = interface_index("lo");

	f->fd = fd;
	f->to = (struct sockaddr_ll){ .sll_family = AF_PACKET,
				      .sll_protocol = htons(UNUSED_PROTOCOL),
				      .sll_ifindex = lo,
				      .sll_halen = ETH_ALEN };
	if (lo < 0)
		return fail(lo, "find the loopback interface");
	f->sender = (int)sys(SYS_socket, AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return f->sender < 0 ? fail(f->sender, "make a packet socket") : 0;
}

static int send_frame(const struct feed *f, size_t len)
{
	long n = sys(SYS_sendto, f->sender, f->frame, len, 0, &f->to, sizeof(f->to));

	return n == (long)len ? 0
			      : fail(n < 0 ? n : -EIO, "send a frame through the loopback "
						       "interface (is it up?)");
}

/* The kernel's part of a status: not its own, or gone on. */
static int wait_for(const volatile uint32_t *status, uint32_t bit, bool set)
{
	uint64_t until = time_now_ns() + PATIENCE_NS;

	while (!(*status & bit) == set) {
		if (time_now_ns() >= until)
			return fail(-ETIMEDOUT, "a frame through the loopback interface did not "
						"come to the ring of a packet socket");
		wait_a_moment();
	}
	return 0;
}

static int advance_rx(const struct feed *f, const PacketRing *g, uint8_t *ring)
{
	int r = 0;

	for (uint32_t i = 0; i < g->head && !r; i++) {
		r = send_frame(f, FRAME_BYTES);
		if (!r && (i % AT_ONCE == 0 || i + 1 == g->head))
			r = wait_for(packet_frame_status(ring + packet_frame_offset(g, i), 0),
				     TP_STATUS_USER, true);
	}
	return r;
}

/* Until the kernel hands the block over, which is its again then. */
static int fill_block(const struct feed *f, const PacketRing *g, uint8_t *ring, uint32_t i)
{
	volatile struct tpacket_block_desc *b = packet_block(g, ring, i);
	uint32_t len = g->block_size / 4 < LARGE_FRAME_BYTES ? g->block_size / 4
							     : LARGE_FRAME_BYTES;
	int r = 0;

	for (uint32_t n = 0; n < g->block_size / len + 2 && !r; n++) {
		if (b->hdr.bh1.block_status & TP_STATUS_USER)
			break;
		r = send_frame(f, len);
	}
	if (!r)
		r = wait_for(&b->hdr.bh1.block_status, TP_STATUS_USER, true);
	b->hdr.bh1.block_status = TP_STATUS_KERNEL;
	return r;
}

/* What we sent into the block where the kernel is now is skipped. */
static void skip_ours(const PacketRing *g, uint8_t *ring)
{
	volatile struct tpacket_block_desc *b = packet_block(g, ring, g->head);

	if (!b->hdr.bh1.num_pkts)
		return;
	b->hdr.bh1.offset_to_first_pkt = b->hdr.bh1.blk_len;
	b->hdr.bh1.num_pkts = 0;
}

/* The timer may have taken the kernel one block further than we wanted. */
static bool has_arrived(const PacketRing *g, uint8_t *ring)
{
	const volatile struct tpacket_block_desc *b = packet_block(g, ring, g->head);
	uint32_t before = (g->head + g->block_nr - 1) % g->block_nr;

	if (g->frozen)
		return g->block_nr == 1 ||
		       b->hdr.bh1.seq_num < packet_block(g, ring, before)->hdr.bh1.seq_num;
	return !(b->hdr.bh1.block_status & TP_STATUS_USER);
}

/* From the block `from` on once round at most, until the kernel is at the head. */
static int fill_blocks(const struct feed *f, const PacketRing *g, uint8_t *ring, uint32_t from)
{
	uint32_t n = (g->head + g->block_nr - from) % g->block_nr;
	int r = 0;

	n = n || !(g->frozen || from) ? n : g->block_nr;
	for (uint32_t i = 0; i < n && !r; i++) {
		if (g->frozen && i + 1 == n)
			packet_block(g, ring, g->head)->hdr.bh1.block_status = TP_STATUS_USER;
		r = fill_block(f, g, ring, (from + i) % g->block_nr);
	}
	if (!r && !g->frozen)
		skip_ours(g, ring);
	return r;
}

static int advance_v3(const struct feed *f, const PacketRing *g, uint8_t *ring)
{
	int r = fill_blocks(f, g, ring, 0);

	for (int tries = 0; !r && tries < TRIES; tries++) {
		wait_a_moment();
		if (has_arrived(g, ring))
			return 0;
		packet_block(g, ring, g->head)->hdr.bh1.block_status = TP_STATUS_KERNEL;
		r = fill_blocks(f, g, ring, (g->head + !g->frozen) % g->block_nr);
	}
	return r ? r : fail(-EAGAIN, "bring the ring of a packet socket to its block");
}

static int advance_tx(const struct feed *f, const PacketRing *g, int version, uint8_t *ring)
{
	for (uint32_t i = 0; i < g->head; i++) {
		uint8_t *frame = ring + packet_frame_offset(g, i);
		long n;

		packet_frame_send(frame, version, FRAME_BYTES);
		n = sys(SYS_sendto, f->fd, NULL, 0, 0, &f->to, sizeof(f->to));
		if (n < 0)
			return fail(n, "send a frame through a transmit ring");
		n = wait_for(packet_frame_status(frame, version),
			     TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING, false);
		if (n)
			return (int)n;
	}
	return 0;
}

static int set_ring(int fd, int name, const PacketRing *g)
{
	struct tpacket_req3 q = { 0 };
	long r;

	if (!g)
		return 0;
	q = (struct tpacket_req3){ .tp_block_size = g->block_size,
				   .tp_block_nr = g->block_nr,
				   .tp_frame_size = g->frame_size,
				   .tp_frame_nr = g->frame_nr,
				   .tp_retire_blk_tov = g->retire_ms,
				   .tp_sizeof_priv = g->private_bytes,
				   .tp_feature_req_word = g->features };
	r = sys(SYS_setsockopt, fd, SOL_PACKET, name, &q, sizeof(q));
	return r ? fail(r, "make the ring of a packet socket") : 0;
}

/* The kernel's notes about the block that it fills stay. */
static void put_back(const Packet *m, uint8_t *ring, const uint8_t *saved)
{
	const PacketRing *g = m->rx;
	uint64_t len = ring_bytes(g) + ring_bytes(m->tx), at, end;

	if (!g || !g->has_retire_ms || g->frozen) {
		memcpy(ring, saved, len);
		return;
	}
	at = (uint64_t)g->head * g->block_size;
	end = at + g->block_size;
	memcpy(ring, saved, at);
	memcpy(ring + at + PACKET_BLOCK_HEADER, saved + at + PACKET_BLOCK_HEADER, g->private_bytes);
	memcpy(ring + end, saved + end, len - end);
}

static int load(struct restore *r, const Packet *m, uint8_t *ring, uint64_t len)
{
	_unmap_ struct mapping saved = { NULL, len };
	long at = sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int e;

	if (at < 0)
		return fail(at, "memory for %" PRIu64 " bytes of rings", len);
	saved.p = (void *)(uintptr_t)at;
	e = memory_load_content(r, m->content, saved.p, len);
	if (!e)
		put_back(m, ring, saved.p);
	return e;
}

/* What is transmitted comes back, but not to a socket that is not bound. */
static int advance(const struct feed *f, const Packet *m, uint8_t *ring)
{
	int version = version_of(m), r = 0;

	if (m->tx)
		r = advance_tx(f, m->tx, version, ring + ring_bytes(m->rx));
	if (r || !has_moved(m->rx))
		return r;
	r = (int)sys(SYS_bind, f->fd, &f->to, sizeof(f->to));
	if (r)
		return fail(r, "bind a packet socket to the loopback interface");
	return version == TPACKET_V3 ? advance_v3(f, m->rx, ring) : advance_rx(f, m->rx, ring);
}

int packet_rings_make(struct restore *r, int fd, const Packet *m)
{
	_unmap_ struct mapping ring = { NULL, 0 };
	uint64_t len = ring_bytes(m->rx) + ring_bytes(m->tx);
	uint8_t frame[LARGE_FRAME_BYTES] = { 0 };
	struct feed f = { .sender = -1, .frame = frame };
	int e;

	if (!len)
		return 0;
	e = set_ring(fd, PACKET_RX_RING, m->rx) ?: set_ring(fd, PACKET_TX_RING, m->tx);
	e = e ?: map_rings(fd, len, &ring);
	if (!e && (has_moved(m->rx) || has_moved(m->tx))) {
		e = begin_feed(fd, &f);
		e = e ?: advance(&f, m, ring.p);
		fd_close(&f.sender);
	}
	return e ?: load(r, m, ring.p, len);
}
