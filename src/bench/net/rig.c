// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A rig's begin and end.

#include "bench/net/rig.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/control.h"
#include "bench/net/launch.h"
#include "bench/net/process.h"
#include "bench/net/remote.h"
#include "bench/net/traffic.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define START_MS 20000	   // until a program answers, and until packets come back
#define EMULATED_MS 120000 // the same where the function's CPU is emulated
#define LOOK_MS 2
#define REST_MS 20 // until a stopped core has left its last burst
#define END_MS 10000
#define PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB"

// There is no process of the function's own.
static bool alone(const struct rig_how *how)
{
	return how->env == NULL || how->link == RIG_RING;
}

// ---- until they are there

// It has ended before its time, or ctrl-C was pressed.
static int check(struct bench *b, struct rig_drover *d, struct err *err)
{
	char line[400];

	if (bench_check(err) < 0)
		return -err->code;
	if (child_runs(b, &d->child))
		return 0;
	child_last_line(d->log, line, sizeof(line));
	return err_set(
		err,
		EIO,
		"%s ended with status %d%s%s",
		d->what,
		d->child.status,
		line[0] != '\0' ? ": " : "",
		line
	);
}

static void connect_to(
	const struct bench *b, struct rig_drover *d, const char *role, const struct rig_how *how
)
{
	const unsigned n = how->number;
	_cleanup_free_ char *path = NULL;
	struct err none;

	if (str_eq(role, "tester") && remote_tests(b, how)) {
		path = remote_socket(b, how);
		d->control = control_open(path, &none);
		return;
	}
	if (d->pid == 0)
		d->pid = process_find(d->child.pid, "drover");
	if (d->pid == 0)
		return;
	path = bench_path(b, "%u-%s/dpdk/%s/drover.sock", n, role, role);
	if (access(path, F_OK) != 0) {
		free(path);
		path = need(str_printf("/proc/%d/root/run/dpdk/%s/drover.sock", (int)d->pid, role));
	}
	d->control = control_open(path, &none);
}

static bool polls(struct rig_drover *d)
{
	_cleanup_json_ json_t *info = NULL;
	struct err none;

	if (control_ask(d->control, d->what, json_pack("{s:s}", "request", "info"), &info, &none)
	    == 0)
		return json_is_true(json_object_get(info, "traffic"));
	// ssh takes a connection that nobody is at the other end of yet
	scope_close(&d->control);
	d->control = -1;
	return false;
}

// answers: as soon as it can be asked; else once its cores poll.
static int wait_ready(
	struct bench *b,
	struct rig_drover *d,
	const char *role,
	const struct rig_how *how,
	bool answers,
	struct err *err
)
{
	int64_t until = clock_ms() + START_MS;

	for (;;) {
		if (check(b, d, err) < 0)
			return -err->code;
		if (d->control < 0)
			connect_to(b, d, role, how);
		if (d->control >= 0 && (answers || polls(d)))
			break;
		if (clock_ms() > until)
			return err_set(
				err, ETIMEDOUT, "%s: not ready after %d s", d->what, START_MS / 1000
			);
		nap_ms(LOOK_MS);
	}
	d->tid = d->pid > 0 ? process_thread(d->pid, "worker") : 0;
	return 0;
}

// QEMU waits for the sockets of its links, and its user is not root.
static void open_sockets(const struct bench *b, const struct rig_how *how)
{
	static const char *const ends[] = {"in", "out"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_free_ char *path = launch_link(b, how, ends[i]);

		(void)!chmod(path, 0666);
	}
}

// The directories of a virtual machine's links, which its start makes.
static int wait_links(struct bench *b, struct rig *rig, struct err *err)
{
	_cleanup_free_ char *path = launch_link(b, rig->how, "out");
	int64_t until = clock_ms() + START_MS;

	*strrchr(path, '/') = '\0';
	while (access(path, F_OK) != 0) {
		if (check(b, &rig->vnf, err) < 0)
			return -err->code;
		if (clock_ms() > until)
			return err_set(err, ETIMEDOUT, "'%s' does not come", path);
		nap_ms(LOOK_MS);
	}
	return 0;
}

