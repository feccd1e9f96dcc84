// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The first process of a guest, in its initramfs: loads the modules that lead to its root file system and to
// the host, makes the places that a container has, and starts the program. When that ends, so does the guest.

#include "base/dir.h"
#include "base/fs.h"
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

#define P9 "trans=virtio,version=9p2000.L,msize=512000"
#define COMPRESSED 4 // MODULE_INIT_COMPRESSED_FILE of finit_module(2)
#define ROOT "/root"

static int slots[VM_SLOTS]; // descriptors of the ports

struct guest {
	struct pump pump; // of the first slot
	json_t *setup;
};

static double uptime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The host reads the console only when a start fails: the last line says why.
static _Noreturn void die(const char *fmt, ...) printf_like(1, 2);

static _Noreturn void die(const char *fmt, ...)
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
		die("open module '%s': %s", name, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", plain ? 0 : COMPRESSED) < 0 && errno != EEXIST)
		die("load module '%s': %s", name, strerror(errno));
	unlink(path); // it is memory
}

static void load_all(const char *prefix)
{
	_cleanup_names_ struct names all = names_of_dir("/modules", prefix);

	for (size_t i = 0; i < all.n; i++)
		load(all.v[i]);
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

		if (path != NULL && port_slot(all.v[i], &slot))
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
	die("no virtio-serial port " VM_PORT "0");
}

// ---- mounts

static void place(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		die("make directory '%s': %s", path, strerror(errno));
	chmod(path, mode);
}

static void mount_at(
	const char *source,
	const char *target,
	const char *type,
	unsigned long flags,
	const char *options
)
{
	if (mount(source, target, type, flags, options) < 0)
		die("mount %s on '%s' (%s): %s", type, target, options, strerror(errno));
}

