//! The simulator over a socket, as any other machine is served.

use std::net::TcpListener;
use std::sync::Arc;

use renkei_runtime::clock::{Clock, SystemClock};
use renkei_sandbox::hrmos::{CompanySpec, Hrmos, User, sample};
use renkei_sandbox::http::serve;
use serde_json::Value;

#[tokio::test]
async fn a_list_arrives_over_a_socket_with_its_headers() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let spec = (1..=3)
        .fold(CompanySpec::new("acme", clock.now()), |spec, id| spec.user(User::new(id, Some("P1"), "髙橋", "花子")));
    let hrmos = Hrmos::new().with(spec).unwrap().shared();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/api/acme/v1", listener.local_addr().unwrap());
    let server = serve(listener, hrmos.clone(), clock).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str, authorization: String| {
        client.get(format!("{base}/{path}")).header("Authorization", authorization).send()
    };
    let answer = get("authentication/token", format!("Basic {}", sample::key("acme"))).await.unwrap();
    let token = answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let answer = get("users?limit=2", format!("Token {token}")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-total-count"]), (200, &"3".parse().unwrap()));
    assert!(answer.headers()["link"].to_str().unwrap().contains("page=2>; rel=\"next\""));
    let rows = answer.json::<Value>().await.unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[1]["last_name"]), (2, &Value::from("髙橋")));
    hrmos.lock().await.company("acme").unwrap().fault(|faults| faults.resets = 1);
    assert!(get("users", format!("Token {token}")).await.is_err());
    assert_eq!(hrmos.lock().await.get("acme").unwrap().stats().calls, 3);
    handle.stop(false).await;
}
