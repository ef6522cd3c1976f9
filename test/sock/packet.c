/* Packet sockets: protocol and interface, promiscuous and multicast memberships, a fanout group,
 * options; packets arrive. */
/* harness: net */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "../lib/test.h"

static int lo;

static int make(int type, int protocol)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons((uint16_t)protocol),
				.sll_ifindex = lo};
	int fd = must(socket(AF_PACKET, type, 0));

	must(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void join(int fd, int type, const char *address)
{
	struct packet_mreq q = {.mr_ifindex = lo, .mr_type = (uint16_t)type, .mr_alen = 6};

	memcpy(q.mr_address, address, 6);
	must(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof(q)));
}

/* A local experimental protocol: nobody else gets it. */
static void send_one(int fd)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_802_EX1),
				.sll_ifindex = lo,
				.sll_halen = 6};

	check(sendto(fd, "packet", 6, 0, (void *)&a, sizeof(a)) == 6, "%s", strerror(errno));
}

int main(void)
{
	struct sockaddr old_name = {.sa_family = AF_PACKET, .sa_data = "lo"};
	int cooked, all, old, group[2], fresh, value = 0, fanout = 77 | PACKET_FANOUT_LB << 16;
	struct sockaddr_ll a;
	char buf[100];

	lo = (int)if_nametoindex("lo");
	cooked = make(SOCK_DGRAM, ETH_P_802_EX1);
	all = make(SOCK_RAW, 0x9999);
	old = must(socket(AF_PACKET, SOCK_PACKET, htons(0x9997)));
	must(bind(old, &old_name, sizeof(old_name)));
	fresh = must(socket(AF_PACKET, SOCK_RAW, 0));
	join(all, PACKET_MR_PROMISC, "\0\0\0\0\0");
	join(all, PACKET_MR_PROMISC, "\0\0\0\0\0");
	join(all, PACKET_MR_MULTICAST, "\1\0\x5e\1\2\3");
	must(setsockopt(all, SOL_PACKET, PACKET_AUXDATA, &(int){1}, 4));
	must(setsockopt(all, SOL_PACKET, PACKET_VERSION, &(int){TPACKET_V2}, 4));
	must(setsockopt(all, SOL_PACKET, PACKET_RESERVE, &(int){48}, 4));
	for (int i = 0; i < 2; i++) {
		group[i] = make(SOCK_RAW, 0x9998);
		must(setsockopt(group[i], SOL_PACKET, PACKET_FANOUT, &fanout, 4));
	}

	checkpoint();
	send_one(cooked);
	check(recv(cooked, buf, sizeof(buf), 0) == 6 && !memcmp(buf, "packet", 6));
	check(!getsockopt(all, SOL_PACKET, PACKET_RESERVE, &value, &(socklen_t){4}) && value == 48);
	check(!getsockopt(group[1], SOL_PACKET, PACKET_FANOUT, &value, &(socklen_t){4}) &&
	      value == fanout);
	check(!getsockname(all, (void *)&a, &(socklen_t){sizeof(a)}) &&
	      a.sll_protocol == htons(0x9999) && a.sll_ifindex == lo);
	check(!getsockname(old, &old_name, &(socklen_t){sizeof(old_name)}) &&
	      !strcmp(old_name.sa_data, "lo"));
	check(!getsockname(fresh, (void *)&a, &(socklen_t){sizeof(a)}) && !a.sll_protocol);
	return test_end();
}
