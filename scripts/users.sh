# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# Sourced by scripts that change the machine for as long as somebody needs it. Users are counted by
# a file each in $state; whoever dies without "down" is forgotten at the next call.
# shellcheck shell=bash

me=$PPID
state=/run/pinfold-dev/${0##*/}

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# The start time of a process: a pid alone may come again.
started()
{
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# shellcheck disable=SC2086 # fields, after the name in brackets
	set -- ${stat##*) }
	echo "${20}"
}

# Takes the lock, makes $state, and drops users that are gone.
users_begin()
{
	local f
	[ "$(id -u)" = 0 ] || die "not root, so cannot change this machine"
	# whoever leaves nothing behind takes the lock along: one that was waited for may be gone
	while :; do
		mkdir -p "${state%/*}"
		exec 9>"$state.lock" || continue
		flock -w 30 9 || die "'$state.lock' is held for 30 s already"
		[ ! "$state.lock" -ef /proc/self/fd/9 ] || break
	done
	mkdir -p "$state"
	trap users_end EXIT
	for f in "$state"/user.*; do
		[ -e "$f" ] || continue
		[ "$(started "${f##*.}" || true)" = "$(cat "$f")" ] || rm -f "$f"
	done
}

users_end()
{
	rmdir "$state" 2>/dev/null || return 0
	rm -f "$state.lock"
	rmdir "${state%/*}" 2>/dev/null || true
}

users_add()
{
	started "$me" >"$state/user.$me"
}

# Succeeds when the caller was the last user of what was changed.
users_drop()
{
	rm -f "$state/user.$me"
	! compgen -G "$state/user.*" >/dev/null
}
