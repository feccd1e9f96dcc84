// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The keeper: what it says over its socket, what root makes for it, what it makes of a plan.

#include "fake.h"

#include "base/scope.h"
#include "base/socket.h"
#include "keeper/drop.h"
#include "keeper/keeper.h"
#include "keeper/wire.h"
#include "plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse(const char *text, struct keeper_request *ret, struct err *err)
{
	return keeper_request_parse(text, strlen(text), ret, err);
}

static void test_request(void **state)
{
	struct keeper_request req;
	struct err err;

	(void)state;
	assert_ok(
		parse("{\"op\": \"run\", \"argv\": [\"a\", \"b\"], \"env\": [\"X=1\"], "
		      "\"volumes\": "
		      "[\"/h:/t:ro\"], \"image\": \"/i\", \"user\": \"5\", \"interactive\": true}",
		      &req,
		      &err),
		&err
	);
	assert_int_equal(req.op, KEEPER_RUN);
	assert_string_equal(req.argv[1], "b");
	assert_null(req.argv[2]);
	assert_string_equal(req.env[0], "X=1");
	assert_string_equal(req.volumes[0], "/h:/t:ro");
	assert_string_equal(req.image, "/i");
	assert_true(req.interactive && !req.terminal && !req.detached);
	assert_int_equal(keeper_request_fds(&req), 3);
	keeper_request_done(&req);
	assert_ok(
		parse("{\"op\": \"run\", \"argv\": [\"a\"], \"detached\": true}", &req, &err), &err
	);
	assert_int_equal(keeper_request_fds(&req), 0);
	keeper_request_done(&req);
	assert_ok(parse("{\"op\": \"signal\", \"number\": 15}", &req, &err), &err);
	assert_int_equal(req.signal, SIGTERM);
	keeper_request_done(&req);
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"{\"op\": \"fly\"}", "unknown operation 'fly'"},
		{"{\"op\": \"ps\", \"seconds\": 1}", "seconds"},
		{"{\"op\": \"exec\", \"argv\": [\"a\"], \"image\": \"/i\"}", "image"},
		{"{\"op\": \"run\", \"argv\": []}", "1 to"},
		{"{\"op\": \"run\"}", "1 to"},
		{"{\"op\": \"run\", \"argv\": [\"a\", 1]}", "no string"},
		{"{\"op\": \"run\", \"argv\": [\"a\\u0000b\"]}", "request"},
		{"{\"op\": \"run\", \"argv\": [\"a\"], \"env\": [\"X\"]}", "env"},
		{"{\"op\": \"run\", \"argv\": [\"a\"], \"env\": [\"=X\"]}", "env"},
		{"{\"op\": \"run\", \"argv\": [\"a\"], \"volumes\": [\"h:/t\"]}", "not absolute"},
		{"{\"op\": \"run\", \"argv\": [\"a\"], \"image\": \"i\"}", "not absolute"},
		{"{\"op\": \"run\", \"argv\": [\"a\"], \"detached\": true, \"terminal\": true}",
		 "detached"},
		{"{\"op\": \"signal\", \"number\": 9}", "signal 9"},
		{"{\"op\": \"stop\", \"seconds\": 99999}", "seconds"},
		{"{\"op\": \"stop\"}", "seconds"},
	};
	struct keeper_request req = {.seconds = 77};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(parse(bad[i].text, &req, &err), &err, bad[i].words);
	assert_int_equal(req.seconds, 77);
}

static void test_reply(void **state)
{
	static const char text[] = "{\"status\": 3, \"error\": \"a\\u001b[31m\\nb\"}";
	static const char row[] =
		"{\"status\": 0, \"row\": {\"command\": \"x\\u001b[2J\", \"n\": 1}}";
	struct keeper_reply r;
	struct err err;

	(void)state;
	assert_ok(keeper_reply_parse(text, strlen(text), &r, &err), &err);
	assert_int_equal(r.status, 3);
	assert_string_equal(r.error, "a [31m b");
	assert_ok(keeper_reply_parse(row, strlen(row), &r, &err), &err);
	assert_string_equal(json_string_value(json_object_get(r.row, "command")), "x [2J");
	json_decref(r.row);
	assert_fails(keeper_reply_parse("{}", 2, &r, &err), &err, "status");
	assert_fails(keeper_reply_parse("{\"status\": 256}", 15, &r, &err), &err, "status");
}

