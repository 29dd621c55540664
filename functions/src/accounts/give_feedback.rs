//! Takes an opinion of the product, for its log.
//!
//! `POST /user/feedback`.

use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::Result;
use shared::domain::Invalid;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::telemetry::audit::Event;
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveFeedback {
    /// From 1, the worst, to 5.
    #[schema(required, value_type = u8, minimum = 1, maximum = 5, example = 5)]
    stars: Option<u8>,
}

#[operation(
    POST, "/user/feedback", summary = "Give feedback",
    description = "What is given is in the log, and nowhere else.",
    responses((status = 204, description = "Noted"))
)]
pub async fn handler(caller: CurrentUser, Json(body): Json<GiveFeedback>) -> Result<StatusCode> {
    let mut fields = Fields::default();
    let stars = fields.required("stars", body.stars, |stars| match stars {
        1..=5 => Ok(stars),
        _ => Err(Invalid::new("out_of_range", "Give one to five stars.")),
    });
    fields.finish(stars)?;
    Event::FeedbackGiven { user: caller.user.id }.record();
    Ok(StatusCode::NO_CONTENT)
}
