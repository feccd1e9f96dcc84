// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How the two programs of a rig are started: words and files.

#include "bench/net/launch.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/argv.h"
#include "bench/net/remote.h"

#include <string.h>
#include <sys/stat.h>

#define LINKS "/run/pinfold/links"

// ---- files

// The text with its sizes, below the experiment's directory. A path (free it), or NULL with err.
static char *write_config(
	const struct bench *b,
	const char *name,
	const char *text,
	const struct frame_size *size,
	struct err *err
)
{
	char *path = bench_path(b, "%s", name);
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	while (f != NULL && *text != '\0') {
		const char *put = NULL;
		size_t skip = 1;

		if (str_starts(text, "$size"))
			put = size->key, skip = strlen("$size");
		else if (str_starts(text, "$back"))
			put = size->back, skip = strlen("$back");
		if (put != NULL)
			fputs(put, f);
		else
			fputc(*text, f);
		text += skip;
	}
	if (f == NULL || fflush(f) != 0 || chmod(path, 0644) < 0) {
		err_sys(err, errno, "write '%s'", path);
		free(path);
		return NULL;
	}
	return path;
}

// ---- where the links are

static void link_name(const struct rig_how *how, const char *end, char *buf, size_t len)
{
	snprintf(buf, len, "bench-%d-%u-%s", (int)getpid(), how->number, end);
}

static bool in_links(const struct rig_how *how)
{
	return how->env != NULL && how->env->kind != ENV_HOST;
}

// As the tester names it, who is on the host.
char *launch_link(const struct bench *b, const struct rig_how *how, const char *end)
{
	char name[64];

	link_name(how, end, name, sizeof(name));
	if (!in_links(how))
		return bench_path(b, "%s.sock", name);
	return need(
		str_printf(LINKS "/%s/%s.sock", name, how->link == RIG_VHOST ? "vhost" : "memif")
	);
}

// A port of the function's drover, and of the tester's at its other end.
static void vnf_port(
	const struct bench *b, const struct rig_how *how, const char *end, struct argv *w
)
{
	_cleanup_free_ char *path = launch_link(b, how, end);
	char name[64];

	link_name(how, end, name, sizeof(name));
	argv_add(w, "--port");
	if (remote_tests(b, how))
		argv_add(w, "%s=%s", end, b->remote->own[str_eq(end, "out")]);
	else if (how->link == RIG_AF_XDP)
		argv_add(w, "%s=af_xdp:f%s", end, end);
	else if (how->env->kind == ENV_VM)
		argv_add(w, "%s=0000:00:%s.0", end, str_eq(end, "in") ? "10" : "11");
	else if (how->link == RIG_VHOST)
		argv_add(w, "%s=vhost:%s", end, path);
	else if (how->env->kind == ENV_HOST)
		argv_add(w, "%s=memif:server:%s", end, path);
	else
		argv_add(w, "%s=memif:server:%s", end, name);
}

static void tester_port(
	const struct bench *b,
	const struct rig_how *how,
	const char *port,
	const char *end,
	struct argv *w
)
{
	_cleanup_free_ char *path = launch_link(b, how, end);

	argv_add(w, "--port");
	if (how->env == NULL)
		argv_add(w, "%s=ring:loop", port);
	else if (remote_tests(b, how))
		argv_add(w, "%s=%s", port, b->remote->port[str_eq(port, "back")]);
	else if (how->link == RIG_AF_XDP)
		argv_add(w, "%s=af_xdp:t%s", port, end);
	else if (how->env->kind == ENV_VM)
		argv_add(w, "%s=vhost:%s", port, path);
	else if (how->link == RIG_VHOST)
		argv_add(w, "%s=virtio:%s", port, path);
	else
		argv_add(w, "%s=memif:client:%s", port, path);
}

// ---- a drover

static int start(
	struct bench *b,
	struct rig_drover *d,
	struct child_how *child,
	const struct argv *w,
	const char *role,
	unsigned number,
	struct err *err
)
{
	d->log = bench_path(b, "%u-%s.log", number, role);
	child->argv = (const char *const *)w->v;
	child->log = d->log;
	return child_start(b, child, &d->child, err);
}

static int vnf_cpu(const struct bench *b, const struct rig_how *how)
{
	return how->cpu > 0 ? how->cpu - 1 : b->cpu_vnf;
}

static int start_bare(
	struct bench *b,
	struct rig_drover *d,
	const char *role,
	int cpu,
	unsigned number,
	const char *const *wrap,
	const struct argv *own,
	struct err *err
)
{
	_cleanup_free_ char *dir = bench_path(b, "%u-%s", number, role),
			    *runtime = need(str_printf("RUNTIME_DIRECTORY=%s", dir));
	const char *const env[] = {runtime, NULL};
	struct child_how child = {.env = env, .cpu = 1 + cpu, .bare = true};
	_cleanup_argv_ struct argv w = {0};

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make '%s'", dir);
	for (; wrap != NULL && *wrap != NULL; wrap++)
		argv_add(&w, "%s", *wrap);
	argv_add(&w, "%s", b->drover);
	for (unsigned i = 0; i < own->n; i++)
		argv_add(&w, "%s", own->v[i]);
	snprintf(d->what, sizeof(d->what), "bare process '%s'", role);
	return start(b, d, &child, &w, role, number, err);
}

