//! Configuration: layers, every bad value, and what a message may say.

#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::time::Duration;

use renkei_runtime::config::{
    Config, ConfigError, DEFAULTS, KEYS, LogChoice, LogFormat, Program, SmtpTls, StoreUrl, Surroundings,
    is_mail_address,
};
use secrecy::ExposeSecret as _;

/// base64 of 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Files of the tests.
fn read(path: &Path) -> io::Result<String> {
    let text = match path.to_str().unwrap() {
        "/secrets/master" => format!("{KEY}\n"),
        "/secrets/password" => "pass word\r\n".to_owned(),
        "/secrets/store" => "postgres://renkei:hunter2@db:5432/renkei\n".to_owned(),
        "/etc/good.toml" => format!(
            "listen = \"127.0.0.1:9999\"\nmaster_key = \"{KEY}\"\nallow_private_base_urls = [\"127.0.0.0/8\", \"sandbox\"]\n\
             [workers]\nbatch_size = 17\nwake_hints = false\nroles = [\"deliver\", \"consume\"]\n"
        ),
        "/etc/by_file.toml" => "master_key_file = \"/secrets/master\"\n".to_owned(),
        "/etc/unknown.toml" => "listn = \"127.0.0.1:1\"\n".to_owned(),
        "/etc/unknown_inner.toml" => "[kafka]\nclient = \"x\"\n".to_owned(),
        "/etc/section_as_key.toml" => "kafka = 3\n".to_owned(),
        "/etc/broken.toml" => "listen = \"127.0.0.1:1\"\n\nlog = = 3\n".to_owned(),
        "/etc/wrong_type.toml" => format!("master_key = \"{KEY}\"\nlisten = 8080\n"),
        "/etc/open_quote.toml" => "master_key = \"hunter2\n".to_owned(),
        "/etc/no_quotes.toml" => "store = postgres://renkei:hunter2@db/renkei\n".to_owned(),
        "/etc/secret_as_section.toml" => "[master_key]\nhunter2 = \"hunter2\"\n".to_owned(),
        "/etc/login.toml" => format!("master_key = \"{KEY}\"\nlog = \"kafka://renkei:hunter2@db:9092\"\n"),
        "/secrets/short" => "hunter2\n".to_owned(),
        "/secrets/bad_store" => "mysql://renkei:hunter2@db/renkei\n".to_owned(),
        "/etc/wrong_secret_type.toml" => "master_key = 12345678\n".to_owned(),
        _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Ok(text)
}

fn surroundings(variables: &[(&str, &str)], in_container: bool) -> Surroundings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Surroundings { variables, in_container, read }
}

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(Program::Ingest, &surroundings(variables, false))
}

/// With the one key that has no default.
fn load_with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut all = vec![("RENKEI_MASTER_KEY", KEY)];
    all.extend_from_slice(variables);
    load(&all)
}

#[test]
fn the_default_file_documents_every_key_and_no_other() {
    let mut section = String::new();
    let mut documented = Vec::new();
    let mut commented = false;
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            documented.push(format!("{section}{name}"));
            let secret = KEYS.iter().any(|key| key.path == format!("{section}{name}") && key.secret);
            assert!(commented || section == "kafka." || section == "ingest.", "{name} has a comment");
            if secret {
                assert!(DEFAULTS.contains("(secret"), "{name}");
            }
        }
        commented = line.starts_with('#') || (commented && !line.is_empty());
    }
    let mut known: Vec<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn with_a_master_key_alone_everything_has_a_default() {
    let config = load_with(&[]).unwrap();
    assert!(matches!(&config.store, StoreUrl::Sqlite(path) if path == Path::new("var/renkei.db")));
    assert_eq!(config.log, LogChoice::Embedded);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.internal_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.outside.kaonavi_base_url.as_str(), "https://api.kaonavi.jp/api/v2.0");
    assert_eq!(config.clock_scale, 1);
    assert_eq!(config.telemetry.format, LogFormat::Json);
    assert_eq!((config.ingest.rate_per_second, config.ingest.rate_burst), (100, 200));
    assert_eq!((config.ingest.tolerance_past_seconds, config.ingest.tolerance_future_seconds), (300, 60));
    assert_eq!(config.ingest.drain, Duration::from_secs(30));
    assert_eq!((config.workers.lease_ttl, config.workers.batch_size), (Duration::from_secs(10), 200));
    assert!(config.workers.wake_hints && config.workers.roles.is_empty());
    assert_eq!((config.kafka.partitions, config.kafka.replication_factor), (6, None));
    assert_eq!(config.kafka.compression, "lz4");
    assert!(config.mail.smtp.is_none() && config.mail.fallback_to.is_empty() && config.public_url.is_none());
}

