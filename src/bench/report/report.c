// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/report/report.h"

#include "base/fs.h"
#include "base/scope.h"
#include "bench/need.h"

#include <errno.h>
#include <fcntl.h>

typedef void (*writer)(FILE *f, const struct results *all, const struct figures *figures);

static int write_one(
	int dir,
	const char *name,
	writer w,
	const struct results *all,
	const struct figures *figures,
	struct err *err
)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = need(open_memstream(&text, &len));

	w(f, all, figures);
	if (fclose(f) != 0)
		return err_oom(err);
	return fs_write_atomic(dir, name, text, len, 0644, err);
}

int report_write(
	const struct results *all, const char *dir, struct report_drawn *ret, struct err *err
)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	scope_cleanup(figures_done) struct figures figures = {0};

	if (fd < 0)
		return err_sys(err, errno, "open the directory of results '%s'", dir);
	if (figures_draw(all, dir, &figures, err) < 0
	    || write_one(fd, "report.html", html_write, all, &figures, err) < 0
	    || write_one(fd, "report.md", markdown_write, all, &figures, err) < 0)
		return -err->code;
	*ret = figures.drawn;
	return 0;
}
