//! The deployment files agree with the programs and with each other.
//!
//! `deploy/check.sh` holds them against the schemas of Kubernetes and of Compose; what no schema knows is here: that every
//! setting is one that the programs take, every reference leads somewhere, and no container may do more than it needs.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use renkei_e2e::servers::{Folder, program_path};
use renkei_runtime::config::{Config, Program, Surroundings};
use serde_json::Value;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    serde_saphyr::from_str(&text("compose.yaml")).expect("compose.yaml")
}

/// Every object of the base, as the kustomization lists its files.
fn objects() -> Vec<Value> {
    let [kustomization] = &documents("k8s/base/kustomization.yaml")[..] else { panic!("one kustomization") };
    let files = strings(&kustomization["resources"]);
    files.iter().flat_map(|file| documents(&format!("k8s/base/{file}"))).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("metadata.name")
}

fn strings(list: &Value) -> Vec<String> {
    items(list).iter().map(|item| item.as_str().expect("a text").to_owned()).collect()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn pod(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]
}

fn container(deployment: &Value) -> &Value {
    let [only] = items(&pod(deployment)["containers"]) else { panic!("{}: one container", name(deployment)) };
    only
}

/// Which program a command line starts.
fn program(command: &[String]) -> Program {
    match command.first().map(String::as_str) {
        Some("renkei-ingest") => Program::Ingest,
        Some("renkei-workers") => Program::Workers,
        other => panic!("unknown program {other:?}"),
    }
}

/// What a container is started with, wherever it is declared.
struct Started {
    place: String,
    command: Vec<String>,
    variables: BTreeMap<String, String>,
}

fn kubernetes_containers() -> Vec<Started> {
    let settings = text("k8s/base/renkei.env");
    let settings = settings.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let settings: Vec<(&str, &str)> = settings.map(|line| line.split_once('=').expect("KEY=value")).collect();
    let objects = objects();
    let deployments = of_kind(&objects, "Deployment");
    let started = deployments.iter().map(|deployment| {
        let container = container(deployment);
        let mut variables: BTreeMap<_, _> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        for variable in items(&container["env"]) {
            let value = variable["value"].as_str().expect("a value that stands here");
            variables.insert(variable["name"].as_str().expect("a name").to_owned(), value.to_owned());
        }
        Started { place: name(deployment).to_owned(), command: strings(&container["command"]), variables }
    });
    started.collect()
}

/// The long-running ones, then the one that declares the connection.
fn compose_containers() -> Vec<Started> {
    let compose = compose();
    let started = ["ingest", "workers", "apply"].map(|service| {
        let declared = &compose["services"][service];
        let variables = declared["environment"].as_object().expect("a map");
        let variables = variables.iter().map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned()));
        Started {
            place: format!("compose {service}"),
            command: strings(&declared["command"]),
            variables: variables.collect(),
        }
    });
    started.into()
}

/// Who signed PostgreSQL's certificate, as the kustomization tells to name it in the URL.
const STORE_CA: &str = "/etc/renkei/secrets/store-ca.crt";