#[test]
fn a_mail_server_has_the_port_of_its_protection_and_a_password_from_a_file() {
    let mail = |host: &str, more: &[(&str, &str)]| {
        let mut all = vec![("RENKEI_MAIL_SMTP_HOST", host), ("RENKEI_MAIL_FROM", "Renkei <renkei@example.jp>")];
        all.extend_from_slice(more);
        load_with(&all).unwrap().mail
    };
    for (tls, port, expected) in
        [("starttls", 587, SmtpTls::StartTls), ("tls", 465, SmtpTls::Implicit), ("none", 25, SmtpTls::None)]
    {
        let smtp = mail("mail.example.jp", &[("RENKEI_MAIL_SMTP_TLS", tls)]).smtp.unwrap();
        assert_eq!((smtp.port, smtp.tls), (port, expected));
        assert!(smtp.login.is_none() && smtp.from == "Renkei <renkei@example.jp>" && smtp.host == "mail.example.jp");
    }
    let mail = mail(
        "[::1]:2525",
        &[
            ("RENKEI_MAIL_SMTP_USER", "renkei"),
            ("RENKEI_MAIL_SMTP_PASSWORD_FILE", "/secrets/password"),
            ("RENKEI_MAIL_FALLBACK_TO", "jinji@example.jp, soumu@example.jp"),
        ],
    );
    assert_eq!(mail.fallback_to, ["jinji@example.jp", "soumu@example.jp"]);
    let smtp = mail.smtp.unwrap();
    let (user, password) = smtp.login.as_ref().unwrap();
    assert!(smtp.is_loopback() && smtp.host == "::1");
    assert_eq!((smtp.port, user.as_str(), password.expose_secret()), (2525, "renkei", "pass word"));
    assert!(!format!("{smtp:?}").contains("pass word"), "i8");
    let local = load_with(&[("RENKEI_PUBLIC_URL", "http://10.0.0.7:8080/")]).unwrap();
    assert_eq!(local.public_url.as_deref(), Some("http://10.0.0.7:8080"));
}

#[test]
fn what_can_be_an_address_of_a_mailbox() {
    for good in ["jinji@example.co.jp", "a.b+c@x-y.example", "root@localhost", "o'neill@example.com"] {
        assert!(is_mail_address(good), "{good}");
    }
    for bad in [
        "",
        "@",
        "a@",
        "@b.c",
        "a@b",
        "a b@c.d",
        "a@b@c.d",
        "人事@example.jp",
        "a@例え.jp",
        "a@b..c",
        ".a@b.c",
        "A <a@b.c>",
        "a@b.c\r\nBcc: d@e.f",
        "a,b@c.d",
    ] {
        assert!(!is_mail_address(bad), "{bad}");
    }
}

#[test]
fn ports_depend_on_the_program_and_on_being_in_a_container() {
    let key = [("RENKEI_MASTER_KEY", KEY)];
    let cases = [
        (Program::Ingest, false, "127.0.0.1:8080", "127.0.0.1:9090"),
        (Program::Workers, false, "127.0.0.1:8080", "127.0.0.1:9091"),
        (Program::Ingest, true, "0.0.0.0:8080", "0.0.0.0:9090"),
        (Program::Workers, true, "0.0.0.0:8080", "0.0.0.0:9091"),
    ];
    for (program, in_container, listen, internal) in cases {
        let config = Config::load(program, &surroundings(&key, in_container)).unwrap();
        assert_eq!((config.listen.to_string(), config.internal_listen.to_string()), (listen.into(), internal.into()));
    }
    let given = [("RENKEI_MASTER_KEY", KEY), ("RENKEI_LISTEN", "127.0.0.1:1")];
    let config = Config::load(Program::Ingest, &surroundings(&given, true)).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:1");
}

