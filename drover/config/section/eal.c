// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [eal options]: what is passed on to EAL, and what is refused because the grant decides it.

#include "base/str.h"
#include "config/section/private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

// Long options that drover sets itself from the grant and from device= of the ports.
static const char *const granted[] = {
	"--allow",
	"--block",
	"--create-uio-dev",
	"--file-prefix",
	"--huge-dir",
	"--huge-unlink",
	"--in-memory",
	"--lcores",
	"--main-lcore",
	"--no-huge",
	"--no-pci",
	"--no-shconf",
	"--no-telemetry",
	"--proc-type",
	"--service-corelist",
	"--socket-limit",
	"--socket-mem",
	"--vdev",
	NULL,
};

static const char *const granted_short = "abcdlmsSMw";
static const char *const passed_short = "nr";

// Long options that neither read nor write a file, load code, nor reach a device: what they say is how
// EAL does what it does anyway.
static const char *const passed[] = {
	"--base-virtaddr",
	"--force-max-simd-bitwidth",
	"--iova-mode",
	"--legacy-mem",
	"--log-level",
	"--match-allocations",
	"--single-file-segments",
	"--vfio-intr",
	NULL,
};
// Those of them that have no value.
static const char *const flags[] = {
	"--legacy-mem",
	"--match-allocations",
	"--single-file-segments",
	NULL,
};
#define PASSED                                                                            \
	"-n, -r, --base-virtaddr, --force-max-simd-bitwidth, --iova-mode, --legacy-mem, " \
	"--log-level, --match-allocations, --single-file-segments, --vfio-intr"

static const char *const names[] = {"-n", "-r", "no-output", "eal", "--log-level", NULL};

static int refuse(const char *option, struct err *err)
{
	return err_set(
		err,
		EINVAL,
		"EAL's %.32s is not for the configuration: the grant says it (cores, memory, "
		"files), and device= of the ports",
		option
	);
}

// EAL takes any beginning of a long option, and short options without blanks between them.
static int check_option(const char *option, struct err *err)
{
	size_t len = strcspn(option, "=");

	if (strcmp(option, "--") == 0 || strcmp(option, "-") == 0)
		return err_set(err, EINVAL, "'%s' is no option of EAL", option);
	if (!str_starts(option, "--")) {
		if (strchr(passed_short, option[1]) != NULL)
			return 0;
		if (strchr(granted_short, option[1]) != NULL)
			return refuse(option, err);
	} else {
		for (unsigned i = 0; passed[i] != NULL; i++) {
			if (strncmp(option, passed[i], len) == 0 && passed[i][len] == '\0')
				return 0;
		}
		for (unsigned i = 0; granted[i] != NULL; i++) {
			if (strncmp(option, granted[i], len) == 0)
				return refuse(option, err);
		}
	}
	return err_set(err, EINVAL, "EAL's '%.32s' is not passed on; these are: " PASSED, option);
}

static int add(struct conf *c, const char *a, const char *b, struct err *err)
{
	size_t len = strlen(a) + strlen(b);

	if (c->neal == CONF_EAL)
		return err_set(err, EINVAL, "more than %d words for EAL", CONF_EAL);
	if (len >= KEY_TEXT_MAX)
		return err_set(
			err,
			EINVAL,
			"EAL's '%.32s…' has more than %d characters",
			a,
			KEY_TEXT_MAX - 1
		);
	strcpy(stpcpy(c->eal[c->neal++], a), b);
	return 0;
}

// "eal=-n 4 --log-level=8": words.
static int add_words(struct conf *c, char *words, struct err *err)
{
	bool first = true;

	str_foreach (w, words, " ") {
		if (w[0] != '-' && first)
			return err_set(err, EINVAL, "eal=%.32s: an option begins with '-'", w);
		if (w[0] == '-' && check_option(w, err) < 0)
			return -err->code;
		if (add(c, w, "", err) < 0)
			return -err->code;
		first = false;
	}
	return 0;
}

static int read_one(struct sections *s, const struct entry *e, struct err *err)
{
	char joined[KEY_TEXT_MAX], buf[HINT_MAX];
	const char *value = e->value;

	if (strcasecmp(e->name, "eal") == 0)
		return add_words(s->conf, e->value, err);
	if (strcasecmp(e->name, "no-output") == 0) {
		// DPPD's switch for EAL's messages, which drover shows or not by itself
		if (strcasecmp(value, "yes") != 0 && strcasecmp(value, "no") != 0)
			return err_set(err, EINVAL, "no-output=%.32s: wants yes|no", value);
		if (s->seen_output)
			return err_set(err, EINVAL, "no-output= is there twice");
		s->seen_output = true;
		return 0;
	}
	if (e->name[0] != '-' || strlen(e->name) >= sizeof(joined) - 1)
		return err_set(
			err,
			EINVAL,
			"unknown key '%.64s' in [eal options]%s",
			e->name,
			hint(buf, e->name, names)
		);
	if (strchr(e->name, ' ') != NULL || (e->name[1] != '-' && strlen(e->name) > 2))
		return err_set(
			err, EINVAL, "'%.64s': one option a line, as -n=4 or --name=value", e->name
		);
	if (check_option(e->name, err) < 0)
		return -err->code;
	for (unsigned i = 0; flags[i] != NULL; i++) {
		if (strcmp(e->name, flags[i]) != 0)
			continue;
		if (value[0] != '\0')
			return err_set(
				err,
				EINVAL,
				"%s=%.32s: EAL's flag has no value: write %s",
				e->name,
				value,
				e->name
			);
		return add(s->conf, e->name, "", err);
	}
	if (value[0] == '\0')
		return err_set(err, EINVAL, "%s= has no value", e->name);
	// a short option has its value behind it, a long one behind '='
	strcpy(joined, e->name);
	if (str_starts(e->name, "--"))
		strcat(joined, "=");
	return add(s->conf, joined, value, err);
}

int read_eal(struct sections *s, const struct entry *keys, size_t n, struct err *err)
{
	for (size_t i = 1; i < n; i++) {
		if (read_one(s, &keys[i], err) < 0)
			return wrap_at(keys[i].at, err);
	}
	return 0;
}
