//! Errors as RFC 9457 problem documents: a stable dotted code and a sentence that says the cure.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::ports::Trouble;

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An error as the asker sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into() }
    }

    /// For an answer that has nothing but a status.
    pub(crate) fn of(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("http.not_found", "nothing has this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("http.method_not_allowed", "this address knows other methods only: see the header allow")
            }
            s if s.is_server_error() => ("http.failed", "the host could not answer; its log says why"),
            _ => ("http.invalid", "the request cannot be read"),
        };
        Self::new(status, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Missing(what) => Self::new(StatusCode::NOT_FOUND, "id.unknown", format!("there is no such {what}")),
            Trouble::Invalid(code, detail) => Self::new(StatusCode::BAD_REQUEST, code, detail),
            Trouble::Unavailable(why) => {
                tracing::warn!(%why, "a question has no answer now");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "house.unavailable",
                    "the host cannot answer now; try again in a moment, its log says why",
                )
            }
        }
    }
}