/// The secrets, as they would be mounted.
fn mounted_secret(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/etc/renkei/secrets/master-key" | "/run/secrets/master-key") => {
            Ok("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_owned())
        }
        Some("/etc/renkei/secrets/store-url" | "/run/secrets/store-url") => {
            Ok(format!("postgres://renkei:secret@postgres:5432/renkei?sslmode=verify-full&sslrootcert={STORE_CA}\n"))
        }
        Some("/etc/renkei/secrets/kafka-password") => Ok("open sesame\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

fn configuration(started: &Started) -> Config {
    let surroundings = Surroundings {
        variables: started.variables.clone().into_iter().collect(),
        in_container: true,
        read: mounted_secret,
    };
    Config::load(program(&started.command), &surroundings).unwrap_or_else(|error| panic!("{}: {error}", started.place))
}

#[test]
fn what_a_container_is_given_is_a_configuration_that_starts() {
    for started in kubernetes_containers().iter().chain(&compose_containers()) {
        let config = configuration(started);
        assert_eq!(config.internal_listen.to_string(), "0.0.0.0:9090", "{}", started.place);
        assert_eq!(config.listen.to_string(), "0.0.0.0:8080", "{}", started.place);
    }
}

#[test]
fn in_a_cluster_the_brokers_are_reached_inside_tls_with_a_login_unless_plaintext_is_chosen() {
    let settings = text("k8s/base/renkei.env");
    let plaintext = settings.lines().filter_map(|line| line.strip_prefix("#RENKEI_"));
    let plaintext: Vec<_> = plaintext
        .map(|line| line.split_once('=').expect("KEY=value"))
        .map(|(key, value)| (format!("RENKEI_{key}"), value))
        .collect();
    for mut started in kubernetes_containers() {
        let kafka = configuration(&started).kafka;
        assert!(kafka.security_protocol.tls && kafka.sasl.is_some(), "{}", started.place);
        started.variables.extend(plaintext.iter().map(|(key, value)| (key.clone(), (*value).to_owned())));
        let kafka = configuration(&started).kafka;
        assert!(!kafka.security_protocol.tls && kafka.sasl.is_none(), "{}", started.place);
    }
    assert!(text("k8s/base/kustomization.yaml").contains(&format!("sslmode=verify-full&sslrootcert={STORE_CA}")));
}

#[test]
fn the_commands_of_the_containers_exist() {
    let compose = compose();
    let sandbox = &compose["services"]["sandbox"]["command"];
    let sandbox = Started {
        place: "compose sandbox".to_owned(),
        command: [vec!["renkei-sandbox".to_owned()], strings(sandbox)].concat(),
        variables: BTreeMap::new(),
    };
    let send = Started {
        place: "compose send".to_owned(),
        command: strings(&compose["services"]["send"]["entrypoint"]),
        variables: BTreeMap::new(),
    };
    for started in kubernetes_containers().iter().chain(&compose_containers()).chain([&sandbox, &send]) {
        let (program, arguments) = started.command.split_first().expect("a command");
        let path = program_path(program).expect("the program is built");
        let run = Command::new(path).args(arguments).arg("--help").env_clear().output().expect("it can be started");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}: {:?}: {said}", started.place, started.command);
    }
}

#[test]
fn the_connection_of_the_compose_file_can_be_applied() {
    let folder = Folder::new("compose").expect("a folder");
    let secrets = folder.path().to_str().expect("a text");
    std::fs::write(folder.join("webhook-secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("it can be written");
    let declared = text("compose/connections.yaml").replace("/run/secrets", secrets);
    let file = folder.join("connections.yaml");
    std::fs::write(&file, declared).expect("it can be written");

    let [.., apply] = &compose_containers()[..] else { panic!("a container that applies") };
    let run = Command::new(program_path("renkei-ingest").expect("the program is built"))
        .args(["apply", "--dry-run", "--file"])
        .arg(&file)
        .env_clear()
        .envs(apply.variables.iter().filter(|(key, _)| !key.ends_with("_FILE")))
        .env("RENKEI_STORE", format!("sqlite://{secrets}/renkei.db"))
        .env("RENKEI_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .output()
        .expect("it can be started");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("sample-members"), "{said}");
}

#[test]
fn no_secret_stands_in_the_environment_of_a_container() {
    for started in kubernetes_containers().iter().chain(&compose_containers()) {
        for secret in ["RENKEI_MASTER_KEY", "RENKEI_STORE", "RENKEI_KAFKA_SASL_PASSWORD"] {
            assert!(!started.variables.contains_key(secret), "{}: {secret}", started.place);
        }
        for secret in ["RENKEI_MASTER_KEY_FILE", "RENKEI_STORE_FILE"] {
            assert!(started.variables.contains_key(secret), "{}: {secret}", started.place);
        }
    }
}

#[test]
fn a_container_may_do_no_more_than_it_needs() {
    let objects = objects();
    let deployments = of_kind(&objects, "Deployment");
    let names = deployments.iter().map(|object| name(object)).collect::<Vec<_>>();
    assert_eq!(names, ["renkei-ingest", "renkei-workers", "renkei-sweeper"]);
    for deployment in deployments {
        let name = name(deployment);
        let pod = pod(deployment);
        let own = &container(deployment)["securityContext"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        // Kubernetes would add variables that look like settings, such as RENKEI_INGEST_PORT.
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["runAsUser"], 10001, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(own["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(own["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(strings(&own["capabilities"]["drop"]), ["ALL"], "{name}");
        let limits = &container(deployment)["resources"]["limits"];
        assert!(limits["memory"].is_string() && limits["ephemeral-storage"].is_string(), "{name}");
    }
    let [namespace] = of_kind(&objects, "Namespace")[..] else { panic!("one namespace") };
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}

#[test]
fn the_deployments_of_one_program_share_its_roles_and_none_is_left_out() {
    let mut roles = Vec::new();
    for deployment in of_kind(&objects(), "Deployment").into_iter().filter(|object| name(object) != "renkei-ingest") {
        let command = strings(&container(deployment)["command"]);
        let at = command.iter().position(|word| *word == "--roles").expect("roles");
        roles.extend(command[at + 1].split(',').map(str::to_owned));
    }
    roles.sort_unstable();
    let all = renkei_workers::runner::serve::Roles::parse(&roles).expect("known roles");
    assert_eq!(all, renkei_workers::runner::serve::Roles::parse(&[]).expect("all roles"));
    let count = roles.len();
    roles.dedup();
    assert_eq!(roles.len(), count, "a role that two deployments have");
}

#[test]
fn liveness_and_readiness_ask_different_questions_on_the_internal_port() {
    let objects = objects();
    for deployment in of_kind(&objects, "Deployment") {
        let container = container(deployment);
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let get = &container[probe]["httpGet"];
            assert_eq!(
                (&get["path"], &get["port"]),
                (&path.into(), &"internal".into()),
                "{} {probe}",
                name(deployment)
            );
        }
        let internal = items(&container["ports"]).iter().find(|port| port["name"] == "internal").expect("the port");
        assert_eq!(internal["containerPort"], 9090);
    }
}

#[test]
fn a_pod_is_given_the_time_that_its_drain_may_take() {
    let objects = objects();
    let kubernetes = of_kind(&objects, "Deployment").into_iter().map(|deployment| {
        let seconds = |value: &Value| value.as_u64().unwrap_or(0);
        let grace = seconds(&pod(deployment)["terminationGracePeriodSeconds"]);
        grace - seconds(&container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"])
    });
    let compose = compose();
    let composed = ["ingest", "workers"].map(|service| {
        let grace = compose["services"][service]["stop_grace_period"].as_str().expect("a text");
        grace.trim_end_matches('s').parse::<u64>().expect("seconds")
    });
    let started = kubernetes_containers().into_iter().chain(compose_containers());
    for (started, seconds) in started.zip(kubernetes.chain(composed)) {
        let drain = configuration(&started).ingest.drain.as_secs();
        // The flush of what was accepted comes after the drain, and has its own few seconds.
        assert!(seconds >= drain + 10, "{}: {seconds} s for a drain of {drain} s", started.place);
    }
}

#[test]
fn every_service_policy_and_budget_selects_the_pods_of_one_deployment() {
    let objects = objects();
    let labels: BTreeMap<String, &Value> = of_kind(&objects, "Deployment")
        .into_iter()
        .map(|deployment| (name(deployment).to_owned(), &deployment["spec"]["template"]["metadata"]["labels"]))
        .collect();
    let selectors = objects.iter().filter_map(|object| {
        let spec = &object["spec"];
        let selector = match object["kind"].as_str()? {
            "Service" => &spec["selector"],
            // It is for every pod; another test holds what it says.
            "NetworkPolicy" if name(object) == "default-deny" => return None,
            "NetworkPolicy" => &spec["podSelector"]["matchLabels"],
            "PodDisruptionBudget" | "Deployment" => &spec["selector"]["matchLabels"],
            _ => return None,
        };
        Some((object["kind"].as_str().unwrap_or_default(), name(object).to_owned(), selector))
    });
    let mut covered: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (kind, object, selector) in selectors {
        let deployment = object.trim_end_matches("-internal");
        assert_eq!(Some(&selector), labels.get(deployment), "{kind} {object}");
        covered.entry(kind).or_default().insert(deployment.to_owned());
    }
    for kind in ["Service", "NetworkPolicy", "PodDisruptionBudget", "Deployment"] {
        assert_eq!(covered[kind].len(), labels.len(), "{kind}");
    }
}

#[test]
fn what_the_world_reaches_has_no_way_to_the_internal_port() {
    let objects = objects();
    let public = of_kind(&objects, "Service").into_iter().filter(|service| !name(service).ends_with("-internal"));
    let ports: Vec<_> = public.flat_map(|service| items(&service["spec"]["ports"])).collect();
    assert_eq!(ports.iter().map(|port| &port["targetPort"]).collect::<Vec<_>>(), ["http"]);
}

#[test]
fn ingest_calls_nobody_outside_and_workers_listen_to_nobody_outside() {
    let objects = objects();
    let policy = |wanted: &str| {
        let policies = of_kind(&objects, "NetworkPolicy");
        (*policies.iter().find(|policy| name(policy) == wanted).expect("a policy"))["spec"].clone()
    };
    let ports = |rules: &Value| -> BTreeSet<String> {
        let ports = items(rules).iter().flat_map(|rule| items(&rule["ports"]));
        ports.map(|port| port["port"].to_string().trim_matches('"').to_owned()).collect()
    };
    let set = |ports: &[&str]| ports.iter().map(|port| (*port).to_owned()).collect::<BTreeSet<_>>();
    let (ingest, workers) = (policy("renkei-ingest"), policy("renkei-workers"));
    assert_eq!(ports(&ingest["ingress"]), set(&["http", "internal"]));
    assert_eq!(ports(&ingest["egress"]), set(&["53", "9093", "5432"]));
    assert_eq!(ports(&workers["ingress"]), set(&["internal"]));
    assert_eq!(ports(&workers["egress"]), set(&["53", "9093", "5432", "443", "587", "465"]));
    let monitoring = serde_json::json!([
        { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "monitoring" } } }
    ]);
    // Sweeps send no mail.
    let sweeper = policy("renkei-sweeper");
    assert_eq!(ports(&sweeper["ingress"]), set(&["internal"]));
    assert_eq!(ports(&sweeper["egress"]), set(&["53", "9093", "5432", "443"]));
    for spec in [&ingest, &workers, &sweeper] {
        assert_eq!(strings(&spec["policyTypes"]), ["Ingress", "Egress"]);
        let internal = items(&spec["ingress"]).iter().find(|rule| rule["ports"][0]["port"] == "internal");
        assert_eq!(internal.expect("a rule")["from"], monitoring);
    }
    // Whatever else is started in the namespace has no rule, and so nobody to talk to.
    let deny = serde_json::json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    assert_eq!(policy("default-deny"), deny);
}

#[test]
fn what_a_pod_mounts_is_what_its_settings_name() {
    let objects = objects();
    for (deployment, started) in of_kind(&objects, "Deployment").into_iter().zip(kubernetes_containers()) {
        let [mount] = items(&container(deployment)["volumeMounts"]) else { panic!("one mount") };
        let [volume] = items(&pod(deployment)["volumes"]) else { panic!("one volume") };
        assert_eq!(mount["name"], volume["name"]);
        let folder = mount["mountPath"].as_str().expect("a path");
        let sources = items(&volume["projected"]["sources"]).iter();
        let files: BTreeSet<String> = sources
            .flat_map(|source| items(&source["secret"]["items"]))
            .map(|item| format!("{folder}/{}", item["path"].as_str().expect("a path")))
            .collect();
        let is_path = |key: &str| key.ends_with("_FILE") || key.ends_with("_LOCATION");
        let named = started.variables.iter().filter(|(key, _)| is_path(key)).map(|(_, path)| path.clone());
        assert_eq!(named.chain([STORE_CA.to_owned()]).collect::<BTreeSet<_>>(), files, "{}", started.place);
    }
}

#[test]
fn every_reference_of_the_compose_file_leads_somewhere() {
    let compose = compose();
    let keys =
        |map: &Value| map.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>()).unwrap_or_default();
    let [services, secrets, volumes, configs] =
        ["services", "secrets", "volumes", "configs"].map(|kind| keys(&compose[kind]));
    assert_eq!(
        services,
        ["apply", "ingest", "kafka", "postgres", "sandbox", "send", "workers"].map(str::to_owned).into()
    );
    for service in &services {
        let declared = &compose["services"][service];
        assert!(keys(&declared["depends_on"]).is_subset(&services), "{service} depends on what is not there");
        for secret in strings(&declared["secrets"]) {
            assert!(secrets.contains(&secret), "{service}: secret {secret}");
        }
        for volume in strings(&declared["volumes"]) {
            let volume = volume.split(':').next().unwrap_or_default().to_owned();
            assert!(volumes.contains(&volume), "{service}: volume {volume}");
        }
        for config in items(&declared["configs"]) {
            assert!(configs.contains(config["source"].as_str().expect("a name")), "{service}: {config}");
        }
        // Nothing of a trial on one machine is open to its network.
        for port in strings(&declared["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{service}: port {port}");
        }
    }
    for config in &configs {
        let file = compose["configs"][config]["file"].as_str().expect("a file");
        assert!(deploy().join(file).is_file(), "{file}");
    }
    let made = text("build/compose_secrets.sh");
    for secret in &secrets {
        assert!(made.contains(&format!("write {secret}\n")), "nothing makes secrets/{secret}");
    }
}

#[test]
fn the_image_holds_the_programs_and_runs_as_nobody_in_particular() {
    let dockerfile = text("Dockerfile");
    let stages: Vec<&str> = dockerfile.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(
        stages,
        [
            "FROM ${BUILD_IMAGE} AS sources",
            "FROM sources AS build",
            "FROM sources AS build-sandbox",
            "FROM ${RUNTIME_IMAGE} AS runtime",
            "FROM runtime AS sandbox",
            "FROM runtime AS renkei",
        ]
    );
    let runtime = dockerfile.split("FROM ").find(|stage| stage.contains("AS runtime")).expect("the stage");
    assert!(runtime.contains("\nUSER 10001:10001\n"));
    let last = dockerfile.rsplit("FROM ").next().expect("the last stage");
    assert!(last.contains("/programs/renkei-ingest /programs/renkei-workers"));
    let targets = ["sandbox", "ingest", "workers"].map(|service| compose()["services"][service]["build"].clone());
    for build in targets {
        let target = build["target"].as_str().expect("a target");
        assert!(stages.iter().any(|stage| stage.ends_with(&format!("AS {target}"))), "{target}");
    }
}
