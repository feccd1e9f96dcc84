// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Shared memory, queues and sockets of others.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/audit/namespaces.h"
#include "inside/files.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

// A segment whose maker has no number in this pid namespace was made outside of it.
static void shared_memory(const struct audit *, struct finding *f)
{
	_cleanup_fclose_ FILE *list = fopen("/proc/sysvipc/shm", "re");
	_cleanup_names_ struct names others = {0};
	unsigned seen = 0;
	char line[512];

	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		int id, maker;
		void *at;

		if (sscanf(line, "%*d %d %*o %*u %d", &id, &maker) != 2)
			continue;
		seen++;
		if (maker != 0)
			continue;
		at = shmat(id, NULL, SHM_RDONLY);
		snprintf(line, sizeof(line), "%d%s", id, at != (void *)-1 ? " (attached)" : "");
		if (at != (void *)-1)
			shmdt(at);
		names_add(&others, line);
	}
	if (list == NULL)
		pass(f, "there is no System V memory");
	else if (others.n > 0)
		fail(f, "segments that were made outside: %s", name_list(&others, 8));
	else
		pass(f, "%u segments, none from outside", seen);
}

#define UNMAPPED_ID 65534 // how an owner from outside a user namespace is shown

// Rows of a table of /proc/sysvipc, and of them those whose owner has no number here. column: uid's.
static unsigned rows(const char *path, unsigned column, unsigned *outside)
{
	_cleanup_fclose_ FILE *list = fopen(path, "re");
	unsigned seen = 0;
	char line[512];

	if (list == NULL || fgets(line, sizeof(line), list) == NULL)
		return 0;
	while (fgets(line, sizeof(line), list) != NULL) {
		char *save = NULL, *word = strtok_r(line, " \n", &save);

		for (unsigned i = 0; word != NULL && i < column; i++)
			word = strtok_r(NULL, " \n", &save);
		seen++;
		*outside += word != NULL && strtoul(word, NULL, 10) == UNMAPPED_ID;
	}
	return seen;
}

static void queues(const struct audit *, struct finding *f)
{
	_cleanup_names_ struct names mq = names_of_dir("/dev/mqueue", "");
	unsigned outside = 0, seen = 0;

	seen += rows("/proc/sysvipc/msg", 7, &outside);
	seen += rows("/proc/sysvipc/sem", 4, &outside);
	for (size_t i = 0; i < mq.n; i++) {
		char path[512];
		struct stat st;

		snprintf(path, sizeof(path), "/dev/mqueue/%s", mq.v[i]);
		seen++;
		outside += stat(path, &st) == 0 && st.st_uid == UNMAPPED_ID;
	}
	if (first_namespace("ipc"))
		fail(f, "%u queues and semaphores of the host's namespace", seen);
	else if (outside > 0)
		fail(f, "%u queues and semaphores of users from outside", outside);
	else
		pass(f, "%u queues and semaphores, none from outside", seen);
}

// The peer of a connection has no number in this pid namespace: it is outside.
static bool peer_outside(int type, const char *name, size_t len)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ucred peer = {0};
	socklen_t room = sizeof(peer);

	if (fd < 0 || len >= sizeof(addr.sun_path))
		return false;
	// "@name" in the table is a NUL and the name
	memcpy(addr.sun_path + 1, name + 1, len - 1);
	if (connect(fd,
		    (struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))
	    < 0)
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &room) == 0 && peer.pid == 0;
}

static void abstract(const struct audit *, struct finding *f)
{
	_cleanup_fclose_ FILE *list = fopen("/proc/net/unix", "re");
	_cleanup_names_ struct names others = {0};
	unsigned seen = 0;
	char line[512];

	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		char *name = strchr(line, '@');
		unsigned flags, type;

		if (name == NULL || sscanf(line, "%*s %*x %*x %x %x", &flags, &type) != 2)
			continue;
		line[strcspn(line, "\n")] = '\0';
		seen++;
		// only of those that listen (SO_ACCEPTCON) a peer can be told
		if ((flags & 0x10000) != 0 && peer_outside((int)type, name, strlen(name)))
			names_add(&others, name);
	}
	if (others.n > 0)
		fail(f, "connected to sockets from outside: %s", name_list(&others, 4));
	else
		pass(f, "%u abstract sockets, none from outside", seen);
}

const struct property audit_ipc[] = {
	{"ipc-memory", "attach System V memory that was made outside", shared_memory},
	{"ipc-queues", "find queues and semaphores that were made outside", queues},
	{"ipc-sockets", "connect to abstract sockets from outside", abstract},
	{0},
};
