// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A request says what is wanted; a grant is the answer in concrete numbers.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "base/str.h"
#include "host/host.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define GRANT_HUGEPAGES 32 // (size, node) pairs
#define GRANT_NICS 64
#define GRANT_LINKS 32
#define GRANT_PORTS 7 // an odd number: no padding before the next field
#define GRANT_NETDEVS 7
#define GRANT_ADDRESSES 4
#define GRANT_MEMORY_MIN (UINT64_C(8) << 20) // bytes of ordinary memory
#define GRANT_SECCOMP 256		     // bytes of the name of a system call profile

enum grant_kind {
	GRANT_WORKLOAD = 0, // for one program
	GRANT_POOL,	    // CPUs that several grants may share
};

// When none of its CPUs, or none of its nodes, is online any more: the kernel lets it run on others then.
enum grant_offline {
	OFFLINE_FREEZE = 0, // until they are back
	OFFLINE_STOP,	    // it is killed
	OFFLINE_WARN,	    // it goes on elsewhere
};

// How an engine's container may name it, beside the command line: bits.
enum grant_claim {
	CLAIM_BY_ANNOTATION = 1 << 0, // in the container's annotations
	CLAIM_BY_ENV = 1 << 1,	      // in its environment, as Docker and Swarm have it
	CLAIM_BY_CDI = 1 << 2,	      // as a CDI device, which no image can ask for
	CLAIM_BY_KUBERNETES = 1 << 3, // kubelet hands it out
};

struct grant_hugepages {
	uint64_t size;	// bytes of one page
	uint64_t count; // pages
	int node;	// -1 in a request: choose
	bool anon;	// for programs that take anonymous pages: no hugetlbfs mount
};

// What a NIC has to be; "" and 0: anything.
struct nic_select {
	char driver[32], pf[16];
	unsigned vendor, device, node;
	bool on_node;
	unsigned count;
	char netdev[16]; // the one that is called so, whatever it is
	char text[96];	 // as it was said
};

struct grant_nic {
	char bdf[16]; // "" in a request: choose
	int iommu_group;
	bool bind;	 // to be bound to vfio-pci for the lease
	bool uio;	 // it is bound to a driver of UIO, and stays so: nothing confines its DMA
	bool bifurcated; // its kernel driver stays, and the program works beside it (mlx5)
	struct nic_select select;
};

struct grant_link {
	char kind[16]; // "memif", "vhost-user"
	char name[NAME_MAX_LEN + 1];
	// of a virtual machine's end of a vhost-user link: it listens; its rings are packed
	bool server, packed;
	uint32_t gid; // host group that both ends share; 0 until a lease has it
};

#define INTERFACE_MTU6 1280 // at least, of one with an address of IPv6

// What an interface has in the container's own network namespace.
struct grant_interface {
	unsigned mtu; // 0: the kernel's, or what it has
	unsigned naddresses;
	char addresses[GRANT_ADDRESSES][64]; // "192.0.2.1/24"
};

// An interface there of which a program is the other end.
struct grant_port {
	char name[16];
	bool vhost; // for virtio-user over vhost-net
	struct grant_interface has;
};

// An interface of the host that is there for the lease.
struct grant_netdev {
	char name[16];	 // on the host
	char inside[16]; // in the container
	bool force;	 // though the host uses it
	bool rdma;	 // the InfiniBand device of its NIC goes with it
	struct grant_interface has;
};

// What a request and a grant say alike. A field has a row in options.def: its flag, its key, its bounds.
struct terms {
	enum grant_kind kind;
	char name[NAME_MAX_LEN + 1];
	struct idset cpus;		    // its own
	char shared_pool[NAME_MAX_LEN + 1]; // "" if none
	bool isolated;			    // its CPUs are an isolated partition of cgroup v2
	enum grant_offline on_offline;
	struct idset mems;   // NUMA nodes it may allocate from
	unsigned nhugepages; // in a grant sorted by size and node, each (size, node, anon) once
	struct grant_hugepages hugepages[GRANT_HUGEPAGES];
	uint64_t memory; // bytes
	uint64_t pids;
	unsigned nnics;
	struct grant_nic nics[GRANT_NICS];
	unsigned nlinks;
	struct grant_link links[GRANT_LINKS];
	unsigned nports;
	struct grant_port ports[GRANT_PORTS];
	unsigned nnetdevs;
	struct grant_netdev netdevs[GRANT_NETDEVS];
	uint64_t caps;		     // 1 << CAP_… (grant/caps.h)
	char seccomp[GRANT_SECCOMP]; // "strict:FILE", "FILE", "aio"; "": the default profile
};

