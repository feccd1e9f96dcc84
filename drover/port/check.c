// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a device needs of the machine, looked at before EAL is started: drivers say why they fail each in
// their own words, between those of EAL, and then the port is just not there.

#include "base/scope.h"
#include "base/str.h"
#include "port/port.h"
#include "port/vhost.h"
#include "task/gen/capture.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MILLISECONDS 5000

static int check_capture(const char *path, struct err *err)
{
	struct stat st;

	// opening a pipe would wait for who writes it
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return 0;
	return capture_check(path, err);
}

static int check_vhost(const char *path, struct err *err)
{
	struct pollfd p = {.events = POLLIN};
	_cleanup_close_ int fd = -1;
	struct stat st;
	char answer;

	// it may be the kernel's
	if (access(path, R_OK | W_OK) < 0 || stat(path, &st) < 0)
		return err_set(
			err,
			errno,
			errno == ENOENT ? "socket '%s': %s; start the other end first, which makes "
					  "it (a drover with vhost:, QEMU)"
					: "socket '%s': %s; give drover's user the right to it",
			path,
			strerror(errno)
		);
	if (!S_ISSOCK(st.st_mode))
		return 0;
	p.fd = fd = vhost_ask(path);
	if (fd < 0)
		return err_sys(
			err,
			errno,
			"socket '%s': nobody is at the other end; start that first",
			path
		);
	if (poll(&p, 1, ANSWER_MILLISECONDS) == 1 && recv(fd, &answer, 1, MSG_DONTWAIT) == 1)
		return 0;
	return err_set(
		err,
		ETIMEDOUT,
		"socket '%s': who listens there does not answer as a vhost does within %d s",
		path,
		ANSWER_MILLISECONDS / 1000
	);
}

static int check_folder(const struct port_device *d, struct err *err)
{
	_cleanup_free_ char *folder = strdup(d->makes);
	const char *dir = ".";
	char *slash;
	struct stat st;

	if (folder == NULL)
		return err_oom(err);
	slash = strrchr(folder, '/');
	if (slash != NULL) {
		*slash = '\0';
		dir = folder[0] != '\0' ? folder : "/";
	}
	if (stat(d->makes, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, EISDIR, "'%s' is a folder; name a file in it", d->makes);
	if (access(dir, W_OK | X_OK) == 0)
		return 0;
	if (errno == ENOENT && str_starts(dir, PORT_LINKS "/"))
		return err_set(
			err,
			ENOENT,
			"there is no link '%s'; grant it (pinfold --link memif:%s)",
			dir + strlen(PORT_LINKS "/"),
			dir + strlen(PORT_LINKS "/")
		);
	return err_set(
		err,
		errno,
		"make '%s' in folder '%s': %s; %s",
		d->makes,
		dir,
		strerror(errno),
		errno == ENOENT ? "make the folder first" : "name one that drover may write to"
	);
}

int port_check(const struct port_device *d, struct err *err)
{
	if (d->capture && d->reads[0] != '\0' && check_capture(d->reads, err) < 0)
		return -err->code;
	if (d->virtio && check_vhost(d->reads, err) < 0)
		return -err->code;
	if (d->makes[0] != '\0' && check_folder(d, err) < 0)
		return -err->code;
	if (d->interface[0] != '\0' && if_nametoindex(d->interface) == 0)
		return err_set(err, ENODEV, "there is no network interface '%s'; see ip link", d->interface);
	return 0;
}
