// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The container of an engine: its config.json with the grant in it. What the engine wrote stays, but for what the
// grant says: CPUs and nodes, the place of the cgroup, and what lies where pinfold's own comes to lie.

#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

// The object `key` of obj, made where it is missing; NULL when memory is out or it is something else.
static json_t *object_in(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL && json_object_set_new(obj, key, json_object()) == 0)
		v = json_object_get(obj, key);
	return json_is_object(v) ? v : NULL;
}

static json_t *array_in(json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL && json_object_set_new(obj, key, json_array()) == 0)
		v = json_object_get(obj, key);
	return json_is_array(v) ? v : NULL;
}

static int not_a_spec(const char *what, struct err *err)
{
	return err_set(err, EINVAL, "read config.json: '%s' is not what it has to be", what);
}

// ---- cgroup

// What the engine was told itself must not be another thing than the grant says.
static int set_ids(
	json_t *cpu,
	const char *key,
	const struct idset *granted,
	const char *option,
	struct err *err
)
{
	const char *asked = json_string_value(json_object_get(cpu, key));
	struct idset set = {0};
	char text[IDSET_STR];

	if (asked != NULL && asked[0] != '\0'
	    && (idset_parse(asked, &set, err) < 0 || !idset_equal(&set, granted)))
		return err_set(
			err,
			EINVAL,
			"the container is to have %s %.64s, its grant has %s: leave %s out",
			key,
			asked,
			idset_format(granted, text, sizeof(text)),
			option
		);
	json_object_set_new(cpu, key, json_idset(granted));
	return 0;
}

static int edit_cgroup(struct plan *p, json_t *system, struct err *err)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&p->lease.grant);
	struct idset cpus = grant_all_cpus(&p->lease.grant);
	json_t *resources = object_in(system, "resources"), *cpu;

	if (group == NULL)
		return err_oom(err);
	cpu = resources != NULL ? object_in(resources, "cpu") : NULL;
	if (cpu == NULL)
		return not_a_spec("linux.resources.cpu", err);
	json_object_set_new(system, "cgroupsPath", json_sprintf("/%s/box/c", group));
	// Kubernetes says that there are to be none, for each size, where a pod asks for none
	json_object_del(resources, "hugepageLimits");
	// kubelet's CPU manager gives those that all share to whoever has asked it for none
	if ((p->lease.grant.claim_by & CLAIM_BY_KUBERNETES) != 0) {
		json_object_del(cpu, "cpus");
		json_object_del(cpu, "mems");
	}
	if (set_ids(cpu, "cpus", &cpus, "--cpuset-cpus", err) < 0
	    || set_ids(cpu, "mems", &p->lease.grant.mems, "--cpuset-mems", err) < 0)
		return -err->code;
	return 0;
}

// ---- mounts

// True if one lies at the place, or below it, of the other: what is mounted later there hides it.
static bool lies_in(const char *place, const char *top)
{
	size_t n = strlen(top);

	return str_starts(place, top) && (place[n] == '\0' || place[n] == '/');
}

// Takes the mounts out that pinfold's own would hide, or that would hide in it.
static void make_room(json_t *mounts, const json_t *own)
{
	const json_t *mine, *m;
	size_t i;

	json_array_foreach ((json_t *)own, i, mine) {
		const char *place = json_string_value(json_object_get(mine, "destination"));

		for (size_t k = json_array_size(mounts); place != NULL && k-- > 0;) {
			m = json_array_get(mounts, k);
			const char *other = json_string_value(json_object_get(m, "destination"));

			if (other != NULL && lies_in(other, place))
				json_array_remove(mounts, k);
		}
	}
}

static int edit_mounts(struct plan *p, json_t *doc, json_t *rules, struct err *err)
{
	_cleanup_json_ json_t *own = json_array();
	json_t *mounts = array_in(doc, "mounts");

	if (mounts == NULL)
		return not_a_spec("mounts", err);
	if (plan_spec_mounts(p, own, rules, err) < 0)
		return -err->code;
	make_room(mounts, own);
	return json_array_extend(mounts, own) < 0 ? err_oom(err) : 0;
}

// ---- hooks

// The one that stands for the grant; those of others stay.
static void drop_claims(json_t *doc)
{
	json_t *hooks = json_object_get(json_object_get(doc, "hooks"), CDI_HOOKS);

	for (size_t i = json_array_size(hooks); i-- > 0;) {
		const char *path =
			json_string_value(json_object_get(json_array_get(hooks, i), "path"));

		if (path != NULL && str_eq(path, CDI_HOOK))
			json_array_remove(hooks, i);
	}
}

// ---- the process

// In the place of the variable, or at the end.
static void set_variable(json_t *env, const char *name, const char *value)
{
	size_t n = strlen(name);

	for (size_t i = json_array_size(env); i-- > 0;) {
		const char *s = json_string_value(json_array_get(env, i));

		if (s != NULL && strncmp(s, name, n) == 0 && s[n] == '=')
			json_array_remove(env, i);
	}
	json_array_append_new(env, json_sprintf("%s=%s", name, value));
}

