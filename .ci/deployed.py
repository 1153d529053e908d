"""Helpers of the checks of deploy/: build manifests, find objects in them, call a server, and count results."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import yaml

import grpc

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
SKIPPED = 77
START_SECONDS, CALL_SECONDS = 30, 5
BASE, DEVELOPMENT, PRODUCTION = "base", "overlays/development", "overlays/production"
# The components are for the production overlay: each alone, and the combinations that docs/operations.md names.
COMPONENTS = ("cert-manager", "mutual-tls", "gateway-api", "ingress-nginx")
COMBINATIONS = tuple((each,) for each in COMPONENTS) + (
    ("cert-manager", "mutual-tls"),
    ("cert-manager", "gateway-api"),
    ("cert-manager", "ingress-nginx"),
    ("cert-manager", "mutual-tls", "gateway-api"),
    ("cert-manager", "gateway-api", "ingress-nginx"),
)
NOT_SERVING, SERVING = "NOT_SERVING", "SERVING"
KUSTOMIZE_MAJOR = 5

sys.path.insert(0, str(ROOT / "proto"))


class Failure(Exception):
    """A failed check. The text is a sentence that says what is wrong."""


class Checks:
    """Runs and counts checks. Prints a line for each failed check, and at the end the list of passed checks."""

    def __init__(self, name):
        self.name, self.held, self.failed = name, [], 0

    def check(self, what, function, *arguments):
        try:
            function(*arguments)
        except (Failure, AssertionError, OSError, grpc.RpcError, subprocess.SubprocessError) as failure:
            self.fail(what, failure)
        except Exception:  # an exception in one check must not hide the results of the others
            self.fail(what, traceback.format_exc())
        else:
            self.held.append(what)

    def fail(self, what, failure):
        self.failed += 1
        print(f"FAIL  {what}\n" + re.sub("(?m)^", "        ", str(failure).strip()), flush=True)

    def end(self):
        """Prints the counts, and returns the exit code."""
        print("ok    " + "; ".join(self.held))
        print(f"{self.name}: {len(self.held)} passed, {self.failed} failed")
        return 1 if self.failed else 0


def must(holds, sentence):
    if not holds:
        raise Failure(sentence)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def run(*command, **options):
    """The output of a command. If the command fails, the Failure contains its whole output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise Failure(f"`{shlex.join(map(str, command))}` exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def kustomize():
    """The command that builds manifests: the one in KUSTOMIZE (`kustomize build`), or kubectl's if new enough."""
    if "KUSTOMIZE" in os.environ:
        return shlex.split(os.environ["KUSTOMIZE"])
    if shutil.which("kubectl"):
        version = json.loads(run("kubectl", "version", "--client", "-o", "json")).get("kustomizeVersion", "v0")
        if int(version.lstrip("v").split(".")[0]) >= KUSTOMIZE_MAJOR:
            return ["kubectl", "kustomize"]
    skip(f"KUSTOMIZE is not set, and there is no kubectl with kustomize {KUSTOMIZE_MAJOR}")


def build(folder):
    """All objects of a base or an overlay."""
    return list(yaml.safe_load_all(run(*kustomize(), DEPLOY / "kubernetes" / folder)))


def build_overlay(text):
    """All objects of an overlay of an operator's own, whose paths to this repository begin with `detente/`."""
    with tempfile.TemporaryDirectory(prefix="detente-overlay-") as name:
        # Without symbolic links in it, because kustomize follows relative paths from the real folder.
        folder = Path(name).resolve()
        text = re.sub(r"(?m)^(\s*- )detente/", rf"\1{os.path.relpath(ROOT, folder)}/", text)
        (folder / "kustomization.yaml").write_text(text)
        return list(yaml.safe_load_all(run(*kustomize(), folder)))


def build_with(components):
    """All objects of the production overlay with components."""
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"detente/deploy/kubernetes/{PRODUCTION}"],
        "components": [f"detente/deploy/kubernetes/components/{each}" for each in components],
    }
    return build_overlay(yaml.safe_dump(overlay))


