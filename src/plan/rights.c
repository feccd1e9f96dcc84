// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the process may do: capabilities, system calls, AppArmor.

#include "base/jread.h"
#include "base/scope.h"
#include "grant/caps.h"
#include "plan/make.h"
#include "plan/seccomp.h"

#include <linux/capability.h>
#include <string.h>

json_t *rights_capabilities(const struct grant *g)
{
	static const char *const sets[] = {
		"bounding", "effective", "inheritable", "permitted", "ambient"};
	_cleanup_json_ json_t *names = json_array();
	json_t *all = json_object();

	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (cap_has(g->caps, i))
			json_array_append_new(names, json_sprintf("CAP_%s", cap_name(i)));
	}
	// EAL gives such a NIC physical addresses
	if (grant_has_uio(g))
		json_array_append_new(names, json_string("CAP_SYS_ADMIN"));
	// ambient, so that a user other than root keeps them across exec
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		json_object_set_new(all, sets[i], json_deep_copy(names));
	return all;
}

// ---- system calls

static void note_beyond(struct plan *p, const char *what, const json_t *profile, const json_t *base)
{
	_cleanup_json_ json_t *beyond = seccomp_beyond(profile, base);
	char list[512] = "";
	size_t i, n = 0;
	json_t *e;

	json_array_foreach (beyond, i, e) {
		n += (size_t)snprintf(
			list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "", json_string_value(e)
		);
		if (n >= sizeof(list))
			break;
	}
	if (n >= sizeof(list))
		strcpy(list + sizeof(list) - 5, " …");
	if (n > 0)
		plan_note(
			p,
			"%s replaces the default one and opens what that refuses (%zu calls): %s",
			what,
			json_array_size(beyond),
			list
		);
	else
		plan_note(
			p, "%s replaces the default one and opens nothing that that refuses", what
		);
}

static uint64_t of_nics(const struct plan *p)
{
	const struct grant *g = &p->lease.grant;
	uint64_t opened = SECCOMP_UIO;

	if (grant_has_bifurcated(g))
		return SECCOMP_RDMA;

	for (unsigned i = 0; i < g->nnics; i++)
		opened |= g->nics[i].uio ? 0 : SECCOMP_VFIO;
	return plan_host_ids(&p->lease) ? opened : 0;
}

static int from_file(struct plan *p, json_t **ret, struct err *err)
{
	_cleanup_json_ json_t *base = seccomp_default(p->lease.grant.caps | of_nics(p));
	const char *choice = p->lease.grant.seccomp;
	bool strict = str_starts(choice, "strict:");
	const char *path = strict ? choice + strlen("strict:") : choice;
	_cleanup_free_ char *what = str_printf("seccomp profile '%s'", path);
	_cleanup_json_ json_t *profile = NULL;

	if (what == NULL || base == NULL)
		return err_oom(err);
	// the calls of its own are not in a recording
	if (strict && p->launch->site.runtime.kind->calls_filtered)
		return err_set(
			err,
			EINVAL,
			"--seccomp=strict:FILE needs crun: runtime '%s' makes calls of its own "
			"under the filter",
			p->launch->site.runtime.path
		);
	// a strict one can only take away, so whoever wrote it does no harm
	if (seccomp_read(path, !strict, p->launch->image, &profile, err) < 0)
		return -err->code;
	if (!strict) {
		if (seccomp_check_init(profile, what, err) < 0)
			return -err->code;
		note_beyond(p, what, profile, base);
		*ret = steal_ptr(profile);
		return 0;
	}
	if (seccomp_narrow(profile, base, what, ret, err) < 0)
		return -err->code;
	plan_note(
		p,
		"%s: %u system calls of the default profile's %u",
		what,
		seccomp_count(*ret),
		seccomp_count(base)
	);
	return 0;
}

// Not the default one: what it is made from is a value first.
static int make_filter(struct plan *p, uint64_t opened, json_t **ret, struct err *err)
{
	_cleanup_json_ json_t *base = NULL;

	if (p->launch->filter != NULL) {
		*ret = json_incref(p->launch->filter);
		return 0;
	}
	if (p->launch->seccomp_listener == NULL)
		return from_file(p, ret, err);
	base = seccomp_default(opened);
	*ret = seccomp_notifying(base, p->launch->seccomp_listener);
	return *ret != NULL ? 0 : err_oom(err);
}

