/* A family without a kind is refused by its name. */
/* harness: net refused=AF_ALG */
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	if (socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && socket(AF_KEY, SOCK_RAW, 2) < 0)
		skip("no such family: %s", strerror(errno));
	checkpoint();
	return test_end();
}
