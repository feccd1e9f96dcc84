// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-device-plugin: kubelet hands out grants. It is told on kubelet's sockets which there are (the device plugin
// API of Kubernetes, v1beta1), and reads the ledger for it; nothing is written but its own sockets.

#include "base/begin.h"
#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"
#include "base/wrap.h"
#include "deviceplugin/plugin.h"
#include "deviceplugin/say.h"
#include "keeper/drop.h"
#include "keeper/keeper.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define HEALTH_SECONDS 5

static const char help[] =
	"Usage: pinfold-device-plugin [OPTION...]\n"
	"\n"
	"Offers kubelet the grants that are made with --claim-by=kubernetes: NAME-1, NAME-2, ... "
	"as\n"
	"resource pinfold.dev/NAME.\n"
	"\n"
	"  --socket-dir DIR    where kubelet's socket is (" KUBELET_DIR ")\n"
	"  --interval SECONDS  how often to look whether grants can still be had (5)\n"
	"  --version           print the version\n";

static volatile sig_atomic_t ended;

static void end(int)
{
	ended = 1;
}

// -1: go on; else the exit status.
static int parse(int argc, char **argv, struct plugin *p)
{
	static const struct option longs[] = {
		{"help", no_argument, NULL, 'h'},
		{"interval", required_argument, NULL, 'i'},
		{"socket-dir", required_argument, NULL, 's'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	unsigned long seconds;
	char *rest;
	int o;

	while ((o = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (o) {
		case 'h':
			return wrap_print(help), STATUS_OK;
		case 'v':
			return puts("pinfold-device-plugin " PINFOLD_VERSION) < 0 ? STATUS_FAILED
										  : STATUS_OK;
		case 'i':
			seconds = strtoul(optarg, &rest, 10);
			if (*rest != '\0' || seconds < 1 || seconds > 3600) {
				say("--interval '%s': 1 to 3600 seconds", optarg);
				return STATUS_FAILED;
			}
			p->health_ms = (unsigned)seconds * 1000;
			break;
		case 's':
			p->dir = optarg;
			break;
		default:
			return STATUS_FAILED;
		}
	}
	if (optind < argc) {
		say("'%s' is no option", argv[optind]);
		return STATUS_FAILED;
	}
	return -1;
}

// User 0 without rights: what it reads and writes are files of root's.
static int confine(struct err *err)
{
	if (drop_capabilities(0, err) < 0)
		return -err->code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "set no_new_privs");
	return keeper_filter_alone(err);
}

int main(int argc, char **argv)
{
	struct plugin p = {.dir = KUBELET_DIR, .health_ms = HEALTH_SECONDS * 1000};
	const struct sigaction on_end = {.sa_handler = end};
	int status, r;
	struct err err;

	begin_process();
	status = parse(argc, argv, &p);
	if (status >= 0)
		return status;
	sigaction(SIGTERM, &on_end, NULL);
	sigaction(SIGINT, &on_end, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(0177);
	r = hostfs_open("/", &p.fs, &err);
	// before there are threads: each has rights of its own
	if (r == 0)
		r = confine(&err);
	if (r == 0) {
		grpc_init();
		r = plugin_run(&p, &ended, &err);
	}
	if (r < 0) {
		say("%s", err.msg);
		return STATUS_FAILED;
	}
	grpc_shutdown();
	hostfs_close(&p.fs);
	return STATUS_OK;
}
