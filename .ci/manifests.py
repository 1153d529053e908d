"""Checks deploy/ for consistency with itself, with docs/operations.md and with the real program.

This file contains the checks that need only the files:

  kustomize          the base, both overlays, and the production overlay with each component and combination of them
                     build, every object is valid by Kubernetes' own schemas and has no unknown field (kinds of
                     Prometheus' operator: by the schema in operator_schema.json; of Gateway API and cert-manager: by
                     their published schemas in crd_schemas.json, but not by the rules in CEL, which need an API
                     server), every pod meets the Pod Security Standard `restricted`, and checkov has no finding
  routes             GRPCRoute and Ingress lead to the Service and name every service of the API, the certificate has
                     the names of the Services, the NetworkPolicy admits the proxies and every usual DNS server, and
                     the operator must name the networks of the proxies
  ports, mounts      Services, probes, NetworkPolicies and monitors name the ports that the settings bind; every file
                     that a setting names is mounted, as a folder
  image, unit        the Containerfile's user, ports and versions equal those of the manifests and of Cargo.toml;
                     systemd finds no fault in the unit; Kubernetes and systemd wait longer than the drain may take
  alerts, dashboard  their PromQL parses, the alerts pass alerts_test.yaml, and each alert has a runbook
  audit data         the program contains the list of its dependencies
  service config     it names every method, and does not retry the methods that stream

running.py contains the checks that need the program: it has every flag and setting, accepts every value, starts in each
deployment, answers its probes, has every metric and label, and shuts down in time; and clients retry as the service
config says.
"""

import argparse
import ipaddress
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

import running
from deployed import (
    BASE,
    COMBINATIONS,
    COMPONENTS,
    DEPLOY,
    DEVELOPMENT,
    PRODUCTION,
    ROOT,
    Checks,
    Failure,
    build,
    build_overlay,
    build_with,
    cargo_version,
    container,
    environment,
    find,
    must,
    pod_spec,
    port_of,
    run,
    seconds,
)
from examples import headings

# The oldest supported version of Kubernetes, and the newest that the validator knows.
KUBERNETES = ("1.31", kubernetes_validate.latest_version())
OPERATOR_KINDS = ("ServiceMonitor", "PrometheusRule")
NOT_NAMESPACED = ("Namespace",)
# The address of NodeLocal DNSCache: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
NODE_LOCAL_DNS = "169.254.20.10"
CHECKOV = Path(sys.executable).with_name("checkov")
SELECT_PODS = ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget")
EXPOSURE_MOST = 20  # of systemd-analyze security, in tenths
# gRPC's C core (Python, C++, Ruby, PHP) ends calls up to two seconds before a service config's timeout:
# https://github.com/grpc/grpc/issues/34547, https://github.com/grpc/grpc/issues/40633
TIMEOUT_LEAST = 5
REPLACED_BY_GRAFANA = {"$__rate_interval": "5m", "$namespace": ".*", "$pod": ".*"}


