// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/capture.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/write.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT 1
#define FILE_MAX (4u << 20)

// What is read of a machine by src/host, src/doctor and the ledger. A last component that is a link is kept as one.
static const char *const patterns[] = {
	"/sys/devices/system/cpu/{online,offline,possible,present,isolated,nohz_full}",
	"/sys/devices/system/cpu/cpu[0-9]*",
	"/sys/devices/system/cpu/cpu[0-9]*/{online,cpu_capacity,node[0-9]*}",
	"/sys/devices/system/cpu/cpu[0-9]*/topology/"
	"{core_id,physical_package_id,core_cpus_list,thread_siblings_list}",
	"/sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*/{level,type,size,id,shared_cpu_list}",
	"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
	"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state[0-9]/{name,latency,disable}",
	"/sys/devices/{cpu_core,cpu_atom,cpu_lowpower}/cpus",
	"/sys/devices/virtual/workqueue/cpumask",
	"/sys/devices/system/node/{online,possible,has_cpu,has_memory,has_normal_memory}",
	"/sys/devices/system/node/node[0-9]*/{cpulist,distance,meminfo}",
	"/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/{nr,free,surplus}_hugepages",
	"/sys/kernel/mm/hugepages/hugepages-*/*",
	"/sys/kernel/mm/{transparent_hugepage/enabled,ksm/run}",
	"/sys/kernel/iommu_groups",
	"/sys/kernel/iommu_groups/*/{reserved_regions,name}",
	"/sys/kernel/iommu_groups/*/devices/*",
	"/sys/bus/pci/devices",
	"/sys/bus/pci/devices/*",
	"/sys/bus/pci/devices/*/"
	"{vendor,device,class,numa_node,driver_override,sriov_totalvfs,sriov_numvfs}",
	"/sys/bus/pci/devices/*/{driver,iommu_group,physfn,reset_method,infiniband/*}",
	"/sys/bus/pci/devices/*/infiniband_verbs/*/dev",
	"/sys/class/infiniband_verbs/abi_version",
	"/sys/bus/pci/devices/*/{net,virtio*/net}/*",
	"/sys/bus/pci/devices/*/{net,virtio*/net}/*/{address,operstate,speed,upper_*}",
	"/sys/bus/pci/drivers/*",
	"/sys/class/net/*",
	"/sys/class/net/*/upper_*",
	"/sys/class/misc/{vfio,iommu}/dev",
	"/sys/class/misc/{tun,kvm,vhost-net}",
	"/sys/class/vfio/*/dev",
	"/sys/class/vfio-dev/*/dev",
	"/sys/module/{vfio,vfio_pci,vfio_iommu_type1,tun,vhost_net,kvm,kvm_intel,kvm_amd,overlay}",
	"/sys/module/{vfio,vfio_iommu_type1,apparmor,ib_core}/parameters/*",
	"/sys/kernel/security/apparmor/profiles",
	"/sys/fs/selinux/{enforce,booleans/container_use_devices}",
	"/sys/fs/cgroup/{,unified/}cgroup.{controllers,subtree_control}",
	"/sys/fs/cgroup/{docker,libpod_parent,system.slice,machine.slice}/cgroup.subtree_control",
	"/sys/fs/cgroup/{kubepods,kubepods.slice}/{,*/}cgroup.subtree_control",
	"/sys/fs/cgroup/{docker,libpod_parent,system.slice,machine.slice}/*/cgroup.subtree_control",
	"/sys/fs/cgroup/{kubepods,kubepods.slice}/*/*/cgroup.subtree_control",
	"/sys/fs/cgroup/*/cgroup.procs",
	"/sys/fs/cgroup/hugetlb/hugetlb.*limit_in_bytes",
	"/sys/fs/cgroup/cpuset.cpus.isolated",
	"/proc/{cmdline,cpuinfo,meminfo,mounts,cgroups,swaps,filesystems}",
	"/proc/net/{route,ipv6_route,if_inet6}",
	"/proc/irq/default_smp_affinity",
	"/proc/irq/[0-9]*/{effective_affinity_list,smp_affinity_list,*}",
	"/proc/[0-9]*/{stat,status}",
	"/proc/sys/kernel/{hostname,osrelease,random/"
	"boot_id,nmi_watchdog,timer_migration,numa_balancing}",
	"/proc/sys/vm/{stat_interval,max_map_count,overcommit_memory}",
	"/proc/sys/fs/{file-max,nr_open}",
	"/proc/sys/net/{core/somaxconn,ipv4/tcp_rmem}",
	"/proc/sys/user/max_user_namespaces",
	"/etc/pinfold/grants.d/*.json",
	"/etc/tuned/{active_profile,*.conf}",
	"/{etc,usr/lib}/tuned/{,profiles/}*/tuned.conf",
	"/run/pinfold/leases/*.json",
	"/run/tuned/tuned.pid",
};
// there, whatever is in them
static const char *const tables[] = {"DMAR", "IVRS", "IORT", "VIOT"};

// cgroup.procs of a hierarchy tells who runs here: that it is there is enough.
static bool is_empty_there(const char *path)
{
	return strstr(path, "/cgroup.procs") != NULL;
}

