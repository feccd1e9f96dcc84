// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Options that are said several times, and the owner.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "grant/caps.h"
#include "grant/options.h"

#include <stdio.h>
#include <string.h>

// ---- hugepages

static int add_hugepages(
	struct terms *t, struct grant_hugepages *h, const char *kind, struct err *err
)
{
	char size[SIZE_STR];

	size_format(h->size, size);
	h->anon = str_eq(kind, "anon");
	if (!h->anon && !str_eq(kind, "fs"))
		return err_set(
			err, EINVAL, "hugepages of %s: '%.32s' is neither fs nor anon", size, kind
		);
	if (h->count == 0)
		return err_set(err, EINVAL, "hugepages of %s: the count is 0", size);
	for (unsigned i = 0; i < t->nhugepages; i++) {
		const struct grant_hugepages *k = &t->hugepages[i];

		if (k->size == h->size && k->node == h->node && k->anon == h->anon)
			return err_set(
				err,
				EINVAL,
				"hugepages of %s are asked for twice; add the counts",
				size
			);
	}
	if (t->nhugepages == GRANT_HUGEPAGES)
		return err_set(err, E2BIG, "hugepages: more than %d entries", GRANT_HUGEPAGES);
	t->hugepages[t->nhugepages++] = *h;
	return 0;
}

// "2M=64", "1G=4@1", "2M=64@0,anon"
static int parse_hugepages(const struct reading *r, const char *s, struct err *err)
{
	static const char form[] = "write SIZE=COUNT[@NODE][,anon]";
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
	if (count == NULL && s[0] != '\0' && s[strspn(s, "0123456789")] == '\0')
		return err_set(
			err, EINVAL, "hugepages '%s': %s; did you mean '2M=%s'?", s, form, s
		);
	if (count == NULL)
		return err_set(err, EINVAL, "hugepages '%s': %s", s, form);
	*count++ = '\0';
	if (size_parse(buf, &h.size, err) < 0
	    || option_parse_number("count", count, 1, UINT32_MAX, &h.count, err) < 0)
		return err_wrap(err, "hugepages '%s'", s);
	if (node != NULL) {
		// "from 1": a node is said in one way, 0
		if (option_parse_number("node", node, !str_eq(node, "0"), HOST_NODES - 1, &v, err)
		    < 0)
			return err_wrap(err, "hugepages '%s'", s);
		h.node = (int)v;
	}
	return add_hugepages(r->all, &h, kind != NULL ? kind : "fs", err);
}

static int read_hugepages(const struct reading *r, const json_t *e, struct err *err)
{
	static const char *const keys[] = {"size", "count", "node", "kind", NULL};
	bool need_node = r->form == OPTION_GRANT;
	struct grant_hugepages h = {.node = -1};
	const char *kind = "fs", *what = r->what;
	uint64_t node = UINT64_MAX;

	if (!json_is_object(e))
		return err_set(err, EINVAL, "read %s: hugepages: an entry is not an object", what);
	if (jread_keys(e, what, keys, err) < 0
	    || jread_size(e, what, "size", true, &h.size, err) < 0
	    || jread_u64(e, what, "count", true, UINT32_MAX, &h.count, err) < 0
	    || jread_u64(e, what, "node", need_node, HOST_NODES - 1, &node, err) < 0
	    || jread_str(e, what, "kind", false, &kind, err) < 0)
		return -err->code;
	if (node != UINT64_MAX)
		h.node = (int)node;
	return add_hugepages(r->all, &h, kind, err) < 0 ? err_wrap(err, "read %s", what) : 0;
}

static json_t *write_hugepages(const struct row *, const void *all, unsigned i)
{
	const struct grant_hugepages *h = &((const struct terms *)all)->hugepages[i];

	return json_pack(
		"{s:o, s:I, s:i, s:s}",
		"size",
		json_size(h->size),
		"count",
		(json_int_t)h->count,
		"node",
		h->node,
		"kind",
		h->anon ? "anon" : "fs"
	);
}

static const char *hugepages_text(const struct row *, const void *all, unsigned i, char *buf)
{
	const struct grant_hugepages *h = &((const struct terms *)all)->hugepages[i];
	const char *kind = h->anon ? ", anonymous" : "";
	unsigned long long count = h->count;
	char size[SIZE_STR];

	size_format(h->size, size);
	snprintf(buf, IDSET_STR, "%llu × %s on node %d%s", count, size, h->node, kind);
	return buf;
}

