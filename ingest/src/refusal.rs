//! Every way in which a request is not accepted, with its status, its code and whose side it is.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use renkei_events::codes::Code;
use renkei_events::signature::Rejection;
use serde_json::{Map, Value, json};

/// How long a sender is asked to wait when we can not take a delivery, in seconds.
const RETRY_SECONDS: u64 = 5;

/// The part of the way at which a request was refused, as it stands in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Route, method, size, type, body.
    Receive,
    /// Connection, signature, time.
    Verify,
    /// The connection's rate.
    Rate,
    /// The envelope.
    Parse,
    /// The log.
    Produce,
}

impl Stage {
    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Receive => "receive",
            Stage::Verify => "verify",
            Stage::Rate => "rate",
            Stage::Parse => "parse",
            Stage::Produce => "produce",
        }
    }
}

/// What is wrong with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvelopeFault {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, or not a JSON object.
    NotJson,
    /// Nested deeper than is read.
    TooDeep,
    /// A key of the envelope stands twice.
    DuplicateKey,
    /// `type` is missing or not one of ours.
    Type,
    /// `data` is missing or not an object.
    Data,
    /// Neither `employee` nor `employees`.
    NoForm,
    /// Both of them.
    BothForms,
    /// A list whose type is not `employee.updated`.
    BatchType,
    /// `employees` is not a list.
    NotAList,
    /// An empty list.
    NoRecord,
    /// More than 500.
    TooManyRecords,
    /// No record with a usable `employee_id` and `updated_at`.
    NoUsableRecord,
}

impl EnvelopeFault {
    /// Every fault, for tables and tests.
    pub const ALL: [EnvelopeFault; 13] = [
        EnvelopeFault::NotUtf8,
        EnvelopeFault::NotJson,
        EnvelopeFault::TooDeep,
        EnvelopeFault::DuplicateKey,
        EnvelopeFault::Type,
        EnvelopeFault::Data,
        EnvelopeFault::NoForm,
        EnvelopeFault::BothForms,
        EnvelopeFault::BatchType,
        EnvelopeFault::NotAList,
        EnvelopeFault::NoRecord,
        EnvelopeFault::TooManyRecords,
        EnvelopeFault::NoUsableRecord,
    ];

    fn code(self) -> Code {
        match self {
            EnvelopeFault::NotUtf8 => Code::WebhookNotUtf8,
            EnvelopeFault::NotJson => Code::WebhookNotJson,
            EnvelopeFault::TooDeep => Code::WebhookTooDeep,
            EnvelopeFault::DuplicateKey => Code::WebhookDuplicateKey,
            EnvelopeFault::Type => Code::WebhookType,
            EnvelopeFault::Data => Code::WebhookData,
            EnvelopeFault::NoForm => Code::WebhookNoEmployee,
            EnvelopeFault::BothForms => Code::WebhookEmployeeAndEmployees,
            EnvelopeFault::BatchType => Code::WebhookBatchType,
            EnvelopeFault::NotAList => Code::WebhookEmployeesNotAList,
            EnvelopeFault::NoRecord => Code::WebhookEmployeesEmpty,
            EnvelopeFault::TooManyRecords => Code::WebhookTooManyEmployees,
            EnvelopeFault::NoUsableRecord => Code::WebhookNoUsableEmployee,
        }
    }

    fn pointer(self) -> &'static str {
        match self {
            EnvelopeFault::NotUtf8 | EnvelopeFault::NotJson | EnvelopeFault::TooDeep | EnvelopeFault::DuplicateKey => {
                ""
            }
            EnvelopeFault::Type | EnvelopeFault::BatchType => "/type",
            EnvelopeFault::Data | EnvelopeFault::NoForm | EnvelopeFault::BothForms => "/data",
            EnvelopeFault::NotAList
            | EnvelopeFault::NoRecord
            | EnvelopeFault::TooManyRecords
            | EnvelopeFault::NoUsableRecord => "/data/employees",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            EnvelopeFault::NotUtf8 => "the body is not UTF-8",
            EnvelopeFault::NotJson => "the body is not a JSON object",
            EnvelopeFault::TooDeep => "the body is nested deeper than 127 levels",
            EnvelopeFault::DuplicateKey => "type, data, employee or employees stands twice",
            EnvelopeFault::Type => {
                "type must be employee.created, employee.updated, employee.status_changed or employee.deleted"
            }
            EnvelopeFault::Data => "data must be an object",
            EnvelopeFault::NoForm => "data must have employee or employees",
            EnvelopeFault::BothForms => "data must not have both employee and employees",
            EnvelopeFault::BatchType => "a delivery with employees must be of type employee.updated",
            EnvelopeFault::NotAList => "employees must be a list of 1 to 500 records",
            EnvelopeFault::NoRecord => "employees must have at least one record",
            EnvelopeFault::TooManyRecords => "employees must have at most 500 records",
            EnvelopeFault::NoUsableRecord => "no record has a usable employee_id and updated_at",
        }
    }
}

/// Why we could not take a delivery. Never the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnFault {
    /// The connections were never read.
    ConnectionsUnknown,
    /// The connection has a secret that we can not read, and it may be the one that signed.
    SecretsUnreadable,
    /// As many bytes of bodies are held as we may hold.
    Overloaded,
    /// The log did not acknowledge in time.
    LogDeadline,
    /// The log can not be reached.
    LogUnavailable,
    /// The queue towards the log is full.
    LogFull,
    /// The log refuses the record.
    LogRefused,
    /// A fault of this program.
    Internal,
}

