// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Words of the kernel's command line (Documentation/admin-guide/kernel-parameters.txt) that do at the boot what a
// preparation does later, or what only they can.

#include "prepare/prepare.h"

#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
	const char *have;
	const char *ours; // what is there, too, and does not count
	char *text;	  // NULL: memory ran out
};

static void add(struct words *w, const char *fmt, ...) printf_like(2, 3);

// Unless it is there already.
static void add(struct words *w, const char *fmt, ...)
{
	_cleanup_free_ char *word = NULL, *before = w->text;
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&word, fmt, ap) < 0)
		word = NULL;
	va_end(ap);
	n = word != NULL ? strlen(word) : 0;
	for (const char *at = n > 0 ? strstr(w->have, word) : NULL; at != NULL;
	     at = strstr(at + 1, word)) {
		if ((at == w->have || at[-1] == ' ')
		    && (at[n] == '\0' || at[n] == ' ' || at[n] == '\n')) {
			before = NULL; // it stays the text
			return;
		}
	}
	w->text = word == NULL || before == NULL
			  ? NULL
			  : str_printf("%s%s%s", before, before[0] != '\0' ? " " : "", word);
}

// tuned: it has the rest put there itself.
static void add_cpus(struct words *w, const struct idset *cpus, const struct host *h, bool tuned)
{
	_cleanup_free_ char *list = malloc(IDSET_STR), *rest = malloc(IDSET_STR);
	struct idset others = h->online;

	if (idset_empty(cpus) || list == NULL || rest == NULL)
		return;
	idset_andnot(&others, cpus);
	idset_format(cpus, list, IDSET_STR);
	add(w, "isolcpus=managed_irq,domain,%s", list);
	if (tuned)
		return;
	add(w, "nohz_full=%s", list);
	add(w, "rcu_nocbs=%s", list);
	if (!idset_empty(&others))
		add(w, "irqaffinity=%s", idset_format(&others, rest, IDSET_STR));
}

// Whether all are of one size, which is not what programs get that ask for none. The kernel takes the first
// default_hugepagesz= alone.
static bool is_other_default(const struct words *w, const struct request *r, const struct host *h)
{
	for (unsigned i = 1; i < r->nhugepages; i++) {
		if (r->hugepages[i].size != r->hugepages[0].size)
			return false;
	}
	return r->nhugepages > 0 && strstr(w->have, "default_hugepagesz=") == NULL
	       && (r->hugepages[0].size != h->default_hugepage
		   || strstr(w->ours, "default_hugepagesz=") != NULL);
}

// Sizes one after the other: what follows hugepagesz= is of that size.
static void add_pages(struct words *w, const struct request *r, const struct host *h)
{
	char first[SIZE_STR];

	if (is_other_default(w, r, h))
		add(w, "default_hugepagesz=%s", size_format(r->hugepages[0].size, first));
	for (unsigned i = 0; i < h->nsizes; i++) {
		const uint64_t size = h->hugepages[i].size;
		char text[SIZE_STR], nodes[256] = "";
		uint64_t anywhere = 0;

		for (unsigned k = 0; k < r->nhugepages; k++) {
			const struct grant_hugepages *p = &r->hugepages[k];

			if (p->size == size && p->node < 0)
				anywhere += p->count;
			else if (p->size == size)
				str_add(nodes,
					sizeof(nodes),
					",",
					"%d:%llu",
					p->node,
					(unsigned long long)p->count);
		}
		size_format(size, text);
		if (anywhere > 0)
			add(w, "hugepagesz=%s hugepages=%llu", text, (unsigned long long)anywhere);
		else if (nodes[0] != '\0')
			add(w, "hugepagesz=%s hugepages=%s", text, nodes);
	}
}

static void add_iommu(struct words *w, const struct host *h, const struct hostfs *fs)
{
	char text[4096] = "";
	bool there = h->iommu && strstr(w->ours, "iommu=") == NULL;
	_cleanup_fclose_ FILE *f = there ? NULL : hostfs_fopen(fs->root, "proc/cpuinfo");

	if (f == NULL || fread(text, 1, sizeof(text) - 1, f) == 0)
		return;
	if (strstr(text, "GenuineIntel") != NULL)
		add(w, "intel_iommu=on");
	if (strstr(text, "GenuineIntel") != NULL || strstr(text, "AuthenticAMD") != NULL)
		add(w, "iommu=pt");
}

static void append(char *list, const char *word)
{
	if (list[0] != '\0')
		strcat(list, " ");
	strcat(list, word);
}

