// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover run and drover check: from a file to traffic and to the figures at the end.

#include "plane.h"

#include "base/clock.h"
#include "base/flush.h"
#include "base/jread.h"
#include "base/scope.h"
#include "dpdk.h"
#include "ending.h"
#include "need.h"
#include "reconnect.h"
#include "report/report.h"
#include "run.h"
#include "runtime_dir.h"
#include "serve/requests.h"
#include "serve/serve.h"
#include "stand_in.h"
#include "task/meter/dump.h"
#include "unix.h"
#include "unplug.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MS UINT64_C(1000000)
#define LOOK_NS (100 * MS)
#define SECOND_NS (1000 * MS)
#define DAY_NS (86400 * SECOND_NS)
#define LINK_MILLISECONDS 60000 // a generator waits so long for the other end of its link

// Who listens on a socket and was killed leaves it, and the next one fails on it. It is removed when nobody
// listens on it any more.
static void remove_stale_socket(const struct port_device *d)
{
	_cleanup_close_ int fd = -1;

	if (d->listens == 0)
		return;
	fd = unix_connect(d->makes, d->listens | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == ECONNREFUSED)
		unlink(d->makes);
}

static int check_devices(const struct conf *c, const struct eal_plan *e, struct err *err)
{
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *p = &c->ports[i];

		if (port_check(&e->devices[i], err) < 0)
			return err_wrap(err, "%s:%u: port '%s'", c->file, p->line, p->name);
	}
	return 0;
}

static int start_eal(const struct eal_plan *e, struct err *err)
{
	// EAL keeps and permutes the array
	static char *argv[ARRAY_LEN(e->argv) + 1];

	for (unsigned i = 0; i < CONF_PORTS; i++)
		remove_stale_socket(&e->devices[i]);
	memcpy(argv, e->argv, sizeof(e->argv));
	argv[e->argc] = NULL;
	if (rte_eal_init((int)e->argc, argv) < 0)
		return err_set(
			err, rte_errno, "start EAL: %s; its messages are above", dpdk_why(rte_errno)
		);
	return 0;
}

static bool generates(const struct plane *p)
{
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (p->tasks[i]->nrx == 0)
			return true;
	}
	return false;
}

// Waits for a signal of the set at most that long, 0: for ever, and looks after links meanwhile, where there are such:
// otherwise it takes nothing of the CPU of a core. True: one came. A stop and a continuation (Ctrl-Z, fg) interrupt the
// wait, and are none.
static bool wait_signal(struct plane *p, const sigset_t *set, uint64_t ns)
{
	const uint64_t begin = (uint64_t)clock_ns(), most = links_any(p) ? LOOK_NS : DAY_NS;

	for (;;) {
		const uint64_t gone = (uint64_t)clock_ns() - begin;
		const uint64_t left = ns == 0 || gone + most < ns ? most : ns - RTE_MIN(gone, ns);
		const struct timespec t = {
			.tv_sec = (time_t)(left / SECOND_NS), .tv_nsec = (long)(left % SECOND_NS)};

		if (sigtimedwait(set, NULL, &t) >= 0)
			return true;
		if (ns != 0 && (uint64_t)clock_ns() - begin >= ns)
			return false;
		links_look(p);
	}
}

// The first port whose link a task uses and that is not up; NULL: there is none.
static const struct plane_port *first_down(const struct plane *p)
{
	for (unsigned i = 0; i < p->nports; i++) {
		const struct plane_port *port = &p->ports[i];

		if ((port->ntxq > 0 || port->nrxq > 0) && !port_is_up(port->id))
			return port;
	}
	return NULL;
}

// *ret_ended: a signal came first.
static int wait_links(struct plane *p, const sigset_t *set, bool *ret_ended, struct err *err)
{
	const int64_t until = clock_ms() + LINK_MILLISECONDS;
	const struct plane_port *port;

	for (unsigned i = 1; (port = first_down(p)) != NULL && clock_ms() < until; i++) {
		*ret_ended = wait_signal(p, set, MS);
		if (*ret_ended)
			return 0;
		if (i % (LOOK_NS / MS) == 0)
			links_look(p);
	}
	return port == NULL
		       ? 0
		       : err_set(
			       err,
			       ETIMEDOUT,
			       "port '%s': the link of '%s' is not up after %d s; start its other "
			       "end, or set its interface up",
			       port->conf->name,
			       port->conf->device,
			       LINK_MILLISECONDS / 1000
		       );
}