const struct option_type option_hugepages = {
	.parse = parse_hugepages,
	.element = read_hugepages,
	.objects = OPTION_REQUEST | OPTION_GRANT,
	.write = write_hugepages,
	.text = hugepages_text,
	.schema = "hugepages"};

// ---- links

// What follows the name.
static int link_words(struct grant_link *l, const char *words, struct err *err)
{
	while (*words == ',') {
		size_t n = strcspn(++words, ",");

		if (n == 6 && strncmp(words, "server", n) == 0)
			l->server = true;
		else if (n == 6 && strncmp(words, "packed", n) == 0)
			l->packed = true;
		else
			return err_set(
				err,
				EINVAL,
				"link '%s': '%.*s' is neither server nor packed",
				l->name,
				(int)(n < 64 ? n : 64),
				words
			);
		words += n;
	}
	if ((l->server || l->packed) && !str_eq(l->kind, "vhost-user"))
		return err_set(
			err, EINVAL, "link '%s': server and packed are for vhost-user", l->name
		);
	return 0;
}

// "memif:NAME", "vhost-user:NAME[,server][,packed]"
static int parse_link(const struct reading *r, const char *s, struct err *err)
{
	static const char *const kinds[] = {"memif", "vhost-user"};
	struct grant_link l = {0};
	struct terms *t = r->all;
	size_t kind = strcspn(s, ":");
	char name[NAME_MAX_LEN + 2]; // one more, to be found too long

	for (size_t i = 0; i < ARRAY_LEN(kinds) && l.kind[0] == '\0'; i++) {
		if (s[kind] == ':' && strlen(kinds[i]) == kind && strncmp(s, kinds[i], kind) == 0)
			strcpy(l.kind, kinds[i]);
	}
	if (l.kind[0] == '\0')
		return err_set(err, EINVAL, "link '%.64s': write memif:NAME or vhost-user:NAME", s);
	s += kind + 1;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(s, ","), s);
	if (name_check("a link", name, err) < 0)
		return -err->code;
	strcpy(l.name, name);
	if (link_words(&l, s + strcspn(s, ","), err) < 0)
		return -err->code;
	for (unsigned i = 0; i < t->nlinks; i++) {
		if (str_eq(t->links[i].name, l.name))
			return err_set(err, EINVAL, "link '%s' is asked for twice", l.name);
	}
	if (t->nlinks == GRANT_LINKS)
		return err_set(err, E2BIG, "links: more than %d", GRANT_LINKS);
	t->links[t->nlinks++] = l;
	return 0;
}

static int read_link(const struct reading *r, const json_t *e, struct err *err)
{
	static const char *const keys[] = {"kind", "name", "server", "packed", NULL};
	const char *kind = NULL, *name = NULL;
	bool server = false, packed = false;
	char both[160];

	if (jread_keys(e, r->what, keys, err) < 0
	    || jread_str(e, r->what, "kind", true, &kind, err) < 0
	    || jread_str(e, r->what, "name", true, &name, err) < 0
	    || (strchr(name, ',') != NULL && name_check("a link", name, err) < 0)
	    || jread_bool(e, r->what, "server", &server, err) < 0
	    || jread_bool(e, r->what, "packed", &packed, err) < 0)
		return -err->code;
	snprintf(
		both,
		sizeof(both),
		"%.32s:%.80s%s%s",
		kind,
		name,
		server ? ",server" : "",
		packed ? ",packed" : ""
	);
	return parse_link(r, both, err) < 0 ? err_wrap(err, "read %s", r->what) : 0;
}

static json_t *write_link(const struct row *, const void *all, unsigned i)
{
	const struct grant_link *l = &((const struct terms *)all)->links[i];

	return json_pack(
		"{s:s, s:s, s:o*, s:o*}",
		"kind",
		l->kind,
		"name",
		l->name,
		"server",
		l->server ? json_true() : NULL,
		"packed",
		l->packed ? json_true() : NULL
	);
}

