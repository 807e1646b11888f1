//! What requests and answers of カオナビ have in common.

use serde_json::{Value, json};

use crate::wire::{Answer, SimRequest, SimResponse};

impl SimRequest {
    /// With the access token where it belongs.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with_header("Kaonavi-Token", token)
    }

    /// The request for a token, as the API wants it.
    #[must_use]
    pub fn for_token(key: &str, secret: &str) -> Self {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}"));
        let mut request = Self::new("POST", "/api/v2.0/token")
            .with_header("Authorization", format!("Basic {pair}"))
            .with_header("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8");
        request.body = b"grant_type=client_credentials".to_vec();
        request
    }
}

impl Answer {
    /// A refusal: an `errors` body with one string per problem.
    #[must_use]
    pub fn errors<S: AsRef<str>>(status: u16, errors: &[S]) -> Self {
        let errors: Vec<&str> = errors.iter().map(AsRef::as_ref).collect();
        Self::json(status, &json!({ "errors": errors }))
    }
}

impl SimResponse {
    /// The number of the task that was made, if one is named.
    #[must_use]
    pub fn task_id(&self) -> Option<i64> {
        self.body().get("task_id").and_then(Value::as_i64)
    }
}