static int traffic(
	struct plane *p, const struct run_options *o, const sigset_t *set, struct err *err
)
{
	uint64_t duration = o->duration != 0 ? o->duration : p->conf->duration;
	int r = unplug_watch(p, err);
	bool ended = false;

	if (r == 0)
		r = telemetry_register(err);
	links_watch(p);
	requests_of(p);
	if (r == 0)
		r = serve_start(rte_eal_get_runtime_dir(), err);
	if (r == 0)
		r = plane_launch(p, err);
	if (r == 0 && generates(p))
		r = wait_links(p, set, &ended, err);
	if (r == 0 && !ended && p->conf->start_time != 0)
		ended = wait_signal(p, set, p->conf->start_time);
	if (r == 0 && !ended) {
		p->started = rte_rdtsc();
		__atomic_store_n(&p->go, true, __ATOMIC_RELEASE);
		fprintf(stderr, "drover: %s: traffic runs\n", p->conf->file);
		wait_signal(p, set, duration);
	}
	plane_stop(p);
	serve_stop();
	requests_of(NULL);
	if (r == 0 && o->json) {
		_cleanup_json_ json_t *doc = report_json(p);

		json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (r == 0) {
		report_print(p);
	}
	// whatever becomes of DPDK's clean-up
	if (r == 0)
		r = flush_stdout(err);
	return r == 0 ? unplug_check(err) : r;
}

// What was built, and what a grant for it is.
static int say_need(const struct plane *p, const struct run_options *o, struct err *err)
{
	_cleanup_free_ char *flags = NULL;
	_cleanup_json_ json_t *doc = NULL;
	struct need n;
	int r = measure_end(p->conf, o->no_huge, p->nlcores, &n, err);

	if (r == 0 && o->json) {
		doc = need_request(&n);
		if (doc == NULL)
			r = err_oom(err);
		json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (r == 0) {
		printf("%s: %u tasks on %u cores, %u ports: all of it starts\n",
		       p->conf->file,
		       p->ntasks,
		       p->nlcores,
		       p->nports);
		flags = need_flags(&n);
		r = flags == NULL ? err_oom(err) : 0;
		if (r == 0)
			printf("grant: %s\n", flags);
	}
	need_done(&n);
	return r;
}

static int run_plane(
	const struct conf *c,
	const struct eal_plan *e,
	const struct run_options *o,
	const sigset_t *set,
	struct err *err
)
{
	static struct plane plane; // large, and the telemetry thread looks at it to the end
	_cleanup_free_ char *folder = conf_folder(c);
	int r = folder == NULL ? err_oom(err)
			       : dump_folder(o->dump_dir != NULL ? o->dump_dir : folder, err);

	if (r == 0)
		r = plane_build(c, e, &plane, err);
	if (r == 0 && o->check)
		r = say_need(&plane, o, err);
	else if (r == 0)
		r = traffic(&plane, o, set, err);
	ending_begin(r == 0 ? 0 : 1);
	if (plane.stuck != NULL)
		ending_now("core '%s' does not end", plane.stuck);
	plane_done(&plane);
	dump_folder(NULL, err);
	return r;
}

int drover_run(const struct run_options *o, struct err *err)
{
	struct eal_plan e = {0};
	struct conf *c = NULL;
	sigset_t set;
	int r;

	// before any thread is made, so that all of them have it blocked
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	// DPDK writes to sockets whose other end may be gone
	signal(SIGPIPE, SIG_IGN);
	r = conf_read(o->file, &o->overrides, &c, err);
	if (r == 0)
		r = eal_plan(c, o, &e, err);
	if (r == 0)
		r = check_devices(c, &e, err);
	if (r == 0 && e.place.squeezed)
		fprintf(stderr,
			"drover: warning: %u polling cores are squeezed onto fewer CPUs: it works, "
			"and it is slow\n",
			e.place.nlcores);
	if (r == 0) {
		runtime_dir_sweep();
		runtime_dir_take(o->prefix);
		r = start_eal(&e, err);
	}
	if (r == 0) {
		if (o->check)
			measure_begin();
		r = run_plane(c, &e, o, &set, err);
		rte_eal_cleanup();
	}
	runtime_dir_remove();
	stand_in_end();
	eal_plan_done(&e);
	conf_free(c);
	return r;
}
