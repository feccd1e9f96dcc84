# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# Second stage of the guest, process 1 on the overlay: what an init system would mount and set; then
# the command, its exit status, the end.
# shellcheck shell=sh disable=SC2154 # variables of the settings

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
b=/run/guest/busybox
# shellcheck source=/dev/null
. /run/guest/settings

try()
{
	"$@" || echo "guest: failed: $*"
}

mkdir -p /dev/pts /dev/shm /dev/hugepages /dev/mqueue /run/lock /out
try mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
try mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
try mount -t mqueue mqueue /dev/mqueue
try mount -t hugetlbfs hugetlbfs /dev/hugepages
try mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
try mount -t securityfs securityfs /sys/kernel/security
try mount -t bpf bpf /sys/fs/bpf
try ln -s /proc/self/fd /dev/fd
try ln -s /proc/self/fd/0 /dev/stdin
try ln -s /proc/self/fd/1 /dev/stdout
try ln -s /proc/self/fd/2 /dev/stderr
mkdir -p /lib/modules
try mount --bind "$modules" /lib/modules
try mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /out
export PINFOLD_GUEST="$accel" # also says how slow it is
hostname guest
try ip link set lo up

echo >/out/started
cd "$dir" || cd /
if [ "$tty" = 1 ]; then
	setsid -c sh -c "$command" </dev/hvc0 >/dev/hvc0 2>&1
else
	stty -F /dev/hvc0 raw -echo
	setsid sh -c "$command" </dev/null >/dev/hvc0 2>&1
fi
echo $? >/out/status.new
mv /out/status.new /out/status
echo "guest: ended at $(cut -d' ' -f1 /proc/uptime) s"
stty -F /dev/hvc0 sane 2>/dev/null # waits until the output is out
sync
$b poweroff -f
