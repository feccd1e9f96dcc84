# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The manifests of data/kubernetes: kubectl takes them, and knows each of their fields."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from places import TOP

MANIFESTS = sorted((TOP / "data/kubernetes").glob("*.yaml"))
pytestmark = [
    pytest.mark.anywhere,
    pytest.mark.skipif(
        shutil.which("kubectl") is None, reason="package kubernetes-client is not installed"
    ),
]


def group(name, version):
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}


def resources(version, name, kind, namespaced):
    row = {"name": name, "singularName": "", "kind": kind, "namespaced": namespaced}
    row["verbs"] = ["create", "get"]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [row],
    }


# what a cluster answers who asks which kinds it knows; kubectl does nothing without
ANSWERS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group("apps", "v1"), group("node.k8s.io", "v1")],
    },
    "/api/v1": resources("v1", "pods", "Pod", True),
    "/apis/apps/v1": resources("apps/v1", "daemonsets", "DaemonSet", True),
    "/apis/node.k8s.io/v1": resources("node.k8s.io/v1", "runtimeclasses", "RuntimeClass", False),
}


class Cluster(BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        answer = ANSWERS.get(self.path.partition("?")[0])
        text = json.dumps(answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(scope="module")
def cluster():
    server = HTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def kubectl(*args, home):
    return subprocess.run(
        ["kubectl", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda p: p.stem)
def test_kubectl_takes_it(cluster, manifest, tmp_path):
    words = ["create", "--dry-run=client", "--validate=false", "-f", manifest]
    p = kubectl("--server", cluster, *words, home=tmp_path)
    assert p.returncode == 0 and "created (dry run)" in p.stdout, p


def lost(asked, got, where=""):
    """What of a document is not in the other."""
    if isinstance(asked, dict) and isinstance(got, dict):
        return [
            lack
            for key, value in asked.items()
            for lack in (
                lost(value, got[key], f"{where}.{key}") if key in got else [f"{where}.{key}"]
            )
        ]
    if isinstance(asked, list) and isinstance(got, list) and len(asked) == len(got):
        return [
            lack for i, pair in enumerate(zip(asked, got)) for lack in lost(*pair, f"{where}[{i}]")
        ]
    return [] if asked == got else [f"{where}: {asked} became {got}"]


@pytest.mark.parametrize(
    "manifest", [p for p in MANIFESTS if p.stem != "runtimeclass"], ids=lambda p: p.stem
)
def test_it_knows_each_field(cluster, manifest, tmp_path):
    """kubectl reads them into what it knows of such objects, and what it does not know is gone then."""
    yaml = pytest.importorskip("yaml", reason="package python3-yaml is not installed")
    words = ["set", "env", "--local", "-f", manifest, "A=b", "--dry-run=client", "-o", "json"]
    p = kubectl("--server", cluster, *words, home=tmp_path)
    assert p.returncode == 0, p
    assert lost(yaml.safe_load(manifest.read_text()), json.loads(p.stdout)) == []


def test_the_names_agree():
    yaml = pytest.importorskip("yaml", reason="package python3-yaml is not installed")
    docs = {p.stem: yaml.safe_load(p.read_text()) for p in MANIFESTS}
    assert docs["runtimeclass"]["handler"] == "pinfold"
    for pod in ("pod-grant", "pod-kubelet"):
        assert docs[pod]["spec"]["runtimeClassName"] == docs["runtimeclass"]["metadata"]["name"]
    image = docs["device-plugin"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image in (TOP / "docs/engines.md").read_text()