// ---- both

static int find_tasks(struct rig *rig, struct err *err)
{
	_cleanup_json_ json_t *stats = NULL;
	const json_t *task;
	const char *name;

	if (control_ask(
		    rig->tester.control,
		    rig->tester.what,
		    json_pack("{s:s}", "request", "stats"),
		    &stats,
		    err
	    )
	    < 0)
		return -err->code;
	json_object_foreach (json_object_get(stats, "tasks"), name, task) {
		const char *mode = json_string_value(json_object_get(task, "mode")) ?: "";

		if (str_eq(mode, "gen") && rig->ngens < RIG_TASKS)
			snprintf(rig->gen[rig->ngens++], sizeof(rig->gen[0]), "%s", name);
		if (str_eq(mode, "lat") && rig->nlats < RIG_TASKS)
			snprintf(rig->lat[rig->nlats++], sizeof(rig->lat[0]), "%s", name);
	}
	return rig->ngens > 0 && rig->nlats > 0
		       ? 0
		       : err_set(err, EPROTO, "the tester has no generator or no meter");
}

// The generators have sent a little from the start.
static int wait_packets(struct bench *b, struct rig *rig, struct err *err)
{
	bool emulated = rig->how->env != NULL && rig->how->env->kind == ENV_VM;
	unsigned most = emulated ? EMULATED_MS : START_MS;
	int64_t until = clock_ms() + most;

	for (;;) {
		struct window w;

		if (check(b, &rig->tester, err) < 0
		    || (!alone(rig->how) && check(b, &rig->vnf, err) < 0)
		    || traffic_read(rig, &w, err) < 0)
			return -err->code;
		if (w.received > 0)
			return 0;
		if (clock_ms() > until)
			return err_set(err, ETIMEDOUT, "no packet came back in %u s", most / 1000);
		nap_ms(LOOK_MS);
	}
}

// One way teaches the function what it must know for the other.
static int warm_up(struct rig *rig, struct err *err)
{
	unsigned packets = rig->how->function->warm_up;
	double pps = 400e3;

	if (packets == 0 || rig->how->env == NULL)
		return 0;
	if (traffic_rate(rig, 0, pps, err) < 0 || traffic_start(rig, 0, err) < 0)
		return -err->code;
	bench_pause((unsigned)(1e3 * packets / pps));
	return traffic_stop(rig, err);
}

static int start_vnf(struct bench *b, struct rig *rig, struct err *err)
{
	int r = launch_vnf(b, rig, err);

	if (r < 0)
		return r;
	// in a guest it cannot be asked: packets that come back say that it is there
	if (rig->how->env->kind == ENV_VM) {
		r = wait_links(b, rig, err);
		// it polls on the thread of its CPU (debug-threads=on in plan/vm_args.c): "CPU 0/TCG"
		rig->vnf.pid = process_find(
			rig->vnf.child.pid, "qemu-system-x86"
		); // as the kernel cuts it
		rig->vnf.tid = rig->vnf.pid > 0 ? process_thread(rig->vnf.pid, "CPU ") : 0;
		return r;
	}
	r = wait_ready(b, &rig->vnf, "vnf", rig->how, false, err);
	rig->ready_s = (double)(clock_ns() - rig->vnf.child.began_ns) / 1e9;
	return r;
}

static int start_tester(struct bench *b, struct rig *rig, struct err *err)
{
	// its generators wait until the guest has taken the links
	bool vm = rig->how->env != NULL && rig->how->env->kind == ENV_VM;

	if (launch_tester(b, rig, err) < 0
	    || wait_ready(b, &rig->tester, "tester", rig->how, vm, err) < 0)
		return -err->code;
	if (vm)
		open_sockets(b, rig->how);
	return 0;
}