#[test]
fn the_file_lies_over_the_defaults_and_the_environment_over_the_file() {
    let file = [("RENKEI_CONFIG", "/etc/good.toml")];
    let config = load(&file).unwrap();
    assert_eq!(config.listen.port(), 9999);
    assert_eq!(config.workers.batch_size, 17);
    assert_eq!(config.workers.lease_ttl, Duration::from_secs(10), "a section of the file leaves its other keys alone");
    assert!(!config.workers.wake_hints);
    assert_eq!(config.workers.roles, ["deliver", "consume"]);

    let both = [file[0], ("RENKEI_WORKERS_BATCH_SIZE", "18"), ("RENKEI_WORKERS_ROLES", "sweep, notify,")];
    let config = load(&both).unwrap();
    assert_eq!(config.workers.batch_size, 18);
    assert_eq!(config.workers.roles, ["sweep", "notify"]);
    assert_eq!(config.listen.port(), 9999);
}

#[test]
fn an_empty_variable_counts_as_not_given() {
    let config =
        load(&[("RENKEI_CONFIG", "/etc/good.toml"), ("RENKEI_LISTEN", ""), ("RENKEI_CLOCK_SCALE", "")]).unwrap();
    assert_eq!(config.listen.port(), 9999);
}

#[test]
fn secrets_can_be_files() {
    let config = load(&[("RENKEI_MASTER_KEY_FILE", "/secrets/master")]).unwrap();
    assert_eq!(config.master_key.current.expose_secret(), KEY);
    let config = load(&[("RENKEI_CONFIG", "/etc/by_file.toml")]).unwrap();
    assert_eq!(config.master_key.current.expose_secret(), KEY);
    let config = load_with(&[
        ("RENKEI_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("RENKEI_KAFKA_SASL_USERNAME", "renkei"),
        ("RENKEI_KAFKA_SASL_PASSWORD_FILE", "/secrets/password"),
        ("RENKEI_STORE_FILE", "/secrets/store"),
        ("RENKEI_MASTER_KEY_PREVIOUS", KEY),
    ])
    .unwrap();
    let (user, password) = config.kafka.sasl.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("renkei", "pass word"));
    assert_eq!(config.store.expose().expose_secret(), "postgres://renkei:hunter2@db:5432/renkei");
    assert!(config.master_key.previous.is_some());
}

