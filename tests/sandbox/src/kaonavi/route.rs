//! Which call a request is.

use crate::wire::SimRequest;

/// The root of the API.
pub(crate) const BASE: &str = "/api/v2.0";

/// A call, as far as it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /token`
    Token,
    /// `GET /members`
    ReadMembers,
    /// `POST /members`
    CreateMembers,
    /// `PATCH /members`
    UpdateMembers,
    /// `GET /member_layouts`
    Layout,
    /// `GET /tasks/{id}`; no number fits `None`.
    Task(Option<i64>),
    /// `GET /departments`
    Departments,
    /// A path that is played, with a method that is not.
    WrongMethod,
    /// Anything else.
    Unknown,
}

impl Route {
    /// The call that `request` is.
    #[must_use]
    pub fn of(request: &SimRequest) -> Self {
        let Some(path) = request.path.strip_prefix(BASE) else { return Self::Unknown };
        match (request.method.as_str(), path) {
            ("POST", "/token") => Self::Token,
            ("GET", "/members") => Self::ReadMembers,
            ("POST", "/members") => Self::CreateMembers,
            ("PATCH", "/members") => Self::UpdateMembers,
            ("GET", "/member_layouts") => Self::Layout,
            ("GET", "/departments") => Self::Departments,
            (_, "/token" | "/members" | "/member_layouts" | "/departments") => Self::WrongMethod,
            (method, other) => match other.strip_prefix("/tasks/") {
                Some(id) if !id.contains('/') => {
                    if method == "GET" {
                        Self::Task(id.parse().ok())
                    } else {
                        Self::WrongMethod
                    }
                }
                _ => Self::Unknown,
            },
        }
    }

    /// Whether the call makes a task when it is accepted.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::CreateMembers | Self::UpdateMembers)
    }

    /// Whether the call is one of the update calls as the product counts them, played here or not: everything that writes
    /// but users, webhooks and the token.
    pub(crate) fn is_update(request: &SimRequest) -> bool {
        let path = request.path.strip_prefix(BASE).unwrap_or(&request.path);
        let writes = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        writes && !["/token", "/users", "/webhook"].iter().any(|free| path.starts_with(free))
    }
}
