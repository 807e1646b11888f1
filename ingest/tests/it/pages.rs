//! The pages about codes.

use renkei_events::codes::Code;
use renkei_store::db::Sql as _;

use crate::api::world::{World, ask, problem};
use crate::support::serving::start;

fn committed(code: Code, folder: &str) -> String {
    let path = format!("{}/../docs/errors/{folder}{code}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[actix_web::test]
async fn every_code_has_its_page_in_both_languages_for_anybody() {
    let serving = start().await;
    for code in Code::ALL.iter().copied() {
        let path = format!("/docs/errors/{code}");
        for (query, accepted, language, folder) in [
            ("", None, "ja", "ja/"),
            ("", Some("en"), "en", ""),
            ("?lang=en", Some("ja"), "en", ""),
            ("?lang=ja", Some("en"), "ja", "ja/"),
        ] {
            let request = ask("GET", &format!("{path}{query}"), None);
            let request =
                if let Some(accepted) = accepted { request.set("accept-language", accepted) } else { request };
            let answer = serving.send(&request).await;
            assert_eq!(answer.status, 200, "{code} {query}");
            assert_eq!(answer.header("content-type"), Some("text/markdown; charset=utf-8"), "{code}");
            assert_eq!(answer.header("content-language"), Some(language), "{code} {query} {accepted:?}");
            assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"), "{code}");
            assert_eq!(answer.header("vary"), Some("Accept-Language"), "{code}");
            assert_eq!(String::from_utf8(answer.body).unwrap(), committed(code, folder), "{code} {query}");
        }
    }
}

#[actix_web::test]
async fn a_page_of_no_code_is_a_problem_and_another_method_is_told_what_to_use() {
    let serving = start().await;
    for code in ["kaonavi", "nonsense.nothing", "README", "..%2FREADME", "%00"] {
        let answer = serving.send(&ask("GET", &format!("/docs/errors/{code}"), None)).await;
        assert_eq!((answer.status, problem(&answer).0.as_str()), (404, "api.not_found"), "{code}");
    }
    let answer = serving.send(&ask("POST", "/docs/errors/kaonavi.rejected", None)).await;
    assert_eq!((answer.status, problem(&answer).0.as_str()), (405, "api.method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET"));
}

/// Whoever reads an answer of the API finds a page behind what it points to.
#[actix_web::test]
async fn what_an_answer_points_to_is_there() {
    let world = World::new().await;
    let read = async |path: &str| world.serving.send(&ask("GET", path, None)).await.status;
    for code in Code::ALL {
        let sql = "UPDATE employees SET reason = $1 WHERE connection_id = 'acme-c'";
        world.store.db.exec(sql, vec![code.as_str().into()]).await.unwrap();
        let remedy = world.get("/api/v1/attention").await.json()["items"][0]["remedy"].clone();
        assert_eq!(read(remedy.as_str().unwrap()).await, 200, "{code}: {remedy}");
    }
    let refused = world.get("/api/v1/connections/nobody").await.json();
    assert_eq!(read(refused["type"].as_str().unwrap()).await, 200, "{refused}");
}