#[test]
fn i8_no_secret_is_in_debug_output() {
    let config = load_with(&[
        ("RENKEI_STORE", "postgres://renkei:hunter2@db/renkei"),
        ("RENKEI_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("RENKEI_KAFKA_SASL_USERNAME", "renkei"),
        ("RENKEI_KAFKA_SASL_PASSWORD", "open sesame"),
        ("RENKEI_MASTER_KEY_PREVIOUS", KEY),
    ]);
    let shown = format!("{:?}", config.unwrap());
    for secret in ["hunter2", "sesame", KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn variables_that_kubernetes_adds_for_services_are_passed_over() {
    let links = [
        ("RENKEI_INGEST_SERVICE_HOST", "10.0.0.1"),
        ("RENKEI_INGEST_SERVICE_PORT", "8080"),
        ("RENKEI_INGEST_SERVICE_PORT_HTTP", "8080"),
        ("RENKEI_INGEST_PORT", "tcp://10.0.0.1:8080"),
        ("RENKEI_INGEST_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("RENKEI_INGEST_PORT_8080_TCP_PROTO", "tcp"),
        ("RENKEI_INGEST_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("HOME", "/root"),
    ];
    assert!(load_with(&links).is_ok());
}

/// Variables, and what the one line about them must say.
type BadSetting = (&'static [(&'static str, &'static str)], &'static [&'static str]);

/// Each bad setting with what its one line must say.
#[test]
fn every_bad_setting_is_one_line_with_key_value_and_reason() {
    let cases: &[BadSetting] = &[
        (&[("RENKEI_LISTN", "127.0.0.1:1")], &["RENKEI_LISTN", "unknown key"]),
        (&[("RENKEI_INGEST_PORTS", "1")], &["RENKEI_INGEST_PORTS", "unknown key"]),
        (&[("RENKEI_LISTEN_FILE", "/secrets/x")], &["RENKEI_LISTEN_FILE", "unknown key"]),
        (&[("RENKEI_LISTEN", "8080")], &["RENKEI_LISTEN", "\"8080\"", "127.0.0.1:8080"]),
        (&[("RENKEI_LISTEN", "a\nb")], &["RENKEI_LISTEN", "\"a\\nb\"", "an address"]),
        (&[("RENKEI_INTERNAL_LISTEN", "localhost:1")], &["RENKEI_INTERNAL_LISTEN", "\"localhost:1\""]),
        (&[("RENKEI_CONFIG", "/etc/none.toml")], &["RENKEI_CONFIG", "/etc/none.toml", "can not be read"]),
        (&[("RENKEI_CONFIG", "/etc/unknown.toml")], &["listn in /etc/unknown.toml", "unknown key"]),
        (&[("RENKEI_CONFIG", "/etc/unknown_inner.toml")], &["kafka.client in /etc/unknown_inner.toml", "unknown key"]),
        (&[("RENKEI_CONFIG", "/etc/section_as_key.toml")], &["kafka in /etc/section_as_key.toml", "is a section"]),
        (&[("RENKEI_CONFIG", "/etc/broken.toml")], &["/etc/broken.toml", "line 3"]),
        (
            &[("RENKEI_CONFIG", "/etc/wrong_type.toml")],
            &["listen in /etc/wrong_type.toml", "\"8080\"", "text in quotes"],
        ),
        (&[("RENKEI_STORE_FILE", "/secrets/none")], &["RENKEI_STORE_FILE", "/secrets/none", "can not be read"]),
        (&[("RENKEI_STORE", "mysql://x")], &["RENKEI_STORE", "sqlite:// or postgres://"]),
        (&[("RENKEI_STORE", "sqlite://")], &["RENKEI_STORE", "must name a file"]),
        (&[("RENKEI_STORE", "sqlite://:memory:")], &["RENKEI_STORE", "must name a file"]),
        (&[("RENKEI_STORE", "postgres://")], &["RENKEI_STORE", "host"]),
        (&[("RENKEI_LOG", "kafka://")], &["RENKEI_LOG", "\"kafka://\"", "kafka://host:9092"]),
        (&[("RENKEI_LOG", "redis")], &["RENKEI_LOG", "\"redis\"", "embedded"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "api.kaonavi.jp")], &["RENKEI_KAONAVI_BASE_URL", "not a URL"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "ftp://a.example")], &["RENKEI_KAONAVI_BASE_URL", "https://"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "http://a.example")], &["RENKEI_KAONAVI_BASE_URL", "must be https://"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "https://u:p@a.example")], &["RENKEI_KAONAVI_BASE_URL", "user or a password"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "https://a.example/?x=1")], &["RENKEI_KAONAVI_BASE_URL", "query"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "https://169.254.169.254")], &["RENKEI_KAONAVI_BASE_URL", "private address"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "http://127.0.0.1:1")], &["RENKEI_KAONAVI_BASE_URL", "allow_private_base_urls"]),
        (&[("RENKEI_KAONAVI_BASE_URL", "https://[::ffff:10.0.0.1]")], &["RENKEI_KAONAVI_BASE_URL", "private address"]),
        (&[("RENKEI_ALLOW_PRIVATE_BASE_URLS", "10.0.0.0/33")], &["RENKEI_ALLOW_PRIVATE_BASE_URLS", "10.0.0.0/33"]),
        (&[("RENKEI_ALLOW_PRIVATE_BASE_URLS", "10.0.0")], &["RENKEI_ALLOW_PRIVATE_BASE_URLS", "neither a network"]),
        (&[("RENKEI_CLOCK_SCALE", "0")], &["RENKEI_CLOCK_SCALE", "\"0\"", "from 1 to"]),
        (&[("RENKEI_CLOCK_SCALE", "fast")], &["RENKEI_CLOCK_SCALE", "\"fast\"", "whole number"]),
        (&[("RENKEI_CLOCK_SCALE", "60")], &["RENKEI_CLOCK_SCALE", "\"60\"", "on this machine", "api.kaonavi.jp"]),
        (&[("RENKEI_LOG_FORMAT", "xml")], &["RENKEI_LOG_FORMAT", "\"xml\"", "\"json\", \"text\""]),
        (&[("RENKEI_LOG_FILTER", "a=b=c")], &["RENKEI_LOG_FILTER", "not a filter"]),
        (&[("RENKEI_WORKERS_WAKE_HINTS", "yes")], &["RENKEI_WORKERS_WAKE_HINTS", "\"yes\"", "true or false"]),
        (&[("RENKEI_WORKERS_BATCH_SIZE", "1001")], &["RENKEI_WORKERS_BATCH_SIZE", "\"1001\"", "from 1 to 1000"]),
        (&[("RENKEI_WORKERS_BATCH_SIZE", "-1")], &["RENKEI_WORKERS_BATCH_SIZE", "\"-1\""]),
        (&[("RENKEI_KAFKA_SECURITY_PROTOCOL", "tls")], &["RENKEI_KAFKA_SECURITY_PROTOCOL", "\"tls\"", "\"sasl_ssl\""]),
        (&[("RENKEI_KAFKA_SECURITY_PROTOCOL", "sasl_ssl")], &["RENKEI_KAFKA_SASL_USERNAME", "sasl_ssl needs it"]),
        (&[("RENKEI_KAFKA_SASL_PASSWORD", "geheim")], &["RENKEI_KAFKA_SECURITY_PROTOCOL", "a login is given"]),
        (&[("RENKEI_KAFKA_SASL_MECHANISM", "GSSAPI")], &["RENKEI_KAFKA_SASL_MECHANISM", "\"GSSAPI\"", "SCRAM-SHA-512"]),
        (
            &[("RENKEI_KAFKA_SSL_KEY_LOCATION", "/k")],
            &["RENKEI_KAFKA_SSL_CERTIFICATE_LOCATION", "needs its certificate"],
        ),
        (&[("RENKEI_KAFKA_PARTITIONS", "0")], &["RENKEI_KAFKA_PARTITIONS", "\"0\"", "from 1"]),
        (&[("RENKEI_KAFKA_COMPRESSION", "gzip")], &["RENKEI_KAFKA_COMPRESSION", "\"gzip\"", "\"lz4\", \"none\""]),
        (&[("RENKEI_INGEST_RATE_BURST", "0")], &["RENKEI_INGEST_RATE_BURST", "\"0\""]),
        (&[("RENKEI_MAIL_SMTP_HOST", "m.example")], &["RENKEI_MAIL_FROM", "is missing"]),
        (&[("RENKEI_MAIL_SMTP_HOST", "m.example:25")], &["RENKEI_MAIL_FROM", "is missing"]),
        (
            &[("RENKEI_MAIL_SMTP_HOST", "smtp://m.example"), ("RENKEI_MAIL_FROM", "a@b.c")],
            &["RENKEI_MAIL_SMTP_HOST", "with or without a port"],
        ),
        (&[("RENKEI_MAIL_FROM", "Renkei")], &["RENKEI_MAIL_FROM", "\"Renkei\"", "must be an address"]),
        (&[("RENKEI_MAIL_SMTP_TLS", "ssl")], &["RENKEI_MAIL_SMTP_TLS", "\"ssl\"", "\"starttls\""]),
        (
            &[("RENKEI_MAIL_SMTP_HOST", "m.example:70000")],
            &["RENKEI_MAIL_SMTP_HOST", "70000", "with or without a port"],
        ),
        (&[("RENKEI_MAIL_SMTP_HOST", "::1")], &["RENKEI_MAIL_SMTP_HOST", "\"::1\"", "with or without a port"]),
        (&[("RENKEI_MAIL_FALLBACK_TO", "a@b.c,jinji")], &["RENKEI_MAIL_FALLBACK_TO", "must be addresses"]),
        (
            &[("RENKEI_MAIL_SMTP_HOST", "m.example"), ("RENKEI_MAIL_FROM", "a@b.c"), ("RENKEI_MAIL_SMTP_USER", "u")],
            &["RENKEI_MAIL_SMTP_PASSWORD", "is missing"],
        ),
        (
            &[
                ("RENKEI_MAIL_SMTP_HOST", "m.example"),
                ("RENKEI_MAIL_FROM", "a@b.c"),
                ("RENKEI_MAIL_SMTP_USER", "u"),
                ("RENKEI_MAIL_SMTP_PASSWORD", "geheim"),
                ("RENKEI_MAIL_SMTP_TLS", "none"),
            ],
            &["RENKEI_MAIL_SMTP_TLS", "plain text"],
        ),
        (&[("RENKEI_PUBLIC_URL", "renkei.example.jp")], &["RENKEI_PUBLIC_URL", "is not a URL"]),
        (&[("RENKEI_PUBLIC_URL", "https://renkei.example.jp/?a=b")], &["RENKEI_PUBLIC_URL", "a query"]),
    ];
    for (variables, expected) in cases {
        let error = load_with(variables).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error:?}");
        for part in *expected {
            assert!(error.contains(part), "{variables:?} says {error:?}, not {part:?}");
        }
    }
}

