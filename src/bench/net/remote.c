// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/remote.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <stdio.h>
#include <unistd.h>

bool remote_tests(const struct bench *b, const struct rig_how *how)
{
	return b->remote != NULL && how->link == RIG_MEMIF && how->function->tester != NULL;
}

char *remote_socket(const struct bench *b, const struct rig_how *how)
{
	return bench_path(b, "%u-remote.sock", how->number);
}

static void add_word(FILE *f, const char *text)
{
	_cleanup_free_ char *word = need(str_quote(text));

	fprintf(f, "%s ", word);
}

// There: a directory, the configuration, and drover until nobody is at the other end of standard input any more, whether
// it was closed or the connection is lost.
// SIGINT is ignored by what a shell has in the background until it says otherwise.
static const char there[] = "set -e; umask 077; d=$1; mkdir \"$d\"; trap 'rm -rf \"$d\"' EXIT\n"
			    "printf %s \"$2\" >\"$d/tester.cfg\"; shift 2; exec 3<&0\n"
			    "RUNTIME_DIRECTORY=$d \"$@\" \"$d/tester.cfg\" </dev/null 3<&- & p=$!\n"
			    "{ cat <&3 >/dev/null; kill $p; } 2>/dev/null & c=$!\n"
			    "set +e; wait $p; s=$?; kill $c; exit $s";

// On the second machine, and its socket is brought here.
int remote_start(
	struct bench *b, struct rig *rig, const char *text, const struct argv *own, struct err *err
)
{
	const struct remote *m = b->remote;
	_cleanup_free_ char *dir =
		need(str_printf("/tmp/pinfold-bench-%d-%u", (int)getpid(), rig->how->number));
	_cleanup_free_ char *here = remote_socket(b, rig->how), *line = NULL;
	_cleanup_argv_ struct argv w = {0};
	// it is put away in order also after ctrl-C
	struct child_how child = {.stdin_pipe = true, .always = true, .bounded = true};
	struct rig_drover *d = &rig->tester;
	size_t len;
	FILE *f = need(open_memstream(&line, &len));

	for (const char *const *word = (const char *const[]
	     ){"sh", "-c", there, "sh", dir, text, "taskset", "-c", m->cpu, m->drover, NULL};
	     *word != NULL;
	     word++)
		add_word(f, *word);
	for (unsigned i = 0; i < own->n; i++)
		add_word(f, own->v[i]);
	fclose(f);
	for (const char *const *word = (const char *const[]
	     ){"ssh",
	       "-T",
	       "-o",
	       "BatchMode=yes",
	       "-o",
	       "ExitOnForwardFailure=yes",
	       "-o",
	       "StreamLocalBindUnlink=yes",
	       "-L",
	       NULL};
	     *word != NULL;
	     word++)
		argv_add(&w, "%s", *word);
	argv_add(&w, "%s:%s/dpdk/tester/drover.sock", here, dir);
	argv_add(&w, "%s", m->host);
	argv_add(&w, "%s", (char *)need(line));
	snprintf(d->what, sizeof(d->what), "tester on '%.40s'", m->host);
	d->log = bench_path(b, "%u-tester.log", rig->how->number);
	child.argv = (const char *const *)w.v;
	child.log = d->log;
	return child_start(b, &child, &d->child, err);
}
