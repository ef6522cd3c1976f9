/* The ring of a packet socket belongs to the socket. */
/* harness: net refused=PACKET_RX_RING */
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	struct tpacket_req q = {
	    .tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0));

	must(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	checkpoint();
	return test_end();
}
