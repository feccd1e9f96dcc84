// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "grant/parts.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "grant/caps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
	[GRANT_WORKLOAD] = "workload",
	[GRANT_POOL] = "pool",
};

const char *grant_kind_name(enum grant_kind kind)
{
	return kinds[kind];
}

int part_kind(const json_t *doc, const char *what, enum grant_kind *ret, struct err *err)
{
	const char *s = NULL;

	if (jread_str(doc, what, "kind", false, &s, err) < 0)
		return -err->code;
	for (size_t i = 0; s != NULL && i < ARRAY_LEN(kinds); i++) {
		if (str_eq(s, kinds[i])) {
			*ret = (enum grant_kind)i;
			return 0;
		}
	}
	if (s != NULL)
		return err_set(
			err, EINVAL, "read %s: kind '%.32s' is neither workload nor pool", what, s
		);
	*ret = GRANT_WORKLOAD;
	return 0;
}

int part_add_hugepages(
	struct grant_hugepages *list, unsigned *n, const struct grant_hugepages *h, struct err *err
)
{
	char size[SIZE_STR];

	if (h->count == 0)
		return err_set(
			err, EINVAL, "hugepages of %s: the count is 0", size_format(h->size, size)
		);
	for (unsigned i = 0; i < *n; i++) {
		if (list[i].size == h->size && list[i].node == h->node && list[i].anon == h->anon)
			return err_set(
				err,
				EINVAL,
				"hugepages of %s are asked for twice; add the counts",
				size_format(h->size, size)
			);
	}
	if (*n == GRANT_HUGEPAGES)
		return err_set(err, E2BIG, "hugepages: more than %d entries", GRANT_HUGEPAGES);
	list[(*n)++] = *h;
	return 0;
}

int part_hugepages(
	const json_t *doc,
	const char *what,
	bool need_node,
	struct grant_hugepages *list,
	unsigned *n,
	struct err *err
)
{
	static const char *const keys[] = {"size", "count", "node", "kind", NULL};
	json_t *array = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "hugepages", &array, err) < 0)
		return -err->code;
	json_array_foreach (array, i, e) {
		struct grant_hugepages h = {.node = -1};
		const char *kind = "fs";
		uint64_t node = UINT64_MAX;

		if (!json_is_object(e))
			return err_set(
				err, EINVAL, "read %s: hugepages: an entry is not an object", what
			);
		if (jread_keys(e, what, keys, err) < 0
		    || jread_size(e, what, "size", true, &h.size, err) < 0
		    || jread_u64(e, what, "count", true, UINT32_MAX, &h.count, err) < 0
		    || jread_u64(e, what, "node", need_node, HOST_NODES - 1, &node, err) < 0
		    || jread_str(e, what, "kind", false, &kind, err) < 0)
			return -err->code;
		if (node != UINT64_MAX)
			h.node = (int)node;
		if (!str_eq(kind, "fs") && !str_eq(kind, "anon"))
			return err_set(
				err,
				EINVAL,
				"read %s: hugepages kind '%.32s' is neither fs nor anon",
				what,
				kind
			);
		h.anon = str_eq(kind, "anon");
		if (part_add_hugepages(list, n, &h, err) < 0)
			return err_wrap(err, "read %s", what);
	}
	return 0;
}

// "0000:3b:00.0" or "3b:00.0" in the kernel's spelling. False for anything else.
static bool canonical_bdf(const char *s, char ret[static 16])
{
	static const char form[] = "xxxx:xx:yx.z"; // y: 0 or 1, z: 0 to 7
	char buf[16];

	if (snprintf(buf, sizeof(buf), "%s%s", strlen(s) == 7 ? "0000:" : "", s)
	    != (int)sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		char c = buf[i];

		if (form[i] == 'x' || form[i] == 'y' || form[i] == 'z') {
			if (!isxdigit((unsigned char)c) || (form[i] == 'y' && c > '1')
			    || (form[i] == 'z' && c > '7'))
				return false;
			buf[i] = (char)tolower((unsigned char)c);
		} else if (c != form[i]) {
			return false;
		}
	}
	strcpy(ret, buf);
	return true;
}

