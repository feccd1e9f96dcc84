# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Kubelet's part of its device plugin API: it is registered with, watches lists of devices, and hands out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import protos
from places import TOP
from workload import SLOW, wait


class Plugin:
    """A plug-in that has registered, watched from then on."""

    def __init__(self, messages, directory, request):
        import grpc  # pylint: disable=import-outside-toplevel

        self.messages, self.lists = messages, []
        self.channel = grpc.insecure_channel(f"unix:{directory}/{request.endpoint}")
        self.stream = self.method("ListAndWatch", "Empty", "ListAndWatchResponse", stream=True)(
            messages.Empty()
        )
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        import grpc  # pylint: disable=import-outside-toplevel

        try:
            for one in self.stream:
                self.lists.append({d.id: d for d in one.devices})
        except grpc.RpcError:
            pass  # it has ended
        self.lists.append(None)

    def method(self, name, request, answer, stream=False):
        make = self.channel.unary_stream if stream else self.channel.unary_unary
        return make(
            f"/v1beta1.DevicePlugin/{name}",
            request_serializer=getattr(self.messages, request).SerializeToString,
            response_deserializer=getattr(self.messages, answer).FromString,
        )

    def healthy(self):
        """The devices that could be handed out now; None before there is a list, and when it is gone."""
        last = self.lists[-1] if self.lists else None
        return None if last is None else {n for n, d in last.items() if d.health == "Healthy"}

    def until(self, *names):
        wait(lambda: self.healthy() == set(names), what=f"{names} in {self.lists[-1:]}")

    def options(self):
        return self.method("GetDevicePluginOptions", "Empty", "DevicePluginOptions")(
            self.messages.Empty(), timeout=10 * SLOW
        )

    def allocate(self, *names):
        """For one container."""
        request = {"container_requests": [{"device_ids": names}]}
        answer = self.method("Allocate", "AllocateRequest", "AllocateResponse")(
            self.messages.AllocateRequest(**request), timeout=10 * SLOW
        )
        return answer.container_responses[0]

    def preferred(self, size, available, must=()):
        one = {"available": available, "must_include": must, "allocation_size": size}
        answer = self.method(
            "GetPreferredAllocation", "PreferredAllocationRequest", "PreferredAllocationResponse"
        )(self.messages.PreferredAllocationRequest(container_requests=[one]), timeout=10 * SLOW)
        return list(answer.container_responses[0].device_ids)

    def close(self):
        self.stream.cancel()
        self.channel.close()


class Kubelet:
    """On a directory of sockets, which it empties when it starts."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.messages = protos.load(TOP / "src/deviceplugin/api.proto")
        self.requests, self.plugins = {}, {}
        self.refuses = 0  # so many times
        self.server = None

    def start(self):
        import grpc  # pylint: disable=import-outside-toplevel

        for path in self.directory.glob("*"):
            path.unlink(missing_ok=True)  # its owner may remove it just then
        method = grpc.unary_unary_rpc_method_handler(
            self.register,
            request_deserializer=self.messages.RegisterRequest.FromString,
            response_serializer=self.messages.Empty.SerializeToString,
        )
        handlers = grpc.method_handlers_generic_handler(
            "v1beta1.Registration", {"Register": method}
        )
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((handlers,))
        self.server.add_insecure_port(f"unix:{self.directory}/kubelet.sock")
        self.server.start()

    def register(self, request, context):
        import grpc  # pylint: disable=import-outside-toplevel

        if self.refuses > 0:
            self.refuses -= 1
            context.abort(grpc.StatusCode.INTERNAL, "not now")
        self.requests[request.resource_name] = request
        return self.messages.Empty()

    def plugin(self, resource):
        """What has registered for it, as soon as it has."""
        request = wait(lambda: self.requests.get(resource), 20, f"{resource} to register")
        if resource not in self.plugins:
            self.plugins[resource] = Plugin(self.messages, self.directory, request)
        return self.plugins[resource]

    def stop(self):
        for plugin in self.plugins.values():
            plugin.close()
        if self.server is not None:
            self.server.stop(0).wait(10)
        self.requests, self.plugins, self.server = {}, {}, None
