// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Values of flags, one "flag=value" a line: each is taken whole or refused with a reason.

#include "fuzz.h"

#include "grant/grant.h"
#include "run/run.h"

#include <linux/capability.h>

static void one(struct request *req, struct launch *launch, char *line)
{
	char *value = strchr(line, '=');
	struct request before = *req;
	struct err err = {0};
	int r;

	if (value == NULL)
		return;
	*value++ = '\0';
	if (str_eq(line, "allow-missing"))
		r = launch_parse_allow_missing(value, launch, &err);
	else
		r = request_set_flag(req, line, value, &err);
	if (r == -ENOENT && err.code == 0)
		return;
	if (r < 0) {
		must_explain(&err);
		must(req->caps == before.caps && str_eq(req->seccomp, before.seccomp));
		must(req->nhugepages == before.nhugepages && req->nnics == before.nnics);
		must(req->nlinks == before.nlinks && idset_equal(&req->cpus, &before.cpus));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	static struct request req;
	struct launch launch = {0};
	char *save = NULL;
	struct err err;

	memset(&req, 0, sizeof(req));
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		one(&req, &launch, line);
	must(req.name[0] == '\0' || name_check("a grant", req.name, &err) == 0);
	must(req.pids <= UINT64_C(1) << 22 && req.cpu_count <= IDSET_MAX);
	for (unsigned i = 0; i < req.nhugepages; i++) {
		must(req.hugepages[i].count > 0);
		must(req.hugepages[i].node >= -1 && req.hugepages[i].node < HOST_NODES);
	}
	for (unsigned i = 0; i < req.nnics; i++) {
		const char *bdf = req.nics[i].bdf;
		const struct nic_select *s = &req.nics[i].select;

		// one of an address, an interface's name, and what it has to be
		must((bdf[0] != '\0') + (s->netdev[0] != '\0') + (s->count > 0) == 1);
		must(bdf[0] == '\0' || strlen(bdf) == 12);
		must(strspn(bdf, "0123456789abcdef:.") == strlen(bdf));
		for (const char *c = s->netdev; *c != '\0'; c++)
			must(*c > ' ' && *c < 0x7f);
	}
	// what would open the fence is in no request
	must((req.caps & (UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE)) == 0);
	must(req.seccomp[0] == '\0' || req.seccomp[0] == '/'
	     || strncmp(req.seccomp, "strict:/", 8) == 0);
	for (unsigned i = 0; i < req.nlinks; i++)
		must(name_check("a link", req.links[i].name, &err) == 0);
	return 0;
}