def strict(schema):
    """A CustomResourceDefinition's schema that rejects unknown fields, which an API server would silently remove."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    return schema


def custom_schemas():
    """The schemas of custom resources, by kind."""
    published = json.loads((ROOT / ".ci/crd_schemas.json").read_text())
    del published["$comment"]
    return json.loads((ROOT / ".ci/operator_schema.json").read_text()) | strict(published)


def validate(objects):
    schemas = custom_schemas()
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        try:
            if item["kind"] in schemas:
                jsonschema.validate(item, schemas[item["kind"]])
                continue
            for version in KUBERNETES:
                kubernetes_validate.validate(item, version, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
            raise Failure(f"{name}: {error.message}") from None


def rejects_faults(objects):
    """The schemas of custom resources reject an unknown field, a missing one and a wrong value."""
    for kind, path, value in (
        ("GRPCRoute", ("spec", "rules", 0, "matchs"), []),
        ("GRPCRoute", ("spec", "rules", 0, "matches", 0, "method", "type"), "Prefix"),
        ("GRPCRoute", ("spec", "hostnames", 0), "*.*"),
        ("BackendTLSPolicy", ("spec", "validation", "hostName"), "a"),
        ("BackendTLSPolicy", ("spec", "validation", "hostname"), None),
        ("Certificate", ("spec", "dnsName"), []),
        ("Certificate", ("spec", "secretName"), None),
        ("Certificate", ("spec", "usages", 0), "server"),
        ("Certificate", ("apiVersion",), "cert-manager.io/v1alpha2"),
    ):
        faulty = json.loads(json.dumps(find(objects, kind)))
        place = faulty
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        try:
            validate([faulty])
        except Failure:
            continue
        raise Failure(f"a {kind} with {value!r} at {path} is accepted")


def scanned(objects):
    """checkov has no finding. Annotations of the overlays give the reasons for the checks that it must skip."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "all.yaml"
        file.write_text(yaml.safe_dump_all(objects))
        command = [CHECKOV, "--framework", "kubernetes", "--skip-download", "--output", "json", "--file", file]
        done = subprocess.run(command, capture_output=True, text=True, cwd=name)
        must(done.stdout, f"checkov exited with {done.returncode}:\n{done.stderr}")
        found = json.loads(done.stdout)
    must(found["summary"]["passed"] > 50, f"checkov checked almost nothing: {found['summary']}")
    must(not found["summary"]["parsing_errors"], "checkov cannot parse the objects")
    results = found["results"]
    failed = [f"{each['check_id']} {each['check_name']}: {each['resource']}" for each in results["failed_checks"]]
    must(not failed, "\n".join(failed))
    for each in results["skipped_checks"]:
        must(each["check_result"]["suppress_comment"], f"{each['check_id']} is skipped without a reason")


