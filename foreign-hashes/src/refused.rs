//! Why a stored value cannot be taken.

/// Why a stored value cannot be taken. No text holds any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The value does not have the form that its prefix or its system promises.
    #[error("The hash is malformed: {0}.")]
    Malformed(&'static str),
    /// The value is well-formed, and this crate cannot verify it.
    #[error("The hash is not supported: {0}.")]
    Unsupported(&'static str),
    /// The system's hashes cannot be verified without this field.
    #[error("The field \"{0}\" is missing.")]
    MissingField(&'static str),
    /// This field does not have a value that the system could have.
    #[error("The field \"{0}\" is invalid.")]
    InvalidField(&'static str),
    /// To check one password would take more time or memory than a sign-in may.
    #[error("The hash is too costly to verify: {0}.")]
    TooCostly(String),
}
