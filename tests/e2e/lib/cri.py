# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""containerd's CRI plug-in, called as kubelet calls it. There is no network: its pods have the host's."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

import protos
from bundle import BUSYBOX
from engines import Containerd, root_of
from places import program
from workload import SLOW, unique, wait

IMAGE = "pinfold.test/busybox:1"
PLUGIN = """
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
disable_apparmor = true
disable_hugetlb_controller = false
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{top}/cni"
conf_dir = "{top}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
default_runtime_name = "plain"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.plain]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.plain.options]
BinaryName = "{below}"
"""


def add_file(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_archive(path, root, name, argv):
    """A root file system as an image, in the format of `docker save`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    layer = layer.getvalue()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(argv), "Env": ["PATH=/bin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        add_file(tar, "manifest.json", json.dumps(manifest).encode())
        add_file(tar, "config.json", json.dumps(config).encode())
        add_file(tar, "layer.tar", layer)


class Cri(Containerd):
    needs = ("containerd", "ctr", "crun")
    unused = Containerd.unused[1:]

    @classmethod
    def lacks(cls):
        return super().lacks() or protos.lacks()

    def __init__(self, directory, root, runtime, pinfold):
        self.pinfold = pinfold
        self.pods, self.configs = [], {}
        super().__init__(directory, root, runtime)
        self.image(IMAGE, root, "sleep", "1000000")

    def write_conf(self):
        super().write_conf()
        with open(self.containerd_conf, "a", encoding="utf-8") as f:
            f.write(PLUGIN.format(image=IMAGE, top=self.top, below=shutil.which("crun")))
        words = [self.pinfold, "runtime", "configure", "containerd", "--file"]
        words.append(self.containerd_conf)
        subprocess.run(words, check=True, timeout=20 * SLOW, capture_output=True)

    def up(self):
        import grpc  # pylint: disable=import-outside-toplevel

        super().up()
        self.channel = grpc.insecure_channel(f"unix://{self.socket}")
        self.messages = protos.load(Path(__file__).with_name("cri.proto"))

        def answers():
            try:
                self.call("StopPodSandbox", pod_sandbox_id="none")
            except grpc.RpcError as e:
                # of what there was before it reads first
                late = "not initialized" in e.details()
                return not late and e.code() != grpc.StatusCode.UNAVAILABLE
            return True

        wait(answers, 20, "the plug-in")

    def end(self):
        super().end()
        self.channel.close()

    def image(self, name, root, *argv):
        archive = self.top / "image.tar"
        write_archive(archive, root, name, argv)
        words = ["ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", "--no-unpack"]
        p = subprocess.run(
            self.enter(*words, archive),
            capture_output=True,
            text=True,
            timeout=60 * SLOW,
            check=False,
        )
        assert p.returncode == 0, p
        archive.unlink()

    def call(self, verb, **fields):
        """One request of RuntimeService; grpc.RpcError where it fails."""
        request = getattr(self.messages, f"{verb}Request")
        answer = getattr(self.messages, f"{verb}Response")
        method = self.channel.unary_unary(
            f"/runtime.v1.RuntimeService/{verb}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return method(request(**fields), timeout=40 * SLOW)

    def volume(self, place):
        return [{"container_path": "/dev/hugepages", "host_path": str(place)}]

    # ---- pods

    def pod(self, annotations=None, handler="pinfold"):
        """What holds the namespaces of one. Returns its id."""
        name = unique("pod")
        config = {
            "metadata": {"name": name, "uid": name, "namespace": "default"},
            "log_directory": str(self.top / "pods" / name),
            "annotations": annotations or {},
            "linux": {"security_context": {"namespace_options": {"network": 2}}},
        }
        answer = self.call("RunPodSandbox", config=config, runtime_handler=handler)
        self.pods.append(answer.pod_sandbox_id)
        self.configs[answer.pod_sandbox_id] = config
        return answer.pod_sandbox_id

    def create(self, pod, *argv, resources=None, security=None, image=IMAGE, **more):
        """A container as kubelet asks for one that says nothing special."""
        name = unique("c")
        usual = {
            "cpu_shares": 1024,
            "oom_score_adj": 1000,
            "hugepage_limits": [{"page_size": "2MB", "limit": 0}],
        }
        config = {
            "metadata": {"name": name},
            "image": {"image": image},
            "command": list(argv or ("sleep", "1000000")),
            "log_path": f"{name}.log",
            "linux": {
                "resources": usual | (resources or {}),
                "security_context": {
                    "namespace_options": {"network": 2, "pid": 1},
                    "seccomp": {"profile_type": 0},
                    "no_new_privs": True,
                    **(security or {}),
                },
            },
            **more,
        }
        answer = self.call(
            "CreateContainer",
            pod_sandbox_id=pod,
            config=config,
            sandbox_config=self.configs[pod],
        )
        self.configs[answer.container_id] = (
            self.top / "pods" / self.configs[pod]["metadata"]["name"] / f"{name}.log"
        )
        return answer.container_id

    def begin_in(self, pod, *argv, **more):
        container = self.create(pod, *argv, **more)
        self.call("StartContainer", container_id=container)
        return container

    def execute(self, name, *argv):
        p = self.call("ExecSync", container_id=name, cmd=argv, timeout=20)
        return subprocess.CompletedProcess(argv, p.exit_code, p.stdout.decode(), p.stderr.decode())

    def logs(self, name):
        return self.configs[name].read_text()

    def remove(self, name):
        self.call("StopContainer", container_id=name, timeout=0)
        self.call("RemoveContainer", container_id=name)

    def remove_pod(self, pod):
        """With all of its containers."""
        self.pods.remove(pod)
        self.call("StopPodSandbox", pod_sandbox_id=pod)
        self.call("RemovePodSandbox", pod_sandbox_id=pod)

    def put_away(self):
        for pod in list(self.pods):
            self.remove_pod(pod)


@contextlib.contextmanager
def running(pinfold):
    """One for many tests; skips them where it cannot be tried."""
    lacks = "" if BUSYBOX.exists() else "package busybox-static is not installed"
    if lacks := lacks or Cri.lacks():
        pytest.skip(lacks)
    # short: the path of a socket has 108 bytes at most
    with tempfile.TemporaryDirectory(prefix="pf-", dir="/tmp") as top:
        os.chmod(top, 0o755)
        root = root_of(f"{top}/image", pinfold=pinfold)
        runtime = program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime")
        made = Cri(top, root, runtime, pinfold)
        yield made
        made.end()
