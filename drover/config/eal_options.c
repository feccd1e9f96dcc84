// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [eal options]: what is passed on to EAL, and what is refused because the grant decides it.

#include "base/scope.h"
#include "base/str.h"
#include "config/parse.h"

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
	char *save = NULL;
	bool first = true;

	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
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

static int parse_one(struct parse *p, const struct ini_item *it, struct err *err)
{
	char joined[KEY_TEXT_MAX], buf[HINT_MAX];
	const char *value = p->value;

	if (strcasecmp(it->name, "eal") == 0)
		return add_words(p->conf, p->value, err);
	if (strcasecmp(it->name, "no-output") == 0) {
		// DPPD's switch for EAL's messages, which drover shows or not by itself
		if (strcasecmp(value, "yes") != 0 && strcasecmp(value, "no") != 0)
			return err_set(err, EINVAL, "no-output=%.32s: wants yes|no", value);
		if (p->seen_output)
			return err_set(err, EINVAL, "no-output= is there twice");
		p->seen_output = true;
		return 0;
	}
	if (it->name[0] != '-' || strlen(it->name) >= sizeof(joined) - 1)
		return err_set(
			err,
			EINVAL,
			"unknown key '%.64s' in [eal options]%s",
			it->name,
			hint(buf, it->name, names)
		);
	if (strchr(it->name, ' ') != NULL || (it->name[1] != '-' && strlen(it->name) > 2))
		return err_set(
			err, EINVAL, "'%.64s': one option a line, as -n=4 or --name=value", it->name
		);
	if (check_option(it->name, err) < 0)
		return -err->code;
	if (value[0] == '\0')
		return err_set(err, EINVAL, "%s= has no value", it->name);
	// a short option has its value behind it, a long one behind '='
	strcpy(joined, it->name);
	if (str_starts(it->name, "--"))
		strcat(joined, "=");
	return add(p->conf, joined, value, err);
}

int parse_eal(struct parse *p, const struct ini_item *items, size_t n, struct err *err)
{
	for (size_t i = 1; i < n; i++) {
		if (parse_expand(p, items[i].line, items[i].value, err) < 0)
			return -err->code;
		if (parse_one(p, &items[i], err) < 0)
			return parse_at(p, items[i].line, err);
	}
	return 0;
}