// In a container or a virtual machine, with the configuration at /cfg and drover at /drover.
static int start_granted(
	struct bench *b,
	struct rig_drover *d,
	const struct rig_how *how,
	const char *config,
	const struct argv *own,
	struct err *err
)
{
	_cleanup_argv_ struct argv w = {0};
	_cleanup_free_ char *drovers = need(strdup(b->drover));
	bool vm = how->env->kind == ENV_VM;
	static const char *const ends[] = {"in", "out"};
	struct child_how child = {0};

	*strrchr(drovers, '/') = '\0';
	argv_add(&w, "%s", b->pinfold);
	argv_add(&w, "run");
	if (vm) {
		argv_add(&w, "--in");
		argv_add(&w, "vm");
		argv_add(&w, "--memory");
		argv_add(&w, "256M");
	}
	argv_add(&w, "--name");
	argv_add(&w, "bench-%d-%u", (int)getpid(), how->number);
	argv_add(&w, "--cpus");
	argv_add(&w, "%d", vnf_cpu(b, how));
	argv_add(&w, "--hugepages");
	argv_add(&w, "2M=%u", how->function->pages);
	for (size_t i = 0; i < ARRAY_LEN(ends) && how->function->tester != NULL; i++) {
		char name[64];

		if (remote_tests(b, how)) {
			argv_add(&w, "--nic");
			argv_add(&w, "%s", b->remote->own[i]);
			continue;
		}
		link_name(how, ends[i], name, sizeof(name));
		argv_add(&w, "--link");
		argv_add(&w, "%s:%s", vm || how->link == RIG_VHOST ? "vhost-user" : "memif", name);
	}
	argv_add(&w, "-v");
	argv_add(&w, "%s:/drover:ro", drovers);
	argv_add(&w, "-v");
	argv_add(&w, "%s:/cfg:ro", config);
	argv_add(&w, "--");
	argv_add(&w, "/drover/drover");
	for (unsigned i = 0; i < own->n; i++)
		argv_add(&w, "%s", own->v[i]);
	snprintf(d->what, sizeof(d->what), "%s 'vnf'", vm ? "virtual machine" : "container");
	return start(b, d, &child, &w, "vnf", how->number, err);
}

// Two pairs of interfaces in a network of their own, which goes with its programs; nothing but packets of the tester
// passes there.
static const char *const veths[] = {
	"unshare",
	"--net",
	"sh",
	"-ec",
	"echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 || true\n"
	"ip link add tin type veth peer name fin\n"
	"ip link add tout type veth peer name fout\n"
	"for i in tin fin tout fout; do ip link set $i up; done\n"
	"exec \"$@\"",
	"sh",
	NULL,
};

int launch_vnf(struct bench *b, struct rig *rig, struct err *err)
{
	const struct rig_how *how = rig->how;
	_cleanup_free_ char *name = need(str_printf("%u-vnf.cfg", how->number)),
			    *config = write_config(b, name, how->function->vnf, how->size, err);
	_cleanup_argv_ struct argv w = {0};
	bool bare = how->env->kind == ENV_HOST;

	if (config == NULL)
		return -err->code;
	argv_add(&w, "run");
	argv_add(&w, "--file-prefix");
	argv_add(&w, "vnf");
	if (how->function->tester != NULL) {
		vnf_port(b, how, "in", &w);
		vnf_port(b, how, "out", &w);
	}
	argv_add(&w, "%s", bare ? config : "/cfg");
	if (bare)
		return start_bare(
			b,
			&rig->vnf,
			"vnf",
			vnf_cpu(b, how),
			how->number,
			how->link == RIG_AF_XDP ? veths : how->wrap,
			&w,
			err
		);
	return start_granted(b, &rig->vnf, how, config, &w, err);
}

// ---- the tester

// Both in one process, with rings between their cores.
static const char in_one[] = "[defaults]\n"
			     "mempool size=16K\n"
			     "[core 0]\n"
			     "mode=master\n"
			     "[core 1]\n"
			     "name=tester\n"
			     "task=0\n"
			     "mode=gen\n"
			     "tx cores=2t0\n"
			     "ring size=1024\n"
			     "rate=1000\n"
			     "$size\n"
			     "task=1\n"
			     "mode=lat\n"
			     "rx ring=yes\n"
			     "[core 2]\n"
			     "name=forward\n"
			     "task=0\n"
			     "mode=none\n"
			     "rx ring=yes\n"
			     "tx cores=1t1\n"
			     "ring size=1024\n";

int launch_tester(struct bench *b, struct rig *rig, struct err *err)
{
	const struct rig_how *how = rig->how;
	bool ring = how->link == RIG_RING;
	_cleanup_free_ char *name = need(str_printf("%u-tester.cfg", how->number)),
			    *config = write_config(
				    b, name, ring ? in_one : how->function->tester, how->size, err
			    ),
			    *cpus = need(str_printf("%d,%d", b->cpu_tester, b->cpu_vnf)),
			    *net = need(str_printf("--net=/proc/%d/ns/net", (int)rig->vnf.pid));
	const char *const two_cpus[] = {"taskset", "-c", cpus, NULL};
	const char *const in_net[] = {"nsenter", net, NULL};
	_cleanup_argv_ struct argv w = {0};

	if (config == NULL)
		return -err->code;
	argv_add(&w, "run");
	argv_add(&w, "--file-prefix");
	argv_add(&w, "tester");
	if (!ring) {
		tester_port(b, how, "out", "in", &w);
		tester_port(b, how, "back", "out", &w);
	}
	if (remote_tests(b, how)) {
		_cleanup_free_ char *text = NULL;
		int r = fs_read_file(config, 1 << 20, &text, NULL);

		return r < 0 ? err_sys(err, -r, "read '%s'", config)
			     : remote_start(b, rig, text, &w, err);
	}
	argv_add(&w, "%s", config);
	return start_bare(
		b,
		&rig->tester,
		"tester",
		b->cpu_tester,
		how->number,
		ring			  ? two_cpus
		: how->link == RIG_AF_XDP ? in_net
					  : NULL,
		&w,
		err
	);
}
