// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages of Runtimes, container engines and the kernel below them. What stands first is looked for first: the special before the general.

#include "explain/tables.h"

static const struct known_message messages[] = {
	{
		.of = "crun",
		.like = "cgroups in hybrid mode not supported",
		.example =
			"cgroups in hybrid mode not supported, drop all controllers from cgroupv2",
		.source = "crun 1.8.1 with version 1 and no hugetlb controller mounted",
		.cause = "a controller of cgroup version 1 is not mounted, most often hugetlb",
		.cure = "pinfold host prepare # mounts hugetlb; pinfold doctor names others",
	},
	{
		.of = "podman",
		.like = "setrlimit *RLIMIT_*: Operation not permitted",
		.example = "Error: OCI runtime error: crun: setrlimit `RLIMIT_NOFILE`: Operation "
			   "not permitted",
		.source = "podman 4.3.1 without CAP_SYS_RESOURCE",
		.cause = "the engine wants higher limits than it may set",
		.cure = "default_ulimits = [\"nofile=20000:20000\",\"nproc=32768:32768\"] in "
			"containers.conf, below "
			"[containers]",
	},
	{
		.of = "runtime",
		.like = "mount *hugetlbfs*: *peration not permitted",
		.example = "crun: mount `hugetlbfs` to `dev/hugepages`: Operation not permitted",
		.source = "crun 1.8.1 and runc 1.1.5 in a user namespace",
		.cause = "hugetlbfs cannot be mounted inside a user namespace",
		.cure = "under pinfold run and pinfold-runtime it is mounted on the host and bound "
			"in",
	},
	{
		.of = "engine",
		.like = "unknown or invalid runtime name: pinfold",
		.example = "docker: Error response from daemon: unknown or invalid runtime name: "
			   "pinfold.",
		.source = "Docker 20.10",
		.cause = "the engine does not know pinfold-runtime",
		.cure = "pinfold runtime configure docker # or podman, containerd, crio",
	},
	{
		.of = "docker",
		.like = "Requested CPUs are not available",
		.example = "docker: Error response from daemon: Requested CPUs are not available - "
			   "requested 9, available: 0-1.",
		.source = "Docker 20.10",
		.cause = "--cpuset-cpus names CPUs that are not online, or not in the engine's own "
			 "cpuset",
		.cure = "pinfold host free",
	},
	{
		.of = "kubelet",
		.like = "Insufficient hugepages-",
		.example = "0/1 nodes are available: 1 Insufficient hugepages-2Mi.",
		.source = "kubernetes#130577",
		.cause = "the node told kubelet of fewer hugepages when that started",
		.cure = "pinfold host prepare --hugepages 2M=N && systemctl restart kubelet",
	},
	{
		.of = "kernel",
		.like = "emory cgroup out of memory: Killed process",
		.example = "Memory cgroup out of memory: Killed process 4711 (dpdk-testpmd)",
		.source = "Linux, mm/oom_kill.c",
		.cause = "it took more ordinary memory than its grant has",
		.cure = "--memory SIZE in the grant",
	},
};

const struct messages engines_messages = {messages, ARRAY_LEN(messages)};