def restricted(objects):
    """The Pod Security Standard `restricted`, a read-only root file system, and no API token."""
    spec, only = pod_spec(objects), container(objects)
    pod, own = spec["securityContext"], only["securityContext"]
    for holds, what in (
        (pod["runAsNonRoot"] is True and pod["runAsUser"] > 0, "runAsNonRoot"),
        (pod["seccompProfile"] == {"type": "RuntimeDefault"}, "seccompProfile"),
        (own["allowPrivilegeEscalation"] is False, "allowPrivilegeEscalation"),
        (own["capabilities"] == {"drop": ["ALL"]}, "capabilities"),
        (own["readOnlyRootFilesystem"] is True, "readOnlyRootFilesystem"),
        (not own.get("privileged"), "privileged"),
        (not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC", "initContainers")), "host namespaces"),
        (all(set(each) & {"configMap", "secret"} for each in spec["volumes"]), "kinds of volumes"),
        (spec["automountServiceAccountToken"] is False, "automountServiceAccountToken of the pod"),
        (find(objects, "ServiceAccount")["automountServiceAccountToken"] is False, "that of the ServiceAccount"),
        (set(only["resources"]) == {"requests", "limits"}, "resources"),
    ):
        must(holds, f"the pod violates: {what}")
    for item in objects:
        if item["kind"] == "Namespace":
            must(
                item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted",
                "the namespace's label",
            )


def selectors(objects):
    """Every object that selects pods selects the Deployment's, and the monitor selects an existing Service."""
    labels = find(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for item in objects:
        spec, kind = item.get("spec", {}), item["kind"]
        selector = spec.get("podSelector", spec.get("selector", {})) if kind in SELECT_PODS else {}
        selector = selector.get("matchLabels", selector)
        must(selector.items() <= labels.items(), f"{kind} {item['metadata']['name']} selects no pod")
        if kind == "HorizontalPodAutoscaler":
            find(objects, spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
    for each in pod_spec(objects)["topologySpreadConstraints"]:
        must(each["labelSelector"]["matchLabels"].items() <= labels.items(), "topologySpreadConstraints select no pod")


def ports(objects):
    """All objects name the ports that the settings bind."""
    settings, only = environment(objects), container(objects)
    bound = {"grpc": port_of(settings["DETENTE_LISTEN"]), "admin": port_of(settings["DETENTE_ADMIN_LISTEN"])}
    named = {each["name"]: each["containerPort"] for each in only["ports"]}
    must(named == bound, f"the container names the ports {named}, but the settings bind {bound}")
    for what in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = only[what]
        asked = probe["grpc"]["port"] if "grpc" in probe else bound[probe["httpGet"]["port"]]
        must(asked == bound["admin"], f"{what} uses port {asked}, not the admin port")
    services = {}
    for item in objects:
        if item["kind"] == "Service":
            for port in item["spec"]["ports"]:
                must(bound.get(port["targetPort"]) == port["port"], f"Service {item['metadata']['name']}: {port}")
                services[port["name"]] = item
        if item["kind"] == "ServiceMonitor":
            for endpoint in item["spec"]["endpoints"]:
                target = services[endpoint["port"]]["metadata"]["labels"]
                must(
                    item["spec"]["selector"]["matchLabels"].items() <= target.items(),
                    "the ServiceMonitor finds no Service",
                )
                must(target[item["spec"]["jobLabel"]] == "detente", "the job label is not `detente`")
    opened = [port["port"] for rule in find(objects, "NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]]
    must(set(opened) == set(bound.values()), f"the NetworkPolicy opens {opened}")


def mounts(objects):
    """Each path in a setting is below a mount, each mount is a whole volume, each volume's source is documented."""
    spec, only = pod_spec(objects), container(objects)
    mounted = {each["mountPath"]: each for each in only["volumeMounts"]}
    for name, value in environment(objects).items():
        if value.startswith("/"):
            must(any(f"{value}/".startswith(f"{path}/") for path in mounted), f"{name}: {value} is not mounted")
    for each in mounted.values():
        must("subPath" not in each, f"{each['mountPath']} is a subPath, which is never updated")
        must(each.get("readOnly"), f"{each['mountPath']} is writable")
    volumes = {each["name"]: each for each in spec["volumes"]}
    must({each["name"] for each in mounted.values()} == set(volumes), "volumes and mounts differ")
    for each in volumes.values():
        if "configMap" in each and each["configMap"]["name"] not in running.CONFIG_MAPS:
            find(objects, "ConfigMap", each["configMap"]["name"])
        elif "secret" in each:
            must(each["secret"]["secretName"] in running.SECRETS, f"{each} is not documented")
    text = (ROOT / "docs/operations.md").read_text()
    for name in (*running.SECRETS, *running.CONFIG_MAPS):
        must(name in text, f"docs/operations.md does not name `{name}`")


def resources(objects):
    """Requests and limits of everything that a pod can exhaust on its node; requests are within limits."""
    given = container(objects)["resources"]
    for name in ("cpu", "memory", "ephemeral-storage"):
        must(name in given["requests"] and name in given["limits"], f"no request or limit of {name}")
    for name in ("memory", "ephemeral-storage"):
        least, most = (int(given[what][name].removesuffix("Mi")) for what in ("requests", "limits"))
        must(least <= most, f"the request of {name} is more than the limit")


def dns(objects):
    """The policy permits DNS at the cluster's server and at NodeLocal DNSCache, by UDP and TCP, and nowhere else."""
    rules = [
        rule
        for rule in find(objects, "NetworkPolicy")["spec"]["egress"]
        if {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 53), ("TCP", 53)}
    ]
    must(len(rules) == 1, f"{len(rules)} rules for DNS")
    blocks = [ipaddress.ip_network(peer["ipBlock"]["cidr"]) for peer in rules[0]["to"] if "ipBlock" in peer]
    must(any(ipaddress.ip_address(NODE_LOCAL_DNS) in block for block in blocks), f"no block contains {NODE_LOCAL_DNS}")
    must(all(block.is_link_local for block in blocks), f"{blocks} reach beyond the node")
    must(any(peer.get("podSelector") for peer in rules[0]["to"]), "no rule for the DNS server's pods")


def namespaced(objects):
    """Every object is in the overlay's namespace. A component's objects would otherwise be in `default`."""
    for item in objects:
        if item["kind"] not in NOT_NAMESPACED:
            where = item["metadata"].get("namespace")
            must(where == "detente", f"{item['kind']} {item['metadata']['name']} is in the namespace {where}")


def admitted(objects):
    """The namespaces from which the NetworkPolicy admits calls."""
    port = port_of(environment(objects)["DETENTE_LISTEN"])
    rules = [rule for rule in find(objects, "NetworkPolicy")["spec"]["ingress"] if rule["ports"][0]["port"] == port]
    labels = [peer.get("namespaceSelector", {}).get("matchLabels", {}) for rule in rules for peer in rule["from"]]
    return {each["kubernetes.io/metadata.name"] for each in labels if "kubernetes.io/metadata.name" in each}


def api_services():
    return {service for service, _ in running.methods()}


def route(objects):
    """The GRPCRoute leads to the Service, over a verified TLS connection."""
    spec, policy = find(objects, "GRPCRoute")["spec"], find(objects, "BackendTLSPolicy")["spec"]
    matches = [match["method"] for rule in spec["rules"] for match in rule["matches"]]
    must({each["service"] for each in matches} == api_services(), f"routes only {matches}")
    (backend,) = (each for rule in spec["rules"] for each in rule["backendRefs"])
    service = find(objects, backend["kind"], backend["name"])
    must([port["port"] for port in service["spec"]["ports"]] == [backend["port"]], f"no port {backend['port']}")
    (target,) = policy["targetRefs"]
    must((target["kind"], target["name"]) == (backend["kind"], backend["name"]), "the policy is for another Service")
    must(target["sectionName"] in [port["name"] for port in service["spec"]["ports"]], "the policy is for another port")
    must(policy["validation"]["hostname"] == "detente.detente.svc", "the policy verifies another name")
    for each in policy["validation"]["caCertificateRefs"]:
        must(each["kind"] == "ConfigMap" and each["name"] in running.CONFIG_MAPS, f"{each} is not documented")
    gateways = {each["namespace"] for each in spec["parentRefs"]}
    must(gateways <= admitted(objects), f"the NetworkPolicy rejects the pods of {gateways}")


def ingress(objects):
    item = find(objects, "Ingress")
    spec = item["spec"]
    (rule,), (tls,) = spec["rules"], spec["tls"]
    must([rule["host"]] == tls["hosts"], "the certificate is for another host")
    paths = rule["http"]["paths"]
    routed = {each["path"].strip("/") for each in paths}
    must(routed == api_services(), f"routes only {routed}")
    for each in paths:
        backend = each["backend"]["service"]
        names = [port["name"] for port in find(objects, "Service", backend["name"])["spec"]["ports"]]
        must(backend["port"]["name"] in names, f"no port {backend['port']}")
    annotations = item["metadata"]["annotations"]
    must(annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "GRPCS", "the server accepts only TLS")
    must(tls["secretName"] in (ROOT / "docs/operations.md").read_text(), f"{tls['secretName']} is not documented")
    must("ingress-nginx" in admitted(objects), "the policy rejects the controller's pods")


def certificate(objects):
    """The certificate has all names of the Services for clients, and its Secret is the one that the pod mounts."""
    spec = find(objects, "Certificate")["spec"]
    services = [item["metadata"]["name"] for item in objects if item["kind"] == "Service"]
    names = {name for name in services if name != "detente-admin"}
    forms = {f"{name}.detente{end}" for name in names for end in ("", ".svc", ".svc.cluster.local")}
    must(set(spec["dnsNames"]) == forms, f"the names are {spec['dnsNames']}")
    secrets = [volume["secret"]["secretName"] for volume in pod_spec(objects)["volumes"] if "secret" in volume]
    must(spec["secretName"] in secrets, "the pod mounts another Secret")
    must("server auth" in spec["usages"], "not a certificate for servers")
    expressions = {alert["alert"]: alert["expr"] for alert in alerts(objects)}
    warned = re.search(r"time\(\) < (\d+) \* 86400", expressions["DetenteCertificateExpiring"])[1]
    must(int(spec["renewBefore"].removesuffix("h")) > 24 * int(warned), "the alert fires before the renewal")


def proxies(objects):
    """The networks of the proxies have to be replaced, and stand in one place."""
    found = [each["value"] for each in container(objects)["env"] if each["name"] == "DETENTE_TRUSTED_PROXIES"]
    must(len(found) == 1, f"DETENTE_TRUSTED_PROXIES is set {len(found)} times")
    try:
        ipaddress.ip_network(found[0])
    except ValueError:
        return
    raise Failure(f"{found[0]} is trusted, although no operator has said so")


def documented():
    """The overlay that docs/operations.md shows builds, and its patches change what they are meant to change."""
    text = (ROOT / "docs/operations.md").read_text()
    objects = build_overlay(re.search(r"```yaml\n(apiVersion: kustomize.*?)```", text, re.DOTALL)[1])
    for check in (validate, namespaced, scanned):
        check(objects)
    must(container(objects)["image"].startswith("registry.internal/detente"), "the image is not replaced")
    must(find(objects, "Certificate")["spec"]["issuerRef"]["name"] == "our-authority", "the issuer is not replaced")
    route(objects)
    networks = environment(objects)["DETENTE_TRUSTED_PROXIES"].split(",")
    must(all(ipaddress.ip_network(network) for network in networks), "the networks of the proxies are not replaced")
    must("edge" in admitted(objects) and "gateway" not in admitted(objects), "the Gateway's namespace is not replaced")


def ignored():
    """podman and Docker leave the same files out of the build."""
    content = [(ROOT / name).read_text() for name in (".containerignore", ".dockerignore")]
    must(content[0] == content[1], "differ")


def times(objects):
    settings, spec = environment(objects), pod_spec(objects)
    least = seconds(settings["DETENTE_DRAIN_PAUSE"]) + seconds(settings["DETENTE_DRAIN_TIMEOUT"])
    must(spec["terminationGracePeriodSeconds"] > least, f"the grace period does not outlast {least} s of draining")


def disruptions(objects):
    """With the autoscaler's minimum of pods, the disruption budget must still permit an eviction."""
    budget, scaler = find(objects, "PodDisruptionBudget")["spec"], find(objects, "HorizontalPodAutoscaler")["spec"]
    must(len({"minAvailable", "maxUnavailable"} & set(budget)) == 1, "one of minAvailable and maxUnavailable, not both")
    must(
        budget.get("minAvailable", 0) < scaler["minReplicas"] < scaler["maxReplicas"], "the disruption budget and the autoscaler contradict each other"
    )


def containerfile(objects):
    lines = (DEPLOY / "Containerfile").read_text()
    final = lines[lines.index("FROM scratch") :]
    said = dict(re.findall(r"(?m)^(USER|EXPOSE|STOPSIGNAL|ENTRYPOINT|CMD) (.+)$", final))
    context = pod_spec(objects)["securityContext"]
    must(said["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}", f"USER {said['USER']} differs from the pod's user")
    exposed = [int(port) for port in said["EXPOSE"].split()]
    must(exposed == [each["containerPort"] for each in container(objects)["ports"]], f"EXPOSE {exposed}")
    must(json.loads(said["CMD"]) == container(objects)["args"], f"CMD {said['CMD']} differs from the pod's args")
    arguments = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", lines))
    must(arguments["VERSION"] == cargo_version(), f"ARG VERSION={arguments['VERSION']} differs from the version in Cargo.toml")
    rust = [int(part) for part in arguments["RUST_VERSION"].split(".")]
    must(rust >= [int(part) for part in cargo_version("rust-version").split(".")], "ARG RUST_VERSION is too old")
    for name in ("CARGO_ABOUT_VERSION", "CARGO_AUDITABLE_VERSION"):
        ci = re.search(rf"{name}=(\S+)", (ROOT / ".ci/run").read_text())[1]
        must(arguments[name] == ci, f".ci/run has {name}={ci}, the Containerfile {arguments[name]}")


def image_names(development, production):
    name, _, digest = container(production)["image"].partition("@")
    must(name.endswith(f":{cargo_version()}"), f"production's image is {name}, not of version {cargo_version()}")
    must(re.fullmatch(r"sha256:[0-9a-f]{64}", digest), "production's image has no digest")
    must(container(production)["imagePullPolicy"] == "IfNotPresent", "an image with a digest need not be pulled again")
    must(container(development)["imagePullPolicy"] == "Never", "a development image must not be pulled")


def systemd_unit():
    unit = running.unit()
    kept = seconds(unit["Service"]["TimeoutStopSec"][-1])
    settings = running.unit_environment(unit)
    must(kept > seconds(settings["DETENTE_DRAIN_PAUSE"]) + seconds(settings["DETENTE_DRAIN_TIMEOUT"]), "TimeoutStopSec")
    given = {each.split(":")[0] for each in unit["Service"]["LoadCredential"]}
    asked = {value.removeprefix("%d/") for value in settings.values() if value.startswith("%d/")}
    must(given == asked, f"credentials {given}, of which the settings name {asked}")


def systemd_analyze(binary):
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "detente.service"
        unit.write_text(running.UNIT.read_text().replace("/usr/local/bin/detente", str(binary)))
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        faults = [line for line in done.stderr.splitlines() if "detente.service" in line]
        must(done.returncode == 0 and not faults, done.stderr)
        run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MOST}", unit)


def rules(production):
    return find(production, "PrometheusRule")["spec"]


def alerts(production):
    return [rule for group in rules(production)["groups"] for rule in group["rules"]]


def dashboard_queries():
    board = json.loads((DEPLOY / "grafana/detente.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    must(len(set(ids)) == len(ids), "two panels have the same id")
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    must(queries, "the dashboard has no query")
    for name, value in REPLACED_BY_GRAFANA.items():
        queries = [query.replace(name, value) for query in queries]
    return queries


def runbooks(production):
    text = (ROOT / "docs/operations.md").read_text()
    anchors, named = headings(text), set()
    for alert in alerts(production):
        file, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        must(file.endswith("/docs/operations.md"), f"{alert['alert']}: {file}")
        must(anchor == alert["alert"].lower(), f"{alert['alert']} leads to #{anchor}")
        must(anchor in anchors, f"docs/operations.md has no section {alert['alert']}")
        named.add(anchor)
    described = {anchor for anchor in anchors if re.fullmatch(r"detente[a-z]+", anchor)}
    must(described == named, f"sections without an alert: {described - named}")


def memory_alert(production):
    """The alert on memory uses the container's memory limit."""
    (alert,) = (each for each in alerts(production) if each["alert"] == "DetenteMemoryHigh")
    limit = re.search(r"\* (\d+) \* 1024 \* 1024", alert["expr"])[1]
    must(container(production)["resources"]["limits"]["memory"] == f"{limit}Mi", "the container has a different limit")


def promtool(tool, production):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # promtool checks rules only, so wrap each query in a recording rule.
        recorded = [{"record": f"query{n}", "expr": query} for n, query in enumerate(dashboard_queries())]
        (folder / "dashboard.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
        (folder / "alerts.yaml").write_text(yaml.safe_dump(rules(production)))
        run(tool, "check", "rules", folder / "dashboard.yaml", folder / "alerts.yaml")
        shutil.copy(DEPLOY / "prometheus/alerts_test.yaml", folder)
        run(tool, "test", "rules", folder / "alerts_test.yaml")
        tested = set(re.findall(r"alertname: (\w+)", (folder / "alerts_test.yaml").read_text()))
        untested = {alert["alert"] for alert in alerts(production)} - tested
        must(not untested, f"alerts_test.yaml does not test {', '.join(sorted(untested))}")


def service_config():
    config = json.loads((DEPLOY / "service-config.json").read_text())
    streams = running.methods()
    named = [name for entry in config["methodConfig"] for name in entry["name"]]
    named = [(name["service"], name["method"]) for name in named]
    must(len(set(named)) == len(named), "a method is named twice")
    must(set(named) <= set(streams), f"these methods do not exist: {set(named) - set(streams)}")
    unary = {method for method, streaming in streams.items() if not streaming}
    must(unary <= set(named), f"these methods are missing: {unary - set(named)}")
    for entry in config["methodConfig"]:
        must(float(entry["timeout"].rstrip("s")) >= TIMEOUT_LEAST, f"{entry['timeout']} is too short")
        for name in entry["name"]:
            retried = "retryPolicy" in entry
            must(retried != streams[name["service"], name["method"]], f"{name['method']}: retried is {retried}")


def audit_data(binary):
    """The dependencies that cargo-auditable lists for image scanners have the versions in Cargo.lock."""
    with tempfile.TemporaryDirectory() as folder:
        section = Path(folder) / "section"
        run("objcopy", "--dump-section", f".dep-v0={section}", binary, Path(folder) / "copy")
        packages = {
            (each["name"], each["version"]) for each in json.loads(zlib.decompress(section.read_bytes()))["packages"]
        }
    locked = set(re.findall(r'name = "(.+)"\nversion = "(.+)"', (ROOT / "Cargo.lock").read_text()))
    must(packages <= locked, f"not in Cargo.lock: {packages - locked}")
    names = {name for name, _ in packages}
    must({"detente", "tonic", "tokio", "rustls"} <= names, f"only these are listed: {sorted(names)}")


def check_components(checks, overlays):
    """Builds the production overlay with each combination of components, which it adds to `overlays`, and checks it."""
    folders = {path.name for path in (DEPLOY / "kubernetes/components").iterdir()}
    checks.check("components: all are combined", must, folders == set(COMPONENTS), f"the components are {folders}")
    own = {"cert-manager": certificate, "gateway-api": route, "ingress-nginx": ingress}

    def add(components):
        overlays[components] = build_with(components)

    for components in COMBINATIONS:
        name = " + ".join(components)
        checks.check(f"{name}: builds", add, components)
        if components not in overlays:
            continue
        common = (validate, namespaced, restricted, resources, selectors, ports, mounts, times, dns, scanned)
        behind = (proxies,) if set(components) & set(running.PROXIES) else ()
        for check in (*common, *behind, *(own[each] for each in components if each in own)):
            checks.check(f"{name}: {check.__name__}", check, overlays[components])
    everything = ("cert-manager", "gateway-api", "ingress-nginx")
    if everything in overlays:
        checks.check("schemas reject faults", rejects_faults, overlays[everything])


def check_files(checks, tool, binary):
    overlays = {}

    def add(folder):
        overlays[folder] = build(folder)

    for folder in (BASE, DEVELOPMENT, PRODUCTION):
        checks.check(f"{folder} builds", add, folder)
    for folder, objects in overlays.items():
        short = folder.split("/")[-1]
        for check in (validate, restricted, resources, selectors, ports, mounts, times, dns):
            checks.check(f"{short}: {check.__name__}", check, objects)
    if len(overlays) < 3:
        return overlays
    # Not the base, which no one applies: it has neither a namespace nor an image.
    checks.check("development: scanned", scanned, overlays[DEVELOPMENT])
    checks.check("production: scanned", scanned, overlays[PRODUCTION])
    check_components(checks, overlays)
    checks.check("production: disruptions", disruptions, overlays[PRODUCTION])
    checks.check("base: disruptions", disruptions, overlays[BASE])
    checks.check("the overlay in docs/operations.md", documented)
    checks.check("ignored files", ignored)
    checks.check("Containerfile", containerfile, overlays[BASE])
    checks.check("image names", image_names, overlays[DEVELOPMENT], overlays[PRODUCTION])
    checks.check("systemd unit", systemd_unit)
    if shutil.which("systemd-analyze"):
        checks.check("systemd-analyze", systemd_analyze, binary)
    else:
        print("not checked: the unit, because systemd-analyze is not installed")
    checks.check("runbooks", runbooks, overlays[PRODUCTION])
    checks.check("alert on memory", memory_alert, overlays[PRODUCTION])
    if tool:
        checks.check("promtool", promtool, tool, overlays[PRODUCTION])
    else:
        print("not checked: the PromQL of alerts and dashboard, because promtool is not installed")
    checks.check("service config", service_config)
    checks.check("audit data", audit_data, binary)
    return overlays


def main():
    parser = argparse.ArgumentParser(description="Checks deploy/ against itself and the program.")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/detente")
    parser.add_argument("--promtool", type=Path, default=shutil.which("promtool"))
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    checks = Checks("manifests")
    overlays = check_files(checks, arguments.promtool, binary)
    if len(overlays) == 3 + len(COMBINATIONS):
        expressions = [alert["expr"] for alert in alerts(overlays[PRODUCTION])] + dashboard_queries()
        running.check_program(checks, binary, overlays, expressions)
    sys.exit(checks.end())


if __name__ == "__main__":
    main()
