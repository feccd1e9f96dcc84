// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "stand_in.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOP "/tmp"

static char folder[] = TOP "/drover-XXXXXX";
static bool made;

bool stand_in_can(const struct port_device *d)
{
	return (d->memif || d->listens != 0) && str_starts(d->makes, PORT_LINKS "/");
}

int stand_in(const char *device, unsigned number, struct port_device *d, struct err *err)
{
	_cleanup_free_ char *other = NULL;

	if (!made && mkdtemp(folder) == NULL)
		return err_sys(err, errno, "make a folder '%s' for sockets", folder);
	made = true;
	// also in place of a client: there is no server
	other = str_printf(
		"%s%s/%u%s",
		d->memif ? "memif:server:" : "vhost:",
		folder,
		number,
		device + strcspn(device, ",")
	);
	return other == NULL ? err_oom(err) : port_parse_device(other, number, d, err);
}

void stand_in_end(void)
{
	_cleanup_close_ int top = made ? open(TOP, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct err err;

	if (made)
		fs_remove_tree(top, folder + strlen(TOP "/"), &err);
	made = false;
}