// The words of a preparation, and the others. Each has room for all.
static void divide(char *cmdline, char *ours, char *others)
{
	char *save = NULL;
	bool in = false;

	for (char *w = strtok_r(cmdline, " \n", &save); w != NULL;
	     w = strtok_r(NULL, " \n", &save)) {
		if (str_eq(w, PREPARE_BEGIN) || str_eq(w, PREPARE_END))
			in = str_eq(w, PREPARE_BEGIN);
		else
			append(in ? ours : others, w);
	}
}

char *prepare_cmdline(
	const struct prepare_want *want, bool all, const struct host *h, const struct hostfs *fs
)
{
	const char *cmdline = h->cmdline != NULL ? h->cmdline : "";
	size_t room = strlen(cmdline) + 1;
	_cleanup_free_ char *copy = strdup(cmdline), *ours = calloc(1, room),
			    *others = calloc(1, room);
	struct words w = {.have = all ? others : cmdline, .ours = all ? ours : ""};

	if (copy == NULL || ours == NULL || others == NULL)
		return NULL;
	divide(copy, ours, others);
	w.text = strdup("");
	add_cpus(&w, &want->request.cpus, h, want->tuned.active);
	add_pages(&w, &want->request, h);
	for (unsigned i = 0; i < want->nmodules; i++) {
		if (str_starts(want->modules[i], "vfio")) {
			add_iommu(&w, h, fs);
			break;
		}
	}
	return w.text;
}

// ---- words of others, which count

struct overruled {
	const struct host *h;
	char *text; // NULL: memory ran out
};

static void overrule(struct overruled *o, const char *before, const char *word)
{
	_cleanup_free_ char *former = o->text;

	if (former != NULL)
		o->text = str_printf(
			"%s%s%s%s%s",
			former,
			former[0] != '\0' ? " " : "",
			before,
			before[0] != '\0' ? " " : "",
			word
		);
}

// The CPUs of isolcpus= and nohz_full=, of which the kernel takes one list alone: the first. NULL: it is another word.
static const char *housekeeping(const char *word)
{
	if (!str_starts(word, "isolcpus=") && !str_starts(word, "nohz_full="))
		return NULL;
	word = strchr(word, '=') + 1;
	return word + strcspn(word, "0123456789"); // behind flags
}

static bool other_cpus(const char *a, const char *b)
{
	_cleanup_free_ struct idset *sets = calloc(2, sizeof(*sets));
	struct err unused;

	return sets != NULL && idset_parse(a, &sets[0], &unused) == 0
	       && idset_parse(b, &sets[1], &unused) == 0 && !idset_equal(&sets[0], &sets[1]);
}

// Of a size, which hugepages= is of, the first counts; before each hugepagesz= it is the default one.
struct pages {
	uint64_t size;
	char of[64]; // "hugepagesz=2M"; "": the default
};

static bool is_pages(struct pages *p, const char *word)
{
	struct err unused;
	const char *value = strstr(word, "hugepagesz=");

	if (value == NULL)
		return str_starts(word, "hugepages=");
	if (size_parse(value + strlen("hugepagesz="), &p->size, &unused) < 0)
		p->size = 0;
	snprintf(p->of, sizeof(p->of), "%s", value == word ? word : "");
	return false;
}

static void compare(struct overruled *o, const char *ours, const struct pages *size, char *others)
{
	struct pages p = {.size = o->h->default_hugepage};
	const char *list = housekeeping(ours);
	char *save = NULL;

	for (char *w = strtok_r(others, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		const char *theirs = housekeeping(w);
		bool pages = is_pages(&p, w);

		if (list != NULL && theirs != NULL && other_cpus(list, theirs))
			overrule(o, "", w);
		else if (size != NULL && pages && p.size == size->size && !str_eq(w, ours))
			overrule(o, p.of, w);
		else if (str_eq(ours, "iommu=pt") && str_eq(w, "iommu=off"))
			overrule(o, "", w);
	}
}

char *prepare_overruled(
	const struct prepare_want *want, const struct host *h, const struct hostfs *fs
)
{
	const char *cmdline = h->cmdline != NULL ? h->cmdline : "";
	size_t room = strlen(cmdline) + 1;
	_cleanup_free_ char *words = prepare_cmdline(want, true, h, fs), *copy = strdup(cmdline),
			    *own = calloc(1, room), *others = calloc(1, room);
	struct overruled o = {.h = h, .text = strdup("")};
	struct pages p = {.size = h->default_hugepage};
	char *save = NULL;

	if (words == NULL || copy == NULL || own == NULL || others == NULL) {
		free(o.text);
		return NULL;
	}
	divide(copy, own, others);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		_cleanup_free_ char *again = strdup(others);
		bool pages = is_pages(&p, w);

		// isolcpus= stands before it, and has the same CPUs
		if (again != NULL && !str_starts(w, "nohz_full="))
			compare(&o, w, pages ? &p : NULL, again);
	}
	return o.text;
}