#[test]
fn i8_a_bad_secret_is_never_shown() {
    let missing = load(&[]).unwrap_err().to_string();
    assert!(missing.contains("RENKEI_MASTER_KEY") && missing.contains("openssl rand -base64 32"), "{missing}");
    let short = "c2hvcnQtc2VjcmV0";
    let cases: &[&[(&str, &str)]] = &[
        &[("RENKEI_MASTER_KEY", short)],
        &[("RENKEI_MASTER_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")],
        &[("RENKEI_MASTER_KEY", KEY), ("RENKEI_MASTER_KEY_PREVIOUS", short)],
        &[("RENKEI_MASTER_KEY", KEY), ("RENKEI_STORE", "postgre://renkei:hunter2@db/renkei")],
        &[("RENKEI_CONFIG", "/etc/wrong_secret_type.toml")],
    ];
    for variables in cases {
        let error = load(variables).unwrap_err();
        assert_eq!(error.value, None, "{error}");
        let error = error.to_string();
        for secret in [short, "MDEy", "hunter2", "12345678"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
}

/// A login in a URL, and what a `_FILE` names, whichever key it was given for.
#[test]
fn i8_no_login_of_a_url_and_no_content_of_a_file_is_in_an_error() {
    let key = ("RENKEI_MASTER_KEY", KEY);
    let cases: &[&[(&str, &str)]] = &[
        &[key, ("RENKEI_LOG", "kafka://renkei:hunter2@broker:9092")],
        &[key, ("RENKEI_LOG", "kafka://broker:9092,renkei:hunter2@other:9092")],
        &[key, ("RENKEI_LOG", "renkei:hunter2@broker:9092")],
        &[key, ("RENKEI_LOG", "redis://renkei:hunter2@db")],
        &[key, ("RENKEI_LOG", "postgres://db/renkei?password=hunter2")],
        &[key, ("RENKEI_LISTEN", "http://renkei:hunter2@db")],
        &[key, ("RENKEI_KAONAVI_BASE_URL", "https://renkei:hunter2@a.example")],
        &[key, ("RENKEI_KAONAVI_BASE_URL", "ftp://renkei:hun@ter2@a.example")],
        &[key, ("RENKEI_KAONAVI_BASE_URL", "https://a.example/?token=hunter2")],
        &[key, ("RENKEI_KAONAVI_BASE_URL", "https://a.example/#hunter2")],
        &[key, ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "10.0.0.0/8,https://renkei:hunter2@a.example")],
        &[key, ("RENKEI_LOG_FILTER", "a=b=https://renkei:hunter2@a.example")],
        &[key, ("RENKEI_CONFIG", "https://renkei:hunter2@a.example/renkei.toml")],
        &[key, ("RENKEI_STORE", "mysql://renkei:hunter2@db/renkei")],
        &[key, ("RENKEI_STORE", "postgres://renkei:hunter2#x@db/renkei")],
        &[key, ("RENKEI_STORE", "postgres://renkei:1234#hunter2@db/renkei")],
        &[key, ("RENKEI_STORE", "postgres://renkei:1234?hunter2@db/renkei")],
        &[key, ("RENKEI_STORE", "postgres://renkei:1234/hunter2@db/renkei")],
        &[key, ("RENKEI_STORE", "postgres://db/renkei?user=renkei&password=hunter2")],
        &[key, ("RENKEI_STORE", "postgres://db/renkei?sslmode=hunter2")],
        &[key, ("RENKEI_STORE_FILE", "postgres://renkei:hunter2@db/renkei")],
        &[key, ("RENKEI_STORE_FILE", "/secrets/bad_store")],
        &[key, ("RENKEI_KAFKA_SASL_PASSWORD_FILE", "hunter2")],
        &[("RENKEI_MASTER_KEY_FILE", KEY)],
        &[("RENKEI_MASTER_KEY_FILE", "/DEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")],
        &[("RENKEI_MASTER_KEY_FILE", "/secrets/short")],
        &[("RENKEI_CONFIG", "/etc/open_quote.toml")],
        &[("RENKEI_CONFIG", "/etc/no_quotes.toml")],
        &[("RENKEI_CONFIG", "/etc/secret_as_section.toml")],
        &[("RENKEI_CONFIG", "/etc/login.toml")],
    ];
    for variables in cases {
        let error = load(variables).unwrap_err();
        for told in [error.to_string(), format!("{error:?}")] {
            for secret in ["hunter2", "hun@", "ter2", "1234", "DEyMz", "token=h"] {
                assert!(!told.contains(secret), "{variables:?} says {told}");
            }
        }
    }
    let told = load_with(&[("RENKEI_LOG", "kafka://renkei:hunter2@broker:9092")]).unwrap_err().to_string();
    assert!(told.contains("kafka://…@broker:9092") && told.contains("RENKEI_KAFKA_SASL_USERNAME"), "{told}");
}

#[test]
fn a_secret_by_text_and_by_file_is_refused() {
    let error = load_with(&[("RENKEI_MASTER_KEY_FILE", "/secrets/master")]).unwrap_err().to_string();
    assert!(error.contains("RENKEI_MASTER_KEY_FILE") && error.contains("keep one of them"), "{error}");
}

#[test]
fn a_faster_clock_needs_every_outside_url_on_this_machine() {
    let fast = |url| {
        load_with(&[
            ("RENKEI_CLOCK_SCALE", "60"),
            ("RENKEI_KAONAVI_BASE_URL", url),
            ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "127.0.0.0/8,::1,10.0.0.0/8,localhost,sandbox"),
        ])
    };
    for url in ["http://127.0.0.1:9000/api", "http://[::1]:9000", "http://localhost:9000", "http://127.9.9.9/"] {
        assert_eq!(fast(url).unwrap().clock_scale, 60, "{url}");
    }
    for url in
        ["http://10.0.0.1:9000", "http://sandbox:9000", "https://api.kaonavi.jp/api/v2.0", "https://localhost.example"]
    {
        assert!(fast(url).is_err(), "{url}");
    }
}

#[test]
fn a_base_url_has_no_slash_at_its_end() {
    let config = load_with(&[("RENKEI_KAONAVI_BASE_URL", "https://api.example.jp/v2//")]).unwrap();
    assert_eq!(config.outside.kaonavi_base_url.as_str(), "https://api.example.jp/v2");
}

#[test]
fn a_misspelt_sslmode_does_not_leave_the_connection_unchecked() {
    let store = |query: &str| load_with(&[("RENKEI_STORE", &format!("postgres://renkei:hunter2@db/renkei{query}"))]);
    for query in ["", "?sslmode=verify-full", "?sslmode=require&sslrootcert=/etc/ca.pem&application_name=renkei"] {
        assert!(store(query).is_ok(), "{query}");
    }
    for query in ["?sslmod=verify-full", "?sslmode=verify_full", "?sslmode=", "?SSLMODE=verify-full", "?x=1"] {
        let told = store(query).unwrap_err().to_string();
        assert!(told.contains("RENKEI_STORE") && told.contains("sslmode"), "{query}: {told}");
    }
}