// The tester and the first packets.
static int begin(struct bench *b, struct rig *rig, struct err *err)
{
	struct window w;

	if (start_tester(b, rig, err) < 0 || find_tasks(rig, err) < 0
	    || wait_packets(b, rig, err) < 0 || traffic_stop(rig, err) < 0)
		return -err->code;
	return warm_up(rig, err) < 0 || traffic_settle(rig, &w, err) < 0 ? -err->code : 0;
}

int rig_start(struct bench *b, const struct rig_how *how, struct rig *ret, struct err *err)
{
	int r;

	*ret = RIG_INIT;
	ret->b = b;
	ret->how = how;
	r = alone(how) ? 0 : start_vnf(b, ret, err);
	if (r == 0 && how->function->tester != NULL)
		r = begin(b, ret, err);
	if (r < 0)
		rig_end(ret);
	return r;
}

// What it is wrapped in may keep a signal to itself, as unshare --fork does, and would be waited for in vain.
static void tell_to_end(const struct rig_drover *d)
{
	if (d->pid > 0 && d->child.pid != 0 && process_find(d->child.pid, "drover") == d->pid)
		kill(d->pid, SIGTERM);
}

static void end_one(struct rig *rig, struct rig_drover *d)
{
	scope_close(&d->control);
	d->control = -1;
	// on a second machine it ends by that, and its ports are free then
	if (d->child.pid != 0 && d->child.in >= 0) {
		struct err none;

		scope_close(&d->child.in);
		d->child.in = -1;
		child_wait(rig->b, &d->child, END_MS, &none);
	}
	tell_to_end(d);
	child_stop(rig->b, &d->child, END_MS);
	free(d->log);
	d->log = NULL;
}

// A memif that polls may crash when its other end goes: both rest first.
void rig_end(struct rig *rig)
{
	struct rig_drover *const both[] = {&rig->tester, &rig->vnf};
	struct err none;

	if (rig->b == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		if (both[i]->control >= 0)
			control_tell(
				both[i]->control,
				both[i]->what,
				json_pack("{s:s}", "request", "stop"),
				&none
			);
	}
	nap_ms(REST_MS);
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		end_one(rig, both[i]);
	*rig = RIG_INIT;
}

// ---- what it takes

static uint64_t pages(const char *path)
{
	_cleanup_free_ char *text = NULL;

	return fs_read_file(path, 64, &text, NULL) < 0 ? 0 : strtoull(text, NULL, 10);
}

// Some that are free are promised already.
static uint64_t free_pages(void)
{
	uint64_t free_ = pages(PAGES "/free_hugepages"), promised = pages(PAGES "/resv_hugepages");

	return free_ > promised ? free_ - promised : 0;
}

bool rig_lacks(const struct bench *b, struct reasons *r)
{
	uint64_t left = free_pages();
	bool can = true;

	if (b->drover == NULL) {
		lacks(r, "drover is not beside pinfold");
		can = false;
	}
	if (b->ncpus < 2 && b->remote == NULL) {
		lacks(r, "only one CPU: the tester and the function poll, and need one each");
		can = false;
	}
	if (left < RIG_PAGES) {
		lacks(r,
		      "%llu hugepages of 2 MiB are free, and it takes %u: reserve them in "
		      "/proc/sys/vm/nr_hugepages",
		      (unsigned long long)left,
		      RIG_PAGES);
		can = false;
	}
	return can;
}

bool rig_lacks_vm(const struct bench *b, struct reasons *r)
{
	const struct environment *vm = &b->env[ENV_VM];

	if (!vm->present)
		lacks(r, "no virtual machine: %s", vm->why);
	else if (vm->emulated)
		lacks(r, "no KVM: virtual machines are emulated, and compared with nothing");
	return rig_lacks(b, r);
}
