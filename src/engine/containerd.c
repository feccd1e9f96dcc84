// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// config.toml of containerd. What is added stands at its end between two lines of its own: a table of TOML can be
// anywhere, and all that is before is left as it is.

#include "engine/engine.h"

#include "base/scope.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN "# begin pinfold runtime configure\n"
#define END "# end pinfold runtime configure\n"

// Where such a line begins: the same words further on in a line are somebody else's.
static const char *find_line(const char *text, const char *line)
{
	const char *found = text;

	while ((found = strstr(found, line)) != NULL && found > text && found[-1] != '\n')
		found++;
	return found;
}

// Without the block. New string.
static char *without_block(const char *text)
{
	const char *begin = find_line(text, BEGIN);
	const char *end = begin != NULL ? find_line(begin, END) : NULL;

	if (end == NULL)
		return strdup(text);
	return str_printf("%.*s%s", (int)(begin - text), text, end + strlen(END));
}

// "version = 2" before the first table; 1 where it is not said.
static int version_of(const char *text)
{
	for (const char *line = text; *line != '\0';) {
		const char *s = line + strspn(line, " \t"), *end = strchr(line, '\n');

		if (*s == '[')
			return 1;
		if (str_starts(s, "version")) {
			s += strlen("version");
			s += strspn(s, " \t");
			if (*s == '=')
				return atoi(s + 1);
		}
		line = end != NULL ? end + 1 : line + strlen(line);
	}
	return 1;
}

static char *block(const char *plugin, const char *runtime)
{
	return str_printf(
		BEGIN "[plugins.\"%s\".containerd.runtimes." ENGINE_RUNTIME "]\n"
		      "  runtime_type = \"io.containerd.runc.v2\"\n"
		      "  pod_annotations = [\"dev.pinfold.*\"]\n"
		      "  container_annotations = [\"dev.pinfold.*\"]\n"
		      "  [plugins.\"%s\".containerd.runtimes." ENGINE_RUNTIME ".options]\n"
		      "    BinaryName = \"%s\"\n" END,
		plugin,
		plugin,
		runtime
	);
}

int engine_edit_containerd(
	const char *before,
	const char *what,
	const struct engine_want *want,
	char **ret,
	struct err *err
)
{
	_cleanup_free_ char *rest = without_block(before), *added = NULL;
	const char *plugin = "io.containerd.grpc.v1.cri", *head;
	int version;

	if (rest == NULL)
		return err_oom(err);
	if (want->remove) {
		// of a file that was made for it nothing is left
		*ret = strdup(str_eq(rest, "version = 2\n") && !str_eq(before, rest) ? "" : rest);
		return *ret != NULL ? 0 : err_oom(err);
	}
	if (rest[0] != '\0' && rest[strlen(rest) - 1] != '\n') {
		char *whole = str_printf("%s\n", rest);

		if (whole == NULL)
			return err_oom(err);
		free(rest);
		rest = whole;
	}
	if (strstr(rest, ".runtimes." ENGINE_RUNTIME "]") != NULL)
		return err_set(
			err,
			EEXIST,
			"configure containerd: '%.200s' has a runtime " ENGINE_RUNTIME
			" of its own; take that out",
			what
		);
	if (find_line(rest, BEGIN) != NULL)
		return err_set(
			err,
			EINVAL,
			"configure containerd: '%.200s' has the line '%.*s' without its end; take "
			"it out",
			what,
			(int)strlen(BEGIN) - 1,
			BEGIN
		);
	head = rest[0] == '\0' ? "version = 2\n" : "";
	version = head[0] != '\0' ? 2 : version_of(rest);
	if (version == 3)
		plugin = "io.containerd.cri.v1.runtime";
	else if (version != 2)
		return err_set(
			err,
			EINVAL,
			"configure containerd: '%.200s' is of version %d: bring it to version 2 or "
			"3, see containerd config migrate",
			what,
			version
		);
	added = block(plugin, want->runtime);
	*ret = added != NULL ? str_printf("%s%s%s", head, rest, added) : NULL;
	return *ret != NULL ? 0 : err_oom(err);
}
