// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The IOMMU and VFIO, which hand a NIC to a program (Documentation/driver-api/vfio.rst).

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

static bool is_amd(const struct doctor *d)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(d->fs->root, "proc/cpuinfo");
	char line[512];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (str_starts(line, "vendor_id"))
			return strstr(line, "AuthenticAMD") != NULL;
	}
	return false;
}

// The table of an IOMMU that the firmware tells of; NULL: none.
static const char *firmware_table(const struct doctor *d)
{
	static const char *const tables[] = {"DMAR", "IVRS", "IORT", "VIOT"};
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		snprintf(path, sizeof(path), "sys/firmware/acpi/tables/%s", tables[i]);
		if (doctor_exists(d, path))
			return tables[i];
	}
	return NULL;
}

void doctor_cure_iommu(struct doctor *d)
{
	if (d->host->iommu)
		doctor_cure(d, "use another slot: the IOMMU is on, and does not see this one");
	else
		doctor_cure(
			d,
			"%sboot with %siommu=pt",
			firmware_table(d) == NULL
				? "turn VT-d (AMD: IOMMU) on in the firmware, in a guest give it a "
				  "virtual IOMMU; "
				: "",
			is_amd(d) ? "" : "intel_iommu=on "
		);
}

static void look_at_iommu(struct doctor *d)
{
	const char *firmware = firmware_table(d);

	doctor_find(
		d,
		doctor_needs(d, d->host->iommu),
		"iommu",
		d->host->iommu	   ? "on"
		: firmware != NULL ? "off, though the firmware has one (%s): no NIC can be granted"
				   : "none that the firmware tells of: no NIC can be granted",
		firmware
	);
	doctor_read(
		d,
		"/sys/kernel/iommu_groups: %s%s",
		d->host->iommu ? "groups" : "empty",
		d->host->iommu ? "" : ", /sys/firmware/acpi/tables"
	);
	if (!d->host->iommu)
		doctor_cure_iommu(d);
}

// A parameter that makes VFIO unsafe where it is on.
static void look_at_parameter(
	struct doctor *d,
	const char *path,
	const char *check,
	enum verdict verdict,
	const char *bad,
	const char *good
)
{
	char value[8];
	bool on;

	if (hostfs_line(d->fs->root, path, value, sizeof(value)) < 0)
		return;
	on = value[0] == 'Y' || value[0] == '1';
	doctor_find(d, on ? verdict : VERDICT_PASS, check, "%s", on ? bad : good);
	doctor_read(d, "/%s: %s", path, value);
	if (on)
		doctor_cure(d, "echo N > /%s", path);
}

static void look_at_module(struct doctor *d, const char *name)
{
	bool there = doctor_has_module(d, name);
	int loads = there ? 1 : doctor_can_load(d, name);

	doctor_find(
		d,
		there || loads == 1	    ? VERDICT_PASS
		: loads < 0 && !d->fs->real ? VERDICT_SKIP
					    : doctor_needs(d, false),
		"modules",
		there	     ? "%s is loaded"
		: loads == 1 ? "%s is loaded when a NIC is bound"
		: loads == 0 || d->fs->real
			? "this kernel has no %s: no NIC can be granted"
			: "%s is not loaded, and this copy does not tell modules",
		name
	);
	doctor_read(
		d,
		there ? "/sys/module, /sys/bus/pci/drivers" : "/lib/modules/%s/modules.dep",
		d->host->release
	);
	if (!there && loads == 0)
		doctor_cure(d, "a kernel with CONFIG_VFIO_PCI (Debian's linux-image-amd64)");
}

// The newer way to open NICs, beside the groups. Nobody has to have it.
static void look_at_iommufd(struct doctor *d)
{
	bool there = doctor_exists(d, "sys/class/misc/iommu");
	bool nodes = doctor_exists(d, "sys/class/vfio-dev/vfio0");

	if (!there && !doctor_has_module(d, "vfio"))
		return;
	doctor_find(
		d,
		VERDICT_PASS,
		"iommufd",
		there && nodes ? "there, and NICs that are bound have nodes of their own"
		: there	       ? "there; no NIC that is bound has a node of its own"
			       : "not there: NICs are opened by their groups"
	);
	doctor_read(d, "/sys/class/misc/iommu, /sys/class/vfio-dev");
}

void doctor_iommu(struct doctor *d)
{
	if (!doctor_wants_nics(d))
		return;
	look_at_iommu(d);
	look_at_parameter(
		d,
		"sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
		"interrupt-remapping",
		VERDICT_WARN,
		"not asked for: a NIC can send any CPU any interrupt, and with it the host",
		"asked for"
	);
	look_at_module(d, "vfio-pci");
	look_at_module(d, "vfio_iommu_type1");
	look_at_iommufd(d);
	look_at_parameter(
		d,
		"sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		"unsafe-noiommu",
		VERDICT_FAIL,
		"on: a NIC that is bound so reads and writes all memory, and EAL uses physical "
		"addresses in every container",
		"off"
	);
}
