// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Interfaces of the host go home from a container's network namespace, and are what they were.

#include "apply/netdevs.h"

#include "apply/apply.h"
#include "apply/rdma.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALTNAME_TRIES 10000

static void note(const struct link *was, const char *lease, int r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

// r: 0 or -errno. The rest must not wait for a part that cannot be had again.
static void note(const struct link *was, const char *lease, int r, const char *fmt, ...)
{
	char what[2 * LINK_ALTNAME];
	va_list ap;

	if (r == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	event_log(
		"netdev '%s' of '%s' is back, but has lost %s: %s",
		was->name,
		lease,
		what,
		strerrordesc_np(-r)
	);
}

static int name_is_taken(const struct link *was, struct err *err)
{
	return err_set(
		err,
		EEXIST,
		"netdev '%s' cannot go back: another has its name; rename that, then: pinfold gc",
		was->name
	);
}

static bool has_altname(const struct link *l, const char *name)
{
	for (unsigned i = 0; i < l->naltnames; i++) {
		if (str_eq(l->altnames[i], name))
			return true;
	}
	return false;
}

// What it was, of all that may have been changed. What is so already stays. Only its name is waited for.
static int restore(
	struct link_view *v,
	const struct link *was,
	const struct link *now,
	const char *lease,
	struct err *err
)
{
	bool mac = now->mac_len != was->mac_len || memcmp(now->mac, was->mac, was->mac_len) != 0;
	bool name = !str_eq(now->name, was->name);
	int renamed = 0;

	// neither is changed of every kind while it is up
	if (mac || name)
		link_set_flags(v, now->index, 0, IFF_UP);
	if (name)
		renamed = link_rename(v, now->index, was->name);
	if (mac)
		note(was,
		     lease,
		     link_set_mac(v, now->index, was->mac, was->mac_len),
		     "its MAC address");
	if (now->mtu != was->mtu)
		note(was, lease, link_set_mtu(v, now->index, was->mtu), "its MTU, %u", was->mtu);
	for (unsigned i = 0; i < was->naltnames; i++) {
		if (!has_altname(now, was->altnames[i]))
			note(was,
			     lease,
			     link_altname(v, now->index, was->altnames[i], true),
			     "its name %s",
			     was->altnames[i]);
	}
	for (unsigned i = 0; i < was->naddresses; i++)
		note(was,
		     lease,
		     link_add_address(v, now->index, &was->addresses[i]),
		     "%s/%u",
		     was->addresses[i].local,
		     was->addresses[i].prefix);
	note(was, lease, link_set_flags(v, now->index, was->flags, LINK_FLAGS), "its state");
	if (renamed == -EEXIST)
		return name_is_taken(was, err);
	return renamed < 0 ? err_sys(err, -renamed, "netdev '%s': rename it back", was->name) : 0;
}

// The one that was `was`, by the name that it has now. Who is fast enough could have given that to another.
static int look_again(
	struct link_view *v,
	const char *name,
	const struct link *was,
	struct link *ret,
	struct err *err
)
{
	if (link_look(v, name, ret, err) < 0)
		return -err->code;
	if (ret->inode != was->inode)
		return err_set(
			err,
			EAGAIN,
			"netdev '%s' was renamed while it was looked at; call: pinfold gc",
			was->name
		);
	return 0;
}

static int move_back(
	struct link_view *inside,
	int home,
	const char *name,
	const struct link *was,
	struct err *err
)
{
	struct link now;
	int r = 0;

	if (look_again(inside, name, was, &now, err) < 0)
		return -err->code;
	// a name of the host's among them would keep it here; it tells some of them at a time
	for (unsigned tries = 0; now.naltnames > 0 && tries < ALTNAME_TRIES; tries++) {
		for (unsigned i = 0; i < now.naltnames; i++)
			link_altname(inside, now.index, now.altnames[i], false);
		if (look_again(inside, name, was, &now, err) < 0)
			return -err->code;
	}
	r = link_move(inside, now.index, home, was->name);
	if (r == -EEXIST)
		return name_is_taken(was, err);
	return r < 0 ? err_sys(err, -r, "netdev '%s': move it back", was->name) : 0;
}

// inside: NULL when the namespace is gone, which leaves those of hardware to the host.
static int give_back(
	struct link_view *inside,
	struct link_view *home,
	int there,
	int ns,
	const struct link *was,
	const char *lease,
	struct err *err
)
{
	char name[IFNAMSIZ];
	struct link now;

	// from a namespace that is gone the kernel has taken it
	if (there >= 0 && was->rdma[0] != '\0') {
		int r = rdma_move(there, ns, was->rdma);

		if (r < 0 && r != -ENODEV)
			return err_sys(
				err,
				-r,
				"netdev '%s': move InfiniBand device '%s' back",
				was->name,
				was->rdma
			);
	}
	if (inside != NULL && link_find(inside, was->inode, name)
	    && move_back(inside, ns, name, was, err) < 0)
		return -err->code;
	if (!link_find(home, was->inode, name)) {
		event_log(
			"netdev '%s' of '%s' does not exist any more: it was removed, or went "
			"with its network namespace",
			was->name,
			lease
		);
		return 0;
	}
	return look_again(home, name, was, &now, err) < 0 ? -err->code
							  : restore(home, was, &now, lease, err);
}

static int give_all_back(
	const struct ledger *l, int dir, const char *path, const char *lease, struct err *err
)
{
	struct netdev_record *r scope_cleanup(scope_free) = calloc(1, sizeof(*r));
	_cleanup_close_ int kept = netdevs_open_kept(path, NS_HOME),
			    ns = netdevs_open_kept(path, NS_THERE);
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct link_view inside scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct link_view home scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct err first = {0};
	int to = kept >= 0 ? kept : here, n;

	if (r == NULL)
		return err_oom(err);
	n = netdev_record_read(dir, r, err);
	if (n == -ENOENT) // nothing was moved
		return 0;
	// what has these inodes now is another's
	if (n == 0 && !netdev_record_of_this_boot(&l->fs, r))
		return 0;
	if (n < 0)
		return err_wrap(err, "use '%s/netdevs.json' (mend or remove it)", path);
	if (link_view_open(to, &home, err) < 0 || (ns >= 0 && link_view_open(ns, &inside, err) < 0))
		return -err->code;
	// go on: one that resists must not keep the others
	for (unsigned i = 0; i < r->n; i++) {
		if (give_back(ns >= 0 ? &inside : NULL, &home, ns, to, &r->was[i], lease, err) < 0)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}

int netdevs_return(const struct ledger *l, const char *path, struct err *err)
{
	_cleanup_close_ int top = open(PLAN_NETDEVS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *lease = path + strlen(PLAN_NETDEVS "/");
	_cleanup_close_ int dir = -1;

	if (!str_starts(path, PLAN_NETDEVS "/") || strchr(lease, '/') != NULL || lease[0] == '.'
	    || lease[0] == '\0')
		return err_set(err, EINVAL, "undo '%s': not below " PLAN_NETDEVS, path);
	if (top >= 0)
		dir = openat(top, lease, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "undo '%s'", path);
	// what is back is not asked for again, whoever dies meanwhile
	if (give_all_back(l, dir, path, lease, err) < 0 || netdev_record_remove(dir, err) < 0
	    || netdevs_let_go(path, NS_THERE, err) < 0 || netdevs_let_go(path, NS_HOME, err) < 0
	    || fs_remove_tree(top, lease, err) < 0)
		return -err->code;
	rmdir(PLAN_NETDEVS); // where it is empty
	return 0;
}

int netdevs_sweep(const struct ledger *l, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, PLAN_NETDEVS + 1);
	struct err first = {0};
	const char *name;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *path = str_printf(PLAN_NETDEVS "/%s", name);

		if (path == NULL)
			return err_oom(err);
		if (!lease_exists(l, name) && netdevs_return(l, path, err) < 0)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}
