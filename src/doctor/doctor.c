// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "doctor/doctor.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/tuned.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *name;
	void (*examine)(struct doctor *d);
} groups[] = {
	{"grant", doctor_grant},
	{"processor", doctor_processor},
	{"hugepages", doctor_hugepages},
	{"leftovers", doctor_leftovers},
	{"cgroups", doctor_cgroups},
	{"runtime", doctor_runtime},
	{"iommu", doctor_iommu},
	{"nics", doctor_nics},
	{"isolation", doctor_isolation},
	{"noise", doctor_noise},
	{"memory", doctor_memory},
	{"limits", doctor_limits},
	{"security", doctor_security},
	{"devices", doctor_devices},
	{"machines", doctor_machines},
};

static const char *const verdicts[] = {"PASS", "WARN", "FAIL", "SKIP"};

// What a machine calls its things is for a terminal, too.
static json_t *line(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static json_t *line(const char *fmt, va_list ap)
{
	_cleanup_free_ char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0) {
		s = NULL;
		return NULL;
	}
	str_plain(s);
	return json_string(s);
}

void doctor_find(struct doctor *d, enum verdict v, const char *check, const char *fmt, ...)
{
	json_t *o = json_object();
	va_list ap;

	va_start(ap, fmt);
	json_object_set_new(o, "verdict", json_string(verdicts[v]));
	json_object_set_new(o, "group", json_string(d->group));
	json_object_set_new(o, "check", json_string(check));
	json_object_set_new(o, "found", line(fmt, ap));
	json_object_set_new(o, "read", json_null());
	json_object_set_new(o, "cure", json_null());
	va_end(ap);
	json_array_append_new(d->findings, o);
	d->count[v]++;
}

static json_t *last(const struct doctor *d)
{
	return json_array_get(d->findings, json_array_size(d->findings) - 1);
}

void doctor_read(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_object_set_new(last(d), "read", line(fmt, ap));
	va_end(ap);
}

void doctor_cure(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_object_set_new(last(d), "cure", line(fmt, ap));
	va_end(ap);
}

void doctor_cure_cpus(struct doctor *d)
{
	char list[IDSET_STR];
	struct host_tuned tuned;

	host_tuned(d->fs, &tuned);
	if (idset_subset(&d->host->online, &d->cpus))
		doctor_cure(d, "leave the host a CPU that is not granted");
	else if (tuned.active)
		doctor_cure(d, "%s", host_tuned_cure(&tuned, &d->cpus, list));
	else
		doctor_cure(
			d,
			"pinfold host prepare --cpus %s",
			idset_format(&d->cpus, list, sizeof(list))
		);
}

void doctor_number(struct doctor *d, const struct doctor_number *n)
{
	uint64_t v;
	bool ok;

	if (hostfs_u64(d->fs->root, n->path, &v) < 0)
		return;
	ok = v >= n->least && v <= n->most;
	doctor_find(d, ok ? VERDICT_PASS : VERDICT_WARN, n->check, "%s", ok ? n->good : n->bad);
	doctor_read(d, "/%s: %llu", n->path, (unsigned long long)v);
	if (!ok)
		doctor_cure(d, "%s", n->cure);
}

void doctor_mask(struct doctor *d, const struct doctor_mask *m)
{
	char text[IDSET_STR / 2];
	struct idset may;
	bool ok;

	if (hostfs_line(d->fs->root, m->path, text, sizeof(text)) < 0
	    || host_parse_mask(text, &may) < 0)
		return;
	ok = !idset_intersects(&may, &d->cpus);
	doctor_find(d, ok ? VERDICT_PASS : VERDICT_WARN, m->check, "%s", ok ? m->good : m->bad);
	doctor_read(d, "/%s: %s", m->path, text);
	if (!ok)
		doctor_cure_cpus(d);
}

bool doctor_wants_nics(const struct doctor *d)
{
	return d->wanted == NULL || d->wanted->nnics > 0;
}

