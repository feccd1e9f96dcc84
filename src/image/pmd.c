// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/pmd.h"

#include "base/fs.h"
#include "base/hint.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <string.h>

#define PMDS_MAX 512
#define STATUS_MAX (64u << 20)

static const char *const always[] = {"bus_pci", "bus_vdev", "mempool_ring"};

// What a container or guest can be given without a driver of its own being built in, and the NICs
// that are met most. Those that this machine does not have are left out.
static const char *const usual[] = {
	"bus_pci",
	"bus_vdev",
	"mempool_ring",
	"net_af_packet",
	"net_af_xdp",
	"net_e1000",
	"net_i40e",
	"net_iavf",
	"net_ice",
	"net_ixgbe",
	"net_memif",
	"net_null",
	"net_pcap",
	"net_ring",
	"net_tap",
	"net_vhost",
	"net_virtio",
};

struct drivers {
	char dir[PATH_MAX];
	char abi[32];		   // "23.0"
	char *names[PMDS_MAX + 1]; // "net_null"; NULL at the end
	size_t n;
};

static void drivers_done(struct drivers *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->names[i]);
	d->n = 0;
}

// The ABI version is in the name of the file that librte_eal.so.N leads to: librte_eal.so.23.0.
static bool find_abi(const struct entries *s, char *ret, size_t len)
{
	static const char eal[] = "/librte_eal.so.";

	for (size_t i = 0; i < s->n; i++) {
		const char *at = strstr(s->v[i].path, eal);

		if (at == NULL || s->v[i].link != NULL)
			continue;
		at += strlen(eal);
		// it becomes part of patterns and paths
		if (*at != '\0' && at[strspn(at, "0123456789.")] == '\0') {
			snprintf(ret, len, "%s", at);
			return true;
		}
	}
	return false;
}

static int find_dir(struct drivers *d, struct err *err)
{
	static const char *const places[] = {
		"/usr/lib/*/dpdk/pmds-%s",
		"/usr/lib/dpdk/pmds-%s",
		"/usr/lib64/dpdk/pmds-%s",
		"/usr/local/lib/*/dpdk/pmds-%s",
		"/usr/local/lib/dpdk/pmds-%s",
		"/usr/local/lib64/dpdk/pmds-%s",
	};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(places) && !found; i++) {
		_cleanup_free_ char *pattern = str_printf(places[i], d->abi);
		glob_t g;

		if (pattern == NULL)
			return err_oom(err);
		if (glob(pattern, GLOB_ONLYDIR, NULL, &g) == 0) {
			found = true;
			snprintf(d->dir, sizeof(d->dir), "%s", g.gl_pathv[0]);
		}
		globfree(&g);
	}
	if (found)
		return 0;
	return err_set(
		err,
		ENOENT,
		"find the drivers of DPDK %s: no folder 'dpdk/pmds-%s' below /usr/lib; install "
		"package dpdk, or say --pmd none",
		d->abi,
		d->abi
	);
}

// The names of all drivers: librte_NAME.so.ABI.
static int list_names(struct drivers *d, struct err *err)
{
	_cleanup_free_ char *pattern = str_printf("%s/librte_*.so.%s", d->dir, d->abi);
	glob_t g;

	if (pattern == NULL)
		return err_oom(err);
	if (glob(pattern, 0, NULL, &g) != 0)
		g.gl_pathc = 0;
	for (size_t i = 0; i < g.gl_pathc && d->n < PMDS_MAX; i++) {
		const char *base = strrchr(g.gl_pathv[i], '/') + strlen("/librte_");

		d->names[d->n] = strndup(base, strlen(base) - strlen(".so.") - strlen(d->abi));
		if (d->names[d->n] != NULL)
			d->n++;
	}
	globfree(&g);
	return 0;
}

static bool has(const struct drivers *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->names[i], name))
			return true;
	return false;
}

// The file by its full name, and the link that other drivers need it by.
static int take_one(
	struct entries *s, const struct drivers *d, const char *name, json_t *taken, struct err *err
)
{
	_cleanup_free_ char *full = str_printf("%s/librte_%s.so.%s", d->dir, name, d->abi);
	_cleanup_free_ char *soname =
		str_printf("%s/librte_%s.so.%.*s", d->dir, name, (int)strcspn(d->abi, "."), d->abi);

	json_t *e;
	size_t i;

	json_array_foreach (taken, i, e) {
		if (str_eq(json_string_value(e), name))
			return 0;
	}
	if (full == NULL || soname == NULL || json_array_append_new(taken, json_string(name)) < 0)
		return err_oom(err);
	if (entries_take(s, full, TAKE_LIBRARY, d->dir, NULL, err) < 0)
		return -err->code;
	if (access(soname, F_OK) == 0)
		return entries_take(s, soname, TAKE_LIBRARY, d->dir, NULL, err);
	return 0;
}

