// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What became of workloads: a line of JSON each, the newest last, in a file that outlives the boot. Where it cannot be
// written (a full disk) nothing happens.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_NAME "ended"
#define FILE_BYTES (256l << 10) // when it has grown to that, the last ENDED_KEPT of it stay

static int open_dir(const struct ledger *l, bool make)
{
	int fd = fs_open_in(l->fs.root, LOG_DIR, O_RDONLY | O_DIRECTORY, 0);
	struct err unused;

	return fd >= 0 || !make || !l->fs.real ? fd : fs_mkdirs(LOG_DIR, 0755, &unused);
}

// Where the last ENDED_KEPT lines begin.
static const char *last_lines(const char *text, size_t len)
{
	const char *at = text + len;

	for (unsigned n = 0; at > text; at--) {
		if (at[-1] == '\n' && at < text + len && ++n == ENDED_KEPT)
			break;
	}
	return at;
}

static void shorten(int dir)
{
	_cleanup_free_ char *text = NULL;
	struct err unused;
	const char *from;
	size_t len;

	if (fs_read_system(dir, FILE_NAME, FILE_BYTES * 2, &text, &len) < 0) {
		unlinkat(dir, FILE_NAME, 0);
		return;
	}
	from = last_lines(text, len);
	fs_write_fleeting(dir, FILE_NAME, from, len - (size_t)(from - text), 0600, &unused);
}

// Appends under the lock of the very file that is there: another process may have put a shorter one in its place.
static void append(int dir, const char *line)
{
	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int fd = openat(
			dir, FILE_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600
		);
		struct stat st, there;
		char last = '\n';

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return;
		if (fstatat(dir, FILE_NAME, &there, AT_SYMLINK_NOFOLLOW) < 0
		    || there.st_ino != st.st_ino)
			continue;
		// of a writer that was killed, or whose disk was full
		if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n'
		    && write(fd, "\n", 1) != 1)
			return;
		if (write(fd, line, strlen(line)) > 0 && st.st_size > FILE_BYTES)
			shorten(dir);
		return;
	}
}

void ended_note(
	const struct ledger *l,
	const struct lease *lease,
	int status,
	const char *limit,
	const char *note
)
{
	struct idset cpus = grant_all_cpus(&lease->grant);
	_cleanup_close_ int dir = open_dir(l, true);
	_cleanup_free_ char *text = NULL, *line = NULL;
	// who wrote it, as lease_same_run has it
	_cleanup_free_ char *run = str_printf(
		"%d %llu", lease->supervisor, (unsigned long long)lease->supervisor_start
	);
	_cleanup_json_ json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:s, s:s}",
		"name",
		lease->grant.name,
		"run",
		run,
		"in",
		lease->site.name,
		"cpus",
		json_idset(&cpus),
		"command",
		lease->command,
		"started",
		(json_int_t)lease->started,
		"ended",
		(json_int_t)time(NULL),
		"limit",
		limit != NULL ? limit : "",
		"note",
		note
	);

	if (status >= 0)
		json_object_set_new(doc, "status", json_integer(status));
	text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	line = text != NULL ? str_printf("%s\n", text) : NULL;
	if (dir >= 0 && line != NULL)
		append(dir, line);
}

// ---- reading

struct ending {
	const char *name, *run, *in, *cpus, *command, *limit, *note;
	uint64_t started, ended, status;
	bool seen;
};

static int parse(const json_t *doc, struct ending *ret, struct err *err)
{
	static const char what[] = "'" LOG_DIR "/" FILE_NAME "'";
	static const char *const keys[] = {
		"name",
		"run",
		"in",
		"cpus",
		"command",
		"started",
		"ended",
		"limit",
		"note",
		"status",
		NULL};
	struct ending e = {.seen = json_object_get(doc, "status") != NULL};

	if (jread_keys(doc, what, keys, err) < 0
	    || jread_str(doc, what, "name", true, &e.name, err) < 0
	    || jread_str(doc, what, "run", true, &e.run, err) < 0
	    || jread_str(doc, what, "in", true, &e.in, err) < 0
	    || jread_str(doc, what, "cpus", true, &e.cpus, err) < 0
	    || jread_str(doc, what, "command", true, &e.command, err) < 0
	    || jread_str(doc, what, "limit", true, &e.limit, err) < 0
	    || jread_str(doc, what, "note", true, &e.note, err) < 0
	    || jread_u64(doc, what, "started", true, INT32_MAX * 4ull, &e.started, err) < 0
	    || jread_u64(doc, what, "ended", true, INT32_MAX * 4ull, &e.ended, err) < 0
	    || jread_u64(doc, what, "status", false, 255, &e.status, err) < 0)
		return -err->code;
	*ret = e;
	return 0;
}

