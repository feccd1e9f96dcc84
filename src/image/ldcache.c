// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/ldcache.h"

#include "base/scope.h"
#include "image/ldsearch.h"

#include <ctype.h>
#include <string.h>

#define MAGIC "glibc-ld.so.cache1.1"
#define LITTLE_ENDIAN_FILE 2
#define FLAGS_X86_64 0x303		// ELF, of glibc, 64 bit
#define HWCAP_NAMED (UINT64_C(1) << 62) // the rest: which of the extension's names
#define EXTENSION_MAGIC 0xeaa42174u
#define EXTENSION_HWCAPS 1

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint32_t nlibs;
	uint32_t strings; // bytes
	uint8_t flags;
	uint8_t padding[3];
	uint32_t extension; // offset
	uint32_t unused[3];
};

struct lib {
	int32_t flags;
	uint32_t key, value; // offsets of strings in the file: name, path
	uint32_t osversion;
	uint64_t hwcap;
};

struct extension {
	uint32_t magic, sections;
	uint32_t tag, flags, offset, size;
};

// A library that the cache is to name.
struct item {
	const char *path, *name;
	size_t dir;   // its place in the list
	size_t hwcap; // of search_hwcaps, ARRAY_LEN for none
};

static uint64_t number(const char **s)
{
	uint64_t v = 0;

	for (; isdigit((unsigned char)**s); (*s)++)
		v = v * 10 + (uint64_t)(**s - '0');
	return v;
}

// The order of names is part of the format: the loader searches by halves. It compares numbers in an
// int; names with larger ones do not get here.
static int compare_names(const char *a, const char *b)
{
	while (*a != '\0') {
		bool da = isdigit((unsigned char)*a), db = isdigit((unsigned char)*b);

		if (da && db) {
			uint64_t x = number(&a), y = number(&b);

			if (x != y)
				return x < y ? -1 : 1;
		} else if (da || db) {
			return da ? 1 : -1;
		} else if (*a != *b) {
			return *a - *b;
		} else {
			a++;
			b++;
		}
	}
	return *a - *b;
}

// Names descend; of one name the versions for newer CPUs come first, then the folders in their order.
static int compare(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int r = compare_names(b->name, a->name);

	if (r != 0)
		return r;
	if (a->hwcap != b->hwcap)
		return a->hwcap < b->hwcap ? -1 : 1;
	return a->dir < b->dir ? -1 : a->dir > b->dir;
}

static bool in_dir(const char *path, size_t len, const char *dir, const char *below)
{
	size_t n = strlen(dir), m = strlen(below);

	return len == n + m && strncmp(path, dir, n) == 0 && strncmp(path + n, below, m) == 0;
}

static bool is_library(const char *name)
{
	unsigned digits = 0;

	for (const char *c = name; *c != '\0'; c++) {
		digits = isdigit((unsigned char)*c) ? digits + 1 : 0;
		if (digits > 9)
			return false;
	}
	return strstr(name, ".so") != NULL;
}

// Whether the loader is to find a file by its name alone.
static bool is_item(const struct entry *e, const struct ldconf *conf, struct item *ret)
{
	size_t len = (size_t)(strrchr(e->path, '/') - e->path);
	struct item t = {.path = e->path, .name = e->path + len + 1};

	if (!is_library(t.name))
		return false;
	for (t.dir = 0; t.dir < conf->n; t.dir++) {
		const char *dir = conf->v[t.dir].path;

		for (t.hwcap = 0; t.hwcap < ARRAY_LEN(search_hwcaps); t.hwcap++) {
			char below[64];

			snprintf(
				below, sizeof(below), "/" SEARCH_HWCAPS "%s", search_hwcaps[t.hwcap]
			);
			if (in_dir(e->path, len, dir, below))
				break;
		}
		if (t.hwcap < ARRAY_LEN(search_hwcaps) || in_dir(e->path, len, dir, "")) {
			*ret = t;
			return true;
		}
	}
	return false;
}

// Appends a string and returns its place.
static uint32_t put(FILE *f, const char *s)
{
	uint32_t at = (uint32_t)ftello(f);

	fputs(s, f);
	fputc('\0', f);
	return at;
}

// The strings, and in libs and names their offsets in a file that has start bytes before them.
static int put_strings(
	const struct item *items,
	size_t n,
	uint32_t start,
	struct lib *libs,
	uint32_t *names,
	char **ret,
	size_t *ret_len
)
{
	FILE *f = open_memstream(ret, ret_len);
	bool failed;

	if (f == NULL)
		return -ENOMEM;
	// by their order in the alphabet, which is the format's
	for (size_t i = 0; i < ARRAY_LEN(search_hwcaps); i++)
		names[i] = start + put(f, search_hwcaps[ARRAY_LEN(search_hwcaps) - 1 - i]);
	for (size_t i = 0; i < n; i++) {
		libs[i].flags = FLAGS_X86_64;
		libs[i].value = start + put(f, items[i].path);
		libs[i].key = libs[i].value + (uint32_t)(items[i].name - items[i].path);
		if (items[i].hwcap < ARRAY_LEN(search_hwcaps))
			libs[i].hwcap =
				HWCAP_NAMED | (ARRAY_LEN(search_hwcaps) - 1 - items[i].hwcap);
	}
	while (((size_t)start + (size_t)ftello(f)) % sizeof(uint32_t) != 0)
		fputc('\0', f);
	failed = ferror(f) != 0;
	return fclose(f) != 0 || failed ? -ENOMEM : 0;
}

static int put_all(
	const struct item *items, size_t n, struct lib *libs, char **ret, size_t *ret_len
)
{
	struct header h = {.nlibs = (uint32_t)n, .flags = LITTLE_ENDIAN_FILE};
	struct extension x = {.magic = EXTENSION_MAGIC, .sections = 1, .tag = EXTENSION_HWCAPS};
	uint32_t names[ARRAY_LEN(search_hwcaps)], start = (uint32_t)(sizeof(h) + n * sizeof(*libs));
	_cleanup_free_ char *strings = NULL;
	size_t len;
	char *out;

	if (put_strings(items, n, start, libs, names, &strings, &len) < 0)
		return -ENOMEM;
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	h.strings = (uint32_t)len;
	h.extension = start + (uint32_t)len;
	x.offset = h.extension + (uint32_t)sizeof(x);
	x.size = sizeof(names);
	*ret_len = x.offset + sizeof(names);
	*ret = out = malloc(*ret_len);
	if (out == NULL)
		return -ENOMEM;
	out = mempcpy(out, &h, sizeof(h));
	out = mempcpy(out, libs, n * sizeof(*libs));
	out = mempcpy(out, strings, len);
	out = mempcpy(out, &x, sizeof(x));
	memcpy(out, names, sizeof(names));
	return 0;
}

int cache_make(
	const struct entries *s,
	const struct ldconf *conf,
	char **ret,
	size_t *ret_len,
	struct err *err
)
{
	_cleanup_free_ struct item *items = calloc(s->n + 1, sizeof(*items));
	_cleanup_free_ struct lib *libs = calloc(s->n + 1, sizeof(*libs));
	size_t n = 0;

	if (items == NULL || libs == NULL)
		return err_oom(err);
	for (size_t i = 0; i < s->n; i++)
		n += is_item(&s->v[i], conf, &items[n]);
	*ret = NULL;
	*ret_len = 0;
	if (n == 0)
		return 0;
	qsort(items, n, sizeof(*items), compare);
	return put_all(items, n, libs, ret, ret_len) < 0 ? err_oom(err) : 0;
}