def find(objects, kind, name="detente"):
    for item in objects:
        if item["kind"] == kind and item["metadata"]["name"] == name:
            return item
    raise Failure(f"there is no {kind} `{name}`")


def pod_spec(objects):
    return find(objects, "Deployment")["spec"]["template"]["spec"]


def container(objects):
    (only,) = pod_spec(objects)["containers"]
    return only


def environment(objects):
    """The container's environment variables. The manifests use literal values only."""
    return {each["name"]: each["value"] for each in container(objects).get("env", [])}


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def seconds(text):
    """A duration as the program and systemd write it: 500ms, 5s, 2m."""
    matched = re.fullmatch(r"(\d+)(ms|s|m|h)", text)
    must(matched, f"`{text}` is not a duration")
    return int(matched[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[matched[2]]


def cargo_version(field="version"):
    matched = re.search(rf'(?m)^{field} = "([^"]+)"', (ROOT / "Cargo.toml").read_text())
    return matched[1]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until(holds, what, limit=START_SECONDS):
    give_up = time.monotonic() + limit
    while not holds():
        must(time.monotonic() < give_up, f"{what}: not within {limit} s")
        time.sleep(0.05)


def channel(port, certificate=None, identity=(None, None), host="127.0.0.1", options=()):
    """A channel to this machine. With a certificate it is encrypted and trusts only that certificate. The identity is
    the client's own private key and certificate."""
    options = [("grpc.enable_http_proxy", 0), *options]
    if certificate is None:
        return grpc.insecure_channel(f"{host}:{port}", options=options)
    options.append(("grpc.ssl_target_name_override", "detente.detente.svc"))
    credentials = grpc.ssl_channel_credentials(Path(certificate).read_bytes(), *identity)
    return grpc.secure_channel(f"{host}:{port}", credentials, options=options)


def health(port):
    """The health that a kubelet's gRPC probe sees: SERVING, NOT_SERVING, or a gRPC code."""
    with channel(port) as admin:
        # This call uses no generated code: the request is an empty HealthCheckRequest, and field 1 of the response is
        # the status.
        check = admin.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return {b"\x08\x01": SERVING, b"\x08\x02": NOT_SERVING}.get(check(b"", timeout=1), "UNKNOWN")
        except grpc.RpcError as error:
            return error.code().name


def http_get(port, path, limit=2, host="127.0.0.1"):
    """The status code and the body; (0, reason) if there is no response."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}{path}", timeout=limit) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def probe(definition, ports):
    """Runs a probe as a kubelet does. `ports` maps names, and the numbers in the manifests, to the real ports."""
    if "grpc" in definition:
        status = health(ports[definition["grpc"]["port"]])
        must(status == SERVING, f"the gRPC probe got {status}")
    else:
        at = definition["httpGet"]
        code, body = http_get(ports[at["port"]], at["path"])
        must(200 <= code < 400, f"GET {at['path']} returned {code}: {body[:200]}")
        # A gRPC listener answers an unknown path with 200 and an empty body.
        must(body.strip(), f"GET {at['path']} returned an empty body")


def api():
    """The generated messages and stubs of both services."""
    messages, stubs = grpc.protos_and_services("detente/v1/red_line_service.proto")
    analyses, analysis_stubs = grpc.protos_and_services("detente/v1/analysis_service.proto")
    return messages, stubs, analyses, analysis_stubs


def evaluate(to, token=None, proposal="european-force", **options):
    """Evaluates a bundled proposal over a channel, and returns the revision of the evaluation."""
    messages, stubs, _, _ = api()
    metadata = [("authorization", f"Bearer {token}")] if token else None
    request = messages.EvaluateProposalRequest(proposal_name=f"scenarios/ukraine-2025/proposals/{proposal}")
    answer = stubs.RedLineServiceStub(to).EvaluateProposal(request, metadata=metadata, timeout=CALL_SECONDS, **options)
    must(answer.evaluation.scenario == "scenarios/ukraine-2025", f"an unexpected answer:\n{answer}")
    return answer.evaluation.revision
