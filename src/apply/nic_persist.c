// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/nic_persist.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define DRIVER NIC_PERSIST_DIR "/pci-%s"
#define HOW_DIR ETC_DIR "/nics.d"
#define HOW HOW_DIR "/%s"

static const char force[] = "force", noiommu[] = "unsafe-noiommu";

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

// The driver last: without what was said beside it there is none to be bound.
int nic_persist(const char *bdf, const char *driver, struct nic_persist how, struct err *err)
{
	_cleanup_free_ char *name = str_printf("pci-%s", bdf);
	char line[64] = "";
	int r;

	if (name == NULL)
		return err_oom(err);
	if (how.force)
		str_add(line, sizeof(line), " ", "%s", force);
	if (how.unsafe_noiommu)
		str_add(line, sizeof(line), " ", "%s", noiommu);
	r = line[0] != '\0' ? write_line(HOW_DIR, bdf, line, err) : forget(HOW, bdf, err);
	return r < 0 ? r : write_line(NIC_PERSIST_DIR, name, driver, err);
}

bool nic_persists(const char *bdf)
{
	_cleanup_free_ char *path = str_printf(DRIVER, bdf);

	return path != NULL && access(path, F_OK) == 0;
}

int nic_persist_how(const char *bdf, struct nic_persist *ret, struct err *err)
{
	_cleanup_free_ char *path = str_printf(HOW, bdf), *text = NULL;
	struct nic_persist how = {0};
	int r;

	*ret = how;
	if (path == NULL)
		return err_oom(err);
	r = fs_read_file(path, 256, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "read '%s'", path);
	str_foreach (w, text, " \n") {
		if (str_eq(w, force))
			how.force = true;
		else if (str_eq(w, noiommu))
			how.unsafe_noiommu = true;
		else
			return err_set(
				err,
				EINVAL,
				"read '%s': '%.32s' is none of %s and %s; mend or remove it",
				path,
				w,
				force,
				noiommu
			);
	}
	*ret = how;
	return 0;
}

int nic_forget(const char *bdf, struct err *err)
{
	if (forget(DRIVER, bdf, err) < 0)
		return -err->code;
	return forget(HOW, bdf, err);
}