bool doctor_wants_pages(const struct doctor *d)
{
	return d->wanted == NULL || d->wanted->nhugepages > 0;
}

bool doctor_wants_ports(const struct doctor *d, bool vhost)
{
	if (d->wanted == NULL)
		return true;
	for (unsigned i = 0; i < d->wanted->nports; i++) {
		if (d->wanted->ports[i].vhost || !vhost)
			return true;
	}
	return false;
}

bool doctor_cmdline(const struct doctor *d, const char *key, char *ret, size_t len)
{
	size_t n = strlen(key);
	bool found = false;

	for (const char *w = d->host->cmdline; *w != '\0'; w += strspn(w, " ")) {
		size_t length = strcspn(w, " ");

		if (length > n && strncmp(w, key, n) == 0 && w[n] == '=') {
			snprintf(ret, len, "%.*s", (int)(length - n - 1), w + n + 1);
			found = true;
		}
		w += length;
	}
	return found;
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	_cleanup_close_ int fd = hostfs_dir(d->fs->root, path);
	char unused[1];

	return fd >= 0 || fd == -EACCES
	       || (fd == -ENOTDIR && hostfs_line(d->fs->root, path, unused, 1) != -ENOENT);
}

bool doctor_kernel(const struct doctor *d, unsigned major, unsigned minor)
{
	unsigned is, below;

	return sscanf(d->host->release, "%u.%u", &is, &below) != 2 || is > major
	       || (is == major && below >= minor);
}

bool doctor_has_module(const struct doctor *d, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "sys/module/%.64s", name);
	for (char *c = path; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
	}
	if (doctor_exists(d, path))
		return true;
	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%.64s", name);
	return doctor_exists(d, path);
}

// "kernel/drivers/vfio/pci/vfio-pci.ko.xz: …": a name is written with "-" or "_".
static bool names_module(const char *text, const char *name)
{
	const char *slash = text + strcspn(text, ":\n");
	size_t n = strlen(name);

	while (slash > text && slash[-1] != '/')
		slash--;
	for (size_t i = 0; i < n; i++) {
		if (slash[i] != name[i] && !(name[i] == '-' && slash[i] == '_'))
			return false;
	}
	return str_starts(slash + n, ".ko");
}

int doctor_can_load(const struct doctor *d, const char *name)
{
	static const char *const lists[] = {"modules.dep", "modules.builtin"};
	int r = -1;

	for (size_t i = 0; i < ARRAY_LEN(lists) && r != 1; i++) {
		_cleanup_free_ char *path =
			str_printf("lib/modules/%s/%s", d->host->release, lists[i]);
		_cleanup_fclose_ FILE *f = path != NULL ? hostfs_fopen(d->fs->root, path) : NULL;
		char text[4096];

		if (f != NULL)
			r = 0;
		while (f != NULL && r != 1 && fgets(text, sizeof(text), f) != NULL)
			r = names_module(text, name);
	}
	return r;
}

int doctor_examine(struct doctor *d, json_t **ret, struct err *err)
{
	json_t *o;

	d->findings = json_array();
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		d->group = groups[i].name;
		groups[i].examine(d);
	}
	o = json_pack(
		"{s:i, s:s, s:b, s:o?, s:o, s:i, s:i, s:i, s:i}",
		"version",
		1,
		"host",
		d->host->hostname,
		"root",
		d->root,
		"grant",
		d->wanted != NULL ? json_string(d->wanted->name) : NULL,
		"checks",
		d->findings,
		"passed",
		(int)d->count[VERDICT_PASS],
		"warned",
		(int)d->count[VERDICT_WARN],
		"failed",
		(int)d->count[VERDICT_FAIL],
		"skipped",
		(int)d->count[VERDICT_SKIP]
	);
	if (o == NULL)
		return err_oom(err);
	*ret = o;
	return 0;
}
