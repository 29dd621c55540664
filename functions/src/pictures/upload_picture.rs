//! Returns a presigned URL for uploading a profile picture.
//!
//! `POST /user/picture`. The URL is bound to the user, the content type and the length, and stores one object: S3 responds with 412
//! to a second upload. The function `resize_picture` resizes it.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::Invalid;
use shared::domain::id::UploadId;
use shared::domain::picture::{CONTENT_TYPES, Requested, UPLOAD_LIFE, may_be_declared, upload_key};
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::presign::{self, Put};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .opening_to_impersonation()
    .answering_secrets()
    .may(grants![Store::REQUEST_UPLOAD, presign::PUT_UPLOAD]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadPicture {
    #[schema(required, schema_with = content_types)]
    content_type: Option<String>,
    /// Size in bytes, at most 10 MiB.
    #[schema(required, value_type = u64, minimum = 1, maximum = 10_485_760, example = 482_113)]
    content_length: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct PresignedUpload {
    /// The URL to send the picture to.
    upload_url: String,
    #[schema(example = "PUT")]
    method: &'static str,
    /// To be sent with the picture, all of them and unchanged; browsers and other clients set `content-length` themselves.
    headers: UploadHeaders,
    /// Seconds until the URL expires.
    #[schema(example = 300)]
    expires_in: u64,
}

#[derive(Serialize, ToSchema)]
pub struct UploadHeaders {
    #[serde(rename = "content-type")]
    content_type: String,
    #[serde(rename = "content-length")]
    content_length: String,
    /// A URL can be used once: the second time the response is 412, and the picture is already uploaded.
    #[serde(rename = "if-none-match")]
    #[schema(example = "*")]
    if_none_match: &'static str,
}

fn content_types() -> Object {
    let types = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(CONTENT_TYPES));
    let text = "The media type of the picture, case-insensitive; `image/jpg` is also accepted. HEIC, the format of many phones, is not: `<input type=\"file\" accept=\"image/jpeg,image/png,image/webp,image/gif\">` makes iOS convert it.";
    types.description(Some(text)).examples(["image/jpeg"]).build()
}

#[operation(
    POST, "/user/picture", summary = "Get a presigned URL to upload a picture",
    description = "Returns a URL for one PUT request with all of the given headers, within five minutes. From then on `GET /user` reports `processing`, for 15 minutes if nothing is uploaded. The picture is resized to squares of 64, 256 and 512 pixels; `GET /user` reports its status.",
    responses((status = 200, description = "The upload", body = PresignedUpload))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<UploadPicture>,
) -> Result<JsonResponse<PresignedUpload>> {
    let (content_type, content_length) = body.parse()?;
    let now = app.clock.now();
    let requested = Requested { upload: UploadId::new(now), at: now };
    let headers = UploadHeaders { content_type, content_length: content_length.to_string(), if_none_match: "*" };
    let put = Put {
        aws: &app.config.aws,
        bucket: &app.config.pictures.uploads_bucket,
        key: &upload_key(caller.user.id, requested.upload),
        headers: &[
            ("content-length", &headers.content_length),
            ("content-type", &headers.content_type),
            ("if-none-match", headers.if_none_match),
        ],
        expires_in: UPLOAD_LIFE,
    };
    let upload_url = put.presigned(now).await?;

    app.store().request_upload(&caller.user, &requested).await?.ok_or(Error::InvalidToken)?;
    Event::PictureRequested { user: caller.user.id }.record();
    Ok(JsonResponse::ok(PresignedUpload { upload_url, method: "PUT", headers, expires_in: UPLOAD_LIFE.as_secs() }))
}

impl UploadPicture {
    fn parse(self) -> Result<(String, u64)> {
        let mut fields = Fields::default();
        let content_type = fields.required("content_type", self.content_type, |content_type| {
            if may_be_declared(&content_type) {
                Ok(content_type)
            } else {
                Err(Invalid::new("unsupported", format!("A picture must be one of {}.", CONTENT_TYPES.join(", "))))
            }
        });
        let content_length = fields.required("content_length", self.content_length, |length| match length {
            0 => Err(Invalid::new("out_of_range", "A picture cannot be empty.")),
            length if length > pictures::MAX_BYTES as u64 => Err(Invalid::new(
                "out_of_range",
                format!("A picture can have at most {} MiB.", pictures::MAX_BYTES / 1024 / 1024),
            )),
            length => Ok(length),
        });
        fields.finish(content_type.zip(content_length))
    }
}
