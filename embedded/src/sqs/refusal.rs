//! What SQS answers when it refuses.

use axum::response::Response;
use http::{HeaderValue, StatusCode};

use crate::server;

/// The code that the JSON protocol gives an error, and the one that older clients know.
pub(crate) struct Refusal {
    code: &'static str,
    pub(crate) query_code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    /// An error with one code in both protocols.
    pub(crate) fn same(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, query_code: code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::same("InvalidParameterValue", message)
    }

    pub(crate) fn batch(code: &'static str, query_code: &'static str) -> Self {
        Self { code, query_code, message: "The batch breaks the limits on its entries.".to_owned() }
    }

    pub(crate) fn no_such_queue() -> Self {
        Self {
            code: "QueueDoesNotExist",
            query_code: "AWS.SimpleQueueService.NonExistentQueue",
            message: "The specified queue does not exist.".to_owned(),
        }
    }

    pub(crate) fn queue_exists() -> Self {
        Self {
            code: "QueueNameExists",
            query_code: "QueueAlreadyExists",
            message: "A queue already exists with the same name and a different value for an attribute.".to_owned(),
        }
    }

    pub(crate) fn unknown_attribute(name: &str) -> Self {
        Self::same("InvalidAttributeName", format!("Unknown Attribute {name}."))
    }

    pub(crate) fn invalid_attribute(name: &str) -> Self {
        Self::same("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
    }

    pub(crate) fn invalid_receipt_handle() -> Self {
        Self::same("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    }

    pub(crate) fn not_in_flight() -> Self {
        Self::invalid("Message does not exist or is not available for visibility timeout change.")
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = server::refusal(StatusCode::BAD_REQUEST, self.code, &self.message);
        if let Ok(header) = HeaderValue::from_str(&format!("{};Sender", self.query_code)) {
            response.headers_mut().insert("x-amzn-query-error", header);
        }
        response
    }
}