static const char *link_text(const struct row *, const void *all, unsigned i, char *buf)
{
	const struct grant_link *l = &((const struct terms *)all)->links[i];

	snprintf(
		buf,
		IDSET_STR,
		"%s:%s%s%s",
		l->kind,
		l->name,
		l->server ? ",server" : "",
		l->packed ? ",packed" : ""
	);
	return buf;
}

const struct option_type option_links = {
	.parse = parse_link,
	.element = read_link,
	.objects = OPTION_GRANT,
	.write = write_link,
	.text = link_text,
	.schema = "links"};

// ---- capabilities

// "NET_RAW", and as a flag also as capabilities(7) writes it.
static int parse_cap(const struct reading *r, const char *name, struct err *err)
{
	struct terms *t = r->all;
	unsigned cap;

	if (r->doc == NULL && str_starts(name, "CAP_"))
		name += strlen("CAP_");
	if (cap_parse(name, &cap, err) < 0)
		return -err->code;
	if (cap_has(t->caps, cap))
		return err_set(err, EEXIST, "capability %s is asked for twice", cap_name(cap));
	t->caps |= UINT64_C(1) << cap;
	return 0;
}

static json_t *write_caps(const struct row *, const void *all, unsigned)
{
	const struct terms *t = all;
	json_t *list = json_array();

	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (cap_has(t->caps, i))
			json_array_append_new(list, json_string(cap_name(i)));
	}
	return list;
}

const struct option_type option_caps = {
	.parse = parse_cap, .list = true, .write = write_caps, .schema = "caps"};

// ---- how containers of engines may name it

static const struct {
	const char *word;
	enum grant_claim bit;
} claims[] = {
	{"annotation", CLAIM_BY_ANNOTATION},
	{"cdi", CLAIM_BY_CDI},
	{"env", CLAIM_BY_ENV},
	{"kubernetes", CLAIM_BY_KUBERNETES},
};

int grant_parse_claim(const char *word, unsigned *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		if (str_eq(word, claims[i].word)) {
			*ret |= claims[i].bit;
			return 0;
		}
	}
	return err_set(err, EINVAL, "claim by '%.32s': annotation, cdi, env or kubernetes", word);
}

static int parse_claim(const struct reading *r, const char *word, struct err *err)
{
	return grant_parse_claim(word, &((struct grant *)r->all)->claim_by, err);
}

static json_t *write_claims(const struct row *, const void *all, unsigned)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		if ((((const struct grant *)all)->claim_by & claims[i].bit) != 0)
			json_array_append_new(list, json_string(claims[i].word));
	}
	return list;
}

static const char *claims_text(const struct row *, const void *all, unsigned, char *buf)
{
	const unsigned bits = ((const struct grant *)all)->claim_by;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		if ((bits & claims[i].bit) != 0)
			str_add(buf, IDSET_STR, ", ", "%s", claims[i].word);
	}
	return buf;
}

const struct option_type option_claims = {
	.parse = parse_claim,
	.list = true,
	.write = write_claims,
	.text = claims_text,
	.schema = "claims"};

// ---- the owner, who is not root: root needs no keeper, and a group of 0 would be root's

static int read_owner(const struct reading *r, struct err *err)
{
	static const char *const keys[] = {"uid", "gid", NULL};
	const json_t *owner = json_object_get(r->doc, r->key);
	struct grant *g = r->all;
	uint64_t uid = 0, gid = 0;

	if (jread_keys(owner, r->what, keys, err) < 0
	    || jread_u64(owner, r->what, "uid", true, UINT32_MAX - 1, &uid, err) < 0
	    || jread_u64(owner, r->what, "gid", true, UINT32_MAX - 1, &gid, err) < 0)
		return -err->code;
	if (uid == 0 || gid == 0)
		return err_set(err, EINVAL, "read %s: the owner is root or its group", r->what);
	g->owner_uid = (uint32_t)uid;
	g->owner_gid = (uint32_t)gid;
	return 0;
}

static json_t *write_owner(const struct row *, const void *all, unsigned)
{
	const struct grant *g = all;
	json_int_t uid = g->owner_uid, gid = g->owner_gid;

	return json_pack("{s:I, s:I}", "uid", uid, "gid", gid);
}

const struct option_type option_owner = {
	.read = read_owner, .write = write_owner, .schema = "owner"};
