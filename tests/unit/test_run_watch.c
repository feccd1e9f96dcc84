// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which of the kernel's events wake a supervisor: the filter is of the kernel's, on a socket of ours.

#include "unit.h"

#include "base/scope.h"
#include "base/str.h"
#include "run/watch_cpus.h"

#include <string.h>
#include <sys/socket.h>

static bool passes(bool nics, const char *event)
{
	char got[256];
	int fds[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(cpu_watch_filter(fds[0], nics), 0);
	assert_true(send(fds[1], event, strlen(event) + 1, 0) > 0);
	n = recv(fds[0], got, sizeof(got), 0);
	scope_close(&fds[0]);
	scope_close(&fds[1]);
	return n > 0;
}

static void cpus(void **)
{
	static const char *const actions[] = {"add", "change", "remove", "online", "offline"};
	char event[128];

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		snprintf(event, sizeof(event), "%s@/devices/system/cpu/cpu1", actions[i]);
		assert_true(passes(false, event) && passes(true, event));
	}
	assert_false(passes(false, "remove@/devices/pci0000:00/0000:00:03.0"));
	assert_false(passes(true, "add@/devices/pci0000:00/0000:00:03.0/net/eth0"));
}

// Below whatever bus of the machine.
static void nics(void **)
{
	static const char *const gone[] = {
		"remove@/devices/pci0000:00/0000:00:03.0",
		"remove@/devices/platform/40000000.pcie/pci0000:00/0000:00:03.0",
		"remove@/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/x/pci0001:00/"
		"0001:00:02.0",
		"remove@/devices/virtual/vfio/40",
	};

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		assert_true(passes(true, gone[i]));
		assert_false(passes(false, gone[i]));
	}
	assert_false(passes(true, "remove@/devices/virtual/net/veth0"));
	assert_false(passes(true, "remove@/module/vfio_pci"));
	assert_false(passes(true, "remove@/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus),
		cmocka_unit_test(nics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
