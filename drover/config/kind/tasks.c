// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/kind/tasks.h"

#include "base/str.h"
#include "config/kind/digits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int bad(const char *at, struct err *err)
{
	return err_set(
		err,
		EINVAL,
		"'%.64s': tasks are written 3s0t1 (task 1 of core 3 of socket 0), lists 1s0,4s0t1, "
		"ranges 1s0-4s0, or (1s0-4s0)t1 for a task of each",
		at
	);
}

// "1p" behind a "t".
static bool task_number(const char **s, unsigned *task, enum conf_target_kind *kind)
{
	const char *p = *s;
	unsigned v = 0;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (unsigned)(*p - '0');
		if (v >= CONF_TASKS)
			return false;
	}
	*kind = *p == 'p' ? TARGET_CONTROL : *p == 'm' ? TARGET_MESSAGE : TARGET_PACKETS;
	if (*kind != TARGET_PACKETS)
		p++;
	*task = v;
	*s = p;
	return true;
}

static bool one(const char **s, struct target_name *ret)
{
	struct target_name t = {.core.socket = -1};

	if (str_starts(*s, "self")) {
		t.self = true;
		*s += strlen("self");
	} else if (!core_name_parse(s, &t.core)) {
		return false;
	}
	if (**s == 't') {
		(*s)++;
		if (!task_number(s, &t.task, &t.kind))
			return false;
	}
	*ret = t;
	return true;
}

static int add(struct target_names *list, const struct target_name *t, struct err *err)
{
	if (list->n == CONF_TARGETS)
		return err_set(err, EINVAL, "more than %d tasks", CONF_TARGETS);
	list->list[list->n++] = *t;
	return 0;
}

// A name, or two with '-' between them.
static int range(const char **s, struct target_names *list, struct err *err)
{
	const char *start = *s;
	struct target_name first, last;

	if (!one(s, &first))
		return bad(start, err);
	*s = skip_blanks(*s);
	last = first;
	if (**s == '-') {
		(*s)++;
		*s = skip_blanks(*s);
		if (!one(s, &last))
			return bad(start, err);
	}
	if (last.core.socket != first.core.socket || last.core.hyperthread != first.core.hyperthread
	    || last.kind != first.kind || last.self != first.self
	    || (last.core.id != first.core.id && last.task != first.task))
		return err_set(
			err,
			EINVAL,
			"'%.64s': a range is over cores of one socket with the same task, or over "
			"tasks of one core",
			start
		);
	if (last.core.id < first.core.id || last.task < first.task)
		return err_set(err, EINVAL, "'%.64s': the range runs backwards", start);
	for (unsigned core = first.core.id; core <= last.core.id; core++) {
		for (unsigned task = first.task; task <= last.task; task++) {
			struct target_name t = first;

			t.core.id = core;
			t.task = task;
			if (add(list, &t, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

// "(LIST)t1": the task of each. *s is behind the '('.
static int group(const char **s, struct target_names *list, struct err *err)
{
	const char *start = *s - 1;
	unsigned from = list->n, task;
	enum conf_target_kind kind;

	for (;; (*s)++) {
		*s = skip_blanks(*s);
		if (range(s, list, err) < 0)
			return -err->code;
		*s = skip_blanks(*s);
		if (**s != ',')
			break;
	}
	if (**s != ')')
		return err_set(err, EINVAL, "'%.64s': ')' is missing", start);
	(*s)++;
	if (**s != 't')
		return 0;
	(*s)++;
	if (!task_number(s, &task, &kind))
		return bad(start, err);
	for (unsigned i = from; i < list->n; i++) {
		list->list[i].task = task;
		list->list[i].kind = kind;
	}
	return 0;
}

// Behind the list: "task=1", DPPD's older way, and "proto=arp".
static int words(const char *s, struct target_names *ret, struct err *err)
{
	static const char *const protos[] = {
		[PROTO_IPV4] = "ipv4",
		[PROTO_ARP] = "arp",
		[PROTO_IPV6] = "ipv6",
	};
	enum conf_target_kind kind;
	unsigned task;

	for (s = skip_blanks(s); *s != '\0'; s = skip_blanks(s)) {
		const char *start = s;
		size_t len = strcspn(s, " ");
		bool known = false;

		if (str_starts(s, "task=")) {
			s += strlen("task=");
			if (!task_number(&s, &task, &kind) || (*s != ' ' && *s != '\0'))
				return err_set(
					err,
					EINVAL,
					"'%.32s': tasks are 0 to %d",
					start,
					CONF_TASKS - 1
				);
			for (unsigned i = 0; i < ret->n; i++) {
				ret->list[i].task = task;
				ret->list[i].kind = kind;
			}
			continue;
		}
		for (unsigned i = 0; i < PROTO_COUNT && str_starts(s, "proto="); i++) {
			if (len != strlen("proto=") + strlen(protos[i])
			    || strncmp(s + strlen("proto="), protos[i], strlen(protos[i])) != 0)
				continue;
			ret->proto = (enum task_proto)i;
			ret->has_proto = known = true;
		}
		if (!known)
			return err_set(
				err,
				EINVAL,
				"'%.*s' behind the tasks: it can be proto=ipv4, proto=arp, "
				"proto=ipv6 "
				"or "
				"task=N",
				(int)(len < 32 ? len : 32),
				start
			);
		s += len;
	}
	return 0;
}

int targets_parse(const char *s, struct target_names *ret, struct err *err)
{
	struct target_names t = {0};

	for (;; s++) {
		int r;

		s = skip_blanks(s);
		if (*s == '(') {
			s++;
			r = group(&s, &t, err);
		} else {
			r = range(&s, &t, err);
		}
		if (r < 0)
			return r;
		if (*s != ',')
			break;
	}
	if (words(s, &t, err) < 0)
		return -err->code;
	*ret = t;
	return 0;
}

static int parse(const struct key *key, const char *value, void *to, struct err *err)
{
	return targets_parse(value, to, err) < 0 ? err_wrap(err, "%s=", key->name) : 0;
}

const struct key_kind kind_tasks = {
	.type = "tasks",
	.text = "tasks, as 3s0t1 or (3s0-6s0,3s0h-6s0h)t1",
	.parse = parse,
	.repeats = true,
};

const char *target_name_format(const struct target_name *t, char buf[static TARGET_NAME_STR])
{
	char core[CORE_NAME_STR];

	snprintf(
		buf,
		TARGET_NAME_STR,
		"%st%u",
		t->self ? "self" : core_name_format(&t->core, core),
		t->task
	);
	return buf;
}
