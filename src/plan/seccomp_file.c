// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A filter from a file: the "linux.seccomp" object of the OCI runtime specification 1.1, strictly.

#include "plan/seccomp.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)
#define ERRNO_MAX 4095 // the largest number that the kernel takes for an error
#define ARGUMENTS 6

// NULL-terminated lists of the words of the specification that are taken here.
static const char *const refusing[] = {
	"SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", NULL};
static const char *const actions[] = {
	"SCMP_ACT_ALLOW",
	"SCMP_ACT_LOG",
	"SCMP_ACT_ERRNO",
	"SCMP_ACT_KILL",
	"SCMP_ACT_KILL_THREAD",
	"SCMP_ACT_KILL_PROCESS",
	NULL,
};
static const char *const operators[] = {
	"SCMP_CMP_NE",
	"SCMP_CMP_LT",
	"SCMP_CMP_LE",
	"SCMP_CMP_EQ",
	"SCMP_CMP_GE",
	"SCMP_CMP_GT",
	"SCMP_CMP_MASKED_EQ",
	NULL,
};
static const char *const flags[] = {
	"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", NULL};

static bool in_list(const char *const *list, const char *word)
{
	for (; *list != NULL; list++) {
		if (str_eq(*list, word))
			return true;
	}
	return false;
}

static int check_word(
	const char *what,
	const char *key,
	const char *word,
	const char *const *known,
	struct err *err
)
{
	if (in_list(known, word))
		return 0;
	return err_set(err, EINVAL, "read %s: '%s': '%.48s' is not taken here", what, key, word);
}

// An array whose entries are strings of a list; NULL when it is not there.
static int check_words(
	const json_t *doc,
	const char *what,
	const char *key,
	const char *const *known,
	json_t **ret,
	struct err *err
)
{
	const json_t *e;
	size_t i;

	*ret = NULL;
	if (jread_array(doc, what, key, ret, err) < 0)
		return -err->code;
	json_array_foreach (*ret, i, e) {
		if (!json_is_string(e))
			return err_set(
				err, EINVAL, "read %s: '%s': an entry is not a string", what, key
			);
		if (known != NULL && check_word(what, key, json_string_value(e), known, err) < 0)
			return -err->code;
	}
	return 0;
}

static int check_argument(const json_t *arg, const char *what, json_t *list, struct err *err)
{
	static const char *const keys[] = {"index", "value", "valueTwo", "op", NULL};
	uint64_t index = 0, value = 0, two = 0;
	const char *op = NULL;
	const json_t *other;
	size_t i;

	if (!json_is_object(arg))
		return err_set(err, EINVAL, "read %s: 'args': a condition is not an object", what);
	if (jread_keys(arg, what, keys, err) < 0
	    || jread_u64(arg, what, "index", true, ARGUMENTS - 1, &index, err) < 0
	    || jread_u64(arg, what, "value", true, INT64_MAX, &value, err) < 0
	    || jread_u64(arg, what, "valueTwo", false, INT64_MAX, &two, err) < 0
	    || jread_str(arg, what, "op", true, &op, err) < 0
	    || check_word(what, "op", op, operators, err) < 0)
		return -err->code;
	// the filter compiler takes one condition on an argument
	json_array_foreach (list, i, other) {
		if (json_integer_value(json_object_get(other, "index")) == (json_int_t)index)
			return err_set(
				err,
				EINVAL,
				"read %s: two conditions of a rule are on argument %d",
				what,
				(int)index
			);
	}
	json_array_append_new(
		list,
		json_pack(
			"{s:I, s:I, s:I, s:s}",
			"index",
			(json_int_t)index,
			"value",
			(json_int_t)value,
			"valueTwo",
			(json_int_t)two,
			"op",
			op
		)
	);
	return 0;
}

static int check_names(const json_t *rule, const char *what, json_t **ret, struct err *err)
{
	const json_t *e;
	size_t i;

	if (check_words(rule, what, "names", NULL, ret, err) < 0)
		return -err->code;
	if (json_array_size(*ret) == 0)
		return err_set(err, EINVAL, "read %s: a rule has no 'names'", what);
	json_array_foreach (*ret, i, e) {
		const char *name = json_string_value(e);

		if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
			return err_set(
				err,
				EINVAL,
				"read %s: '%.48s' is no system call that libseccomp knows",
				what,
				name
			);
	}
	return 0;
}

static int check_rule(const json_t *rule, const char *what, json_t *list, struct err *err)
{
	static const char *const keys[] = {"names", "action", "errnoRet", "args", NULL};
	_cleanup_json_ json_t *args = json_array();
	json_t *names = NULL, *given = NULL, *copy;
	const char *action = NULL;
	uint64_t code = 0;
	const json_t *e;
	size_t i;

	if (!json_is_object(rule))
		return err_set(err, EINVAL, "read %s: 'syscalls': a rule is not an object", what);
	if (jread_keys(rule, what, keys, err) < 0 || check_names(rule, what, &names, err) < 0
	    || jread_str(rule, what, "action", true, &action, err) < 0
	    || check_word(what, "action", action, actions, err) < 0
	    || jread_u64(rule, what, "errnoRet", false, ERRNO_MAX, &code, err) < 0
	    || jread_array(rule, what, "args", &given, err) < 0)
		return -err->code;
	if (json_object_get(rule, "errnoRet") != NULL && !str_eq(action, "SCMP_ACT_ERRNO"))
		return err_set(err, EINVAL, "read %s: 'errnoRet' goes with SCMP_ACT_ERRNO", what);
	json_array_foreach (given, i, e) {
		if (check_argument(e, what, args, err) < 0)
			return -err->code;
	}
	copy = json_pack("{s:O, s:s}", "names", names, "action", action);
	if (json_object_get(rule, "errnoRet") != NULL)
		json_object_set_new(copy, "errnoRet", json_integer((json_int_t)code));
	if (json_array_size(args) > 0)
		json_object_set(copy, "args", args);
	json_array_append_new(list, copy);
	return 0;
}

