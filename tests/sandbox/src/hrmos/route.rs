//! Which call a request is.

use crate::wire::SimRequest;

/// A call, as far as it is played. What stands in a path is not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `GET /authentication/token`
    Token,
    /// `PUT /authentication/postpone`
    Postpone,
    /// `DELETE /authentication/destroy`
    Destroy,
    /// `GET /users`
    Users,
    /// `GET /segments`
    Segments,
    /// `GET /work_outputs/daily/{day}`
    Daily(&'a str),
    /// `GET /work_outputs/monthly/{month}`
    Monthly(&'a str),
    /// `GET /stamp_logs/daily/{day}`
    StampsOfDay(&'a str),
    /// `GET /stamp_logs/user/{user_id}`
    StampsOfUser(&'a str),
    /// `PUT /work`
    Work,
    /// A path that is played, with a method that is not.
    WrongMethod,
    /// Anything else.
    Unknown,
}

/// Company and path below its root; `None` outside of `/api/{company}/v1` (rule 1).
pub(crate) fn company(path: &str) -> Option<(&str, &str)> {
    let (company, rest) = path.strip_prefix("/api/")?.split_once('/')?;
    let rest = rest.strip_prefix("v1")?;
    (!company.is_empty() && rest.starts_with('/')).then_some((company, rest))
}

impl<'a> Route<'a> {
    /// The call that `method` and `path` (below the company's root) are.
    pub(crate) fn of(method: &str, path: &'a str) -> Self {
        let mut parts = path.trim_start_matches('/').split('/');
        let found = match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some("authentication"), Some("token"), None, _] => ("GET", Self::Token),
            [Some("authentication"), Some("postpone"), None, _] => ("PUT", Self::Postpone),
            [Some("authentication"), Some("destroy"), None, _] => ("DELETE", Self::Destroy),
            [Some("users"), None, ..] => ("GET", Self::Users),
            [Some("segments"), None, ..] => ("GET", Self::Segments),
            [Some("work_outputs"), Some("daily"), Some(day), None] => ("GET", Self::Daily(day)),
            [Some("work_outputs"), Some("monthly"), Some(month), None] => ("GET", Self::Monthly(month)),
            [Some("stamp_logs"), Some("daily"), Some(day), None] => ("GET", Self::StampsOfDay(day)),
            [Some("stamp_logs"), Some("user"), Some(user), None] => ("GET", Self::StampsOfUser(user)),
            [Some("work"), None, ..] => ("PUT", Self::Work),
            _ => return Self::Unknown,
        };
        if found.0 == method { found.1 } else { Self::WrongMethod }
    }
}

/// Whether a request wants to change anything but tokens, played here or not.
pub(crate) fn writes(request: &SimRequest) -> bool {
    let below = company(&request.path).map_or(request.path.as_str(), |(_, rest)| rest);
    request.method != "GET" && !below.starts_with("/authentication/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_companys_root_counts() {
        assert_eq!(company("/api/a/v1/users"), Some(("a", "/users")));
        for bad in ["/api/a/v2/users", "/api/a/users", "/api//v1/users", "/a/v1/users", "/api/a/v1", "/api/a/v1x/users"]
        {
            assert_eq!(company(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_call_has_one_method() {
        for (method, path, route) in [
            ("GET", "/authentication/token", Route::Token),
            ("POST", "/authentication/token", Route::WrongMethod),
            ("GET", "/work_outputs/daily/2026-04-09", Route::Daily("2026-04-09")),
            ("GET", "/work_outputs/daily", Route::Unknown),
            ("GET", "/work_outputs/daily/2026-04-09/41", Route::Unknown),
            ("PUT", "/work", Route::Work),
            ("GET", "/webhooks", Route::Unknown),
        ] {
            assert_eq!(Route::of(method, path), route, "{method} {path}");
        }
        assert!(writes(&SimRequest::new("POST", "/api/a/v1/stamp_logs")));
        assert!(!writes(&SimRequest::new("DELETE", "/api/a/v1/authentication/destroy")));
    }
}
