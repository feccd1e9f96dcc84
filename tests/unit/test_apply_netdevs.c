// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is written down of interfaces, and what answers of the kernel's are taken for. That they are moved and come back is
// tried in tests/e2e/pinfold/test_netdev.py.

#include "scratch.h"

#include "apply/apply.h"
#include "apply/netdevs.h"
#include "apply/netlink.h"
#include "apply/rdma.h"
#include "host/hostfs.h"

#include <rdma/rdma_netlink.h>
#include <sys/socket.h>

static void put(const char *text)
{
	_cleanup_close_ int fd = openat(topfd, "netdevs.json", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void record_is_read_as_it_was_written(void **)
{
	static const struct link_address six = {
		.family = AF_INET6, .prefix = 64, .local = "2001:db8::1", .peer = "2001:db8::1"};
	static struct netdev_record r = {
		.n = 1,
		.was[0] =
			{.name = "ens1",
			 .inode = (UINT64_C(7) << 32) + 4711,
			 .device = "devices/pci0000:00/0000:00:04.0/net/ens1",
			 .lower = 4712,
			 .lower_device = "devices/virtual/net/far",
			 .rdma = "mlx5_0",
			 .flags = IFF_UP | IFF_PROMISC,
			 .mtu = 9000,
			 .mac_len = 6,
			 .mac = {0x02, 0, 0xff, 1, 2, 3},
			 .naltnames = 1,
			 .altnames = {"enp0s4"},
			 .naddresses = 2},
	};
	static struct netdev_record back;
	struct link_address four = {
		.family = AF_INET,
		.prefix = 24,
		.scope = 253,
		.local = "192.0.2.1",
		.peer = "192.0.2.2",
		.broadcast = "192.0.2.255"};
	struct hostfs fs;
	struct err err;

	assert_ok(hostfs_open("/", &fs, &err), &err);
	hostfs_boot_id(fs.root, r.boot_id);
	assert_int_equal(strlen(r.boot_id), 36);
	r.was[0].addresses[0] = six;
	r.was[0].addresses[1] = four;
	assert_int_equal(netdev_record_read(topfd, &back, &err), -ENOENT);
	assert_ok(netdev_record_write(topfd, &r, &err), &err);
	assert_true(netdev_record_exists(topfd));
	assert_ok(netdev_record_read(topfd, &back, &err), &err);
	assert_true(netdev_record_of_this_boot(&fs, &back));
	assert_memory_equal(&back, &r, sizeof(r));
	back.boot_id[0] = back.boot_id[0] == '0' ? '1' : '0';
	assert_false(netdev_record_of_this_boot(&fs, &back));
	assert_ok(netdev_record_remove(topfd, &err), &err);
	assert_false(netdev_record_exists(topfd));
	assert_ok(netdev_record_remove(topfd, &err), &err);
	hostfs_close(&fs);
}

// Or they would be lost without a word.
static void what_cannot_be_written_is_not_taken(void **)
{
	static struct netdev_record r = {.n = 1, .was[0] = {.name = "ens1"}};
	struct err err;

	r.was[0].naltnames = 1;
	strcpy(r.was[0].altnames[0], "\xff");
	assert_fails(netdev_record_write(topfd, &r, &err), &err, "'ens1': it cannot be written");
	assert_false(netdev_record_exists(topfd));
}

static void records_of_others_are_refused(void **)
{
	static struct netdev_record r;
	struct err err;

	put("{}");
	assert_fails(netdev_record_read(topfd, &r, &err), &err, "'netdevs'");
	put("{\"netdevs\": [{\"netdev\": \"a-name-that-is-too-long\"}]}");
	assert_fails(netdev_record_read(topfd, &r, &err), &err, "'netdev' is too long");
	put("{\"netdevs\": [{\"netdev\": \"a\", \"inode\": 1, \"device\": \"d\", \"flags\": 1,"
	    "\"mtu\": 1, \"mac\": \"0z\", \"altnames\": [], \"addresses\": []}]}");
	assert_fails(netdev_record_read(topfd, &r, &err), &err, "'mac' is no address");
}

static void only_what_is_ours_is_undone(void **)
{
	static const char *const paths[] = {
		"/etc", PLAN_NETDEVS "/", PLAN_NETDEVS "/..", PLAN_NETDEVS "/a/b"};
	struct ledger l = {.defs = -1, .leases = -1, .lock = -1};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_fails(netdevs_return(&l, paths[i], &err), &err, "not below");
	assert_ok(netdevs_return(&l, PLAN_NETDEVS "/no-lease-of-that-name", &err), &err);
}

static void function_of_a_moved_interface_is_held(void **)
{
	static struct netdev_record r = {
		.n = 2,
		.was[0] = {.name = "ens1", .device = "devices/pci0000:00/0000:00:04.0/net/ens1"},
		.was[1] =
			{.name = "m0",
			 .device = "devices/virtual/net/m0",
			 .lower = 4711,
			 .lower_device = "devices/pci0000:00/0000:00:05.0/net/ens2"},
	};
	struct host_pci functions[] = {
		{.bdf = "0000:00:04.0"}, {.bdf = "0000:00:04.1"}, {.bdf = "0000:00:05.0"}};
	struct host_netdev interfaces[] = {
		{.name = "ens2", .inode = 4711}, {.name = "ens3", .inode = 4712}, {.name = "x"}};
	struct host h = {.npci = 3, .pci = functions, .nnetdevs = 3, .netdevs = interfaces};
	struct ledger l = {.defs = -1, .leases = -1, .lock = -1};
	struct netdev_holder holder;
	char path[128];
	struct err err;
	int dir;

	assert_ok(hostfs_open(top, &l.fs, &err), &err);
	assert_false(netdevs_holder(&l, "0000:00:04.0", &holder));
	snprintf(path, sizeof(path), "%s" PLAN_NETDEVS "/fw", top);
	dir = fs_mkdirs(path, 0700, &err);
	assert_true(dir >= 0);
	assert_ok(netdev_record_write(dir, &r, &err), &err);
	close(dir);
	assert_true(netdevs_holder(&l, "0000:00:04.0", &holder));
	assert_string_equal(holder.netdev, "ens1");
	assert_string_equal(holder.lease, "fw");
	assert_false(netdevs_holder(&l, "0000:00:04.1", &holder));
	assert_true(netdevs_holder(&l, "0000:00:05.0", &holder));
	assert_string_equal(holder.netdev, "m0");
	assert_ok(netdevs_mark(&l, &h, &err), &err);
	assert_string_equal(functions[0].lent, "ens1");
	assert_string_equal(functions[1].lent, "");
	assert_string_equal(functions[2].lent, "m0");
	assert_string_equal(interfaces[0].lent, "m0");
	assert_string_equal(interfaces[1].lent, "");
	assert_string_equal(interfaces[2].lent, "");
	hostfs_close(&l.fs);
}

static void attributes_end_with_the_message(void **)
{
	struct netlink_message m;
	struct netlink_list list;
	const struct rtattr *a;

	netlink_begin(&m, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	netlink_put_text(&m, IFLA_IFNAME, "eth0");
	netlink_put_u32(&m, IFLA_MTU, 1500);
	list = netlink_list(&m.head, sizeof(struct ifinfomsg));
	a = netlink_next(&list);
	assert_int_equal(a->rta_type, IFLA_IFNAME);
	assert_string_equal(RTA_DATA(a), "eth0");
	a = netlink_next(&list);
	assert_int_equal(a->rta_type, IFLA_MTU);
	assert_null(netlink_next(&list));
	// one that says it is longer than the message, one that is shorter than its own head
	list = netlink_list(&m.head, sizeof(struct ifinfomsg));
	((struct rtattr *)(uintptr_t)list.at)->rta_len = 200;
	assert_null(netlink_next(&list));
	((struct rtattr *)(uintptr_t)list.at)->rta_len = 3;
	assert_null(netlink_next(&list));
	m.head.nlmsg_len = NLMSG_HDRLEN;
	list = netlink_list(&m.head, sizeof(struct ifinfomsg));
	assert_null(netlink_next(&list));
}

// Queues of a program, and of parts of the kernel.
static bool used_by(const char *const *names, char ret[static RDMA_USER])
{
	struct netlink_message m;
	struct rtattr *all, *one;

	netlink_begin(&m, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_RES_QP_GET), 0, 0);
	netlink_put_u32(&m, RDMA_NLDEV_ATTR_DEV_INDEX, 1);
	all = netlink_nest(&m, RDMA_NLDEV_ATTR_RES_QP);
	for (; *names != NULL; names++) {
		one = netlink_nest(&m, RDMA_NLDEV_ATTR_RES_QP_ENTRY);
		netlink_put_u32(&m, RDMA_NLDEV_ATTR_RES_LQPN, 1);
		if ((*names)[0] == '\0')
			netlink_put_u32(&m, RDMA_NLDEV_ATTR_RES_PID, 4711);
		else
			netlink_put_text(&m, RDMA_NLDEV_ATTR_RES_KERN_NAME, *names);
		netlink_nest_end(&m, one);
	}
	netlink_nest_end(&m, all);
	return rdma_user_in(&m.head, ret);
}

static void kernel_that_uses_an_infiniband_device(void **)
{
	static const char *const own[] = {"ib_core", "mlx5_ib", "", NULL};
	static const char *const nvme[] = {"ib_core", "", "rdma_cm", NULL};
	static const char *const none[] = {NULL};
	static const char *const hostile[] = {
		"ib_core", "a-name-that-is-longer-than-any\x1b[1m", NULL};
	char user[RDMA_USER];

	assert_false(used_by(none, user));
	assert_false(used_by(own, user));
	assert_true(used_by(nvme, user));
	assert_string_equal(user, "rdma_cm");
	assert_true(used_by(hostile, user));
	assert_null(strchr(user, '\x1b'));
	assert_true(rdma_kernel_user("no-such-device", user) < 0);
}

static int count(const struct nlmsghdr *, void *arg)
{
	++*(unsigned *)arg;
	return 0;
}

// What the kernel says: one interface, and the end of the list with that error.
static int asked(unsigned flags, int error, unsigned *seen)
{
	struct {
		struct nlmsghdr link;
		struct nlmsghdr done;
		int error;
	} answer = {
		.link = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = RTM_NEWADDR},
		.done = {.nlmsg_len = NLMSG_LENGTH(sizeof(int)), .nlmsg_type = NLMSG_DONE},
		.error = error,
	};
	struct netlink_message m;
	int ends[2], r;

	netlink_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	answer.link.nlmsg_seq = answer.done.nlmsg_seq = m.head.nlmsg_seq;
	answer.link.nlmsg_flags = (uint16_t)flags;
	// of this kind a socket takes no heed of whom is written to
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(write(ends[1], &answer, sizeof(answer)), sizeof(answer));
	*seen = 0;
	r = netlink_ask(ends[0], &m, count, seen);
	close(ends[0]);
	close(ends[1]);
	return r;
}

static void lists_that_are_not_whole(void **)
{
	unsigned seen;

	assert_int_equal(asked(NLM_F_MULTI, 0, &seen), 0);
	assert_int_equal(seen, 1);
	assert_int_equal(asked(NLM_F_MULTI, -ENOBUFS, &seen), -ENOBUFS);
	assert_int_equal(asked(NLM_F_MULTI | NLM_F_DUMP_INTR, 0, &seen), -EINTR);
	assert_int_equal(seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(record_is_read_as_it_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_written_is_not_taken, setup, teardown
		),
		cmocka_unit_test_setup_teardown(records_of_others_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			function_of_a_moved_interface_is_held, setup, teardown
		),
		cmocka_unit_test(only_what_is_ours_is_undone),
		cmocka_unit_test(attributes_end_with_the_message),
		cmocka_unit_test(kernel_that_uses_an_infiniband_device),
		cmocka_unit_test(lists_that_are_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
