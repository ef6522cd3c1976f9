/* Packet sockets with rings, of versions 1, 2 and 3: the program goes on at the frame where it was,
 * finds the frames that it had not read, and the kernel goes on behind them. A transmit ring in its
 * first round. */
/* harness: net */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../lib/test.h"

enum { BLOCK = 8192, BLOCKS = 4, FRAME = 2048, FRAMES = BLOCK / FRAME * BLOCKS, PROTOCOL = 0x9990,
       PAYLOAD = 1500 };

struct ring {
	int fd, version, protocol;
	uint32_t at;	   /* frame; version 3: block */
	uint32_t sent, got; /* counted in the first bytes of frames */
	unsigned char *map;
};

static struct sockaddr_ll address(const struct ring *k)
{
	return (struct sockaddr_ll){.sll_family = AF_PACKET,
				    .sll_protocol = htons((uint16_t)(PROTOCOL + k->protocol)),
				    .sll_ifindex = (int)if_nametoindex("lo"),
				    .sll_halen = 6};
}

static void make(struct ring *k, int version)
{
	struct sockaddr_ll a;
	struct tpacket_req3 q = {BLOCK, BLOCKS, FRAME, FRAMES, version == TPACKET_V3 ? 60000 : 0,
				 version == TPACKET_V3 ? 40 : 0, 0};

	static int protocols;

	k->version = version;
	k->protocol = protocols++;
	a = address(k);
	k->fd = must(socket(AF_PACKET, SOCK_DGRAM, 0));
	must(setsockopt(k->fd, SOL_PACKET, PACKET_VERSION, &version, 4));
	must(setsockopt(k->fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	k->map = must_ptr(mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0));
	must(bind(k->fd, (void *)&a, sizeof(a)));
}

static void put(struct ring *k, int n)
{
	struct sockaddr_ll a = address(k);
	int fd = must(socket(AF_PACKET, SOCK_DGRAM, 0));
	uint32_t payload[PAYLOAD / 4] = {0};

	for (int i = 0; i < n; i++) {
		payload[0] = payload[PAYLOAD / 4 - 1] = k->sent++;
		check(sendto(fd, payload, PAYLOAD, 0, (void *)&a, sizeof(a)) == PAYLOAD, "%s",
		      strerror(errno));
	}
	close(fd);
}

static volatile uint32_t *status(const struct ring *k)
{
	struct tpacket_block_desc *b = (void *)(k->map + k->at * BLOCK);

	return k->version == TPACKET_V3 ? &b->hdr.bh1.block_status
					: (volatile uint32_t *)(void *)(k->map + k->at * FRAME);
}

static bool has_come(const struct ring *k)
{
	struct pollfd p = {k->fd, POLLIN, 0};

	for (int i = 0; i < 100 && !(*status(k) & TP_STATUS_USER); i++)
		poll(&p, 1, 50);
	return *status(k) & TP_STATUS_USER;
}

static bool is_next(struct ring *k, const unsigned char *frame, unsigned int offset)
{
	uint32_t first, last;

	memcpy(&first, frame + offset, 4);
	memcpy(&last, frame + offset + PAYLOAD - 4, 4);
	k->got++;
	return check(first == k->got - 1 && last == first, "version %d: %u, not %u", k->version,
		     first, k->got - 1);
}

static void take_frame(struct ring *k)
{
	const unsigned char *f = k->map + k->at * FRAME;
	const struct tpacket_hdr *v1 = (const void *)f;
	const struct tpacket2_hdr *v2 = (const void *)f;

	if (!check(has_come(k), "version %d: frame %u", k->version, k->at))
		return;
	is_next(k, f, k->version == TPACKET_V1 ? v1->tp_mac : v2->tp_mac);
	*status(k) = TP_STATUS_KERNEL;
	k->at = (k->at + 1) % FRAMES;
}

static void take_block(struct ring *k)
{
	const struct tpacket_block_desc *b = (void *)(k->map + k->at * BLOCK);
	const unsigned char *f = (const unsigned char *)b;

	if (!check(has_come(k), "block %u", k->at))
		return;
	f += b->hdr.bh1.offset_to_first_pkt;
	for (uint32_t i = 0; i < b->hdr.bh1.num_pkts; i++) {
		const struct tpacket3_hdr *h = (const void *)f;

		is_next(k, f, h->tp_mac);
		f += h->tp_next_offset;
	}
	*status(k) = TP_STATUS_KERNEL;
	k->at = (k->at + 1) % BLOCKS;
}

static void take(struct ring *k, uint32_t upto)
{
	uint32_t before = k->got - 1;

	while (k->got < upto && before != k->got) {
		before = k->got;
		if (k->version == TPACKET_V3)
			take_block(k);
		else
			take_frame(k);
	}
}

static void make_tx(struct ring *k)
{
	struct tpacket_req q = {BLOCK, BLOCKS, FRAME, FRAMES};

	k->version = TPACKET_V2;
	k->fd = must(socket(AF_PACKET, SOCK_DGRAM, 0));
	must(setsockopt(k->fd, SOL_PACKET, PACKET_VERSION, &k->version, 4));
	must(setsockopt(k->fd, SOL_PACKET, PACKET_TX_RING, &q, sizeof(q)));
	k->map = must_ptr(mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0));
}

static void put_tx(struct ring *k, struct ring *to, int n)
{
	struct sockaddr_ll a = address(to);

	for (int i = 0; i < n; i++) {
		struct tpacket2_hdr *h = (void *)(k->map + k->at * FRAME);
		uint32_t *payload = (uint32_t *)(void *)((char *)h + TPACKET2_HDRLEN -
							 sizeof(struct sockaddr_ll));

		check(h->tp_status == TP_STATUS_AVAILABLE);
		payload[0] = payload[PAYLOAD / 4 - 1] = to->sent++;
		h->tp_len = PAYLOAD;
		h->tp_status = TP_STATUS_SEND_REQUEST;
		check(sendto(k->fd, NULL, 0, 0, (void *)&a, sizeof(a)) == PAYLOAD, "%s",
		      strerror(errno));
		k->at = (k->at + 1) % FRAMES;
	}
}

int main(void)
{
	struct ring v1 = {0}, v2 = {0}, full = {0}, v3 = {0}, frozen = {0}, tx = {0};

	make(&v1, TPACKET_V1);
	put(&v1, 5); /* first round: three of five are read */
	take(&v1, 3);
	make(&v2, TPACKET_V2);
	put(&v2, 10); /* second round, nothing unread */
	take(&v2, 10);
	put(&v2, 11);
	take(&v2, 21);
	make(&full, TPACKET_V2);
	put(&full, FRAMES);
	make_tx(&tx);
	put_tx(&tx, &v2, 3);
	make(&v3, TPACKET_V3);
	put(&v3, 12); /* five in a block */
	take(&v3, 10);
	put(&v3, 11); /* two blocks full, and one that has begun, in the second round */
	make(&frozen, TPACKET_V3);
	put(&frozen, 21); /* the last finds no block */
	frozen.sent--;
	take(&frozen, 5);

	checkpoint();
	put(&v1, 14);
	take(&v1, 19);
	put(&v1, 4);
	take(&v1, 23);
	take(&v2, 24);
	put_tx(&tx, &v2, 14);
	take(&v2, v2.sent);
	take(&full, FRAMES);
	put(&full, 3);
	take(&full, FRAMES + 3);
	take(&v3, 20);
	put(&v3, 9);
	take(&v3, 28);
	put(&frozen, 1);
	take(&frozen, 20);
	put(&frozen, 5);
	take(&frozen, 25);
	return test_end();
}
