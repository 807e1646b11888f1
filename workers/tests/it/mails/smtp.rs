//! Through a real mail server: Exim, with each kind of TLS and login.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use renkei_e2e::servers::Exim;
use renkei_e2e::servers::exim::{Offers, PASSWORD, USER};
use renkei_events::codes::Code;
use renkei_runtime::config::{SmtpConfig, SmtpTls};
use renkei_store::outbox;
use renkei_workers::clients::smtp::SmtpMailer;
use renkei_workers::notify::Post;
use secrecy::SecretString;

use super::steps::{MINUTE, Stage, with_people};

const ARRIVES: Duration = Duration::from_secs(20);

async fn exim() -> Exim {
    offering(Offers::StartTls).await
}

async fn offering(offers: Offers) -> Exim {
    tokio::task::spawn_blocking(move || Exim::offering(offers)).await.unwrap().expect("exim starts")
}

async fn arrived(server: &Arc<Exim>, count: usize) -> Vec<String> {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || server.wait_for(count, ARRIVES)).await.unwrap()
}

fn config(server: &Exim, password: &str) -> SmtpConfig {
    SmtpConfig {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: SmtpTls::StartTls,
        ca_location: Some(server.authority()),
        login: Some((USER.to_owned(), SecretString::from(password.to_owned()))),
        from: "Renkei <renkei@example.jp>".to_owned(),
    }
}

fn post(config: &SmtpConfig) -> Post {
    let mailer = SmtpMailer::new(config).unwrap();
    let domain = mailer.domain().to_owned();
    Post::new(Some(Arc::new(mailer)), domain, Vec::new(), Some("https://renkei.example.jp".to_owned()))
}

/// A person who is parked, and people who want to know.
async fn stage(config: &SmtpConfig, to: &[&str]) -> Stage {
    let mut stage = with_people(1).await;
    let to: Vec<String> = to.iter().map(|address| (*address).to_owned()).collect();
    stage.settings(|settings| settings.recipients = to).await;
    stage.post = post(config);
    stage.park(0, Code::KaonaviRejected).await;
    stage
}

/// The one mail that somebody gets through a server.
async fn the_mail(server: &Arc<Exim>, config: &SmtpConfig) -> String {
    let stage = stage(config, &["hr@example.jp"]).await;
    stage.tell_for(2 * MINUTE).await;
    let mails = arrived(server, 1).await;
    assert_eq!(counts(&stage).await, [("sent".to_owned(), 1)]);
    let [mail] = mails.try_into().unwrap_or_else(|mails| panic!("{mails:?}: {}", server.log()));
    mail
}

async fn counts(stage: &Stage) -> Vec<(String, i64)> {
    outbox::counts(&stage.world.store.db).await.unwrap()
}

/// The headers of a mail, unfolded.
fn headers(mail: &str) -> String {
    let head = mail.split("\n\n").next().unwrap();
    head.replace("\n ", " ").replace("\n\t", " ")
}

fn envelope_to(head: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix("Envelope-to: ")).map(str::to_owned)
}

/// The parts of a mail with their type, decoded.
fn parts(mail: &str) -> Vec<(String, String)> {
    let head = headers(mail);
    let boundary = head.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let line = format!("--{boundary}");
    let pieces = mail.split(&line).skip(1).filter(|piece| !piece.starts_with("--"));
    pieces
        .map(|piece| {
            let (head, body) = piece.trim_start().split_once("\n\n").unwrap();
            let head = head.to_ascii_lowercase();
            let kind = if head.contains("text/html") { "text/html" } else { "text/plain" };
            let body = if head.contains("base64") {
                STANDARD.decode(body.replace(['\n', '\r'], "")).unwrap()
            } else if head.contains("quoted-printable") {
                unquoted(body)
            } else {
                body.as_bytes().to_vec()
            };
            (kind.to_owned(), String::from_utf8(body).unwrap())
        })
        .collect()
}

fn unquoted(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "").replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' && tail.len() >= 2 {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

#[tokio::test]
async fn i11_a_parked_person_becomes_a_mail_in_the_mailbox() {
    let server = Arc::new(exim().await);
    let stage = stage(&config(&server, PASSWORD), &["hr@example.jp", "hr2@example.jp"]).await;
    stage.tell_for(2 * MINUTE).await;
    let mails = arrived(&server, 2).await;
    let mut to: Vec<String> = mails.iter().map(|mail| headers(mail)).filter_map(|head| envelope_to(&head)).collect();
    to.sort();
    assert_eq!(to, ["hr2@example.jp", "hr@example.jp"], "one for each: {}", server.log());
    let mail = &mails[0];
    let head = headers(mail);
    let line =
        |name: &str| head.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {head}"));
    for address in ["hr@example.jp", "hr2@example.jp"] {
        assert!(line("To:").contains(address), "{head}");
    }
    assert!(line("Message-ID:").contains("<renkei-") && line("Message-ID:").ends_with("-1@example.jp>"), "{head}");
    assert!(line("From:").contains("renkei@example.jp") && line("Date:").len() > 20, "{head}");
    assert!(line("Subject:").contains("=?utf-8?"), "{head}");
    assert!(head.contains("TLS1.") && head.contains("Auto-Submitted: auto-generated"), "{head}");
    let parts = parts(mail);
    let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    for (kind, body) in &parts {
        for wanted in ["E00001", "kaonavi.rejected", Code::KaonaviRejected.title_ja(), "していただきたいこと"]
        {
            assert!(body.contains(wanted), "{kind}: {wanted} in {body}");
        }
        assert!(!body.contains("髙橋") && !body.contains("花子"), "i8: {kind} names nobody: {body}");
    }
    assert_eq!(counts(&stage).await, [("sent".to_owned(), 1)]);
}