static uint64_t limit_of(const json_t *limit, const char *key)
{
	const json_t *v = json_object_get(limit, key);

	// one beyond 63 bits is no number here (jdoc.h): unlimited
	if (!json_is_integer(v))
		return json_is_string(v) ? UINT64_MAX : 0;
	return (uint64_t)json_integer_value(v);
}

// No less than VFIO counts for the grant's memory.
static void raise_memlock(json_t *limits, const struct right_limit *want)
{
	json_t *e;
	size_t i;

	json_array_foreach (limits, i, e) {
		const char *type = json_string_value(json_object_get(e, "type"));

		if (type == NULL || !str_eq(type, want->name))
			continue;
		if (limit_of(e, "hard") < want->hard)
			json_object_set_new(e, "hard", json_integer((json_int_t)want->hard));
		if (limit_of(e, "soft") < want->soft)
			json_object_set_new(e, "soft", json_integer((json_int_t)want->soft));
		return;
	}
	json_array_append_new(
		limits,
		json_pack(
			"{s:s, s:I, s:I}",
			"type",
			want->name,
			"hard",
			(json_int_t)want->hard,
			"soft",
			(json_int_t)want->soft
		)
	);
}

static int edit_process(struct plan *p, json_t *doc, struct err *err)
{
	json_t *process = json_object_get(doc, "process"), *env, *limits;
	struct right_limit all[HOST_RLIMITS];
	unsigned n = plan_rlimits(&p->lease.grant, &p->host->limits, 0, all);

	env = json_is_object(process) ? array_in(process, "env") : NULL;
	limits = env != NULL ? array_in(process, "rlimits") : NULL;
	if (limits == NULL)
		return not_a_spec("process", err);
	// here a name was, of what it finds there
	set_variable(env, "PINFOLD_GRANT", GRANT_FILE);
	for (unsigned i = 0; i < n; i++) {
		if (all[i].resource == RLIMIT_MEMLOCK)
			raise_memlock(limits, &all[i]);
	}
	return 0;
}

// ---- system calls

static bool has_rule(const json_t *rules, const char *call)
{
	const json_t *rule, *name;
	size_t i, k;

	json_array_foreach ((json_t *)rules, i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			const char *s = json_string_value(name);

			if (s != NULL && str_eq(s, call))
				return true;
		}
	}
	return false;
}

// Without them EAL does not start. Where the engine's profile says something about one, that holds.
static int edit_seccomp(json_t *system, struct err *err)
{
	static const char *const calls[] = {"get_mempolicy", "set_mempolicy"};
	json_t *profile = json_object_get(system, "seccomp"), *rules, *names;

	if (profile == NULL || json_is_null(profile))
		return 0;
	rules = json_is_object(profile) ? array_in(profile, "syscalls") : NULL;
	if (rules == NULL)
		return not_a_spec("linux.seccomp", err);
	names = json_array();
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (!has_rule(rules, calls[i]))
			json_array_append_new(names, json_string(calls[i]));
	}
	if (json_array_size(names) == 0) {
		json_decref(names);
		return 0;
	}
	return json_array_append_new(
		       rules, json_pack("{s:o, s:s}", "names", names, "action", "SCMP_ACT_ALLOW")
	       ) < 0
		       ? err_oom(err)
		       : 0;
}

// ---- all of it

int plan_spec(struct plan *p, struct err *err)
{
	_cleanup_json_ json_t *rules = json_array();
	json_t *system, *devices;
	char *text;

	if (p->lease.grant.nlinks > 0 || plan_has_netns(p))
		return err_set(
			err,
			EINVAL,
			"grant '%s' has links, kernel ports or netdevs, which an engine's "
			"container "
			"cannot have",
			p->lease.grant.name
		);
	p->oci = json_deep_copy(p->launch->spec);
	system = p->oci != NULL ? json_object_get(p->oci, "linux") : NULL;
	if (!json_is_object(system))
		return not_a_spec("linux", err);
	// an engine that limits it itself goes on to do so
	if ((site_has(&p->lease.site, SITE_LEASE) && edit_cgroup(p, system, err) < 0)
	    || edit_mounts(p, p->oci, rules, err) < 0 || edit_process(p, p->oci, err) < 0
	    || edit_seccomp(system, err) < 0)
		return -err->code;
	// another's goes on to keep it from starting
	if (site_has(&p->lease.site, SITE_LEASE))
		drop_claims(p->oci);
	if (json_array_size(rules) > 0) {
		devices = array_in(json_object_get(system, "resources"), "devices");
		if (devices == NULL)
			return not_a_spec("linux.resources.devices", err);
		if (json_array_extend(devices, rules) < 0)
			return err_oom(err);
	}
	plan_dir(p, strdup(FENCE_DIR "/bundle"));
	text = jdoc_print(p->oci);
	plan_file(p, strdup(PLAN_CONFIG), text);
	// the runtime finds it where the engine's is, which stays as it is
	plan_bind(p, strdup(PLAN_CONFIG), strdup(p->launch->config), true);
	return 0;
}
