# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
# Second stage of a guest whose process 1 is systemd: what it is to start, and what of this machine's it is not.
# shellcheck shell=sh disable=SC2154 # variables of the settings

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
b=/run/guest/busybox
units=/run/systemd/system
# shellcheck source=/dev/null
. /run/guest/settings

mkdir -p /out $units/multi-user.target.wants
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /out || echo "guest: no /out"
mkdir -p /lib/modules
mount --bind "$modules" /lib/modules

# What the machine has installed is none of the guest's business, but for what was enabled in the guest itself; nor are
# devices, which are all there.
mask()
{
	[ -e "$units/$1" ] || $b ln -s /dev/null "$units/$1"
}
for unit in /etc/systemd/system/*.wants/* /etc/systemd/system/*.requires/*; do
	case ${unit##*/} in
	pinfold*) ;;
	*) [ ! -L "$unit" ] || mask "${unit##*/}" ;;
	esac
done
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
	getty.target systemd-random-seed.service systemd-update-utmp.service \
	systemd-update-utmp-runlevel.service systemd-user-sessions.service; do
	mask $unit
done
# without one it were a first boot, at which all units are enabled
[ -s /etc/machine-id ] || echo 70696e666f6c64000000000000000001 >/etc/machine-id
echo guest >/proc/sys/kernel/hostname
$b ip link set lo up

# the next boot does the same again, and what runs is to know how far it came
cat >/run/guest/command.sh <<END
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PINFOLD_GUEST=$accel
echo >/out/started
cd '$dir' || cd /
stty -F /dev/hvc0 raw -echo
sh -c "\$(cat /run/guest/command)" </dev/null >/dev/hvc0 2>&1
status=\$?
# told to go by a reboot it has no status of its own
! systemctl is-system-running | grep -q stopping || exit 0
echo \$status >/out/status.new
mv /out/status.new /out/status
stty -F /dev/hvc0 sane
sync
systemctl poweroff --force --force
END
printf '%s' "$command" >/run/guest/command
cat >$units/guest-command.service <<END
[Unit]
Description=what the guest is for
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/sh /run/guest/command.sh
END
$b ln -s ../guest-command.service $units/multi-user.target.wants/
exec /lib/systemd/systemd
