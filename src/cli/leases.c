// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands on workloads that run: ps, stop, exec, logs, gc.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "run/run.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

// Options that are only --json and --help, and a usage line.
static int simple_options(
	int argc, char **argv, const char *usage, bool *json, bool *ret_help, struct err *err
)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret_help = false;
	optind = 0;
	while ((c = cli_getopt(argc, argv, "h", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'h') {
			puts(usage);
			*ret_help = true;
			return 0;
		}
		if (json == NULL)
			return err_set(err, EINVAL, "%s has no --json", argv[0]);
		*json = true;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "%s: '%s' is no option", argv[0], argv[optind]);
	return 0;
}

// ---- ps

struct ps {
	const struct ledger *l;
	json_t *rows;
};

static int ps_one(const struct lease *lease, void *arg, struct err *err)
{
	struct ps *ps = arg;
	const struct grant *g = &lease->grant;
	struct idset cpus = grant_all_cpus(g);
	int64_t up = (int64_t)time(NULL) - lease->started;
	char hugepages[SIZE_STR];

	(void)err;
	json_array_append_new(
		ps->rows,
		json_pack(
			"{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:I, s:i, s:b, s:s}",
			"name",
			g->name,
			"state",
			lease_in_use(ps->l, lease) ? "running" : "dead",
			"in",
			lease->place == LEASE_HOST ? "host" : "container",
			"cpus",
			json_idset(&cpus),
			"nodes",
			json_idset(&g->mems),
			"hugepages",
			size_format(grant_hugepage_bytes(g, -1), hugepages),
			"memory",
			json_size(g->memory),
			"seconds",
			(json_int_t)(up > 0 ? up : 0),
			"supervisor",
			lease->supervisor,
			"detached",
			lease->detached,
			"command",
			lease->command
		)
	);
	return 0;
}

int cmd_ps(int argc, char **argv)
{
	static const char *const keys[] = {
		"name",
		"state",
		"in",
		"cpus",
		"nodes",
		"hugepages",
		"memory",
		"seconds",
		"command",
		NULL,
	};
	struct ps ps = {.rows = json_array()};
	bool json = false, help;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = simple_options(argc, argv, "Usage: pinfold ps [--json]", &json, &help, &err);

	if (r == 0 && help)
		return CLI_OK;
	if (r == 0)
		r = cli_open_real(false, &fs, &l, &err);
	if (r == 0) {
		ps.l = &l;
		r = lease_each(&l, ps_one, &ps, &err);
		cli_print_rows(ps.rows, keys, json); // the readable ones in any case
		cli_close_real(&fs, &l);
	}
	json_decref(ps.rows);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

// ---- stop

int cmd_stop(int argc, char **argv)
{
	static const struct option longs[] = {
		{"time", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned seconds = 10;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int c, r = 0;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "t:h", longs, &err)) != -1) {
		char *end;
		unsigned long v;

		if (c == '?')
			return cli_fail(&err);
		if (c == 'h') {
			puts("Usage: pinfold stop [-t SECONDS] NAME...\n"
			     "SIGTERM, and after SECONDS (10) SIGKILL.");
			return CLI_OK;
		}
		v = strtoul(optarg, &end, 10);
		if (*end != '\0' || end == optarg || v > 3600) {
			err_set(&err, EINVAL, "-t '%s': seconds from 0 to 3600", optarg);
			return cli_fail(&err);
		}
		seconds = (unsigned)v;
	}
	if (optind >= argc) {
		err_set(&err, EINVAL, "stop: name at least one workload; see pinfold ps");
		return cli_fail(&err);
	}
	if (cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	for (int i = optind; i < argc; i++) {
		if (stop_workload(&l, argv[i], seconds, &err) < 0)
			r = cli_fail(&err);
	}
	cli_close_real(&fs, &l);
	return r;
}

// ---- exec

int cmd_exec(int argc, char **argv)
{
	static const struct option longs[] = {
		{"env", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{"interactive", no_argument, NULL, 'i'},
		{"tty", no_argument, NULL, 't'},
		{"user", required_argument, NULL, 'u'},
		{0},
	};
	struct exec_request req = {0};
	int c, status = CLI_FAILED, r;
	struct hostfs fs;
	struct ledger l;
	struct err err;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "e:hitu:", longs, &err)) != -1) {
		if (c == 'h') {
			puts("Usage: pinfold exec [-i] [-t] [-e NAME=VALUE] [-u UID[:GID]] NAME "
			     "[--] PROGRAM [ARG...]\n"
			     "It runs on the shared CPUs of the grant when it has some.");
			return CLI_OK;
		}
		if (c == 'e' && (strchr(optarg, '=') == NULL || req.nenv == LAUNCH_LISTS))
			c = err_set(&err, EINVAL, "-e '%s': write NAME=VALUE", optarg) < 0 ? '?'
											   : c;
		if (c == '?')
			return cli_fail(&err);
		if (c == 'e')
			req.env[req.nenv++] = optarg;
		req.interactive = req.interactive || c == 'i';
		req.terminal = req.terminal || c == 't';
		if (c == 'u')
			req.user = optarg;
	}
	if (optind < argc)
		req.name = argv[optind++];
	if (optind < argc && str_eq(argv[optind], "--"))
		optind++;
	if (optind >= argc) {
		err_set(&err, EINVAL, "exec: say NAME and PROGRAM; see pinfold exec --help");
		return cli_fail(&err);
	}
	req.argv = argv + optind;
	if (cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = exec_in_workload(&l, &req, &status, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		cli_fail(&err);
	return status;
}

// ---- logs

// Copies what is there; with follow, until the workload is gone.
static int copy_log(const struct ledger *l, const char *name, bool follow, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	_cleanup_free_ char *path = str_printf(LOG_DIR "/%s.log", name);
	_cleanup_close_ int fd = -1;
	char buf[65536];
	bool last = false;

	if (path == NULL)
		return err_oom(err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(
			err,
			errno,
			"logs of '%s': none; only workloads started with -d have some",
			name
		);
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0)
			return err_sys(err, errno, "read '%s'", path);
		if (n > 0) {
			if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
				return err_sys(err, errno, "write the log");
			continue;
		}
		fflush(stdout);
		if (!follow || last)
			return 0;
		last = !lease_exists(l, name); // once more, for what came before the end
		nanosleep(&pause, NULL);
	}
}

int cmd_logs(int argc, char **argv)
{
	static const struct option longs[] = {
		{"follow", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool follow = false;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int c, r;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "fh", longs, &err)) != -1) {
		if (c == '?')
			return cli_fail(&err);
		if (c == 'h') {
			puts("Usage: pinfold logs [-f] NAME");
			return CLI_OK;
		}
		follow = true;
	}
	if (argc - optind != 1) {
		err_set(&err, EINVAL, "logs: name one workload");
		return cli_fail(&err);
	}
	if (name_check("a workload", argv[optind], &err) < 0
	    || cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = copy_log(&l, argv[optind], follow, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

// ---- gc

int cmd_gc(int argc, char **argv)
{
	unsigned count = 0;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	bool help;
	int r = simple_options(
		argc,
		argv,
		"Usage: pinfold gc\nTakes back what workloads left that nobody watches any more.",
		NULL,
		&help,
		&err
	);

	if (r == 0 && help)
		return CLI_OK;
	if (r == 0)
		r = cli_open_real(true, &fs, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		r = gc_leases(&l, &count, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		return cli_fail(&err);
	printf("%u cleaned up\n", count);
	return CLI_OK;
}