// The directory of a path without its links, and its last component as it is.
static char *real_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = strndup(path, (size_t)(slash - path)), *real = NULL;

	if (parent != NULL)
		real = realpath(*parent != '\0' ? parent : "/", NULL);
	return real != NULL ? str_printf("%s/%s", real, slash + 1) : NULL;
}

static void add(json_t *files, int root, const char *path)
{
	// /proc/mounts and /proc/net lead to the process that reads
	bool proc = str_starts(path, "/proc/");
	_cleanup_free_ char *name = proc ? strdup(path) : real_name(path), *text = NULL;
	char target[PATH_MAX];
	json_t *value = NULL;
	struct stat st;
	ssize_t n;

	if (name == NULL || json_object_get(files, name + 1) != NULL
	    || fstatat(AT_FDCWD, name, &st, proc ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(name, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			value = json_pack("{s:s}", "link", target);
		}
	} else if (S_ISDIR(st.st_mode)) {
		value = json_pack("{s:b}", "directory", 1);
	} else if (S_ISREG(st.st_mode) && is_empty_there(name)) {
		value = json_string("");
	} else if (S_ISREG(st.st_mode) && fs_read_system(root, name, FILE_MAX, &text, NULL) >= 0) {
		value = json_string(text);
	}
	if (value != NULL)
		json_object_set_new(files, name + 1, value);
}

int capture_take(json_t **ret, struct err *err)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	json_t *files = json_object();
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		glob_t g = {0};

		if (glob(patterns[i], GLOB_BRACE | GLOB_NOSORT, NULL, &g) == 0) {
			for (size_t k = 0; k < g.gl_pathc; k++)
				add(files, root, g.gl_pathv[k]);
		}
		globfree(&g);
	}
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		snprintf(path, sizeof(path), "/sys/firmware/acpi/tables/%s", tables[i]);
		if (access(path, F_OK) == 0)
			json_object_set_new(files, path + 1, json_string(""));
	}
	*ret = json_pack(
		"{s:i, s:s, s:o}", "capture", FORMAT, "pinfold", PINFOLD_VERSION, "files", files
	);
	return *ret != NULL ? 0 : err_oom(err);
}

// ---- the other way

// The directory that a path is to be in, made with those above; never through a link. -1 with errno.
static int parent_of(int dir, const char *path, const char **ret_name)
{
	int fd = dup(dir);

	for (const char *slash; fd >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		_cleanup_close_ int above = fd;
		char name[NAME_MAX + 1];

		fd = -1;
		errno = EINVAL;
		if (slash == path || (size_t)(slash - path) > NAME_MAX)
			break;
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		if (str_eq(name, ".") || str_eq(name, "..")
		    || (mkdirat(above, name, 0755) < 0 && errno != EEXIST))
			break;
		fd = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	*ret_name = path;
	if (fd >= 0 && (*path == '\0' || str_eq(path, ".") || str_eq(path, ".."))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static int make_one(int dir, const char *path, const json_t *value)
{
	const char *target = json_string_value(json_object_get(value, "link")), *name;
	_cleanup_close_ int parent = parent_of(dir, path, &name), fd = -1;
	size_t len = json_string_length(value);

	if (parent < 0)
		return -errno;
	if (target != NULL)
		return symlinkat(target, parent, name) < 0 ? -errno : 0;
	if (json_is_true(json_object_get(value, "directory")))
		return mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (!json_is_string(value))
		return -EINVAL;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : write_all(fd, json_string_value(value), len);
}

static int check_format(const json_t *doc, const char *what, struct err *err)
{
	const json_t *format = json_object_get(doc, "capture");
	const char *by = json_string_value(json_object_get(doc, "pinfold"));

	if (!json_is_integer(format) || by == NULL)
		return err_set(
			err,
			EINVAL,
			"%s is no capture; make one with: pinfold host capture > FILE",
			what
		);
	if (json_integer_value(format) != FORMAT || !str_eq(by, PINFOLD_VERSION))
		return err_set(
			err,
			EINVAL,
			"%s is of pinfold %.32s, this is %s: capture that machine again with this "
			"version",
			what,
			by,
			PINFOLD_VERSION
		);
	return 0;
}

int capture_unpack(const char *text, size_t len, const char *what, int dir, struct err *err)
{
	json_error_t where;
	_cleanup_json_ json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	json_t *files = json_object_get(doc, "files"), *value;
	const char *path;
	int r = 0;

	if (doc == NULL)
		return err_set(
			err, EINVAL, "%s is no capture: line %d: %s", what, where.line, where.text
		);
	if (check_format(doc, what, err) < 0)
		return -err->code;
	if (!json_is_object(files))
		return err_set(err, EINVAL, "%s: no files are in it", what);
	// links last: nothing is made through them
	for (int links = 0; links < 2; links++) {
		json_object_foreach (files, path, value) {
			if ((json_object_get(value, "link") != NULL) != (links == 1))
				continue;
			r = make_one(dir, path, value);
			if (r < 0)
				return err_sys(err, -r, "%s: make '%.200s'", what, path);
		}
	}
	return 0;
}