// What is cut or has too many descriptors is refused, and nothing of it stays open.
static void test_wire(void **state)
{
	static struct message m;
	const int in[3] = {0, 1, 2};
	int pair[2];
	struct err err;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(wire_send(pair[0], json_pack("{s:s}", "op", "ps"), in, 3, &err), &err);
	assert_ok(wire_receive(pair[1], true, &m, &err), &err);
	assert_int_equal(m.nfds, 3);
	assert_string_equal(m.text, "{\"op\":\"ps\"}");
	message_close(&m);
	assert_fails(wire_send(pair[0], NULL, NULL, 0, &err), &err, "UTF-8");
	{
		_cleanup_free_ char *big = calloc(1, KEEPER_MESSAGE_MAX + 1);

		assert_int_equal(
			send(pair[0], big, KEEPER_MESSAGE_MAX + 1, 0), KEEPER_MESSAGE_MAX + 1
		);
		assert_fails(wire_receive(pair[1], true, &m, &err), &err, "too long");
		assert_int_equal(m.nfds, 0);
	}
	assert_fails(wire_receive(pair[1], true, &m, &err), &err, "hear");
	assert_int_equal(err.code, EAGAIN);
	close(pair[0]);
	assert_ok(wire_receive(pair[1], true, &m, &err), &err);
	assert_int_equal(m.len, 0);
	close(pair[1]);
}

// Where the kernel can, it refuses them at who sends, and text still comes.
static void test_wire_refuses_files(void **state)
{
	static struct message m;
	const int in[3] = {0, 1, 2}, on = 1;
	int pair[2];
	struct err err;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (setsockopt(pair[1], SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on)) < 0)
		skip_because("this kernel has no SO_PASSRIGHTS (6.16)");
	socket_refuse_fds(pair[1]);
	assert_fails(
		wire_send(pair[0], json_pack("{s:s}", "op", "ps"), in, 3, &err),
		&err,
		"not permitted"
	);
	assert_ok(wire_send(pair[0], json_pack("{s:s}", "op", "ps"), NULL, 0, &err), &err);
	assert_ok(wire_receive(pair[1], true, &m, &err), &err);
	assert_int_equal(m.nfds, 0);
	close(pair[0]);
	close(pair[1]);
}

// Closing gives the caller's locks of a file back, and lets a file system that nobody serves keep it waiting.
static void test_wire_takes_no_file(void **state)
{
	static struct message m;
	_cleanup_fclose_ FILE *file = tmpfile();
	struct flock lock = {.l_type = F_WRLCK};
	int pair[2], number, status = 0;
	struct err err;
	pid_t pid;

	(void)state;
	assert_non_null(file);
	number = fileno(file);
	assert_int_equal(fcntl(number, F_SETLK, &lock), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(wire_send(pair[0], json_pack("{s:i}", "status", 0), &number, 1, &err), &err);
	assert_fails(wire_receive(pair[1], false, &m, &err), &err, "descriptors");
	assert_ok(wire_send(pair[0], json_pack("{s:i}", "status", 0), NULL, 0, &err), &err);
	assert_ok(wire_receive(pair[1], false, &m, &err), &err);
	pid = fork();
	if (pid == 0) {
		struct flock other = {.l_type = F_WRLCK};

		_exit(fcntl(number, F_GETLK, &other) == 0 && other.l_type == F_WRLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pair[0]);
	close(pair[1]);
}

// ---- plans

static const char *const program[] = {"/usr/bin/true", NULL};

static void plan(
	const char *machine,
	const char *flags,
	enum site_place place,
	uint32_t base,
	struct plan *ret
)
{
	const struct holdings nobody = {0};
	struct launch launch = {
		.site = fake_site(place),
		.argv = (char *const *)program,
		.inside = PEN_DIR "/tools/pinfold-inside",
	};
	struct lease lease = {.uid_base = base};
	struct hostfs fs;
	struct host host;
	struct err err;

	fake_open(machine, &fs, &host);
	fake_grant(&host, &nobody, flags, &lease.grant);
	lease.grant.owner_uid = 1000;
	lease.grant.owner_gid = 100;
	host.apparmor = HOST_APPARMOR_READY; // as root has found it
	assert_ok(plan_build(&lease, &launch, &host, &fs, ret, &err), &err);
	host_done(&host);
	hostfs_close(&fs);
}

static const struct step *find(const struct plan *p, enum step_kind kind, const char *part)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		if (p->steps[i].kind == kind && strstr(p->steps[i].path, part) != NULL)
			return &p->steps[i];
	}
	return NULL;
}

static void check_set(const struct plan *p, const char *file, const char *value)
{
	const struct step *s = find(p, STEP_SET, file);

	assert_non_null(s);
	assert_string_equal(s->value, value);
}