impl OwnFault {
    fn reason(self) -> &'static str {
        match self {
            OwnFault::ConnectionsUnknown => "connections_unknown",
            OwnFault::SecretsUnreadable => "secrets_unreadable",
            OwnFault::Overloaded => "overloaded",
            OwnFault::LogDeadline => "log_deadline",
            OwnFault::LogUnavailable => "log_unavailable",
            OwnFault::LogFull => "log_full",
            OwnFault::LogRefused => "log_refused",
            OwnFault::Internal => "internal",
        }
    }

    fn stage(self) -> Stage {
        match self {
            OwnFault::Overloaded => Stage::Receive,
            OwnFault::ConnectionsUnknown | OwnFault::SecretsUnreadable => Stage::Verify,
            _ => Stage::Produce,
        }
    }
}

/// Why a request is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such path.
    NoRoute,
    /// Another method than POST.
    Method,
    /// A body over 1 MiB.
    TooLarge,
    /// Not `application/json`, or encoded.
    MediaType,
    /// The body took too long.
    TooSlow,
    /// The body broke off, or its transfer coding is damaged.
    CutOff,
    /// No such connection.
    UnknownConnection,
    /// The connection was ended for good.
    Disconnected,
    /// The signature or its time does not hold.
    Unverified(Rejection),
    /// Too many deliveries.
    RateLimited {
        /// After how many seconds the next one has a place.
        after_seconds: u64,
    },
    /// The envelope is not as the contract has it.
    Envelope {
        /// What is wrong.
        fault: EnvelopeFault,
        /// A place more exact than the fault's own.
        pointer: Option<String>,
    },
    /// Our side.
    Own(OwnFault),
}

impl From<EnvelopeFault> for Refusal {
    fn from(fault: EnvelopeFault) -> Self {
        Refusal::Envelope { fault, pointer: None }
    }
}

impl From<OwnFault> for Refusal {
    fn from(fault: OwnFault) -> Self {
        Refusal::Own(fault)
    }
}

impl Refusal {
    /// HTTP status: 4xx is the sender's side, 503 is ours.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::NoRoute | Refusal::UnknownConnection => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::CutOff | Refusal::Envelope { .. } => StatusCode::BAD_REQUEST,
            Refusal::Disconnected => StatusCode::GONE,
            Refusal::Unverified(_) => StatusCode::UNAUTHORIZED,
            Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Own(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code of the answer. One for all causes of a 401, and one for all of a 503: callers learn no more.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.listed().as_str()
    }

    fn listed(&self) -> Code {
        match self {
            Refusal::NoRoute => Code::WebhookNoRoute,
            Refusal::Method => Code::WebhookMethodNotAllowed,
            Refusal::TooLarge => Code::WebhookTooLarge,
            Refusal::MediaType => Code::WebhookMediaType,
            Refusal::TooSlow => Code::WebhookTooSlow,
            Refusal::CutOff => Code::WebhookCutOff,
            Refusal::UnknownConnection => Code::WebhookUnknownConnection,
            Refusal::Disconnected => Code::WebhookDisconnected,
            Refusal::Unverified(_) => Code::SourceSignatureInvalid,
            Refusal::RateLimited { .. } => Code::WebhookRateLimited,
            Refusal::Envelope { fault, .. } => fault.code(),
            Refusal::Own(_) => Code::WebhookUnavailable,
        }
    }

    /// Where it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Refusal::NoRoute
            | Refusal::Method
            | Refusal::TooLarge
            | Refusal::MediaType
            | Refusal::TooSlow
            | Refusal::CutOff => Stage::Receive,
            Refusal::UnknownConnection | Refusal::Disconnected | Refusal::Unverified(_) => Stage::Verify,
            Refusal::RateLimited { .. } => Stage::Rate,
            Refusal::Envelope { .. } => Stage::Parse,
            Refusal::Own(fault) => fault.stage(),
        }
    }

    /// The exact cause, for metrics and logs only.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Unverified(rejection) => rejection.code(),
            Refusal::Own(fault) => fault.reason(),
            other => other.code().split_once('.').map_or("other", |(_, reason)| reason),
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Refusal::NoRoute => "no such path",
            Refusal::Method => "only POST is taken here",
            Refusal::TooLarge => "the body is over 1 MiB",
            Refusal::MediaType => "the body must be application/json without content encoding",
            Refusal::TooSlow => "the body did not come within 10 seconds",
            Refusal::CutOff => "the body is not complete",
            Refusal::UnknownConnection => "no such connection",
            Refusal::Disconnected => "the connection was ended; stop sending to it",
            Refusal::Unverified(_) => "the signature could not be verified",
            Refusal::RateLimited { .. } => "too many deliveries for this connection",
            Refusal::Envelope { .. } => "the envelope can not be read",
            Refusal::Own(_) => "the delivery could not be stored; send it again",
        }
    }

    /// The answer, as problem details.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let mut problem = Map::new();
        let status = self.status();
        problem.insert("type".to_owned(), json!(format!("urn:renkei:error:{}", self.code())));
        problem.insert("title".to_owned(), json!(self.title()));
        problem.insert("status".to_owned(), json!(status.as_u16()));
        problem.insert("code".to_owned(), json!(self.code()));
        if let Refusal::Envelope { fault, pointer } = self {
            problem.insert("detail".to_owned(), json!(fault.detail()));
            problem.insert("pointer".to_owned(), json!(pointer.as_deref().unwrap_or(fault.pointer())));
        }
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        match self {
            Refusal::Method => {
                response.insert_header((header::ALLOW, "POST"));
            }
            Refusal::RateLimited { after_seconds } => {
                response.insert_header((header::RETRY_AFTER, *after_seconds));
            }
            Refusal::Own(_) => {
                response.insert_header((header::RETRY_AFTER, RETRY_SECONDS));
            }
            _ => {}
        }
        response.body(Value::Object(problem).to_string())
    }
}
