#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# First stage of the guest, in the initramfs: makes the machine's root file system, read-only over
# 9p, the lower layer of an overlay whose upper layer is memory, and goes on in it.
# shellcheck shell=sh disable=SC2154 # variables of the settings

PATH=/bin
b=/bin/busybox
p9=trans=virtio,version=9p2000.L,msize=512000

die()
{
	echo "guest: $*"
	$b poweroff -f
}

$b mount -t devtmpfs dev /dev || die "no devtmpfs"
$b mount -t proc proc /proc && $b mount -t sysfs sys /sys || die "no proc or sysfs"
# shellcheck source=/dev/null
. /settings
for module in /modules/*.ko; do
	$b insmod "$module" || die "insmod $module failed"
done

# loose: nobody else is supposed to change what the guest reads while it runs
$b mount -t 9p -o "ro,cache=loose,$p9" host /host || die "the machine's files cannot be mounted"
if [ -n "$disk" ]; then
	n=0
	until [ -b "$disk" ] || [ $n = 50 ]; do
		n=$((n + 1))
		$b usleep 100000
	done
	$b mount -t ext4 "$disk" /rw || die "no disk"
else
	$b mount -t tmpfs -o size=60%,mode=755 rw /rw || die "no tmpfs"
fi
new=1
[ ! -d /rw/upper ] || new=0 # the guest has been started again
$b mkdir -p /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work root /root ||
	die "the overlay cannot be mounted"

# what is of the running machine and not of its installation starts empty
for dir in /root/etc/pinfold /root/var/log/pinfold; do
	[ $new = 0 ] || [ ! -d $dir ] || $b rm -rf $dir
done
# the checkout and the kernel's modules stay visible, also below what gets a file system of its own
n=0
for dir in "$top" "$modules"; do
	n=$((n + 1))
	$b mkdir -p "/keep/$n"
	$b mount --bind "/root$dir" "/keep/$n" || die "no '$dir'"
done
for dir in tmp var/tmp run; do
	$b mkdir -p "/root/$dir"
	# what outlives a boot: of a file system as machines have it, not an overlay
	if [ -n "$disk" ] && [ $dir = var/tmp ]; then
		$b mkdir -p /rw/tmp
		$b chmod 1777 /rw/tmp
		$b mount --bind /rw/tmp /root/var/tmp || die "no /var/tmp"
		continue
	fi
	$b mount -t tmpfs -o mode=1777,nosuid,nodev "$dir" "/root/$dir" || die "no tmpfs"
done
$b chmod 755 /root/run
n=0
for dir in "$top" "$modules"; do
	n=$((n + 1))
	[ ! -d "/root$dir" ] || continue
	$b mkdir -p "/root$dir"
	$b mount --bind "/keep/$n" "/root$dir" || die "no '$dir'"
done

$b mkdir /root/run/guest
$b cp /bin/busybox /second.sh /settings /root/run/guest/
for dir in dev proc sys; do
	$b mkdir -p "/root/$dir"
	$b mount --move "/$dir" "/root/$dir"
done
exec $b switch_root /root /bin/sh /run/guest/second.sh