#[tokio::test]
async fn i11_a_wrong_password_loses_no_mail() {
    let server = Arc::new(exim().await);
    let mut stage = stage(&config(&server, "wrong"), &["hr@example.jp"]).await;
    stage.tell_for(10 * MINUTE).await;
    assert_eq!(counts(&stage).await, [("waiting".to_owned(), 1)], "{}", server.log());
    assert_eq!(server.mails().len(), 0);
    stage.post = post(&config(&server, PASSWORD));
    stage.tell_for(70 * MINUTE).await;
    assert_eq!(arrived(&server, 1).await.len(), 1, "{}", server.log());
    assert_eq!(counts(&stage).await, [("sent".to_owned(), 1)]);
}

#[tokio::test]
async fn i11_a_mail_server_that_was_away_gets_the_mail_once() {
    let server = Arc::new(exim().await);
    let stage = stage(&config(&server, PASSWORD), &["hr@example.jp"]).await;
    server.stop();
    stage.tell_for(10 * MINUTE).await;
    assert_eq!(counts(&stage).await, [("waiting".to_owned(), 1)]);
    let back = Arc::clone(&server);
    tokio::task::spawn_blocking(move || back.restart()).await.unwrap().unwrap();
    stage.tell_for(180 * MINUTE).await;
    let _ = arrived(&server, 1).await;
    // A second one would come as fast as the first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.mails().len(), 1, "{}", server.log());
}

#[tokio::test]
async fn one_refused_and_one_late_recipient_keep_nobody_from_the_mail() {
    let server = Arc::new(exim().await);
    let to = ["reject@example.jp", "later@example.jp", "hr@example.jp"];
    let stage = stage(&config(&server, PASSWORD), &to).await;
    stage.tell_for(2 * MINUTE).await;
    let mails = arrived(&server, 1).await;
    assert_eq!(mails.len(), 1, "{}", server.log());
    assert!(headers(&mails[0]).contains("Envelope-to: hr@example.jp"), "{}", mails[0]);
    assert_eq!(counts(&stage).await, [("waiting".to_owned(), 1)], "the late one is tried again");
    stage.tell_for(4 * 24 * 60 * MINUTE / 60).await;
    assert_eq!(server.mails().len(), 1, "who has the mail does not get it again");
}

#[tokio::test]
async fn i8_without_tls_neither_mail_nor_password_leaves() {
    let server = Arc::new(exim().await);
    // An authority that did not sign the server's certificate.
    let other = exim().await;
    let wrong = SmtpConfig { ca_location: Some(other.authority()), ..config(&server, PASSWORD) };
    let stage = stage(&wrong, &["hr@example.jp"]).await;
    stage.tell_for(5 * MINUTE).await;
    assert_eq!(counts(&stage).await, [("waiting".to_owned(), 1)], "{}", server.log());
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn a_mail_goes_over_tls_from_the_first_byte() {
    let server = Arc::new(offering(Offers::TlsAtOnce).await);
    let mail = the_mail(&server, &SmtpConfig { tls: SmtpTls::Implicit, ..config(&server, PASSWORD) }).await;
    assert!(headers(&mail).contains("TLS1."), "{mail}");
}

#[tokio::test]
async fn a_mail_goes_where_only_the_older_login_is_offered() {
    let server = Arc::new(offering(Offers::LoginOnly).await);
    the_mail(&server, &config(&server, PASSWORD)).await;
    assert!(server.log().contains("A=login:renkei"), "{}", server.log());
}

/// It would take mail and password in plain text, as somebody in between can make it seem.
#[tokio::test]
async fn i8_a_server_that_offers_no_starttls_gets_neither_mail_nor_password() {
    let server = Arc::new(offering(Offers::PlainText).await);
    let stage = stage(&config(&server, PASSWORD), &["hr@example.jp"]).await;
    stage.tell_for(5 * MINUTE).await;
    assert_eq!(counts(&stage).await, [("waiting".to_owned(), 1)], "{}", server.log());
    assert_eq!(server.mails().len(), 0);
    assert!(!server.log().contains("A=plain"), "{}", server.log());
    // The same server takes the mail of whoever wants no TLS.
    let open = SmtpConfig { tls: SmtpTls::None, login: None, ..config(&server, PASSWORD) };
    let mut stage = stage;
    stage.post = post(&open);
    stage.tell_for(70 * MINUTE).await;
    assert_eq!(arrived(&server, 1).await.len(), 1, "{}", server.log());
}
