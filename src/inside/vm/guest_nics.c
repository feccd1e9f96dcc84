// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs of the guest: each to the driver that hands it to programs, and what that makes of it into the grant.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/vm/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "/sys/bus/pci/devices/%s/"

static void write_to(const char *path, const char *value)
{
	int r = path != NULL ? fs_write_value(path, value) : -ENOMEM;

	if (r < 0)
		guest_die("write '%s' to '%s': %s", value, path != NULL ? path : "", strerror(-r));
}

// The last part of what the link leads to; "": there is none.
static const char *link_name(const char *pci, const char *link, char buf[static PATH_MAX])
{
	_cleanup_free_ char *path = str_printf(DEVICE "%s", pci, link);
	ssize_t n = path != NULL ? readlink(path, buf, PATH_MAX - 1) : -1;
	const char *slash;

	buf[n > 0 ? n : 0] = '\0';
	slash = strrchr(buf, '/');
	return slash != NULL ? slash + 1 : buf;
}

static void bind(const char *pci, const char *driver)
{
	_cleanup_free_ char *override = str_printf(DEVICE "driver_override", pci);
	_cleanup_free_ char *bound = str_printf(DEVICE "driver/unbind", pci);
	char buf[PATH_MAX];

	if (bound != NULL && access(bound, W_OK) == 0)
		write_to(bound, pci);
	write_to(override, driver);
	write_to("/sys/bus/pci/drivers_probe", pci);
	if (!str_eq(link_name(pci, "driver", buf), driver))
		guest_die(
			"NIC %s cannot be bound to %s%s",
			pci,
			driver,
			str_eq(driver, "vfio-pci") ? ": this kernel drives no IOMMU for it"
						   : ", which wants interrupts that it can "
						     "mask; say --viommu"
		);
}

// A program that is not root opens it too.
static void give_group(const char *group, const json_t *setup)
{
	_cleanup_free_ char *node = str_printf("/dev/vfio/%s", group);
	uid_t uid = (uid_t)json_integer_value(json_object_get(setup, "uid"));
	gid_t gid = (gid_t)json_integer_value(json_object_get(setup, "gid"));

	if (node == NULL || chown(node, uid, gid) < 0)
		guest_die("give IOMMU group %s away: %s", group, strerror(errno));
}

// The group of a granted function is in the guest's grant.
static void note_group(const json_t *setup, const char *pci, const char *group)
{
	const json_t *nics = json_object_get(json_object_get(setup, "grant"), "nics");
	json_t *e;
	size_t i;

	json_array_foreach (nics, i, e) {
		if (str_eq(json_text(e, "pci", ""), pci))
			json_object_set_new(e, "iommu-group", json_integer(atoi(group)));
	}
}

void guest_nics(const json_t *setup)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(setup, "nics"), i, e) {
		const char *pci = json_text(e, "pci", ""), *driver = json_text(e, "driver", "");
		char buf[PATH_MAX];
		const char *group;

		bind(pci, driver);
		if (!str_eq(driver, "vfio-pci"))
			continue;
		group = link_name(pci, "iommu_group", buf);
		give_group(group, setup);
		note_group(setup, pci, group);
	}
}
