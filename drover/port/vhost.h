// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether somebody behind a vhost-user socket answers. virtio-user waits for that without end, before any signal is
// taken.
#pragma once

// Connects and sends the first request there is. The answer is there when something can be read; nothing more, and
// the other end is gone. Returns a descriptor, or -1 with errno.
int vhost_ask(const char *path);
