// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The first process of a guest, in its initramfs: loads the modules that lead to its root file system and to
// the host, makes the places that a container has, and starts the program. When that ends, so does the guest.

#include "inside/vm/guest.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/files.h"
#include "inside/vm/vm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define COMPRESSED 4 // MODULE_INIT_COMPRESSED_FILE of finit_module(2)

static int slots[VM_SLOTS]; // descriptors of the ports

struct guest {
	struct pump pump; // of the first slot
	json_t *setup;
	double entered; // s, as the guest's clock had it
};

static double uptime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

_Noreturn void guest_die(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "\npinfold-inside: guest: %s\n", line);
	sync();
	reboot(RB_AUTOBOOT);
	_exit(1);
}

// ---- modules, in the order of their numbers

static void load(const char *name)
{
	_cleanup_free_ char *path = str_printf("/modules/%s", name);
	_cleanup_close_ int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	bool plain = strlen(name) > 3 && str_eq(name + strlen(name) - 3, ".ko");

	if (fd < 0)
		guest_die("open module '%s': %s", name, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", plain ? 0 : COMPRESSED) < 0 && errno != EEXIST)
		guest_die("load module '%s': %s", name, strerror(errno));
	unlink(path); // it is memory
}

// "nic-03-vfio-pci.ko.xz" is "vfio-pci", and "nic-02-vfio-pci-core.ko.xz" is not.
static bool is_module(const char *file, const char *prefix, const char *name)
{
	const char *at = file + strlen(prefix) + strlen("00-");

	return str_starts(at, name) && str_starts(at + strlen(name), ".ko");
}

// Those that are there still, up to the one of the name last; NULL: all.
static void load_all(const char *prefix, const char *last)
{
	_cleanup_names_ struct names all = names_of_dir("/modules", prefix);

	for (size_t i = 0; i < all.n; i++) {
		load(all.v[i]);
		if (last != NULL && is_module(all.v[i], prefix, last))
			break;
	}
}

// Those up to the driver of its NICs, which is the same for all.
static void load_nic_modules(const json_t *setup)
{
	const json_t *first = json_array_get(json_object_get(setup, "nics"), 0);

	if (first != NULL)
		load_all("nic-", json_text(first, "driver", ""));
}

// ---- ports

static bool port_slot(const char *device, unsigned *ret)
{
	_cleanup_free_ char *path = str_printf("/sys/class/virtio-ports/%s/name", device);
	char name[64];

	return path != NULL && sscanf(line_of(path, name, sizeof(name)), VM_PORT "%u", ret) == 1
	       && *ret < VM_SLOTS;
}

static void open_ports(void)
{
	_cleanup_names_ struct names all = names_of_dir("/sys/class/virtio-ports", "vport");

	for (size_t i = 0; i < all.n; i++) {
		_cleanup_free_ char *path = str_printf("/dev/%s", all.v[i]);
		unsigned slot;

		// a port has one opener, so one that is open cannot be opened again
		if (path != NULL && port_slot(all.v[i], &slot) && slots[slot] < 0)
			slots[slot] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
}

// The host makes them known one after the other.
static void find_ports(void)
{
	const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};

	for (int i = 0; i < VM_SLOTS; i++)
		slots[i] = -1;
	for (int i = 0; i < 500; i++) {
		bool all = true;

		open_ports();
		for (int k = 0; k < VM_SLOTS; k++)
			all = all && slots[k] >= 0;
		if (all)
			return;
		nanosleep(&nap, NULL);
	}
	for (int i = 0; i < VM_SLOTS; i++) {
		if (slots[i] < 0)
			guest_die("no virtio-serial port " VM_PORT "%d", i);
	}
}

// ---- start and end

static int take_setup(
	void *arg, enum frame_type type, const char *text, size_t len, struct err *err
)
{
	struct guest *g = arg;

	if (type != FRAME_SETUP || g->setup != NULL)
		return err_set(err, EPROTO, "a frame of type %d", type);
	return jread_parse(text, len, "what the guest is", &g->setup, err);
}

static void greet(struct guest *g)
{
	char text[96];
	struct err err;

	snprintf(
		text,
		sizeof(text),
		"{\"protocol\": 1, \"entered\": %.3f, \"uptime\": %.3f}",
		g->entered,
		uptime()
	);
	if (pump_send(&g->pump, FRAME_HELLO, text, strlen(text), &err) < 0)
		guest_die("%s", err.msg);
}

// Until all is sent and, if so, what the guest is has come.
static void exchange(struct guest *g, bool setup)
{
	struct err err = {0};

	while (!pump_sent(&g->pump) || (setup && g->setup == NULL)) {
		struct pollfd fds[PUMP_FDS];

		pump_wait(&g->pump, fds);
		poll(fds, setup ? 1 : PUMP_FDS, 1000);
		if (!setup)
			fds[0].revents &= POLLOUT; // what comes next is for who attends the program
		if (pump_work(&g->pump, fds, take_setup, g, &err) < 0)
			guest_die("%s", err.msg);
	}
}

static pid_t attend_slot(unsigned slot, const struct pump *begun)
{
	pid_t pid = fork();
	struct pump p;

	if (pid != 0)
		return pid;
	if (begun != NULL)
		p = *begun;
	else
		pump_open(&p, slots[slot], PUMP_MAX);
	_exit(attend(&p, begun == NULL));
}

static bool connected(unsigned slot)
{
	struct pollfd p = {.fd = slots[slot], .events = POLLIN};

	return slots[slot] >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) == 0;
}

