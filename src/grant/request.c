// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A request from flags or from a document.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "grant/parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CPU_COUNT_MAX IDSET_MAX

static int set_text(char *to, size_t room, const char *what, const char *value, struct err *err)
{
	if (value[0] == '\0' || strlen(value) >= room)
		return err_set(err, EINVAL, "%s '%.64s': empty or too long", what, value);
	strcpy(to, value);
	return 0;
}

static int parse_count(
	const char *what, const char *s, uint64_t max, uint64_t *ret, struct err *err
)
{
	uint64_t v = 0;
	const char *p = s;

	for (; isdigit((unsigned char)*p) && v <= max; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == s || *p != '\0' || v == 0 || v > max)
		return err_set(
			err,
			EINVAL,
			"%s '%.64s': not a whole number from 1 to %llu",
			what,
			s,
			(unsigned long long)max
		);
	*ret = v;
	return 0;
}

int request_parse_hugepages(const char *s, struct grant_hugepages *ret, struct err *err)
{
	static const char form[] = "write SIZE=COUNT, SIZE=COUNT@NODE or SIZE=COUNT@NODE,anon";
	struct grant_hugepages h = {.node = -1};
	char buf[96], *count, *node, *kind;
	uint64_t v;

	if (strlen(s) >= sizeof(buf))
		return err_set(err, EINVAL, "hugepages '%.64s…': too long; %s", s, form);
	strcpy(buf, s);
	kind = strchr(buf, ',');
	if (kind != NULL)
		*kind++ = '\0';
	node = strchr(buf, '@');
	if (node != NULL)
		*node++ = '\0';
	count = strchr(buf, '=');
	if (count == NULL)
		return err_set(err, EINVAL, "hugepages '%s': %s", s, form);
	*count++ = '\0';
	if (size_parse(buf, &h.size, err) < 0
	    || parse_count("count", count, UINT32_MAX, &h.count, err) < 0)
		return err_wrap(err, "hugepages '%s'", s);
	if (node != NULL) {
		// node numbers start at 0, which parse_count refuses
		if (str_eq(node, "0"))
			v = 0;
		else if (parse_count("node", node, HOST_NODES - 1, &v, err) < 0)
			return err_wrap(err, "hugepages '%s'", s);
		h.node = (int)v;
	}
	if (kind != NULL && !str_eq(kind, "anon") && !str_eq(kind, "fs"))
		return err_set(err, EINVAL, "hugepages '%s': '%s' is neither fs nor anon", s, kind);
	h.anon = kind != NULL && str_eq(kind, "anon");
	*ret = h;
	return 0;
}

static int parse_list(const char *what, const char *s, struct idset *ret, struct err *err)
{
	struct idset set;

	if (idset_parse(s, &set, err) < 0)
		return err_wrap(err, "%s", what);
	if (idset_empty(&set))
		return err_set(err, EINVAL, "%s: the list is empty", what);
	*ret = set;
	return 0;
}

// ---- flags

typedef int (*flag_fn)(struct request *req, const char *value, struct err *err);

static int flag_name(struct request *req, const char *v, struct err *err)
{
	if (name_check("a grant", v, err) < 0)
		return -err->code;
	strcpy(req->name, v);
	return 0;
}

static int flag_cpus(struct request *req, const char *v, struct err *err)
{
	return parse_list("--cpus", v, &req->cpus, err);
}

static int flag_cpu_count(struct request *req, const char *v, struct err *err)
{
	uint64_t n;

	if (parse_count("--cpu-count", v, CPU_COUNT_MAX, &n, err) < 0)
		return -err->code;
	req->cpu_count = (unsigned)n;
	return 0;
}

static int flag_near(struct request *req, const char *v, struct err *err)
{
	return set_text(req->near, sizeof(req->near), "--near", v, err);
}

static int flag_shared(struct request *req, const char *v, struct err *err)
{
	if (name_check("a pool", v, err) < 0)
		return -err->code;
	strcpy(req->shared_pool, v);
	return 0;
}

static int flag_partition(struct request *req, const char *v, struct err *err)
{
	return part_set_partition(&req->isolated, v, err);
}

static int flag_offline(struct request *req, const char *v, struct err *err)
{
	return part_set_offline(&req->on_offline, v, err);
}

static int flag_mems(struct request *req, const char *v, struct err *err)
{
	return parse_list("--mems", v, &req->mems, err);
}

static int flag_hugepages(struct request *req, const char *v, struct err *err)
{
	struct grant_hugepages h;

	if (request_parse_hugepages(v, &h, err) < 0)
		return -err->code;
	return part_add_hugepages(req->hugepages, &req->nhugepages, &h, err);
}

static int flag_memory(struct request *req, const char *v, struct err *err)
{
	if (size_parse(v, &req->memory, err) < 0)
		return err_wrap(err, "--memory");
	return 0;
}

static int flag_pids(struct request *req, const char *v, struct err *err)
{
	return parse_count("--pids", v, GRANT_PIDS_MAX, &req->pids, err);
}

