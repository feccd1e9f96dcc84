// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is mounted and written in the workload's own mount namespace, before it starts. None of it has
// an undo: the kernel drops it with the last process of the workload, however that ends.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "launch/config.h"
#include "plan/make.h"

#include <string.h>

#define LINK_OPTIONS "size=1m,nr_inodes=256,mode=0700" // for sockets
#define FENCE_SIZE (UINT64_C(64) << 20)		       // room for the view of the largest machine

static int add_view(struct plan *p, struct err *err)
{
	const struct view *v = &p->view;

	bool whole = site_has(&p->lease.site, SITE_CONTAINER);

	if (view_build(&p->lease.grant, p->host, p->fs, whole, &p->view, err) < 0)
		return -err->code;
	plan_dir(p, strdup(FENCE_DIR "/view"));
	for (unsigned i = 0; i < v->n; i++) {
		const struct view_entry *e = &v->entries[i];
		char *path = str_printf(FENCE_DIR "/view/%s", e->path);

		switch (e->kind) {
		case VIEW_BIND:
			plan_dir(p, path);
			plan_bind(
				p,
				str_printf("/%s", e->path),
				str_printf(FENCE_DIR "/view/%s", e->path),
				true
			);
			break;
		case VIEW_DIR:
			plan_dir(p, path);
			break;
		case VIEW_FILE:
			plan_file(p, path, strdup(e->value));
			break;
		case VIEW_LINK:
			plan_link(p, path, strdup(e->value));
			break;
		}
	}
	// On the bare host there is no runtime that would bind the view: it is done here.
	for (unsigned i = 0; site_has(&p->lease.site, SITE_HOST_FILES) && i < v->ncovers; i++) {
		struct step *s = plan_bind(
			p,
			str_printf(FENCE_DIR "/view/%s", v->covers[i].path),
			str_printf("/%s", v->covers[i].path),
			true
		);

		s->recursive = true;
	}
	return 0;
}

unsigned plan_fs_sizes(
	const struct grant *g, const struct host *host, uint64_t ret[static HOST_PAGE_SIZES]
)
{
	unsigned n = 0;

	for (unsigned i = 0; i < host->nsizes; i++) {
		if (grant_pages(g, host->hugepages[i].size, -1, true, false) > 0)
			ret[n++] = host->hugepages[i].size;
	}
	return n;
}

char *plan_hugepage_target(const struct grant *g, uint64_t size)
{
	char text[SIZE_STR];

	for (unsigned i = 0; i < g->nhugepages; i++) {
		if (!g->hugepages[i].anon && g->hugepages[i].size < size)
			return str_printf("/dev/hugepages-%s", size_format(size, text));
	}
	return strdup("/dev/hugepages");
}

char *plan_hugepage_source(const struct site *site, uint64_t size)
{
	char text[SIZE_STR];

	return str_printf("%s/%s", site->pages, size_format(size, text));
}

// One hugetlbfs a size. size= is its limit and min_size= reserves the pages for it: the mount fails
// when they are not there, and nobody outside can take them afterwards.
void plan_hugetlbfs(struct plan *p, uint32_t uid, uint32_t gid)
{
	const struct grant *g = &p->lease.grant;
	const char *top = p->lease.site.pages;
	uint64_t sizes[HOST_PAGE_SIZES];
	unsigned n = plan_fs_sizes(g, p->host, sizes);

	plan_dir(p, strdup(top));
	if (site_has(&p->lease.site, SITE_HOST_FILES))
		plan_fence_step(p, STEP_DETACH_HUGETLBFS, strdup(FENCE_DIR), NULL);
	for (unsigned i = 0; i < n; i++) {
		unsigned long long bytes = sizes[i] * grant_pages(g, sizes[i], -1, true, false);
		char *place = plan_hugepage_source(&p->lease.site, sizes[i]);
		char size[SIZE_STR];

		plan_dir(p, place != NULL ? strdup(place) : NULL);
		plan_fence_step(
			p,
			STEP_HUGETLBFS,
			place,
			str_printf(
				"pagesize=%s,size=%llu,min_size=%llu,uid=%u,gid=%u,mode=0700",
				size_format(sizes[i], size),
				bytes,
				bytes,
				uid,
				gid
			)
		)
			->mark = lease_mark(&p->lease);
	}
}

char *plan_take_in(
	struct plan *p, const char *name, const char *source, bool directory, bool readonly
)
{
	char *place = name != NULL ? str_printf(FENCE_DIR "/in/%s", name) : NULL;

	if (place == NULL || source == NULL) {
		free(place);
		p->failed = true;
		return NULL;
	}
	if (directory)
		plan_dir(p, strdup(place));
	else
		plan_file(p, strdup(place), strdup(""));
	plan_bind(p, strdup(source), strdup(place), readonly)->recursive = true;
	return place;
}