// The 32-bit and x32 tables are other doors to the same calls, which no rule here would guard.
static int check_architectures(const json_t *doc, const char *what, struct err *err)
{
	json_t *list = NULL;
	const json_t *e;
	size_t i;

	if (check_words(doc, what, "architectures", NULL, &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, e) {
		if (!str_eq(json_string_value(e), SECCOMP_ARCHITECTURE))
			return err_set(
				err,
				EINVAL,
				"read %s: 'architectures': only %s may be open, not %.32s",
				what,
				SECCOMP_ARCHITECTURE,
				json_string_value(e)
			);
	}
	return 0;
}

static int check_rules(const json_t *doc, const char *what, json_t *rules, struct err *err)
{
	json_t *given = NULL;
	const json_t *e;
	size_t i;

	if (jread_array(doc, what, "syscalls", &given, err) < 0)
		return -err->code;
	if (given == NULL)
		return err_set(err, EINVAL, "read %s: 'syscalls' is missing", what);
	json_array_foreach (given, i, e) {
		if (check_rule(e, what, rules, err) < 0)
			return -err->code;
	}
	return 0;
}

int seccomp_check(const json_t *doc, const char *what, json_t **ret, struct err *err)
{
	static const char *const keys[] = {
		"defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls", NULL};
	_cleanup_json_ json_t *rules = json_array(), *copy = NULL;
	const char *action = NULL;
	uint64_t code = EPERM;
	json_t *given = NULL;

	if (json_object_get(doc, "listenerPath") != NULL
	    || json_object_get(doc, "listenerMetadata") != NULL)
		return err_set(
			err,
			EINVAL,
			"read %s: 'listenerPath': whoever listens there would decide; leave it out",
			what
		);
	if (jread_keys(doc, what, keys, err) < 0
	    || jread_str(doc, what, "defaultAction", true, &action, err) < 0)
		return -err->code;
	if (!in_list(refusing, action))
		return err_set(
			err,
			EINVAL,
			"read %s: 'defaultAction': '%.48s' does not refuse; write SCMP_ACT_ERRNO "
			"and name what is allowed",
			what,
			action
		);
	if (jread_u64(doc, what, "defaultErrnoRet", false, ERRNO_MAX, &code, err) < 0
	    || check_architectures(doc, what, err) < 0
	    || check_words(doc, what, "flags", flags, &given, err) < 0
	    || check_rules(doc, what, rules, err) < 0)
		return -err->code;
	copy = json_pack(
		"{s:s, s:[s], s:O}",
		"defaultAction",
		action,
		"architectures",
		SECCOMP_ARCHITECTURE,
		"syscalls",
		rules
	);
	if (str_eq(action, "SCMP_ACT_ERRNO"))
		json_object_set_new(copy, "defaultErrnoRet", json_integer((json_int_t)code));
	if (json_array_size(given) > 0)
		json_object_set(copy, "flags", given);
	*ret = json_incref(copy);
	return *ret != NULL ? 0 : err_oom(err);
}

// Nothing inside an image can widen a grant: not even by lying at the right path.
static int check_place(int fd, const char *path, const char *image, struct err *err)
{
	char link[64], real[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n < 0)
		return err_sys(err, errno, "read seccomp profile '%s'", path);
	real[n] = '\0';
	if (str_starts(real, image) && (real[strlen(image)] == '/'))
		return err_set(
			err,
			EPERM,
			"seccomp profile '%s' lies in image '%s', which must not decide; copy it "
			"out and look at it",
			path,
			image
		);
	return 0;
}

int seccomp_read(const char *path, bool trusted, const char *image, json_t **ret, struct err *err)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	// whoever may write there may lead it to where nobody answers, in a mount namespace of his (/proc/PID/root)
	_cleanup_close_ int at = fs_open_in(root, path, O_PATH, 0), fd = -1;
	_cleanup_free_ char *what = str_printf("seccomp profile '%s'", path);
	_cleanup_free_ char *text = malloc(FILE_MAX + 1), *word = NULL;
	_cleanup_json_ json_t *doc = NULL;
	struct stat st;
	size_t n = 0;
	ssize_t r;

	if (what == NULL || text == NULL)
		return err_oom(err);
	if (at < 0 && errno == ELOOP)
		return err_set(
			err,
			ELOOP,
			"read %s: its links go round, or by a process's own ones in /proc; name "
			"the file itself",
			what
		);
	if (at < 0 || fstat(at, &st) < 0)
		return err_sys(err, errno, "read %s", what);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "read %s: it is not a file", what);
	fd = fs_open_regular(at);
	if (fd < 0)
		return err_sys(err, errno, "read %s", what);
	if (trusted && (st.st_uid != 0 || (st.st_mode & 022) != 0)) {
		word = str_quote(path);
		if (word == NULL)
			return err_oom(err);
		return err_set(
			err,
			EPERM,
			"%s replaces the fence's filter, so it must belong to root and be writable "
			"for root alone: chown root %s && chmod go-w %s",
			what,
			word,
			word
		);
	}
	if (image != NULL && check_place(fd, path, image, err) < 0)
		return -err->code;
	while (n <= FILE_MAX && (r = read(fd, text + n, FILE_MAX + 1 - n)) > 0)
		n += (size_t)r;
	if (jread_parse(text, n, what, &doc, err) < 0)
		return -err->code;
	return seccomp_check(doc, what, ret, err);
}
