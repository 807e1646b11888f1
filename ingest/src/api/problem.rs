//! Every way in which a call of the API is not done, as problem details (RFC 9457).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use renkei_events::codes::Code;
use renkei_events::csv::{Field, Refusal};
use renkei_store::dry_runs::AskError;
use renkei_store::error::StoreError;
use renkei_store::forgotten::ForgetError;
use renkei_store::switch::SwitchError;
use serde_json::{Map, Value, json};

use crate::pages;
use crate::setup::AdoptError;
use crate::upload::UploadError;

/// How long a caller is asked to wait when the fault is ours, in seconds.
const RETRY_SECONDS: u64 = 5;

/// Why a call is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No token, or none that is good. One for all causes.
    #[error("a good token is needed")]
    Unauthorized,
    /// The token is good, and not for this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A token of the platform, and no tenant named.
    #[error("name the tenant in the header Renkei-Tenant")]
    TenantNeeded,
    /// No such path, or nothing with this id belongs to the tenant.
    #[error("there is nothing here")]
    NotFound,
    /// The path takes other methods.
    #[error("this path takes {allow}")]
    MethodNotAllowed {
        /// Which.
        allow: String,
    },
    /// Not announced as JSON.
    #[error("the body must be application/json without content encoding")]
    MediaType,
    /// A file of employees of which nothing is taken.
    #[error("{detail}")]
    File {
        /// Why.
        code: Code,
        /// The same, for people.
        detail: String,
        /// The parameter that would mend it.
        pointer: Option<&'static str>,
    },
    /// Over 1 MiB.
    #[error("the body is over 1 MiB")]
    BodyTooLarge,
    /// Not JSON, or not all of it.
    #[error("{0}")]
    NotJson(String),
    /// A name that the call does not know.
    #[error("{name} is not known here{expected}")]
    UnknownField {
        /// Where.
        pointer: String,
        /// Which.
        name: String,
        /// What is known.
        expected: String,
    },
    /// A value of another type.
    #[error("expected {expected}")]
    WrongType {
        /// Where.
        pointer: String,
        /// What it must be.
        expected: String,
    },
    /// A value that is not allowed, or missing.
    #[error("{reason}")]
    InvalidValue {
        /// Where.
        pointer: String,
        /// What would be right.
        reason: String,
    },
    /// The cursor is none that this list gave.
    #[error("send next_cursor of this list as it came")]
    CursorInvalid,
    /// No `If-Match`.
    #[error("send the ETag of the settings as If-Match")]
    PreconditionRequired,
    /// `If-Match` of another version.
    #[error("the settings changed since they were read")]
    PreconditionFailed,
    /// The state does not allow it.
    #[error("{reason}")]
    Conflict {
        /// Why.
        reason: String,
        /// What is missing, by name.
        missing: Vec<&'static str>,
    },
    /// Too many calls.
    #[error("too many calls with this token")]
    RateLimited {
        /// After how many seconds the next one has a place.
        after_seconds: u64,
    },
    /// Our fault.
    #[error("the store does not answer now")]
    Unavailable,
}

impl ApiError {
    /// A value that is not allowed.
    #[must_use]
    pub fn invalid(pointer: &str, reason: impl Into<String>) -> Self {
        Self::InvalidValue { pointer: pointer.to_owned(), reason: reason.into() }
    }

    /// A state that does not allow it.
    #[must_use]
    pub fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict { reason: reason.into(), missing: Vec::new() }
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unauthorized => Code::ApiUnauthorized,
            Self::Forbidden(_) => Code::ApiForbidden,
            Self::TenantNeeded => Code::ApiTenantNeeded,
            Self::NotFound => Code::ApiNotFound,
            Self::MethodNotAllowed { .. } => Code::ApiMethodNotAllowed,
            Self::MediaType => Code::ApiMediaType,
            Self::File { code, .. } => *code,
            Self::BodyTooLarge => Code::ApiBodyTooLarge,
            Self::NotJson(_) => Code::ApiNotJson,
            Self::UnknownField { .. } => Code::ApiUnknownField,
            Self::WrongType { .. } => Code::ApiWrongType,
            Self::InvalidValue { .. } => Code::ApiInvalidValue,
            Self::CursorInvalid => Code::ApiCursorInvalid,
            Self::PreconditionRequired => Code::ApiPreconditionRequired,
            Self::PreconditionFailed => Code::ApiPreconditionFailed,
            Self::Conflict { .. } => Code::ApiConflict,
            Self::RateLimited { .. } => Code::ApiRateLimited,
            Self::Unavailable => Code::ApiUnavailable,
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::UnknownField { pointer, .. }
            | Self::WrongType { pointer, .. }
            | Self::InvalidValue { pointer, .. } => Some(pointer),
            Self::CursorInvalid => Some("/cursor"),
            Self::File { pointer, .. } => *pointer,
            _ => None,
        }
    }
}

