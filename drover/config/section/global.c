// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [defaults] and [global].

#include "config/section/private.h"

#define KEY_CONF struct conf
static const struct key defaults_keys[] = {
	KEY_U32("mempool size",
		mempool_size,
		64,
		16 << 20,
		"packet buffers of a core; 16K when not said"),
	KEY_U32("memcache size",
		memcache_size,
		0,
		512,
		"buffers in the cache of a core; 256 when not said"),
	KEY_TEXT(
		"qinq tag",
		qinq_tag,
		"EtherType of the outer VLAN tag, for tasks that do not say it"
	),
	{NULL},
};

static const struct key global_keys[] = {
	KEY_TEXT("name", name, "of the configuration"),
	KEY_TIME("start time", start_time, "from the start of the program until traffic starts"),
	KEY_TIME("duration time", duration, "of traffic; 0: until stopped"),
	KEY_U32("mbuf size",
		mbuf_size,
		256,
		65280,
		"bytes of packet data in a buffer; 2048 when not said"),
	KEY_BOOL(
		"unique mempool per socket",
		pool_per_socket,
		"the cores of a socket share their buffers"
	),
	KEY_BOOL("shuffle", shuffle, "buffers are not handed out in the order of their addresses"),
	KEY_BOOL(
		"mp rings",
		mp_rings,
		"all that send to a task share one ring, instead of a ring each"
	),
	{NULL},
};

static int read_key(
	const struct entry *e, const struct key *table, void *base, uint64_t *seen, struct err *err
)
{
	static const char *const titles[] = {
		[INI_DEFAULTS] = "[defaults]",
		[INI_GLOBAL] = "[global]",
		[INI_PORT] = "[port]",
	};
	const struct key *key = key_find(table, e->name);
	char buf[HINT_MAX];
	uint64_t bit;

	if (key == NULL)
		return error_at(
			e->at,
			err,
			"unknown key '%.64s' in %s%s",
			e->name,
			titles[e->section],
			hint_key(buf, e->name, table, NULL, NULL)
		);
	bit = UINT64_C(1) << (key - table);
	if ((*seen & bit) != 0)
		return error_at(e->at, err, "%s= is there twice", key->name);
	*seen |= bit;
	return key_parse(key, e->value, base, err) < 0 ? wrap_at(e->at, err) : 0;
}

int read_keys(
	const struct entry *keys,
	size_t n,
	const struct key *table,
	void *base,
	uint64_t *seen,
	struct err *err
)
{
	for (size_t i = 1; i < n; i++) {
		if (read_key(&keys[i], table, base, seen, err) < 0)
			return -err->code;
	}
	return 0;
}

int read_defaults(struct sections *s, const struct entry *keys, size_t n, struct err *err)
{
	return read_keys(keys, n, defaults_keys, s->conf, &s->seen_defaults, err);
}

int read_global(struct sections *s, const struct entry *keys, size_t n, struct err *err)
{
	return read_keys(keys, n, global_keys, s->conf, &s->seen_global, err);
}

int read_given(struct sections *s, const struct entry *e, size_t, struct err *err)
{
	const struct key *key = key_find(defaults_keys, e->name);
	char buf[HINT_MAX];

	if (key == NULL)
		key = key_find(global_keys, e->name);
	if (key == NULL)
		return error_at(
			place(s, 0),
			err,
			"-D '%.64s=': no such key in [defaults] or [global]%s",
			e->name,
			hint_key(buf, e->name, defaults_keys, global_keys, NULL)
		);
	if (key_parse(key, e->value, s->conf, err) < 0)
		return err_wrap(err, "%s: -D '%.64s='", s->file, e->name);
	return 0;
}
