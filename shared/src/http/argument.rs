//! What the arguments of a handler need of its route.

use axum::extract::{Path, State};

use crate::App;
use crate::error::{Code, Result};
use crate::grant::Grants;

/// An argument of a handler that says what it needs of its route.
pub trait HandlerArgument {
    const NEEDS: Needs;
}

/// What an argument brings: codes that it may be refused with, rights, and the credentials that callers have to send.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    pub errors: &'static [Code],
    pub grants: Grants,
    /// The name of a security scheme of the OpenAPI document.
    pub credentials: Option<&'static str>,
    /// Whether callers are signed in.
    pub signed_in: bool,
}

impl Needs {
    pub const NOTHING: Self = Self { errors: &[], grants: &[], credentials: None, signed_in: false };
}

impl HandlerArgument for State<App> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<T> HandlerArgument for Path<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<T: HandlerArgument> HandlerArgument for Option<T> {
    const NEEDS: Needs = T::NEEDS;
}

impl<T: HandlerArgument> HandlerArgument for Result<T> {
    const NEEDS: Needs = T::NEEDS;
}