int rights_seccomp(struct plan *p, char **ret, struct err *err)
{
	bool aio = str_eq(p->lease.grant.seccomp, "aio"), listened;
	bool profile = p->lease.grant.seccomp[0] != '\0' && !aio;
	uint64_t opened = p->lease.grant.caps | (aio ? SECCOMP_AIO : 0)
			  | (site_has(&p->lease.site, SITE_GUEST) ? SECCOMP_QEMU : 0) | of_nics(p);
	_cleanup_json_ json_t *filter = NULL;

	listened = p->launch->filter == NULL && p->launch->seccomp_listener != NULL;
	if (listened && p->launch->site.runtime.kind->calls_filtered)
		return err_set(
			err,
			EINVAL,
			"recording needs crun: runtime '%s' would wait for itself",
			p->launch->site.runtime.path
		);
	if (aio && p->launch->filter == NULL)
		plan_note(
			p,
			"--seccomp aio: asynchronous I/O takes of the events of the whole machine "
			"(fs.aio-max-nr), and the container may take all"
		);
	if (listened && profile)
		return err_set(
			err,
			EINVAL,
			"grant '%s' has a seccomp profile; record with the default one",
			p->lease.grant.name
		);
	if (p->launch->filter == NULL && !listened && !profile) {
		*ret = seccomp_default_text(opened);
	} else {
		if (make_filter(p, opened, &filter, err) < 0)
			return -err->code;
		*ret = json_dumps(filter, JSON_COMPACT);
	}
	return *ret != NULL ? 0 : err_oom(err);
}

// ---- AppArmor

int rights_apparmor(struct plan *p, const char **ret, struct err *err)
{
	const char *profile = p->launch->apparmor != NULL ? p->launch->apparmor : APPARMOR_PROFILE;
	_cleanup_free_ char *word = NULL;
	enum host_apparmor state;

	*ret = NULL;
	// it refuses what UIO takes
	if (p->launch->apparmor == NULL && plan_host_ids(&p->lease)) {
		plan_note(p, "AppArmor: no profile, since %s denies UIO its files", profile);
		return 0;
	}
	if (str_eq(profile, "unconfined")) {
		plan_note(p, "AppArmor: unconfined, as asked for");
		return 0;
	}
	// only root may read which profiles are loaded: for a keeper it did
	state = p->launch->apparmor != NULL ? host_apparmor(p->fs, profile) : p->host->apparmor;
	if (state == HOST_APPARMOR_READY) {
		plan_note(p, "AppArmor: profile %s", profile);
		*ret = profile;
		return 0;
	}
	if (p->launch->apparmor != NULL && state == HOST_APPARMOR_OFF)
		return err_set(
			err,
			ENOTSUP,
			"--apparmor %s: AppArmor is off on this host; leave the option out",
			profile
		);
	word = str_quote(profile);
	if (word == NULL)
		return err_oom(err);
	if (p->launch->apparmor != NULL)
		return err_set(
			err,
			ENOENT,
			"--apparmor %s: no such profile is loaded and enforced; load it with: "
			"apparmor_parser -r /etc/apparmor.d/%s",
			profile,
			word
		);
	if (state == HOST_APPARMOR_NO_PROFILE)
		plan_note(
			p,
			"AppArmor is on, but profile %s is not loaded and enforced, so it confines "
			"nothing; load it with: apparmor_parser -r /etc/apparmor.d/%s",
			profile,
			word
		);
	return 0;
}

void rights_notes(struct plan *p)
{
	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (cap_has(p->lease.grant.caps, i))
			plan_note(p, "capability %s: %s", cap_name(i), cap_opens(i));
	}
}

int rights_check(const struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	if (plan_uio_check(p, err) < 0 || plan_rdma_check(p, err) < 0)
		return -err->code;
	if (plan_has_netns(p)
	    && (!site_has(&p->lease.site, SITE_USERNS) || site_has(&p->lease.site, SITE_GUEST)))
		return err_set(
			err,
			EINVAL,
			"grant '%s': %s are for containers that root starts, neither "
			"--in host or vm nor through a keeper",
			g->name,
			g->nports > 0 ? "kernel ports" : "netdevs"
		);
	if ((p->lease.site.may & ASK_RIGHTS) != 0
	    || (g->caps == 0 && g->seccomp[0] == '\0' && p->launch->apparmor == NULL))
		return 0;
	return err_set(
		err,
		EINVAL,
		"grant '%s': capabilities, system call profiles and AppArmor are for containers, "
		"not --in %s",
		g->name,
		p->lease.site.name
	);
}
