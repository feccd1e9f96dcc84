// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/audit/audit.h"

#include "base/scope.h"
#include "inside/child.h"
#include "inside/files.h"
#include "inside/inside.h"
#include "inside/out.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>

#define GRANT "/run/pinfold/grant.json"
#define SECONDS 10 // a property may take

// In the order of the report. What takes the last of a limit comes last.
static const struct property *const tables[] = {
	audit_identity,
	audit_cpus,
	audit_numa,
	audit_hugepages,
	audit_devices,
	audit_pci,
	audit_writes,
	audit_files,
	audit_modes,
	audit_streams,
	audit_namespaces,
	audit_processes,
	audit_ipc,
	audit_network,
	audit_calls,
	audit_sockets,
	audit_limits,
	audit_accounts,
};

static const char *const words[] = {
	[AUDIT_NONE] = "FAIL",
	[AUDIT_PASS] = "PASS",
	[AUDIT_FAIL] = "FAIL",
	[AUDIT_SKIP] = "SKIP",
};

void found(struct finding *f, enum verdict v, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	// a failure is not taken back, and hides what went well
	if (f->verdict == AUDIT_FAIL && v != AUDIT_FAIL)
		return;
	if (f->verdict != v && (v == AUDIT_FAIL || f->verdict == AUDIT_NONE)) {
		f->verdict = v;
		f->text[0] = '\0';
	}
	n = strlen(f->text);
	if (n > 0 && n + 2 < sizeof(f->text))
		n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "; ");
	va_start(ap, fmt);
	if (n < sizeof(f->text))
		vsnprintf(f->text + n, sizeof(f->text) - n, fmt, ap);
	va_end(ap);
}

const char *name_list(const struct names *names, size_t show)
{
	static char buf[400];
	const size_t len = sizeof(buf);
	size_t n = 0;

	snprintf(buf, len, "none");
	for (size_t i = 0; i < names->n && i < show && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", i > 0 ? ", " : "", names->v[i]);
	if (names->n > show && n < len)
		snprintf(buf + n, len - n, " and %zu more", names->n - show);
	return buf;
}

const char *audit_path(const char *dir)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/.pinfold-audit-%d", dir, (int)getpid());
	return path;
}

struct attempt {
	const struct audit *audit;
	const struct property *property;
};

static void attempt(const void *arg, void *result)
{
	const struct attempt *t = arg;

	if (t->property->calls != NULL)
		audit_try_calls(t->property->calls, result);
	else
		t->property->check(t->audit, result);
}

static struct finding check(const struct audit *a, const struct property *p)
{
	struct attempt t = {a, p};
	struct finding f = {0};
	int r;

	if (a->given.machine && !p->machine) {
		skip(&f, "does not apply: a virtual machine has its kernel to itself");
		return f;
	}
	r = child_run(attempt, &t, &f, sizeof(f), SECONDS);
	// what could not be tried is not shown to hold
	if (r > 0)
		fail(&f, "could not be tried: ended by SIG%s", sigabbrev_np(r) ?: "?");
	else if (r < 0)
		fail(&f, "could not be tried: %s", strerror(-r));
	else if (f.verdict == AUDIT_NONE)
		fail(&f, "could not be tried");
	return f;
}

// Nobody is here but this process and those that started it.
static bool alone(void)
{
	_cleanup_names_ struct names all = names_of_dir("/proc", "");

	for (size_t i = 0; i < all.n; i++) {
		pid_t pid = (pid_t)strtol(all.v[i], NULL, 10);

		if (isdigit((unsigned char)all.v[i][0]) && pid != 1 && pid != getpid()
		    && pid != getppid())
			return false;
	}
	return getpid() == 1 || getppid() == 1;
}

static int report(const struct audit *a, bool json)
{
	struct out o = {.json = json, .table = true};
	uint64_t count[AUDIT_SKIP + 1] = {0};

	out_object(&o, NULL);
	out_str(&o, "grant", a->given.known ? a->given.name : NULL);
	out_bool(&o, "exhaust", a->exhaust);
	out_list(&o, "properties");
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (const struct property *p = tables[t]; p->name != NULL; p++) {
			struct finding f = check(a, p);

			count[f.verdict]++;
			out_object(&o, NULL);
			out_cell(&o, "verdict", words[f.verdict], 4);
			out_cell(&o, "name", p->name, 18);
			out_cell(&o, "tried", p->tries, 66);
			out_cell(&o, "found", f.text, 0);
			out_end(&o);
			fflush(stdout);
		}
	}
	out_end(&o);
	out_u64(&o, "passed", count[AUDIT_PASS]);
	out_u64(&o, "failed", count[AUDIT_FAIL]);
	out_u64(&o, "skipped", count[AUDIT_SKIP]);
	out_end(&o);
	if (fflush(stdout) != 0)
		return inside_fail("audit: cannot write: %s", strerror(errno));
	return count[AUDIT_FAIL] > 0 ? 1 : 0;
}

int inside_audit(int argc, char **argv)
{
	static const struct option longs[] = {
		{"all", no_argument, NULL, 'a'},
		{"grant", required_argument, NULL, 'g'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	static struct audit a;
	const char *grant = GRANT;
	bool json = false, all = false;
	struct err err;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'g':
			grant = optarg;
			break;
		case 'j':
			json = true;
			break;
		case ':':
			return inside_fail("audit: option '%s' needs a value", argv[optind - 1]);
		default:
			return inside_fail("audit: unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return inside_fail("audit: unexpected argument '%s'", argv[optind]);
	// The program beside us may be of the same user: it is not to write into this process.
	prctl(PR_SET_DUMPABLE, 0);
	if (access("/proc/self/status", R_OK) < 0)
		return inside_fail("audit: /proc is not mounted here: nothing can be told");
	if (given_read(grant, &a.given, &err) < 0)
		return inside_fail("audit: %s", err.msg);
	if (!a.given.known && !str_eq(grant, GRANT))
		return inside_fail("audit: there is no grant '%s'", grant);
	a.exhaust = all || alone();
	return report(&a, json);
}
