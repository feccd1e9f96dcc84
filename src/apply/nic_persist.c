// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/nic_persist.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/nic.h"
#include "ledger/binding.h"
#include "ledger/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DRIVER NIC_PERSIST_DIR "/pci-%s"
#define HOW_DIR ETC_DIR "/nics.d"
#define HOW HOW_DIR "/%s"

#define TIME_STR 48

static const char force[] = "force", noiommu[] = "unsafe-noiommu", of[] = "of=";

static int write_line(const char *top, const char *name, const char *line, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(top, 0755, err);
	_cleanup_free_ char *text = str_printf("%s\n", line);

	if (dir < 0)
		return dir;
	if (text == NULL)
		return err_oom(err);
	return fs_write_durable(dir, name, text, strlen(text), 0644, err);
}

static int forget(const char *fmt, const char *bdf, struct err *err)
{
	_cleanup_free_ char *path = str_printf(fmt, bdf);

	if (path == NULL)
		return err_oom(err);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s'", path);
	return 0;
}

// When its driver was written down: "" where it is not.
static int written(const char *bdf, char ret[static TIME_STR], struct err *err)
{
	_cleanup_free_ char *path = str_printf(DRIVER, bdf);
	struct stat st;

	ret[0] = '\0';
	if (path == NULL)
		return err_oom(err);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at '%s'", path);
	snprintf(ret, TIME_STR, "%lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return 0;
}

// The driver first: what was said is of that file, and of none that is written later.
int nic_persist(const char *bdf, const char *driver, struct nic_persist how, struct err *err)
{
	_cleanup_free_ char *name = str_printf("pci-%s", bdf);
	char line[128] = "", when[TIME_STR];

	if (name == NULL)
		return err_oom(err);
	if (write_line(NIC_PERSIST_DIR, name, driver, err) < 0)
		return -err->code;
	if (!how.force && !how.unsafe_noiommu)
		return forget(HOW, bdf, err);
	if (written(bdf, when, err) < 0)
		return -err->code;
	if (how.force)
		str_add(line, sizeof(line), " ", "%s", force);
	if (how.unsafe_noiommu)
		str_add(line, sizeof(line), " ", "%s", noiommu);
	str_add(line, sizeof(line), " ", "%s%s", of, when);
	return write_line(HOW_DIR, bdf, line, err);
}

bool nic_persists(const char *bdf)
{
	_cleanup_free_ char *path = str_printf(DRIVER, bdf), *driver = NULL;

	if (path == NULL || fs_read_file(path, 64, &driver, NULL) < 0)
		return false;
	driver[strcspn(driver, "\n")] = '\0';
	return host_nic_for_programs(driver);
}

int nic_persist_how(const char *bdf, struct nic_persist *ret, struct err *err)
{
	_cleanup_free_ char *path = str_printf(HOW, bdf), *text = NULL;
	struct nic_persist how = {0};
	char when[TIME_STR];
	bool of_it = false;
	int r;

	*ret = how;
	if (path == NULL)
		return err_oom(err);
	r = fs_read_file(path, 256, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "read '%s'", path);
	if (written(bdf, when, err) < 0)
		return -err->code;
	str_foreach (w, text, " \n") {
		if (str_eq(w, force))
			how.force = true;
		else if (str_eq(w, noiommu))
			how.unsafe_noiommu = true;
		else if (str_starts(w, of))
			of_it = str_eq(w + strlen(of), when);
		else
			return err_set(
				err,
				EINVAL,
				"read '%s': '%.32s' is none of %s, %s and %sTIME; mend or remove "
				"it",
				path,
				w,
				force,
				noiommu,
				of
			);
	}
	if (of_it)
		*ret = how;
	return 0;
}

// The driver last: what was said of it must not outlive it.
int nic_forget(const char *bdf, struct err *err)
{
	if (forget(HOW, bdf, err) < 0)
		return -err->code;
	return forget(DRIVER, bdf, err);
}

// ---- of several

static json_t *note(const char *bdf, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DRIVER, bdf), *driver = NULL;
	struct nic_persist how;
	json_t *doc;
	int r;

	if (path == NULL || nic_persist_how(bdf, &how, err) < 0) {
		if (path == NULL)
			err_oom(err);
		return NULL;
	}
	r = fs_read_file(path, 64, &driver, NULL);
	if (r < 0 && r != -ENOENT) {
		err_sys(err, -r, "read '%s'", path);
		return NULL;
	}
	if (driver != NULL)
		driver[strcspn(driver, "\n")] = '\0';
	doc = json_pack(
		"{s:s, s:s*, s:b, s:b}",
		"nic",
		bdf,
		"driver",
		driver,
		force,
		how.force,
		noiommu,
		how.unsafe_noiommu
	);
	if (doc == NULL)
		err_set(err, EINVAL, "read '%s': what is in it cannot be kept; mend it", path);
	return doc;
}

int nic_notes_begin(const char *const *bdfs, unsigned n, const char *first, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(NICS_DIR, 0700, err);
	_cleanup_json_ json_t *doc = json_pack("{s:s, s:[]}", "first", first, "notes");

	if (dir < 0)
		return dir;
	if (files_exists(dir, BINDING_NOTES))
		return err_set(
			err,
			EEXIST,
			"what a command that was killed has made of the notes for the next boot "
			"is not put back yet; call: pinfold gc"
		);
	for (unsigned i = 0; i < n; i++) {
		json_t *one = note(bdfs[i], err);

		if (one == NULL)
			return -err->code;
		if (json_array_append_new(json_object_get(doc, "notes"), one) < 0)
			return err_oom(err);
	}
	return files_write(dir, BINDING_NOTES, doc, false, err);
}

int nic_notes_done(const struct ledger *l, struct err *err)
{
	return binding_remove(l, BINDING_NOTES, err);
}

static int put_back(const json_t *one, struct err *err)
{
	static const char what[] = "notes of NICs";
	const char *driver = NULL, *bdf;
	struct nic_persist how = {0};

	if (jread_str(one, what, "nic", true, &bdf, err) < 0
	    || jread_str(one, what, "driver", false, &driver, err) < 0
	    || jread_bool(one, what, force, &how.force, err) < 0
	    || jread_bool(one, what, noiommu, &how.unsafe_noiommu, err) < 0)
		return -err->code;
	return driver != NULL ? nic_persist(bdf, driver, how, err) : nic_forget(bdf, err);
}

static int undo_notes(const struct ledger *l, struct err *err)
{
	_cleanup_close_ int dir = fs_open_in(l->fs.root, NICS_DIR, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_json_ json_t *doc = NULL;
	struct binding done;
	const char *first;
	struct err unused;
	json_t *one;
	size_t i;
	int r = files_read(dir, BINDING_NOTES, "notes", &doc, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (jread_str(doc, "notes", "first", true, &first, err) < 0)
		return -err->code;
	if (first[0] != '\0' && binding_read(l, first, &done, &unused) == 0 && done.kept)
		return nic_notes_done(l, err);
	json_array_foreach (json_object_get(doc, "notes"), i, one) {
		if (put_back(one, err) < 0)
			return -err->code;
	}
	return nic_notes_done(l, err);
}

int nic_notes_undo(const struct ledger *l, struct err *err)
{
	int r = undo_notes(l, err);

	// else it is not what is in it
	return r == -EINVAL ? err_wrap(
		       err, "use '" NICS_DIR "/" BINDING_NOTES ".json' (mend or remove it)"
	       )
			    : r;
}
