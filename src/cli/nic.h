// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands of pinfold nic.
#pragma once

int cmd_nic_bind(int argc, char **argv);
int cmd_nic_list(int argc, char **argv);
int cmd_nic_restore(int argc, char **argv);
int cmd_nic_unbind(int argc, char **argv);
int cmd_nic_vfs(int argc, char **argv);
// Those that were made with --persist, after a reboot. The exit status.
int nic_vfs_restore(void);
