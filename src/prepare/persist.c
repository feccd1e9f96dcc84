// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is prepared again at each boot: a unit of systemd that calls host prepare, and words for GRUB. There is nothing else to
// know of it than these files, so that undo finds them in any later boot.

#include "prepare/prepare.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "base/wait.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MARK "# Made by pinfold host prepare --persist; pinfold host undo removes it.\n"
#define UNIT_NAME "pinfold-prepare.service"
#define WANTS_NAME "multi-user.target.wants"
#define WANTS PREPARE_UNITS "/" WANTS_NAME "/" UNIT_NAME
#define GRUB_NAME "90-pinfold.cfg"
#define GRUB_WORDS \
	"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " PREPARE_BEGIN " %s " PREPARE_END "\"\n"
#define FILE_MAX 65536
#define UPDATE_MILLISECONDS 300000 // it looks for other systems on all disks

static void add(char **text, const char *fmt, ...) printf_like(2, 3);

static void add(char **text, const char *fmt, ...)
{
	_cleanup_free_ char *more = NULL, *before = *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&more, fmt, ap) < 0)
		more = NULL;
	va_end(ap);
	*text = before != NULL && more != NULL ? str_printf("%s%s", before, more) : NULL;
}

char *prepare_unit(const struct prepare_want *want, const char *program, struct err *err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._+-";
	const struct request *r = &want->request;
	_cleanup_free_ char *list = malloc(IDSET_STR);
	char *text;

	// what systemd would take for something else
	if (program[strspn(program, plain)] != '\0') {
		err_set(err,
			EINVAL,
			"--persist: a unit cannot name this program, '%.128s'; install pinfold",
			program);
		return NULL;
	}
	// Not before pinfold-nics: that is before the network, which tuned is after. And after the network, for a NIC asks for its
	// interrupts when it is set up.
	text = str_printf(
		MARK "[Unit]\n"
		     "Description=What pinfold host prepare has made, again\n"
		     "After=local-fs.target systemd-modules-load.service systemd-sysctl.service\n"
		     "After=tuned.service pinfold-nics.service network.target "
		     "network-online.target\n"
		     "Before=pinfold-keepers.service\n"
		     "\n"
		     "[Service]\n"
		     "Type=oneshot\n"
		     "RemainAfterExit=yes\n"
		     "ExecStart=%s host prepare",
		program
	);
	for (unsigned i = 0; i < r->nhugepages; i++) {
		const struct grant_hugepages *p = &r->hugepages[i];
		char size[SIZE_STR];

		add(&text,
		    " --hugepages %s=%llu",
		    size_format(p->size, size),
		    (unsigned long long)p->count);
		if (p->node >= 0)
			add(&text, "@%d", p->node);
	}
	if (!idset_empty(&r->cpus) && list != NULL)
		add(&text, " --cpus %s", idset_format(&r->cpus, list, IDSET_STR));
	for (unsigned i = 0; i < want->nmodules; i++)
		add(&text, " --module %s", want->modules[i]);
	add(&text, "\n\n[Install]\nWantedBy=multi-user.target\n");
	if (list == NULL || text == NULL)
		err_oom(err);
	return list != NULL ? text : NULL;
}

int prepare_check_program(const char *program, struct err *err)
{
	_cleanup_free_ char *path = strdup(program);
	struct stat st;
	char *slash;

	if (path == NULL)
		return err_oom(err);
	do {
		const char *part = path[0] != '\0' ? path : "/";

		if (lstat(part, &st) < 0)
			return err_sys(err, errno, "--persist: look at '%s'", part);
		if (st.st_uid != 0 || (st.st_mode & S_IWOTH) != 0
		    || (st.st_gid != 0 && (st.st_mode & S_IWGRP) != 0))
			return err_set(
				err,
				EPERM,
				"--persist: root would call '%.128s' at each boot, and others than "
				"root may change '%.128s'; install pinfold",
				program,
				part
			);
		slash = strrchr(path, '/');
		if (slash != NULL)
			*slash = '\0';
	} while (slash != NULL);
	return 0;
}

