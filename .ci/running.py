"""Starts the program with the settings and arguments of each deployment, and checks that it behaves as deployed.

The checks replace only what cannot exist twice on one machine: ports by free ports, and mounted folders by temporary
folders in the kubelet's layout (files are links through `..data`, which one rename replaces).
"""

import base64
import hashlib
import json
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import grpc
from clients import ATTEMPTS, Relay
from deployed import (
    BASE,
    CALL_SECONDS,
    DEPLOY,
    DEVELOPMENT,
    NOT_SERVING,
    PRODUCTION,
    ROOT,
    SERVING,
    Failure,
    api,
    channel,
    container,
    environment,
    evaluate,
    find,
    free_port,
    health,
    http_get,
    must,
    pod_spec,
    probe,
    run,
    seconds,
    wait_until,
)

UNIT = DEPLOY / "systemd/detente.service"
# The Secrets that docs/operations.md describes, and their files.
SECRETS = {"detente-tls": ("tls.crt", "tls.key"), "detente-tokens": ("tokens.yaml",)}
# The ConfigMaps that operators create.
CONFIG_MAPS = {"detente-client-ca": ("ca.crt",), "detente-server-ca": ("ca.crt",)}
# The components whose proxies an operator must name.
PROXIES = ("gateway-api", "ingress-nginx")
WRONG_SETTING = 2
# These labels and metrics come from Prometheus and its operator, not from the program.
TARGET_LABELS = {"namespace", "pod", "job", "instance", "le"}
GIVEN_METRICS = {"up"}
PROMQL_WORDS = set(
    "by without on ignoring group_left group_right and or unless bool offset sum min max avg count rate increase "
    "absent changes time histogram_quantile min_over_time".split()
)


def unit():
    """The sections of the unit, with all values of each setting."""
    sections, here = {}, None
    for line in UNIT.read_text().splitlines():
        if re.fullmatch(r"\[\w+\]", line):
            here = sections.setdefault(line[1:-1], {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            here.setdefault(name, []).append(value)
    return sections


def unit_environment(parsed):
    return dict(each.split("=", 1) for each in parsed["Service"]["Environment"])


def methods():
    """Whether each method of the schema streams, by service and method."""
    found = {}
    for file in (ROOT / "proto/detente/v1").glob("*_service.proto"):
        service = None
        for line in file.read_text().splitlines():
            if matched := re.match(r"service (\w+) {", line):
                service = f"detente.v1.{matched[1]}"
            elif matched := re.match(r" +rpc (\w+)\((stream )?\w+\) returns \((stream )?\w+\)", line):
                found[service, matched[1]] = bool(matched[2] or matched[3])
    must(len(found) > 10, f"only these methods were found: {found}")
    return found


def help_of(binary):
    """The flags and variables in the help of `detente serve`."""
    text = run(binary, "serve", "--help")
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z-]+)", text)), set(re.findall(r"\[env: (\w+)=", text))


def knows(binary, arguments, settings):
    flags, variables = help_of(binary)
    unknown = {each.split("=")[0] for each in arguments if each.startswith("--")} - flags
    unknown |= {each for each in settings if each.startswith("DETENTE_")} - variables
    must(not unknown, f"`detente serve --help` does not list {', '.join(sorted(unknown))}")


class Folder:
    """A ConfigMap or Secret as a kubelet mounts it."""

    def __init__(self, path, files):
        self.path, self.turn = path, 0
        path.mkdir(parents=True, exist_ok=True)
        self.write(files)
        for name in files:
            (path / name).symlink_to(f"..data/{name}")

    def write(self, files):
        """Replaces all files at once."""
        self.turn += 1
        version = self.path / f"..version_{self.turn}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        link = self.path / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.path / "..data")


def make_certificate(folder):
    names = "DNS:detente.detente.svc,DNS:detente-headless.detente.svc"
    key, certificate = folder / "made.key", folder / "made.crt"
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=detente",
        "-addext",
        f"subjectAltName={names}",
        "-keyout",
        key,
        "-out",
        certificate,
    )
    return {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}