impl From<ForgetError> for ApiError {
    fn from(error: ForgetError) -> Self {
        match error {
            ForgetError::Store(error) => error.into(),
            ForgetError::UnderWay | ForgetError::RunUnderWay => Self::conflict(error.to_string()),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::File { code: Code::CsvTooManyRows | Code::CsvTooLarge, .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::File { code: Code::CsvMediaType, .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::File { code: Code::AttendanceFileOutdated, .. } => StatusCode::CONFLICT,
            Self::File { .. } => StatusCode::BAD_REQUEST,
            Self::TenantNeeded
            | Self::NotJson(_)
            | Self::UnknownField { .. }
            | Self::WrongType { .. }
            | Self::InvalidValue { .. }
            | Self::CursorInvalid => StatusCode::BAD_REQUEST,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code) = (self.status_code(), self.code());
        let mut problem = Map::new();
        problem.insert("type".to_owned(), json!(pages::address(code)));
        problem.insert("title".to_owned(), json!(code.title_en()));
        problem.insert("status".to_owned(), json!(status.as_u16()));
        problem.insert("code".to_owned(), json!(code.as_str()));
        problem.insert("detail".to_owned(), json!(self.to_string()));
        if let Some(pointer) = self.pointer() {
            problem.insert("pointer".to_owned(), json!(pointer));
        }
        if let Self::Conflict { missing, .. } = self
            && !missing.is_empty()
        {
            problem.insert("missing".to_owned(), json!(missing));
        }
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        match self {
            Self::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed { allow } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::RateLimited { after_seconds } => {
                response.insert_header((header::RETRY_AFTER, *after_seconds));
            }
            Self::Unavailable => {
                response.insert_header((header::RETRY_AFTER, RETRY_SECONDS));
            }
            _ => {}
        }
        response.body(Value::Object(problem).to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::NotFound(_) = error {
            return Self::NotFound;
        }
        tracing::warn!(error = %error, "the store does not serve a call of the api");
        Self::Unavailable
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::File { code: refusal.code(), detail: refusal.to_string(), pointer: None }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Store(error) => error.into(),
            UploadError::Log(error) => {
                tracing::warn!(error = %error, "log does not take an upload, the caller is told 503");
                Self::Unavailable
            }
            UploadError::FirstIsNotSent => Self::invalid("/mode", error.to_string()),
            UploadError::NoCredentials => Self::Conflict { reason: error.to_string(), missing: vec!["credentials"] },
            UploadError::ConstantNeeded(ref needed) => {
                let status = needed.iter().any(|one| one.field == Field::EmployeeStatus);
                let pointer = Some(if status { "/employee_status" } else { "/data_entry_state" });
                Self::File { code: Code::CsvConstantNeeded, detail: error.to_string(), pointer }
            }
        }
    }
}

impl From<SwitchError> for ApiError {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Store(error) => error.into(),
            refused @ SwitchError::State { .. } => Self::conflict(refused.to_string()),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Store(error) => error.into(),
            AskError::Nobody => Self::NotFound,
            refused @ (AskError::Off(_) | AskError::UnderWay) => Self::conflict(refused.to_string()),
        }
    }
}

impl From<AdoptError> for ApiError {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Store(error) => error.into(),
            refused @ AdoptError::InUse => Self::conflict(refused.to_string()),
        }
    }
}