// Whoever connects to a slot brings a program: the kernel says SIGIO when that happens. first: whoever attends the
// workload's own program; 0: this does.
static void serve(const struct guest *g, pid_t first)
{
	pid_t pids[VM_SLOTS] = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (unsigned i = 1; i < VM_SLOTS; i++) {
		fcntl(slots[i], F_SETOWN, getpid());
		fcntl(slots[i], F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);
	}
	pids[0] = first > 0 ? first : attend_slot(0, &g->pump);
	for (;;) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
			for (unsigned i = 0; i < VM_SLOTS; i++) {
				if (pids[i] == pid)
					pids[i] = 0;
			}
		}
		if (pids[0] == 0)
			return;
		for (unsigned i = 1; i < VM_SLOTS; i++) {
			if (pids[i] == 0 && connected(i))
				pids[i] = attend_slot(i, NULL);
		}
		sigwaitinfo(&set, NULL);
	}
}

int guest_main(void)
{
	struct guest g = {.entered = uptime()};
	const char *hostname;
	struct err err;

	umask(0);
	signal(SIGPIPE, SIG_IGN);
	guest_first_mounts();
	load_all("boot-", "virtio_console");
	find_ports();
	pump_open(&g.pump, slots[0], PUMP_MAX);
	greet(&g);
	exchange(&g, false);
	load_all("boot-", NULL); // while the host answers
	exchange(&g, true);
	hostname = json_text(g.setup, "hostname", "");
	if (sethostname(hostname, strlen(hostname)) < 0)
		guest_die("set the host name");
	guest_root_mounts();
	load_nic_modules(g.setup);
	guest_nics(g.setup);
	guest_places(g.setup);
	guest_volumes(json_object_get(g.setup, "volumes"));
	mount(NULL,
	      GUEST_ROOT "/run/pinfold",
	      NULL,
	      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
	      NULL);
	if (chdir(GUEST_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0
	    || chdir("/") < 0)
		guest_die("enter the root: %s", strerror(errno));
	if (pump_send(&g.pump, FRAME_READY, NULL, 0, &err) < 0)
		guest_die("%s", err.msg);
	exchange(&g, false);
	if (json_is_true(json_object_get(g.setup, "first"))) {
		if (fork() == 0)
			serve(&g, getppid());
		attend_first(&g.pump);
	} else {
		serve(&g, 0);
	}
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