static void first_mounts(void)
{
	static const char *const dirs[] = {
		"/dev", "/proc", "/sys", "/host", "/volumes", "/rw", ROOT};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		place(dirs[i], 0755);
	mount_at("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
	mount_at("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
}

// The image, read-only, under a layer of memory.
static void root_mounts(void)
{
	mount_at("root", "/host", "9p", MS_RDONLY, "cache=loose," P9);
	mount_at("rw", "/rw", "tmpfs", 0, "size=50%,mode=0755");
	place("/rw/upper", 0755);
	place("/rw/work", 0755);
	mount_at("root", ROOT, "overlay", 0, "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work");
}

// mkdir -p below the new root; the last one a file, if so. No link is followed out of it.
static void make_below(const char *path, bool file)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int made = -1;

	for (char *s = copy != NULL ? strchr(copy + 1, '/') : NULL; s != NULL;
	     s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdirat(root, copy + 1, 0755);
		*s = '/';
	}
	if (file)
		made = fs_open_in(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	else
		mkdirat(root, path + 1, 0755);
}

static void bind_below(const char *from, const char *path, bool readonly)
{
	_cleanup_close_ int root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int to = fs_open_in(root, path, O_PATH, 0);
	char self[32];

	snprintf(self, sizeof(self), ROOT "/proc/self/fd/%d", to);
	if (to < 0 || mount(from, self, NULL, MS_BIND | MS_REC, NULL) < 0)
		die("mount '%s': %s", path, strerror(errno));
	if (readonly) {
		_cleanup_close_ int top = fs_open_in(root, path, O_PATH, 0);

		snprintf(self, sizeof(self), ROOT "/proc/self/fd/%d", top);
		if (mount(NULL, self, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
			die("mount '%s' read-only: %s", path, strerror(errno));
	}
}

static const char *word(const json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s != NULL ? s : "";
}

static void volumes(const json_t *list)
{
	const json_t *e;
	size_t i;

	if (json_array_size(list) > 0)
		mount_at("volumes", "/volumes", "9p", 0, "cache=none," P9);
	json_array_foreach (list, i, e) {
		_cleanup_free_ char *from = str_printf("/volumes/%zu", i);

		make_below(word(e, "target"), json_is_true(json_object_get(e, "file")));
		bind_below(from, word(e, "target"), json_is_true(json_object_get(e, "readonly")));
	}
}

static void grant_file(const json_t *grant)
{
	_cleanup_free_ char *text = json_dumps(grant, JSON_INDENT(2));
	_cleanup_close_ int fd =
		open(ROOT "/run/pinfold/grant.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (text == NULL || fd < 0 || write(fd, text, strlen(text)) < 0)
		die("write the grant");
}

// As plan/mounts.c gives them to a container.
static void places(const json_t *setup)
{
	static const struct {
		const char *target, *type, *options;
		unsigned long flags;
		mode_t mode;
	} rows[] = {
		{ROOT "/tmp", "tmpfs", "mode=1777,size=64m", MS_NOSUID | MS_NODEV, 01777},
		{ROOT "/dev/pts",
		 "devpts",
		 "mode=0620,ptmxmode=0666,gid=5",
		 MS_NOSUID | MS_NOEXEC,
		 0755},
		{ROOT "/dev/shm",
		 "tmpfs",
		 "mode=1777,size=64m",
		 MS_NOSUID | MS_NODEV | MS_NOEXEC,
		 01777},
		{ROOT "/dev/mqueue", "mqueue", "", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0755},
	};
	static const char *const moved[] = {"/dev", "/proc", "/sys"};
	static const char *const links[][2] = {
		{"/proc/self/fd", ROOT "/dev/fd"},
		{"/proc/self/fd/0", ROOT "/dev/stdin"},
		{"/proc/self/fd/1", ROOT "/dev/stdout"},
		{"/proc/self/fd/2", ROOT "/dev/stderr"},
	};
	const json_t *pages = json_object_get(setup, "hugetlbfs"), *e;
	char run[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(moved); i++) {
		_cleanup_free_ char *to = str_printf(ROOT "%s", moved[i]);

		place(to, 0755);
		if (mount(moved[i], to, NULL, MS_MOVE, NULL) < 0)
			die("move '%s': %s", moved[i], strerror(errno));
	}
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		place(rows[i].target, rows[i].mode);
		mount_at("pinfold", rows[i].target, rows[i].type, rows[i].flags, rows[i].options);
	}
	for (i = 0; i < ARRAY_LEN(links); i++) {
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			die("make link '%s': %s", links[i][1], strerror(errno));
	}
	snprintf(
		run,
		sizeof(run),
		"mode=0755,size=16m,uid=%d,gid=%d",
		(int)json_integer_value(json_object_get(setup, "uid")),
		(int)json_integer_value(json_object_get(setup, "gid"))
	);
	place(ROOT "/run", 0755);
	mount_at("pinfold", ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, run);
	place(ROOT "/run/pinfold", 0755);
	mount_at(
		"pinfold", ROOT "/run/pinfold", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m"
	);
	grant_file(json_object_get(setup, "grant"));
	make_below("/run/pinfold/inside", true);
	bind_below("/init", "/run/pinfold/inside", true);
	// in an image's own /var/run
	place(ROOT "/var", 0755);
	if (symlink("../run", ROOT "/var/run") < 0 && errno != EEXIST)
		die("make link '/var/run': %s", strerror(errno));
	json_array_foreach (pages, i, e) {
		_cleanup_free_ char *to = str_printf(ROOT "%s", word(e, "path"));

		place(to, 0755);
		mount_at(
			"pinfold",
			to,
			"hugetlbfs",
			MS_NOSUID | MS_NODEV | MS_NOEXEC,
			word(e, "options")
		);
	}
}

// ---- devices

static void write_to(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("write '%s' to '%s': %s", value, path, strerror(errno));
}

// NICs to the driver that hands them to programs.
static void nics(const json_t *list)
{
	const json_t *e;
	size_t i;

	if (json_array_size(list) > 0)
		load_all("nic-");
	json_array_foreach (list, i, e) {
		_cleanup_free_ char *override =
			str_printf(ROOT "/sys/bus/pci/devices/%s/driver_override", word(e, "pci"));

		_cleanup_free_ char *bound =
			str_printf(ROOT "/sys/bus/pci/devices/%s/driver/unbind", word(e, "pci"));

		if (bound != NULL && access(bound, W_OK) == 0)
			write_to(bound, word(e, "pci"));
		write_to(override, word(e, "driver"));
		write_to(ROOT "/sys/bus/pci/drivers_probe", word(e, "pci"));
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

static void say(struct guest *g, enum frame_type type)
{
	char text[64];
	struct err err;

	snprintf(text, sizeof(text), "{\"protocol\": 1, \"uptime\": %.3f}", uptime());
	if (pump_send(&g->pump, type, text, strlen(text), &err) < 0)
		die("%s", err.msg);
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
			die("%s", err.msg);
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
	_exit(attend(&p));
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
	struct guest g = {0};
	const char *hostname;

	umask(0);
	signal(SIGPIPE, SIG_IGN);
	first_mounts();
	load_all("boot-");
	find_ports();
	pump_open(&g.pump, slots[0], PUMP_MAX);
	say(&g, FRAME_HELLO);
	exchange(&g, true);
	hostname = word(g.setup, "hostname");
	if (sethostname(hostname, strlen(hostname)) < 0)
		die("set the host name");
	root_mounts();
	places(g.setup);
	volumes(json_object_get(g.setup, "volumes"));
	nics(json_object_get(g.setup, "nics"));
	mount(NULL,
	      ROOT "/run/pinfold",
	      NULL,
	      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
	      NULL);
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0
	    || chdir("/") < 0)
		die("enter the root: %s", strerror(errno));
	say(&g, FRAME_READY);
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
