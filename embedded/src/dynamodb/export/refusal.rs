//! What the operations of exports answer when they refuse.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html>

use std::fmt::Display;

use axum::response::Response;
use dynoxide::errors::DynoxideError;
use http::StatusCode;
use serde_json::json;

use crate::server;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The body is not JSON of the request's shape.
    #[error("{0}")]
    Serialization(String),
    /// A member is missing, malformed, or asks for what is not served here.
    #[error("{0}")]
    Validation(String),
    /// By its name or ARN.
    #[error("Table not found: {0}")]
    TableNotFound(String),
    /// By its ARN.
    #[error("Export not found: {0}")]
    ExportNotFound(String),
    /// A client token came again with other parameters.
    #[error("Duplicate request detected: the client token was used with other parameters")]
    ExportConflict,
    /// The export time is outside of what can be restored.
    #[error("{0}")]
    InvalidExportTime(String),
    /// The cause is in the log.
    #[error("Internal server error")]
    Internal,
}

impl Refusal {
    /// A failure that is no fault of the caller. It is logged here.
    pub(super) fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "an export of the embedded DynamoDB failed");
        Self::Internal
    }

    /// What `dynoxide` said about a table.
    pub(super) fn of_table(error: DynoxideError, table: &str) -> Self {
        match error {
            DynoxideError::ResourceNotFoundException(_) => Self::TableNotFound(table.to_owned()),
            DynoxideError::ValidationException(message) => Self::Validation(message),
            error => Self::internal(error),
        }
    }

    /// The code with its namespace, as `DynamoDB` writes `__type`.
    fn code(&self) -> &'static str {
        match self {
            Self::Serialization(_) => "com.amazon.coral.service#SerializationException",
            Self::Validation(_) => "com.amazon.coral.validate#ValidationException",
            Self::TableNotFound(_) => "com.amazonaws.dynamodb.v20120810#TableNotFoundException",
            Self::ExportNotFound(_) => "com.amazonaws.dynamodb.v20120810#ExportNotFoundException",
            Self::ExportConflict => "com.amazonaws.dynamodb.v20120810#ExportConflictException",
            Self::InvalidExportTime(_) => "com.amazonaws.dynamodb.v20120810#InvalidExportTimeException",
            Self::Internal => "com.amazonaws.dynamodb.v20120810#InternalServerError",
        }
    }

    pub(super) fn into_response(self) -> Response {
        let internal = matches!(self, Self::Internal);
        let status = if internal { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
        server::answer(status, &json!({ "__type": self.code(), "message": self.to_string() }))
    }
}