def make_token(folder):
    """Makes a token with the command that docs/operations.md shows."""
    command = re.search(r"(?m)^head -c 32 .*sha256sum$", (ROOT / "docs/operations.md").read_text())[0]
    printed = run("bash", "-euo", "pipefail", "-c", command, cwd=folder).split()[0]
    token = (folder / "token").read_text().strip()
    must(hashlib.sha256(token.encode()).hexdigest() == printed, f"`{command}` prints a hash that is not the token's")
    must(len(base64.b64decode(token)) == 32, f"not a token of 32 bytes: {token}")
    return token


def token_file(token, role="analyst"):
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"tokens:\n  - caller: dashboards\n    sha256: {digest}\n    role: {role}\n    scenarios: all\n"


class Deployment:
    """The program, started with the settings of a deployment."""

    def __init__(self, binary, name, arguments, settings, home):
        self.binary, self.name, self.home, self.process = binary, name, home, None
        self.drain = seconds(settings["DETENTE_DRAIN_PAUSE"])
        self.certificate = self.token = None
        self.identity = (None, None)
        self.ports, self.settings = {}, dict(settings)
        for kind, setting in (("grpc", "DETENTE_LISTEN"), ("admin", "DETENTE_ADMIN_LISTEN")):
            host, number = settings[setting].rsplit(":", 1)
            self.ports[kind] = self.ports[int(number)] = free_port()
            self.settings[setting] = f"{host}:{self.ports[kind]}"
        self.arguments = arguments
        self.log = home / "log"
        self.folders = {}

    def fill(self, mounts):
        """Makes the folders, by mount path, and changes the settings to name them."""
        for path, files in mounts.items():
            self.folders[path] = Folder(self.home / path.strip("/%"), files)
            for name, value in self.settings.items():
                if value == path or value.startswith(f"{path}/"):
                    self.settings[name] = str(self.home / path.strip("/%")) + value.removeprefix(path)

    def start(self):
        # The environment contains only the deployment's settings: no PATH and no HOME, as in an image from scratch.
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [self.binary, *self.arguments],
                env=self.settings,
                cwd="/",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        wait_until(lambda: self.is_serving(), f"SERVING on the admin port ({self.name})")

    def is_serving(self):
        if self.process.poll() is not None:
            raise Failure(f"exit {self.process.returncode}: {shlex.join(self.arguments)}\n{self.log.read_text()}")
        return health(self.ports["admin"]) == SERVING

    def channel(self, **options):
        return channel(self.ports["grpc"], self.certificate, self.identity, **options)

    def evaluate(self, **options):
        with self.channel() as to:
            return evaluate(to, self.token, **options)

    def metrics(self):
        code, text = http_get(self.ports["admin"], "/metrics")
        must(code == 200, f"GET /metrics returned {code}: {text[:200]}")
        return text

    def end(self, limit):
        """Sends SIGTERM, checks health and calls during the drain, and waits for the exit."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        if self.drain >= 2:
            time.sleep(self.drain / 2)
            status = health(self.ports["admin"])
            must(status == NOT_SERVING, f"the health {self.drain / 2} s after SIGTERM is {status}")
            code, _ = http_get(self.ports["admin"], "/livez")
            must(code == 200, f"/livez returned {code} during the drain: the kubelet would kill the pod")
            self.evaluate()
        try:
            code = self.process.wait(limit - (time.monotonic() - started))
        except subprocess.TimeoutExpired:
            raise Failure(f"still running {limit} s after SIGTERM\n{self.log.read_text()}") from None
        must(code == 0, f"exit code {code} after SIGTERM\n{self.log.read_text()}")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def of_kubernetes(binary, name, objects, home):
    """The deployment of an overlay, with the content of its volumes."""
    arguments = container(objects)["args"]
    deployment = Deployment(binary, name, arguments, environment(objects), home)
    volumes, mounts = {each["name"]: each for each in pod_spec(objects)["volumes"]}, {}
    for mount in container(objects)["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "configMap" in volume and volume["configMap"]["name"] in CONFIG_MAPS:
            mounts[mount["mountPath"]] = make_client_authority(deployment)
        elif "configMap" in volume:
            mounts[mount["mountPath"]] = find(objects, "ConfigMap", volume["configMap"]["name"])["data"]
        else:
            mounts[mount["mountPath"]] = make_secret(deployment, volume["secret"]["secretName"])
    deployment.fill(mounts)
    return deployment


def make_secret(deployment, name):
    if name == "detente-tls":
        files = make_certificate(deployment.home)
        deployment.certificate = deployment.home / "made.crt"
    else:
        deployment.token = make_token(deployment.home)
        files = {"tokens.yaml": token_file(deployment.token)}
    must(tuple(files) == SECRETS[name], f"the Secret {name} has unexpected files")
    return files


def make_identity(folder, name):
    """The certificate of an authority, and the key and the certificate of a client of that authority."""

    def make(file, *options):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{file}.key")
        run("openssl", "req", "-x509", *key, "-days", "30", "-subj", f"/CN={name}", "-out", f"{file}.crt", *options)

    authority, client = folder / f"{name}-authority", folder / name
    make(authority)
    issued = ("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key")
    make(client, *issued, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth")
    return Path(f"{authority}.crt").read_bytes(), tuple(Path(f"{client}.{end}").read_bytes() for end in ("key", "crt"))


def make_client_authority(deployment):
    authority, deployment.identity = make_identity(deployment.home, "client")
    return {"ca.crt": authority}


def of_systemd(binary, home):
    """The deployment of the systemd unit, with the files that docs/operations.md installs."""
    parsed = unit()
    arguments = shlex.split(parsed["Service"]["ExecStart"][0])[1:]
    deployment = Deployment(binary, "systemd", arguments, unit_environment(parsed), home)
    scenario = (ROOT / "scenarios/ukraine-2025.yaml").read_text()
    deployment.fill(
        {
            "/etc/detente/scenarios": {"ukraine-2025.yaml": scenario},
            "%d": make_secret(deployment, "detente-tls"),
            "/var/log/detente": {},
            "/etc/detente": make_secret(deployment, "detente-tokens"),
        }
    )
    return deployment


def check_probes(deployment, objects):
    only = container(objects)
    for what in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe(only[what], deployment.ports)
    for path, sign in (("/readyz", ""), ("/version", "{"), ("/metrics", "# TYPE")):
        code, body = http_get(deployment.ports["admin"], path)
        must(code == 200 and sign in body, f"GET {path} returned {code}: {body[:200]}")


def check_scraped(deployment, objects):
    for endpoint in find(objects, "ServiceMonitor")["spec"]["endpoints"]:
        code, body = http_get(deployment.ports[endpoint["port"]], endpoint["path"])
        must(code == 200 and "detente_build_info" in body, f"{endpoint['path']} returned {code}")


def refused(what, code, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except grpc.RpcError as error:
        must(error.code() == code, f"{what}: {error.code().name} instead of {code.name}: {error.details()}")
        return
    raise Failure(f"{what} succeeded")


def check_refuses(binary, name, objects, home, reason):
    """The base alone must not start: it listens on all interfaces without settings for TLS and callers. Nor must the
    components for proxies before an operator has said which proxies to trust."""
    deployment = of_kubernetes(binary, name, objects, home)
    command = [binary, *deployment.arguments]
    try:
        done = subprocess.run(command, env=deployment.settings, capture_output=True, text=True, timeout=CALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure(f"the server started, although {reason} is missing") from None
    must(done.returncode == WRONG_SETTING, f"exit code {done.returncode}\n{done.stderr}")
    must(reason in done.stderr, f"the error does not name {reason}:\n{done.stderr}")


def check_callers(deployment):
    """Only calls with a token and over TLS are answered. The calls also create metrics for a later check."""
    for _ in range(2):
        deployment.evaluate()
    unknown = grpc.StatusCode.UNAUTHENTICATED
    with deployment.channel() as to:
        refused("a call without a token", unknown, evaluate, to)
        refused("a call with another token", unknown, evaluate, to, "bm90IHRoaXMgb25l")
        refused("an unknown proposal", grpc.StatusCode.NOT_FOUND, evaluate, to, deployment.token, proposal="none")
        _, _, analyses, stubs = api()
        request = analyses.SuggestAmendmentsRequest(proposal_name="scenarios/ukraine-2025/proposals/european-force")
        metadata = [("authorization", f"Bearer {deployment.token}")]
        stubs.AnalysisServiceStub(to).SuggestAmendments(request, metadata=metadata, timeout=30)
    with channel(deployment.ports["grpc"]) as to:
        refused("a call in plaintext", grpc.StatusCode.UNAVAILABLE, evaluate, to, deployment.token)
    with socket.create_connection(("127.0.0.1", deployment.ports["grpc"])) as raw:
        raw.sendall(b"neither TLS nor HTTP\r\n\r\n")
        raw.settimeout(CALL_SECONDS)
        try:
            raw.recv(1)
        except OSError:
            pass


def check_families(deployment):
    """IPv4 and IPv6 clients reach each listener on `[::]`."""
    must(deployment.settings["DETENTE_LISTEN"].startswith("[::]"), "the server does not listen on all addresses")
    hosts = ["127.0.0.1"] + (["[::1]"] if has_ipv6() else [])
    for host in hosts:
        with deployment.channel(host=host) as to:
            evaluate(to, deployment.token)
        if deployment.settings["DETENTE_ADMIN_LISTEN"].startswith("[::]"):
            code, _ = http_get(deployment.ports["admin"], "/readyz", host=host)
            must(code == 200, f"/readyz at {host} returned {code}")
    if len(hosts) == 1:
        print("not checked: IPv6 clients, because this host has no address ::1")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return False
    return True


def check_client_certificates(deployment):
    """With the component mutual-tls, a client needs a certificate of the authority and a token."""
    deployment.evaluate()
    ports = deployment.ports["grpc"], deployment.certificate
    _, stranger = make_identity(deployment.home, "stranger")
    with channel(*ports) as to:
        refused("a client without a certificate", grpc.StatusCode.UNAVAILABLE, evaluate, to, deployment.token)
    with channel(*ports, stranger) as to:
        refused("a certificate of another authority", grpc.StatusCode.UNAVAILABLE, evaluate, to, deployment.token)
    with deployment.channel() as to:
        refused("a certificate without a token", grpc.StatusCode.UNAUTHENTICATED, evaluate, to)


def check_reloads(deployment, objects):
    """A changed ConfigMap, and a Secret that becomes invalid and is fixed, take effect without a restart."""
    before = deployment.evaluate()
    scenarios = deployment.folders["/etc/detente/scenarios"]
    files = dict(find(objects, "ConfigMap", "detente-scenarios")["data"])
    title = re.search(r"(?m)^title: (.*)$", files["ukraine-2025.yaml"])[0]
    files["ukraine-2025.yaml"] = files["ukraine-2025.yaml"].replace(title, "title: Another title", 1)
    scenarios.write(files)
    wait_until(lambda: deployment.evaluate() != before, "another revision, after the ConfigMap changed")
    if not deployment.token:
        return
    tokens = deployment.folders["/etc/detente/tokens"]
    tokens.write({"tokens.yaml": "tokens: [{caller: nobody, sha256: short}]"})
    faulty = re.compile(r'(?m)^detente_faulty_files\{[^}]*what="tokens"[^}]*\} 1(\.0)?$')
    wait_until(lambda: faulty.search(deployment.metrics()), "the invalid token file counted as faulty")
    deployment.evaluate()
    other = make_token(deployment.home)
    tokens.write({"tokens.yaml": token_file(other)})
    deployment.process.send_signal(signal.SIGHUP)
    old, deployment.token = deployment.token, other

    def answered():
        try:
            return deployment.evaluate()
        except grpc.RpcError:
            return False

    wait_until(answered, "the new token accepted")
    with deployment.channel() as to:
        refused("the revoked token", grpc.StatusCode.UNAUTHENTICATED, evaluate, to, old)


def check_decisions(deployment):
    deployment.evaluate()
    log = deployment.home / "var/log/detente/decisions.jsonl"
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"), "a line in the decision log", CALL_SECONDS)
    line = json.loads(log.read_text().splitlines()[0])
    must(line["caller"] == "dashboards" and line["method"] == "EvaluateProposal", f"an unexpected decision: {line}")


def parse_metrics(text):
    """The values of each label, by metric."""
    found = {}
    for line in text.splitlines():
        if matched := re.match(r"# TYPE (\w+) (\w+)", line):
            ends = ("_bucket", "_count", "_sum") if matched[2] in ("histogram", "summary") else ("",)
            for end in ends:
                found.setdefault(matched[1] + end, {})
        elif matched := re.match(r"(\w+)\{(.*)\} ", line):
            for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', matched[2]):
                found.setdefault(matched[1], {}).setdefault(name, set()).add(value)
        elif matched := re.match(r"(\w+) ", line):
            found.setdefault(matched[1], {})
    return found


def style(value):
    """The style of a label value: OK, lower_case or CamelCase."""
    return next(name for name in (r"[A-Z_]+", r"[a-z0-9_]+", r".*") if re.fullmatch(name, value))


def check_expressions(expressions, texts):
    """Every metric, label and literal value in the alerts and the dashboard exists in the program."""
    found = {}
    for text in texts:
        for metric, labels in parse_metrics(text).items():
            for label, values in labels.items():
                found.setdefault(metric, {}).setdefault(label, set()).update(values)
            found.setdefault(metric, {})
    faults = set()
    for expression in expressions:
        bare = re.sub(r'"[^"]*"', '""', expression)
        named = set(re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", bare))
        grouped = {label.strip() for labels in named for label in labels.split(",")}
        words = set(
            re.findall(r"(?<![\w\[])[a-z_][a-z_0-9]*", re.sub(r"\{[^}]*\}|\[[^]]*\]|\([^()]*\)(?=\s*\()", "", bare))
        )
        metrics = {word for word in words - PROMQL_WORDS - grouped if "_" in word or word in GIVEN_METRICS}
        known = {label for metric in metrics for label in found.get(metric, ())} | TARGET_LABELS
        faults |= {f"no metric {metric}" for metric in metrics - set(found) - GIVEN_METRICS}
        faults |= {f"no label {label} in {expression}" for label in grouped - known}
        for metric, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
            for label, _, literal in re.findall(r'(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"', matchers):
                if label in TARGET_LABELS or metric not in found:
                    continue
                values = found[metric].get(label)
                if values is None:
                    faults.add(f"{metric} has no label {label}")
                    continue
                # The checks call every method that the queries name, so its exact name must occur. They cannot provoke
                # every code and reason, so only the style of those is compared.
                alike = (lambda value: value) if label == "method" else style
                odd = [value for value in literal.split("|") if alike(value) not in set(map(alike, values))]
                if odd:
                    faults.add(f"{metric}: {label} is written {sorted(values)}, not {odd}")
    must(not faults, "\n".join(sorted(faults)))


def check_service_config(deployment):
    """Clients with the service config retry as often as it says, and do not retry streams."""
    config = [("grpc.service_config", (DEPLOY / "service-config.json").read_text())]
    unavailable = grpc.StatusCode.UNAVAILABLE
    with Relay(deployment.ports["grpc"], cuts=2) as relay, channel(relay.port, options=config) as to:
        evaluate(to)
        must(relay.lost == 2, f"{relay.lost} calls were lost, not 2")
    with Relay(deployment.ports["grpc"], cuts=100) as relay, channel(relay.port, options=config) as to:
        refused("a call that is always lost", unavailable, evaluate, to)
        must(relay.lost == ATTEMPTS, f"{relay.lost} attempts, not {ATTEMPTS}")
    with Relay(deployment.ports["grpc"], cuts=1) as relay, channel(relay.port, options=config) as to:
        messages, stubs, _, _ = api()
        requests = [messages.StreamEvaluateProposalsRequest(id="a")]
        stream = stubs.RedLineServiceStub(to).StreamEvaluateProposals
        refused("a stream that is lost", unavailable, lambda: list(stream(iter(requests), timeout=CALL_SECONDS)))
    with (
        Relay(deployment.ports["grpc"], cuts=1) as relay,
        channel(relay.port, options=[("grpc.enable_retries", 0)]) as to,
    ):
        refused("a lost call without the config", unavailable, evaluate, to)


def check_mutual_tls(checks, binary, objects, home):
    """The production overlay with the component mutual-tls."""
    checks.check("mutual-tls: known settings", knows, binary, container(objects)["args"], environment(objects))
    deployment = of_kubernetes(binary, "mutual-tls", objects, home)
    before = checks.failed
    checks.check("mutual-tls: starts", deployment.start)
    if checks.failed == before:
        checks.check("mutual-tls: probes", check_probes, deployment, objects)
        checks.check("mutual-tls: client certificates", check_client_certificates, deployment)
        checks.check("mutual-tls: ends", deployment.end, pod_spec(objects)["terminationGracePeriodSeconds"])
    deployment.kill()


def check_program(checks, binary, overlays, expressions):
    """All checks that need the program. Each deployment runs once, and its checks follow one another."""
    texts = []
    service = unit()["Service"]
    for folder in (DEVELOPMENT, PRODUCTION):
        only = container(overlays[folder])
        name = folder.split("/")[-1]
        checks.check(f"{name}: known settings", knows, binary, only["args"], environment(overlays[folder]))
    checks.check(
        "systemd: known settings", knows, binary, shlex.split(service["ExecStart"][0]), unit_environment(unit())
    )
    with tempfile.TemporaryDirectory(prefix="detente-manifests-") as name:
        home = Path(name)
        makers = {
            "development": lambda at: of_kubernetes(binary, "development", overlays[DEVELOPMENT], at),
            "production": lambda at: of_kubernetes(binary, "production", overlays[PRODUCTION], at),
            "systemd": lambda at: of_systemd(binary, at),
        }
        for what in ("base", "mutual-tls"):
            (home / what).mkdir()
        check_mutual_tls(checks, binary, overlays[("cert-manager", "mutual-tls")], home / "mutual-tls")
        checks.check(
            "base: refuses to start", check_refuses, binary, "base", overlays[BASE], home / "base", "allow-plaintext"
        )
        for name in PROXIES:
            (home / name).mkdir()
            what = f"{name}: refuses to start"
            checks.check(
                what, check_refuses, binary, name, overlays[(name,)], home / name, "DETENTE_TRUSTED_PROXIES"
            )
        for what, make in makers.items():
            (home / what).mkdir()
            check_deployment(checks, what, lambda at=home / what, make=make: make(at), overlays, texts, service)
    if len(texts) == len(makers):
        checks.check("metrics, labels and values of alerts and dashboard", check_expressions, expressions, texts)
    else:
        checks.fail("metrics, labels and values of alerts and dashboard", "not every deployment could be scraped")


def check_deployment(checks, what, make, overlays, texts, service):
    """The checks of one deployment, from its start to its exit."""
    made = []

    def start():
        made.append(make())
        made[0].start()

    before = checks.failed
    checks.check(f"{what}: starts", start)
    if checks.failed == before:
        check_running(checks, what, made[0], overlays, texts, service)
    for deployment in made:
        deployment.kill()


def check_running(checks, what, deployment, overlays, texts, service):
    objects = overlays[DEVELOPMENT if what == "development" else PRODUCTION]
    checks.check(f"{what}: probes", check_probes, deployment, objects)
    checks.check(f"{what}: answers", deployment.evaluate)
    checks.check(f"{what}: IPv4 and IPv6", check_families, deployment)
    if what == "development":
        checks.check("service config: clients retry", check_service_config, deployment)
    if what == "production":
        checks.check("production: scraped", check_scraped, deployment, objects)
        checks.check("production: callers", check_callers, deployment)
    if what == "systemd":
        checks.check("systemd: decision log", check_decisions, deployment)
        grace = seconds(service["TimeoutStopSec"][-1])
    else:
        checks.check(f"{what}: reloads", check_reloads, deployment, objects)
        grace = pod_spec(objects)["terminationGracePeriodSeconds"]
    checks.check(f"{what}: metrics", lambda: texts.append(deployment.metrics()))
    checks.check(f"{what}: ends", deployment.end, grace)