// Root's part: it enters a part of the box that is not the workload's, and nothing there belongs to the
// owner.
static void check_pen(const char *machine, bool v2)
{
	struct plan p;

	plan(machine, "cpu-count=1 hugepages=2M=8 memory=64M pids=10", PLACE_KEEPER, 0x70000000, &p
	);
	assert_null(p.oci);
	assert_non_null(find(&p, STEP_JOIN, "/pinfold/x/box/keeper"));
	assert_null(find(&p, STEP_JOIN, "/work"));
	assert_null(find(&p, STEP_JOIN, "/super"));
	assert_null(find(&p, STEP_SET, "/keeper/memory.oom.group"));
	check_set(&p, "/box/work/pids.max", "11");
	check_set(&p, "/box/keeper/pids.max", "64");
	assert_null(find(&p, STEP_SET, "/box/pids.max"));
	check_set(&p, v2 ? "/work/memory.max" : "/work/memory.limit_in_bytes", "67108864");
	check_set(&p, v2 ? "/keeper/memory.max" : "/keeper/memory.limit_in_bytes", "100663296");
	assert_non_null(find(&p, STEP_GIVE, v2 ? "/box/cgroup.procs" : "/work/tasks"));
	assert_null(find(&p, STEP_GIVE, "/keeper/"));
	assert_non_null(find(&p, STEP_HUGETLBFS, PEN_DIR "/huge/2M"));
	for (unsigned i = 0; i < p.nsteps; i++) {
		if (p.steps[i].uid == 1000)
			assert_string_equal(p.steps[i].path, PEN_DIR "/state");
	}
	plan_done(&p);
}

static void test_pen(void **state)
{
	struct plan p;

	(void)state;
	check_pen("two", false);
	check_pen("two-v2", true);
	plan("two", "cpu-count=1", PLACE_KEEPER, 0x70000000, &p);
	assert_string_equal(find(&p, STEP_BIND, PEN_DIR "/root/usr")->value, "/usr");
	assert_string_equal(find(&p, STEP_BIND, "/dev/null")->value, PEN_DIR "/dev/null");
	assert_string_equal(find(&p, STEP_SET, "/box/devices.deny")->value, "a");
	plan_done(&p);
	plan("two-v2", "cpu-count=1", PLACE_KEEPER, 0x70000000, &p);
	assert_string_equal(
		find(&p, STEP_DEVICES, "/x/box")->value, "1:3 1:5 1:7 1:8 1:9 5:0 5:2 136:*"
	);
	plan_done(&p);
}

// The keeper's part: its fence, with what root made in it, and no cgroup.
static void test_kept(void **state)
{
	struct plan p;
	json_t *linux_part, *e;
	bool huge = false;
	size_t i;

	(void)state;
	plan("two", "cpu-count=1 hugepages=2M=8 link=memif:x", PLACE_KEPT, PEN_RANGE_FIRST, &p);
	assert_string_equal(
		json_string_value(
			json_object_get(json_object_get(p.oci, "process"), "apparmorProfile")
		),
		APPARMOR_PROFILE
	);
	for (unsigned k = 0; k < p.nsteps; k++) {
		assert_int_equal(p.steps[k].where, STEP_FENCE);
		assert_int_not_equal(p.steps[k].kind, STEP_HUGETLBFS);
		assert_int_not_equal(p.steps[k].kind, STEP_NODE);
		assert_true(str_starts(p.steps[k].path, FENCE_DIR));
	}
	// layers are what root has bound: no mount of the host lies below them
	assert_string_equal(
		find(&p, STEP_OVERLAY, "/root/usr")->value,
		"lowerdir=" FENCE_DIR "/none:" PEN_DIR "/root/usr"
	);
	linux_part = json_object_get(p.oci, "linux");
	assert_null(json_object_get(linux_part, "resources"));
	assert_null(json_object_get(linux_part, "cgroupsPath"));
	json_array_foreach (json_object_get(linux_part, "namespaces"), i, e)
		assert_string_not_equal(json_string_value(json_object_get(e, "type")), "cgroup");
	e = json_array_get(json_object_get(linux_part, "uidMappings"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "hostID")), PEN_RANGE_FIRST);
	json_array_foreach (json_object_get(p.oci, "mounts"), i, e) {
		const char *source = json_string_value(json_object_get(e, "source"));

		assert_false(str_starts(source, FENCE_DIR "/huge"));
		huge = huge || str_eq(source, PEN_DIR "/huge/2M");
	}
	assert_true(huge);
	assert_non_null(strstr(find(&p, STEP_FILE, "config.json")->value, PEN_DIR "/huge/2M"));
	json_array_foreach (p.argv, i, e) {
		assert_string_not_equal(json_string_value(e), RUNTIME_DIR);
		assert_string_not_equal(json_string_value(e), "--cgroup-manager=cgroupfs");
	}
	plan_done(&p);
}

static long session_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

// The keys of a session are not those of another.
static void test_keys(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (session_keyring() < 0 && errno == ENOSYS)
		skip_because("this kernel has no keyrings");
	pid = fork();
	if (pid == 0) {
		struct err err;
		long mine, theirs;
		char held[64];

		syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "test");
		mine = session_keyring();
		if (syscall(SYS_add_key, "user", "secret", "x", 1, mine) < 0)
			_exit(2);
		if (drop_keys(&err) < 0)
			_exit(3);
		theirs = session_keyring();
		_exit(mine == theirs
		      || syscall(SYS_keyctl, KEYCTL_READ, theirs, held, sizeof(held)) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_wire_refuses_files),
		cmocka_unit_test(test_wire_takes_no_file),
		cmocka_unit_test(test_pen),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