static int flag_nic(struct request *req, const char *v, struct err *err)
{
	return part_add_nic(req->nics, &req->nnics, v, err);
}

static int flag_link(struct request *req, const char *v, struct err *err)
{
	return part_add_link(req->links, &req->nlinks, v, err);
}

static int flag_cap(struct request *req, const char *v, struct err *err)
{
	// as capabilities(7) writes it, too
	return part_add_cap(&req->caps, str_starts(v, "CAP_") ? v + 4 : v, err);
}

static int flag_seccomp(struct request *req, const char *v, struct err *err)
{
	return part_set_seccomp(req->seccomp, v, err);
}

const char *const request_flags[] = {
	"name",
	"cpus",
	"cpu-count",
	"near",
	"shared-cpus",
	"partition",
	"on-offline",
	"mems",
	"hugepages",
	"memory",
	"pids",
	"nic",
	"link",
	"cap",
	"seccomp",
	NULL,
};

static const flag_fn flag_fns[] = {
	flag_name,
	flag_cpus,
	flag_cpu_count,
	flag_near,
	flag_shared,
	flag_partition,
	flag_offline,
	flag_mems,
	flag_hugepages,
	flag_memory,
	flag_pids,
	flag_nic,
	flag_link,
	flag_cap,
	flag_seccomp,
};

int request_set_flag(struct request *req, const char *flag, const char *value, struct err *err)
{
	for (size_t i = 0; request_flags[i] != NULL; i++) {
		if (str_eq(request_flags[i], flag))
			return flag_fns[i](req, value, err);
	}
	return -ENOENT;
}

// ---- documents

static int strings(
	const json_t *doc,
	const char *what,
	const char *key,
	struct request *req,
	flag_fn add,
	struct err *err
)
{
	json_t *array = NULL, *e;
	size_t i;

	if (jread_array(doc, what, key, &array, err) < 0)
		return -err->code;
	json_array_foreach (array, i, e) {
		if (!json_is_string(e))
			return err_set(
				err, EINVAL, "read %s: '%s': an entry is not a string", what, key
			);
		if (add(req, json_string_value(e), err) < 0)
			return err_wrap(err, "read %s", what);
	}
	return 0;
}

static int text(
	const json_t *doc,
	const char *what,
	const char *key,
	struct request *req,
	flag_fn set,
	struct err *err
)
{
	const char *s = NULL;

	if (jread_str(doc, what, key, false, &s, err) < 0)
		return -err->code;
	if (s != NULL && set(req, s, err) < 0)
		return err_wrap(err, "read %s: '%s'", what, key);
	return 0;
}

int request_from_json(const json_t *doc, const char *what, struct request *ret, struct err *err)
{
	static const char *const keys[] = {
		"kind",
		"name",
		"cpus",
		"cpu-count",
		"near",
		"shared-cpus",
		"partition",
		"on-offline",
		"mems",
		"hugepages",
		"memory",
		"pids",
		"nics",
		"links",
		"caps",
		"seccomp",
		NULL,
	};
	struct request req = {0};
	uint64_t count = 0;

	if (jread_keys(doc, what, keys, err) < 0 || part_kind(doc, what, &req.kind, err) < 0
	    || text(doc, what, "name", &req, flag_name, err) < 0
	    || text(doc, what, "cpus", &req, flag_cpus, err) < 0
	    || jread_u64(doc, what, "cpu-count", false, CPU_COUNT_MAX, &count, err) < 0
	    || text(doc, what, "near", &req, flag_near, err) < 0
	    || text(doc, what, "shared-cpus", &req, flag_shared, err) < 0
	    || text(doc, what, "partition", &req, flag_partition, err) < 0
	    || text(doc, what, "on-offline", &req, flag_offline, err) < 0
	    || text(doc, what, "mems", &req, flag_mems, err) < 0
	    || part_hugepages(doc, what, false, req.hugepages, &req.nhugepages, err) < 0
	    || text(doc, what, "memory", &req, flag_memory, err) < 0
	    || jread_u64(doc, what, "pids", false, GRANT_PIDS_MAX, &req.pids, err) < 0
	    || strings(doc, what, "nics", &req, flag_nic, err) < 0
	    || strings(doc, what, "links", &req, flag_link, err) < 0
	    || part_caps(doc, what, &req.caps, err) < 0
	    || text(doc, what, "seccomp", &req, flag_seccomp, err) < 0)
		return -err->code;
	// a flag with 0 is refused too: 0 means "not said" only in the struct
	if ((count == 0 && json_object_get(doc, "cpu-count") != NULL)
	    || (req.pids == 0 && json_object_get(doc, "pids") != NULL))
		return err_set(
			err,
			EINVAL,
			"read %s: '%s' is 0; leave it out or say a number from 1 on",
			what,
			count == 0 && json_object_get(doc, "cpu-count") != NULL ? "cpu-count"
										: "pids"
		);
	req.cpu_count = (unsigned)count;
	*ret = req;
	return 0;
}