// ---- files

static int open_dir(int root, const char *path)
{
	return fs_open_in(root, path, O_RDONLY | O_DIRECTORY, 0);
}

// 1: it is ours; 0: there is none. Another's is an error, as each link is: systemctl mask makes one, and systemctl link.
static int is_ours(int dir, const char *name, const char *path, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at '%s'", path);
	if (S_ISLNK(st.st_mode))
		return err_set(
			err,
			EEXIST,
			"'%s' is not of pinfold host prepare: it is a link (is it masked? "
			"systemctl unmask); remove it",
			path
		);
	r = fs_read(dir, name, FILE_MAX, &text, NULL);
	if (r < 0)
		return err_sys(err, -r, "read '%s'", path);
	if (!str_starts(text, MARK))
		return err_set(
			err,
			EEXIST,
			"'%s' is not of pinfold host prepare: it does not begin as that does; move "
			"it "
			"away",
			path
		);
	return 1;
}

static int write_ours(
	int dir, const char *name, const char *path, const char *text, struct err *err
)
{
	if (is_ours(dir, name, path, err) < 0)
		return -err->code;
	if (fs_write_durable(dir, name, text, strlen(text), 0644, err) < 0)
		return err_wrap(err, "write '%s'", path);
	return 0;
}

// 1: it was there, and is not any more.
static int remove_ours(int dir, const char *name, const char *path, struct err *err)
{
	int r = is_ours(dir, name, path, err);

	if (r > 0 && unlinkat(dir, name, 0) < 0)
		return err_sys(err, errno, "remove '%s'", path);
	return r;
}

// The same of what makes systemd want the unit, as systemctl enable makes it, too.
static int is_our_wish(int units, struct err *err)
{
	_cleanup_close_ int wants = fs_open_in(units, WANTS_NAME, O_RDONLY | O_DIRECTORY, 0);
	char to[PATH_MAX] = "";

	if (wants < 0)
		return 0; // or it is said when it is to be made
	if (readlinkat(wants, UNIT_NAME, to, sizeof(to) - 1) < 0 && errno == ENOENT)
		return 0;
	return str_eq(to, PREPARE_UNIT) || str_eq(to, "../" UNIT_NAME)
		       ? 1
		       : err_set(
			       err,
			       EEXIST,
			       "'" WANTS "' is not of pinfold host prepare: it is no link to "
			       "'" PREPARE_UNIT "'; remove it"
		       );
}

// What a writer that was killed has left beside it (fs_write_durable).
static void sweep(int dir, const char *name)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(dir, ".");
	const char *entry;

	while (d != NULL && (entry = hostfs_next(d)) != NULL) {
		if (entry[0] == '.' && str_starts(entry + 1, name)
		    && str_starts(entry + 1 + strlen(name), "."))
			unlinkat(dir, entry, 0);
	}
}

// ---- the unit

static int open_units(int root, struct err *err)
{
	int dir = open_dir(root, PREPARE_UNITS);

	return dir >= 0 ? dir
			: err_sys(
				err,
				errno,
				"--persist: there is no systemd here: open '" PREPARE_UNITS
				"' (without it, have host prepare called at each boot)"
			);
}