static int take_named(
	struct entries *s, const struct drivers *d, const char *word, json_t *taken, struct err *err
)
{
	_cleanup_free_ char *net = str_printf("net_%s", word);
	char buf[HINT_MAX];

	if (net == NULL)
		return err_oom(err);
	if (has(d, word))
		return take_one(s, d, word, taken, err);
	if (has(d, net))
		return take_one(s, d, net, taken, err);
	if (hint(buf, word, (const char *const *)d->names)[0] == '\0')
		hint(buf, net, (const char *const *)d->names);
	return err_set(err, ENOENT, "take driver '%s': not in '%s'%s", word, d->dir, buf);
}

static int take_list(
	struct entries *s, const struct drivers *d, const char *pmds, json_t *taken, struct err *err
)
{
	_cleanup_free_ char *copy = strdup(pmds);

	if (copy == NULL)
		return err_oom(err);
	// without these no program gets a packet buffer or a virtual device
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (has(d, always[i]) && take_one(s, d, always[i], taken, err) < 0)
			return -err->code;
	str_foreach (w, copy, ",")
		if (take_named(s, d, w, taken, err) < 0)
			return -err->code;
	return 0;
}

static int take_set(
	struct entries *s, const struct drivers *d, const char *pmds, json_t *taken, struct err *err
)
{
	if (pmds != NULL && str_eq(pmds, "none"))
		return 0;
	if (pmds != NULL && !str_eq(pmds, "all"))
		return take_list(s, d, pmds, taken, err);
	for (size_t i = 0; pmds != NULL && i < d->n; i++)
		if (take_one(s, d, d->names[i], taken, err) < 0)
			return -err->code;
	for (size_t i = 0; pmds == NULL && i < ARRAY_LEN(usual); i++)
		if (has(d, usual[i]) && take_one(s, d, usual[i], taken, err) < 0)
			return -err->code;
	return 0;
}

// The version as the package manager knows it; a DPDK that was built by hand has none.
static json_t *package_version(const char *abi)
{
	_cleanup_free_ char *package =
		str_printf("\nPackage: librte-eal%.*s\n", (int)strcspn(abi, "."), abi);
	_cleanup_close_ int dir = open("/var/lib/dpkg", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	char *at, *end;

	if (package == NULL || dir < 0 || fs_read(dir, "status", STATUS_MAX, &text, NULL) < 0)
		return json_null();
	at = strstr(text, package);
	if (at == NULL)
		return json_null();
	end = strstr(at + 1, "\n\n");
	if (end != NULL)
		*end = '\0';
	at = strstr(at, "\nVersion: ");
	if (at == NULL)
		return json_null();
	at += strlen("\nVersion: ");
	return json_stringn(at, strcspn(at, "\n"));
}

int pmd_take(struct entries *s, const char *pmds, json_t **ret, struct err *err)
{
	scope_cleanup(drivers_done) struct drivers d = {0};
	_cleanup_json_ json_t *taken = json_array();
	json_t *j;

	if (taken == NULL)
		return err_oom(err);
	if (!find_abi(s, d.abi, sizeof(d.abi))) {
		if (pmds != NULL && !str_eq(pmds, "none") && !str_eq(pmds, "all"))
			return err_set(
				err,
				EINVAL,
				"take drivers '%s': no program of the image is linked with "
				"librte_eal; leave --pmd out",
				pmds
			);
		*ret = json_null();
		return 0;
	}
	if ((pmds == NULL || !str_eq(pmds, "none"))
	    && (find_dir(&d, err) < 0 || list_names(&d, err) < 0))
		return -err->code;
	if (take_set(s, &d, pmds, taken, err) < 0)
		return -err->code;
	j = json_pack(
		"{s:s, s:o, s:O}", "abi", d.abi, "version", package_version(d.abi), "pmds", taken
	);
	if (j == NULL)
		return err_oom(err);
	*ret = j;
	return 0;
}
