/* A virtual machine is refused by name. */
/* harness: refused=kvm-vm */
#include "test.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0)
		skip("no virtual machines: %s", strerror(errno));
	close(kvm);
	checkpoint();
	return test_end();
}
