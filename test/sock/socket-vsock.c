/* A vsock socket that nothing was done with is made again. */
/* harness: net */
#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include "../lib/test.h"

int main(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), domain = 0;
	struct sockaddr_vm a = {.svm_family = AF_VSOCK,
				.svm_port = VMADDR_PORT_ANY,
				.svm_cid = VMADDR_CID_ANY};

	if (fd < 0)
		skip("no vsock: %s", strerror(errno));
	checkpoint();
	check(!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ 4 }) &&
	      domain == AF_VSOCK);
	check(!bind(fd, (void *)&a, sizeof(a)) || errno == EADDRNOTAVAIL, "%s", strerror(errno));
	return test_end();
}
