// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Moving interfaces of the host into a container's network namespace, and back. A namespace that goes takes its veth,
// macvlan and the like with it: that of the container is kept by a mount until they have left it, whoever dies.

#include "apply/netdevs.h"

#include "apply/apply.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define NS_HOME "home"	  // the namespace that they are from
#define NS_THERE "inside" // the container's
#define ALTNAME_TRIES 10000

// ---- keeping namespaces

// Who has the mount namespace that they are kept in: the machine's first process, where everybody finds them, or where
// that may not be looked at pinfold itself. This process's own goes with the workload.
static pid_t keeper_of(pid_t pinfold)
{
	return access("/proc/1/root/.", F_OK) == 0 ? 1 : pinfold;
}

// Done there by another process, since this one has to stay where it is. 0 or -errno.
static int do_there(pid_t pinfold, int (*fn)(int ns, const char *place), int ns, const char *place)
{
	_cleanup_close_ int mounts = -1;
	int status = 0;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)keeper_of(pinfold));
	mounts = open(path, O_RDONLY | O_CLOEXEC);
	pid = mounts < 0 ? -1 : fork();
	if (pid == 0)
		_exit(setns(mounts, CLONE_NEWNS) < 0 ? errno : -fn(ns, place));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int mount_there(int ns, const char *place)
{
	char from[32];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", ns);
	return mount(from, place, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int unmount_there(int, const char *place)
{
	return umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

static int keep(int dir, const char *path, const char *name, int ns, struct err *err)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0400);
	_cleanup_free_ char *place = str_printf("%s/%s", path, name);
	int r;

	if (place == NULL)
		return err_oom(err);
	r = fd < 0 ? -errno : do_there(getppid(), mount_there, ns, place);
	return r < 0 ? err_sys(err, -r, "keep a network namespace at '%s'", place) : 0;
}

static int let_go(const char *path, const char *name, struct err *err)
{
	_cleanup_free_ char *place = str_printf("%s/%s", path, name);
	int r = place != NULL ? do_there(getpid(), unmount_there, -1, place) : -ENOMEM;

	// EINVAL: it is not kept
	if (r < 0 && r != -EINVAL && r != -ENOENT)
		return err_sys(err, -r, "unmount '%s/%s'", path, name);
	return 0;
}

// -1: it is not kept any more.
static int open_kept(const char *path, const char *name)
{
	_cleanup_free_ char *place =
		str_printf("/proc/%d/root%s/%s", (int)keeper_of(getpid()), path, name);
	_cleanup_close_ int fd =
		place != NULL ? open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct statfs st;

	if (fd < 0 || fstatfs(fd, &st) < 0 || st.f_type != NSFS_MAGIC)
		return -1;
	return steal_fd(&fd);
}

// ---- taking

// "192.0.2.1/24", which grant_netdev_parse has let in.
static struct link_address named(const char *text)
{
	struct link_address a = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	size_t n = strcspn(text, "/");

	snprintf(a.local, sizeof(a.local), "%.*s", (int)n, text);
	sscanf(text + n, "/%u", &a.prefix);
	return a;
}

// Else what a router on the link says sets addresses and routes of the container, which nobody asked for.
static int ignore_routers(int ns, const char *name)
{
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	if (here < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	// a kernel without IPv6 has none
	r = fd < 0 ? (errno == ENOENT ? 0 : -errno) : write(fd, "0", 1) == 1 ? 0 : -errno;
	return setns(here, CLONE_NEWNET) < 0 ? -errno : r;
}

// As it is to be in the container.
static int furnish(
	struct link_view *v,
	int ns,
	const struct grant_netdev *n,
	const struct link *was,
	struct err *err
)
{
	unsigned naddresses = n->has.naddresses > 0 ? n->has.naddresses : was->naddresses;
	struct link now;
	int r;

	if (link_look(v, n->inside, &now, err) < 0)
		return -err->code;
	r = n->has.mtu != 0 ? link_set_mtu(v, now.index, n->has.mtu) : 0;
	if (r < 0)
		return err_sys(err, -r, "netdev '%s': set its MTU to %u", n->name, n->has.mtu);
	for (unsigned i = 0; i < naddresses; i++) {
		struct link_address a =
			n->has.naddresses > 0 ? named(n->has.addresses[i]) : was->addresses[i];

		r = link_add_address(v, now.index, &a);
		if (r < 0)
			return err_sys(
				err, -r, "netdev '%s': give it %s/%u", n->name, a.local, a.prefix
			);
	}
	r = ignore_routers(ns, n->inside);
	if (r < 0)
		return err_sys(err, -r, "netdev '%s': set accept_ra to 0", n->name);
	r = link_set_flags(v, now.index, IFF_UP, IFF_UP);
	return r < 0 ? err_sys(err, -r, "netdev '%s': set it up", n->name) : 0;
}

static int move_there(
	struct link_view *home,
	struct link_view *inside,
	int ns,
	const struct grant_netdev *n,
	const struct link *was,
	struct err *err
)
{
	int r = link_move(home, was->index, ns, n->inside);

	if (r == -EINVAL)
		return err_set(
			err,
			EINVAL,
			"netdev '%s': the kernel moves none of its kind to another network "
			"namespace; put a veth or macvlan on it, and name that",
			n->name
		);
	if (r < 0)
		return err_sys(
			err, -r, "netdev '%s': move it to the container as '%s'", n->name, n->inside
		);
	return furnish(inside, ns, n, was, err);
}

static int parse(const struct step *s, struct grant_netdev *ret, unsigned *n, struct err *err)
{
	_cleanup_free_ char *copy = strdup(s->value);
	char *save = NULL;

	if (copy == NULL)
		return err_oom(err);
	*n = 0;
	for (char *w = strtok_r(copy, " ", &save); w != NULL && *n < GRANT_NETDEVS;
	     w = strtok_r(NULL, " ", &save)) {
		if (grant_netdev_parse(w, &ret[(*n)++], err) < 0)
			return -err->code;
	}
	return 0;
}

static int take_all(
	int dir,
	struct link_view *home,
	struct link_view *inside,
	int ns,
	const struct grant_netdev *netdevs,
	unsigned n,
	struct err *err
)
{
	struct netdev_record *r scope_cleanup(scope_free) = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_oom(err);
	for (; r->n < n; r->n++) {
		if (link_look(home, netdevs[r->n].name, &r->was[r->n], err) < 0
		    || link_look_addresses(home, &r->was[r->n], err) < 0
		    || link_look_lower(home, &r->was[r->n], err) < 0)
			return -err->code;
		if (r->was[r->n].more_altnames)
			return err_set(
				err,
				E2BIG,
				"netdev '%s' has more than %d alternative names, which could not "
				"be "
				"given back; take some away",
				netdevs[r->n].name,
				LINK_ALTNAMES
			);
	}
	if (netdev_record_write(dir, r, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < n; i++) {
		if (move_there(home, inside, ns, &netdevs[i], &r->was[i], err) < 0)
			return -err->code;
	}
	return 0;
}

int apply_netdevs(const struct step *s, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(s->path, 0700, err);
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int inside = open(PLAN_NETNS, O_RDONLY | O_CLOEXEC);
	struct link_view from scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct link_view to scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct grant_netdev netdevs[GRANT_NETDEVS];
	unsigned n = 0;

	if (dir < 0)
		return dir;
	if (home < 0 || inside < 0)
		return err_sys(err, errno, "open network namespaces");
	// what it tells of would never come back
	if (netdev_record_exists(dir))
		return err_set(
			err,
			EEXIST,
			"'%s' has netdevs that are not back yet; call: pinfold gc",
			s->path
		);
	if (parse(s, netdevs, &n, err) < 0 || keep(dir, s->path, NS_HOME, home, err) < 0
	    || keep(dir, s->path, NS_THERE, inside, err) < 0 || link_view_open(home, &from, err) < 0
	    || link_view_open(inside, &to, err) < 0)
		return -err->code;
	return take_all(dir, &from, &to, inside, netdevs, n, err);
}

// ---- giving back

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
	int ns,
	const struct link *was,
	const char *lease,
	struct err *err
)
{
	char name[IFNAMSIZ];
	struct link now;

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

static int give_all_back(int dir, const char *path, const char *lease, struct err *err)
{
	struct netdev_record *r scope_cleanup(scope_free) = calloc(1, sizeof(*r));
	_cleanup_close_ int kept = open_kept(path, NS_HOME), ns = open_kept(path, NS_THERE);
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
	if (n == 0 && !netdev_record_of_this_boot(r))
		return 0;
	if (n < 0 || link_view_open(to, &home, err) < 0
	    || (ns >= 0 && link_view_open(ns, &inside, err) < 0))
		return -err->code;
	// go on: one that resists must not keep the others
	for (unsigned i = 0; i < r->n; i++) {
		if (give_back(ns >= 0 ? &inside : NULL, &home, to, &r->was[i], lease, err) < 0
		    && first.code == 0)
			first = *err;
	}
	if (first.code != 0)
		*err = first;
	return -first.code;
}

int netdevs_return(const char *path, struct err *err)
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
	if (give_all_back(dir, path, lease, err) < 0 || netdev_record_remove(dir, err) < 0
	    || let_go(path, NS_THERE, err) < 0 || let_go(path, NS_HOME, err) < 0
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
		if (!lease_exists(l, name) && netdevs_return(path, err) < 0 && first.code == 0)
			first = *err;
	}
	if (first.code != 0)
		*err = first;
	return -first.code;
}

// ---- who has a function's interface

// Its own, or that of what it is on top of.
static bool is_of(const struct link *was, const char *bdf)
{
	char part[32];

	snprintf(part, sizeof(part), "/%s/", bdf);
	return strstr(was->device, part) != NULL || strstr(was->lower_device, part) != NULL;
}

// The next record of this boot. NULL: no more; else the name of its lease.
static const char *next_record(DIR *d, struct netdev_record *r)
{
	const char *name;
	struct err unused;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_close_ int dir =
			openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (netdev_record_read(dir, r, &unused) == 0 && netdev_record_of_this_boot(r))
			return name;
	}
	return NULL;
}

bool netdevs_holder(const struct ledger *l, const char *bdf, char *ret, size_t len)
{
	_cleanup_free_ struct netdev_record *r = malloc(sizeof(*r));
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, PLAN_NETDEVS + 1);
	const char *name;

	while (r != NULL && (name = next_record(d, r)) != NULL) {
		for (unsigned i = 0; i < r->n; i++) {
			if (!is_of(&r->was[i], bdf))
				continue;
			snprintf(ret, len, "netdev '%s' of '%s'", r->was[i].name, name);
			return true;
		}
	}
	return false;
}

int netdevs_mark(const struct ledger *l, struct host *h, struct err *err)
{
	_cleanup_free_ struct netdev_record *r = malloc(sizeof(*r));
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, PLAN_NETDEVS + 1);

	if (r == NULL)
		return err_oom(err);
	while (next_record(d, r) != NULL) {
		for (const struct link *was = r->was; was < r->was + r->n; was++) {
			for (unsigned i = 0; i < h->npci; i++) {
				if (is_of(was, h->pci[i].bdf))
					strcpy(h->pci[i].lent, was->name);
			}
			for (unsigned i = 0; i < h->nnetdevs; i++) {
				if (was->lower != 0 && h->netdevs[i].inode == was->lower)
					strcpy(h->netdevs[i].lent, was->name);
			}
		}
	}
	return 0;
}