int part_add_nic(struct grant_nic *list, unsigned *n, const char *bdf, struct err *err)
{
	char canonical[16];

	if (!canonical_bdf(bdf, canonical))
		return err_set(
			err,
			EINVAL,
			"NIC '%.32s' is not a PCI address as 0000:3b:00.0; see pinfold host "
			"inventory",
			bdf
		);
	for (unsigned i = 0; i < *n; i++) {
		if (str_eq(list[i].bdf, canonical))
			return err_set(err, EINVAL, "NIC '%s' is asked for twice", canonical);
	}
	if (*n == GRANT_NICS)
		return err_set(err, E2BIG, "NICs: more than %d", GRANT_NICS);
	list[*n] = (struct grant_nic){.iommu_group = -1};
	strcpy(list[(*n)++].bdf, canonical);
	return 0;
}

int part_add_link(struct grant_link *list, unsigned *n, const char *s, struct err *err)
{
	struct grant_link l = {0};
	const char *colon = strchr(s, ':');

	if (colon == NULL || strncmp(s, "memif", (size_t)(colon - s)) != 0 || colon - s != 5)
		return err_set(err, EINVAL, "link '%.64s': write memif:NAME", s);
	if (name_check("a link", colon + 1, err) < 0)
		return -err->code;
	strcpy(l.kind, "memif");
	strcpy(l.name, colon + 1);
	for (unsigned i = 0; i < *n; i++) {
		if (str_eq(list[i].name, l.name))
			return err_set(err, EINVAL, "link '%s' is asked for twice", l.name);
	}
	if (*n == GRANT_LINKS)
		return err_set(err, E2BIG, "links: more than %d", GRANT_LINKS);
	list[(*n)++] = l;
	return 0;
}

int part_links(
	const json_t *doc, const char *what, struct grant_link *list, unsigned *n, struct err *err
)
{
	static const char *const keys[] = {"kind", "name", NULL};
	json_t *array = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "links", &array, err) < 0)
		return -err->code;
	json_array_foreach (array, i, e) {
		const char *kind = NULL, *name = NULL;
		char both[128];

		if (!json_is_object(e))
			return err_set(
				err, EINVAL, "read %s: links: an entry is not an object", what
			);
		if (jread_keys(e, what, keys, err) < 0
		    || jread_str(e, what, "kind", true, &kind, err) < 0
		    || jread_str(e, what, "name", true, &name, err) < 0)
			return -err->code;
		snprintf(both, sizeof(both), "%.32s:%.80s", kind, name);
		if (part_add_link(list, n, both, err) < 0)
			return err_wrap(err, "read %s", what);
	}
	return 0;
}

int part_add_cap(uint64_t *caps, const char *name, struct err *err)
{
	unsigned cap;

	if (cap_parse(name, &cap, err) < 0)
		return -err->code;
	if (cap_has(*caps, cap))
		return err_set(err, EEXIST, "capability %s is asked for twice", cap_name(cap));
	*caps |= UINT64_C(1) << cap;
	return 0;
}

int part_caps(const json_t *doc, const char *what, uint64_t *ret, struct err *err)
{
	json_t *list = NULL, *e;
	uint64_t caps = 0;
	size_t i;

	if (jread_array(doc, what, "caps", &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, e) {
		if (!json_is_string(e))
			return err_set(
				err, EINVAL, "read %s: 'caps': an entry is not a string", what
			);
		if (part_add_cap(&caps, json_string_value(e), err) < 0)
			return err_wrap(err, "read %s", what);
	}
	*ret = caps;
	return 0;
}

int part_set_seccomp(char to[static GRANT_SECCOMP], const char *value, struct err *err)
{
	const char *file = str_starts(value, "strict:") ? value + 7 : value;

	if (str_eq(value, "default")) {
		to[0] = '\0';
		return 0;
	}
	if (str_eq(value, "aio")) {
		strcpy(to, value);
		return 0;
	}
	if (file[0] != '/')
		return err_set(
			err,
			EINVAL,
			"seccomp '%.64s': write default, aio, strict:FILE or FILE, with the "
			"absolute "
			"path of the file",
			value
		);
	if (strlen(value) >= GRANT_SECCOMP)
		return err_set(
			err,
			ENAMETOOLONG,
			"seccomp '%.64s…': longer than %d bytes",
			value,
			GRANT_SECCOMP - 1
		);
	for (const char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			return err_set(
				err,
				EINVAL,
				"seccomp '%.64s': a path of printable ASCII is wanted",
				value
			);
	}
	strcpy(to, value);
	return 0;
}