static int keep_unit(int root, const char *text, struct err *err)
{
	_cleanup_close_ int dir = open_units(root, err), wants = -1;

	if (dir < 0)
		return dir;
	if (write_ours(dir, UNIT_NAME, PREPARE_UNIT, text, err) < 0)
		return -err->code;
	// systemctl enable does no more, and only where systemd is
	if (mkdirat(dir, WANTS_NAME, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '" PREPARE_UNITS "/" WANTS_NAME "'");
	wants = fs_open_in(dir, WANTS_NAME, O_RDONLY | O_DIRECTORY, 0);
	if (wants < 0 || (symlinkat(PREPARE_UNIT, wants, UNIT_NAME) < 0 && errno != EEXIST))
		return err_sys(err, errno, "make link '" WANTS "'");
	return 0;
}

// The link first: systemd does not complain of a unit that nobody wants.
static int forget_unit(int root, struct err *err)
{
	_cleanup_close_ int dir = open_dir(root, PREPARE_UNITS), wants = -1;
	int r;

	if (dir < 0)
		return 0;
	sweep(dir, UNIT_NAME);
	r = is_ours(dir, UNIT_NAME, PREPARE_UNIT, err);
	if (r <= 0)
		return r == -EEXIST ? 0 : r;
	wants = fs_open_in(dir, WANTS_NAME, O_RDONLY | O_DIRECTORY, 0);
	if (wants >= 0) {
		if (is_our_wish(dir, err) > 0 && unlinkat(wants, UNIT_NAME, 0) < 0
		    && errno != ENOENT)
			return err_sys(err, errno, "remove '" WANTS "'");
		unlinkat(dir, WANTS_NAME, AT_REMOVEDIR); // if nothing else is in it
	}
	return remove_ours(dir, UNIT_NAME, PREPARE_UNIT, err);
}

// ---- GRUB

bool prepare_has_grub(int root)
{
	_cleanup_close_ int dir = fs_open_in(root, PREPARE_GRUB_DIR, O_PATH, 0),
			    tool = fs_open_in(root, PREPARE_UPDATE_GRUB, O_PATH, 0);

	return dir >= 0 || tool >= 0;
}

// 0: done. 1: there is no such program.
static int update_grub(const char *program, struct err *err)
{
	char *argv[] = {(char *)program, NULL};
	char *env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t own;
	int status = 0, r;
	pid_t pid;

	if (access(program, F_OK) < 0)
		return 1;
	posix_spawn_file_actions_init(&files);
	// what it says it does is for a terminal
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	// a script that starts others: they end with it
	posix_spawnattr_init(&own);
	posix_spawnattr_setflags(&own, POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(&pid, program, &files, &own, argv, env);
	posix_spawnattr_destroy(&own);
	posix_spawn_file_actions_destroy(&files);
	if (r != 0)
		return err_sys(err, r, "start '%s'", program);
	if (!wait_for_end(pid, &status, UPDATE_MILLISECONDS)) {
		kill(-pid, SIGKILL);
		wait_for_end(pid, NULL, 1000);
		return err_set(
			err,
			ETIMEDOUT,
			"'%s' has not ended in %d s: call it by hand, for what it does",
			program,
			UPDATE_MILLISECONDS / 1000
		);
	}
	return status == 0 ? 0
			   : err_set(
				   err,
				   EIO,
				   "'%s' has failed: call it by hand, for what it says",
				   program
			   );
}

// Makes the directory where GRUB is, and has none yet.
static int grub_dir(int root, struct err *err)
{
	static const char name[] = PREPARE_GRUB_DIR;
	_cleanup_close_ int above = open_dir(root, "/etc/default");
	int dir = -1;

	if (above >= 0 && (mkdirat(above, strrchr(name, '/') + 1, 0755) == 0 || errno == EEXIST))
		dir = open_dir(root, name);
	return dir >= 0 ? dir : err_sys(err, errno, "open '%s'", name);
}

// Not whether they are there already: what was killed before GRUB's configuration was made has them, too.
static int keep_words(int root, const char *update, const char *words, struct err *err)
{
	_cleanup_free_ char *text = str_printf(MARK GRUB_WORDS, words);
	_cleanup_close_ int dir = grub_dir(root, err);

	if (dir < 0)
		return dir;
	if (text == NULL)
		return err_oom(err);
	if (write_ours(dir, GRUB_NAME, PREPARE_GRUB, text, err) < 0)
		return -err->code;
	return update_grub(update, err);
}

// It goes when GRUB's configuration has none of it any more: until then the next one finds it. 1: that is to be made by hand.
static int forget_words(int root, const char *update, json_t *files, struct err *err)
{
	_cleanup_close_ int dir = open_dir(root, PREPARE_GRUB_DIR);
	int r, by_hand;

	if (dir < 0)
		return 0;
	sweep(dir, GRUB_NAME);
	r = is_ours(dir, GRUB_NAME, PREPARE_GRUB, err);
	if (r <= 0)
		return r == -EEXIST ? 0 : r;
	if (write_ours(dir, GRUB_NAME, PREPARE_GRUB, MARK, err) < 0)
		return -err->code;
	by_hand = update_grub(update, err);
	if (by_hand < 0 || remove_ours(dir, GRUB_NAME, PREPARE_GRUB, err) < 0)
		return -err->code;
	json_array_append_new(files, json_string(PREPARE_GRUB));
	return by_hand;
}

// ----

int prepare_can_keep(int root, struct err *err)
{
	_cleanup_close_ int dir = open_units(root, err), grub = open_dir(root, PREPARE_GRUB_DIR);

	if (dir < 0 || is_ours(dir, UNIT_NAME, PREPARE_UNIT, err) < 0 || is_our_wish(dir, err) < 0)
		return -err->code;
	return grub >= 0 && is_ours(grub, GRUB_NAME, PREPARE_GRUB, err) < 0 ? -err->code : 0;
}

// text: NULL: it was not there.
static int put_back(int root, const char *path, const char *text, struct err *err)
{
	_cleanup_free_ char *above = strdup(path);
	_cleanup_close_ int dir = -1;
	char *name;

	if (above == NULL)
		return err_oom(err);
	name = strrchr(above, '/');
	*name++ = '\0';
	dir = open_dir(root, above);
	if (text != NULL)
		return fs_write_durable(dir, name, text, strlen(text), 0644, err);
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT && errno != EBADF
		       ? err_sys(err, errno, "remove '%s'", path)
		       : 0;
}

static int read_former(int root, const char *path, char **ret, struct err *err)
{
	int r = fs_read(root, path, FILE_MAX, ret, NULL);

	return r < 0 && r != -ENOENT ? err_sys(err, -r, "read '%s'", path) : 0;
}

// GRUB's words first, since their program is what fails: a unit that is in place is complete.
int prepare_keep(
	int root,
	const char *update,
	const char *unit,
	const char *words,
	json_t *files,
	struct err *err
)
{
	_cleanup_free_ char *former_unit = NULL, *former_words = NULL;
	_cleanup_json_ json_t *unused = json_array();
	bool grub = words[0] != '\0' && prepare_has_grub(root), made;
	struct err why;
	int r;

	if (prepare_can_keep(root, err) < 0
	    || read_former(root, PREPARE_UNIT, &former_unit, err) < 0
	    || read_former(root, PREPARE_GRUB, &former_words, err) < 0)
		return -err->code;
	r = grub ? keep_words(root, update, words, err) : forget_words(root, update, unused, err);
	made = r >= 0;
	if (made && keep_unit(root, unit, err) < 0)
		r = -err->code;
	if (r >= 0) {
		json_array_append_new(files, json_string(PREPARE_UNIT));
		if (grub)
			json_array_append_new(files, json_string(PREPARE_GRUB));
		return r;
	}
	if (put_back(root, PREPARE_UNIT, former_unit, &why) < 0
	    || put_back(root, PREPARE_GRUB, former_words, &why) < 0)
		return err_wrap(err, "what was kept could not be put back; call pinfold host undo");
	if (made && (grub || former_words != NULL))
		update_grub(update, &why); // which did well
	return r;
}

int prepare_forget(int root, const char *update, json_t *files, struct err *err)
{
	int r = forget_unit(root, err);

	if (r > 0)
		json_array_append_new(files, json_string(PREPARE_UNIT));
	return r < 0 ? r : forget_words(root, update, files, err);
}