// As shells count: 128 and the signal.
static const char *signal_of(const struct ending *e)
{
	return e->seen && e->status > 128 ? sigabbrev_np((int)e->status - 128) : NULL;
}

static json_t *row_of(const struct ending *e)
{
	const char *signal = signal_of(e);
	time_t t = (time_t)e->ended;
	char when[32] = "", how[32];
	struct tm tm;
	json_t *row;

	if (gmtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%FT%TZ", &tm);
	if (!e->seen)
		strcpy(how, "unknown");
	else if (signal == NULL)
		snprintf(how, sizeof(how), "exit %u", (unsigned)e->status);
	else if (str_eq(e->limit, "memory") || str_eq(e->limit, "hugepages"))
		snprintf(how, sizeof(how), "%s", e->limit);
	else
		snprintf(how, sizeof(how), "SIG%s", signal);
	row = json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s}",
		"name",
		e->name,
		"state",
		"ended",
		"in",
		e->in,
		"cpus",
		e->cpus,
		"seconds",
		(json_int_t)(e->ended > e->started ? e->ended - e->started : 0),
		"ended",
		when,
		"how",
		how,
		"command",
		e->command,
		"note",
		e->note
	);
	if (e->seen)
		json_object_set_new(row, "status", json_integer((json_int_t)e->status));
	if (signal != NULL)
		json_object_set_new(row, "signal", json_string(signal));
	if (e->limit[0] != '\0')
		json_object_set_new(row, "limit", json_string(e->limit));
	return row;
}

// Where the lease was collected before its supervisor came to it there are two: what the latter saw counts.
static bool told_better(json_t *docs, const json_t *doc)
{
	static const char *const same[] = {"name", "run", "started"};
	json_t *other;
	size_t i;

	json_array_foreach (docs, i, other) {
		unsigned n = 0;

		for (size_t k = 0; k < ARRAY_LEN(same); k++)
			n += json_equal(
				     json_object_get(other, same[k]), json_object_get(doc, same[k])
			     )
			     != 0;
		if (n < ARRAY_LEN(same))
			continue;
		if (json_object_get(other, "status") == NULL)
			json_array_set(docs, i, (json_t *)doc);
		return true;
	}
	return false;
}

int ended_read(const struct ledger *l, json_t **ret, struct err *err)
{
	_cleanup_close_ int dir = open_dir(l, false);
	_cleanup_json_ json_t *docs = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *rows, *doc;
	char *save = NULL;
	size_t len = 0;
	int r = dir < 0 ? -errno : fs_read_system(dir, FILE_NAME, FILE_BYTES * 2, &text, &len);

	if (r < 0 && r != -ENOENT)
		return err_sys(err, -r, "read '" LOG_DIR "/" FILE_NAME "'");
	for (char *line = r == 0 ? strtok_r(text, "\n", &save) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct ending unused;
		struct err e;

		// what was cut short is passed over
		doc = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (doc != NULL && parse(doc, &unused, &e) == 0 && !told_better(docs, doc))
			json_array_append(docs, doc);
		json_decref(doc);
	}
	rows = json_array();
	len = json_array_size(docs);
	for (size_t i = len; i > 0 && len - i < ENDED_KEPT; i--) {
		struct ending e;

		parse(json_array_get(docs, i - 1), &e, err);
		json_array_append_new(rows, row_of(&e));
	}
	*ret = rows;
	return 0;
}