// What is wanted. Zero means "not said".
struct request {
	struct terms;
	unsigned cpu_count; // that many CPUs, instead of these
	char near[64];	    // close to this NIC: BDF or network interface
};

// The answer. Everything is concrete.
struct grant {
	struct terms;
	struct idset shared_cpus; // of the pool
	unsigned claim_by;	  // CLAIM_BY_…
	// the user, not root, who may use it through a keeper; 0: nobody but root
	uint32_t owner_uid, owner_gid;
};

// True if it has a NIC of UIO. Its program needs capabilities of the host, and is in no user namespace.
bool grant_has_uio(const struct grant *g);
// True if its program works beside the kernel driver of a NIC.
bool grant_has_bifurcated(const struct grant *g);

// What others hold already: the input of a choice. Filled from the ledger.
struct holdings {
	unsigned n, room;
	struct holding {
		struct grant grant;
		bool live; // in use now (a lease), else only defined
	} * held;
};

// ---- options.c: requests and grants as flags, as documents and as text

// The document form, data/schemas/request.json. Strict.
int request_from_json(const json_t *doc, const char *what, struct request *ret, struct err *err);

// One flag of the command line, without its dashes ("hugepages", "2M=64@0"). Unknown names are the
// caller's business: -ENOENT without a message.
int request_set_flag(struct request *req, const char *flag, const char *value, struct err *err);

// The names of the flags that request_set_flag takes, one by one, then NULL; all of them want a value.
const char *request_flag(size_t index);
// A line for each of them.
void request_print_help(FILE *out);

// The format of data/schemas/grant.json. New reference.
json_t *grant_to_json(const struct grant *g);
int grant_from_json(const json_t *doc, const char *what, struct grant *ret, struct err *err);

// A word of --claim-by, added.
int grant_parse_claim(const char *word, unsigned *ret, struct err *err);

// Lines for a person.
void grant_print(const struct grant *g, FILE *out);

// port_option.c: "exc0,192.0.2.1/24,mtu=1400", the form that it is asked for in.
#define GRANT_PORT_STR 320
char *grant_port_text(const struct grant_port *p, char buf[static GRANT_PORT_STR]);
int grant_port_parse(const char *text, struct grant_port *ret, struct err *err);
// netdev_option.c: "veth0,name=eth0,192.0.2.1/24".
#define GRANT_NETDEV_STR 352
char *grant_netdev_text(const struct grant_netdev *n, char buf[static GRANT_NETDEV_STR]);
int grant_netdev_parse(const char *text, struct grant_netdev *ret, struct err *err);

// ---- choose.c, validate.c: request + host + what others hold → grant

// Chooses what is left open, then validates. Changes nothing. The name must be set.
int grant_resolve(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	struct grant *ret,
	struct err *err
);

// Validates a grant that was made earlier against the machine as it is now and against the others.
int grant_validate(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
);

// ---- grant.c

// All CPUs it runs on: its own and the shared ones.
struct idset grant_all_cpus(const struct grant *g);
// Pages of a size on all nodes (node < 0) or one; only those of the kind asked for.
uint64_t grant_pages(const struct grant *g, uint64_t size, int node, bool fs, bool anon);
// Its hugepages of every kind, in bytes, on a node (-1: all).
uint64_t grant_hugepage_bytes(const struct grant *g, int node);
// Seconds that it may take at most to have all of its memory: a GiB each.
unsigned grant_fill_seconds(const struct grant *g);

void holdings_done(struct holdings *h);
int holdings_add(struct holdings *h, const struct grant *g, bool live, struct err *err);