// A file, and before it the directories that it does not share with the one before: one directory's files, and all below
// it, come together.
static void file_below(
	struct plan *p, const char *top, const char *before, const struct config_file *f
)
{
	char *path = str_printf("%s/%s", top, f->name);
	const char *name = path != NULL ? path + strlen(top) + 1 : NULL;

	for (const char *s = name != NULL ? strchr(name, '/') : NULL; s != NULL;
	     s = strchr(s + 1, '/')) {
		if (strncmp(before, name, (size_t)(s - name) + 1) != 0)
			plan_dir(p, strndup(path, (size_t)(s - path)));
	}
	plan_file(p, path, strdup(f->text));
}

void plan_config_files(struct plan *p, const char *top)
{
	const struct config *c = p->launch->config_files;

	if (c != NULL && c->nfiles > 0)
		plan_dir(p, strdup(top));
	for (unsigned i = 0; c != NULL && i < c->nfiles; i++)
		file_below(p, top, i > 0 ? c->files[i - 1].name : "", &c->files[i]);
}

// What is /run/pinfold in a container: a mount of its own, read-only. As a directory of the container's
// /run the workload could rename it, and pinfold exec would run what it put in its place.
static void add_own(struct plan *p, char *grant)
{
	const struct grant *g = &p->lease.grant;

	plan_dir(p, strdup(FENCE_DIR "/own"));
	plan_file(p, strdup(FENCE_DIR "/own/grant.json"), grant);
	// to a guest QEMU hands them on
	if (!site_has(&p->lease.site, SITE_GUEST))
		plan_config_files(p, FENCE_DIR "/own/config");
	if (site_has(&p->lease.site, SITE_HOST_FILES))
		return;
	plan_file(p, strdup(FENCE_DIR "/own/inside"), strdup("")); // bound over
	if (g->nlinks > 0)
		plan_dir(p, strdup(FENCE_DIR "/own/links"));
	for (unsigned i = 0; i < g->nlinks; i++)
		plan_dir(p, str_printf(FENCE_DIR "/own/links/%s", g->links[i].name));
}

char *plan_directory_of(const char *path)
{
	size_t n = (size_t)(strrchr(path, '/') - path);

	return n > 0 ? strndup(path, n) : strdup("/");
}

// Where pinfold's own program for the inside lies, under an overlay like the rest of what is shown of
// the host: a watch on it would tell of every other container that starts. Bound first, since an overlay
// takes its layers by names that hold neither ':' nor ','.
static void add_tools(struct plan *p, const char *inside)
{
	plan_dir(p, strdup(FENCE_DIR "/tools"));
	plan_bind(p, plan_directory_of(inside), strdup(FENCE_DIR "/tools"), true);
	plan_fence_step(
		p, STEP_OVERLAY, strdup(FENCE_DIR "/tools"), strdup(PLAN_SHOWN FENCE_DIR "/tools")
	);
}

// The shared directory of a link belongs to a group that both ends have and nobody else. It is a file
// system of its own: what is written there has its bounds, and fills none of the host's.
int plan_links(struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nlinks; i++) {
		_cleanup_free_ char *path = str_printf(LINKS_DIR "/%s", g->links[i].name);
		struct step *s;

		if (path == NULL)
			return err_oom(err);
		if ((g->links[i].server || g->links[i].packed)
		    && !site_has(&p->lease.site, SITE_GUEST))
			return err_set(
				err,
				EINVAL,
				"link '%s': server and packed are for the end of a virtual "
				"machine (--in vm); elsewhere the program says it itself",
				g->links[i].name
			);
		if (lease_note(&p->lease, "link", path, err) < 0)
			return -err->code;
		s = plan_step(p, STEP_LINK, STEP_HOST, strdup(path), strdup(LINK_OPTIONS));
		s->mode = 02770;
		s->gid = g->links[i].gid;
	}
	return 0;
}

int plan_fence(struct plan *p, struct err *err)
{
	const struct site *site = &p->lease.site;
	json_t *inner = NULL;
	char *text;

	plan_fence_step(
		p,
		STEP_TMPFS,
		strdup(FENCE_DIR),
		str_printf("mode=0755,size=%llu", (unsigned long long)FENCE_SIZE)
	);
	inner = plan_inner_grant(p);
	text = json_dumps(inner, JSON_INDENT(2));
	json_decref(inner);
	add_own(p, text);
	if (site_has(site, SITE_HOST_FILES)) {
		plan_step(p, STEP_TOUCH, STEP_HOST, strdup(GRANT_FILE), NULL);
		plan_bind(p, strdup(FENCE_DIR "/own/grant.json"), strdup(GRANT_FILE), true);
	}
	plan_dir(p, strdup(FENCE_DIR "/in"));
	if (site_has(site, SITE_CONTAINER | SITE_SPEC))
		plan_dir(p, strdup(FENCE_DIR "/none"));
	if (site_has(site, SITE_NODES))
		plan_nodes(p, FENCE_DIR "/dev");
	if (site_has(site, SITE_CONTAINER | SITE_SPEC))
		add_tools(p, p->launch->inside);
	if (site_has(site, SITE_LEASE) && (plan_links(p, err) < 0 || plan_publish(p, err) < 0))
		return -err->code;
	if (site_has(site, SITE_PAGES))
		plan_hugetlbfs(p, p->lease.uid_base + plan_uid(p), p->lease.uid_base + plan_gid(p));
	return add_view(p, err);
}
