//! The pages about codes, to which answers of the API point: `/docs/errors/{code}`. Anybody may read them.

use actix_web::http::header::{self, AcceptLanguage, Header as _, Quality};
use actix_web::{HttpRequest, HttpResponse, web};
use renkei_events::codes::Code;

use crate::api::problem::ApiError;

/// How long a page may be kept on the way; it changes with the program only.
const KEPT: &str = "public, max-age=3600";

/// In which language a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Japanese,
    English,
}

impl Language {
    /// The language of a tag such as `en-GB`; `None`: one that we do not have.
    fn of_tag(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "ja" | "*" => Some(Self::Japanese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// What an `Accept-Language` likes best of what we have; Japanese if it is nothing.
    fn preferred(AcceptLanguage(mut accepted): AcceptLanguage) -> Self {
        // What somebody likes with 0 they do not want at all.
        accepted.retain(|item| item.quality > Quality::ZERO);
        let ranked = AcceptLanguage(accepted).ranked();
        ranked.iter().find_map(|tag| Self::of_tag(&tag.to_string())).unwrap_or(Self::Japanese)
    }

    /// As the caller wants it: by `lang` in the query, else by the header.
    fn wanted(request: &HttpRequest) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let pairs = pairs.map(web::Query::into_inner).unwrap_or_default();
        let named = pairs.iter().find(|(name, _)| name == "lang").and_then(|(_, value)| Self::of_tag(value));
        named.unwrap_or_else(|| AcceptLanguage::parse(request).map_or(Self::Japanese, Self::preferred))
    }
}

/// Where the page of a code is.
#[must_use]
pub fn address(code: Code) -> String {
    format!("/docs/errors/{code}")
}

/// The routes of the pages.
pub fn routes(config: &mut web::ServiceConfig) {
    let method = || async { Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allow: "GET".to_owned() }) };
    config.service(web::resource("/docs/errors/{code}").route(web::get().to(page)).default_service(web::to(method)));
}

async fn page(request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let code = Code::parse(&code).ok_or(ApiError::NotFound)?;
    let (text, language) = match Language::wanted(&request) {
        Language::Japanese => (code.page_ja(), "ja"),
        Language::English => (code.page_en(), "en"),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/markdown; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, language))
        .insert_header((header::VARY, "Accept-Language"))
        .insert_header((header::CACHE_CONTROL, KEPT))
        .body(text))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_language_that_is_liked_best_of_what_we_have_is_given_and_japanese_otherwise() {
        for (accepted, language) in [
            ("en", Language::English),
            ("en-GB,en;q=0.9", Language::English),
            ("ja,en;q=0.9", Language::Japanese),
            ("ja;q=0.5, EN-us;q=0.8", Language::English),
            ("de, en;q=0.2", Language::English),
            ("de, fr", Language::Japanese),
            ("en;q=0", Language::Japanese),
            ("*", Language::Japanese),
            ("en;q=high, ;;,", Language::Japanese),
            ("", Language::Japanese),
        ] {
            let request = TestRequest::default().insert_header((header::ACCEPT_LANGUAGE, accepted)).to_http_request();
            assert_eq!(Language::wanted(&request), language, "{accepted:?}");
        }
    }
}
