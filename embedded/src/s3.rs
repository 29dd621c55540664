//! S3 on a folder, by `s3s` (protocol and signatures) and `s3s-fs` (storage), path style.
//!
//! In front of `s3s-fs` is what it leaves out: a missing bucket is refused, a folder is no object,
//! an object has a content type, and a new object is told to the bucket's queue. In front of `s3s`: an `x-amz-` header that is
//! not signed is refused.
//!
//! Unlike AWS: there are no uploads in parts, no copies and no versions; a listing has no `ETag`s; a key
//! is a path, so it cannot be both an object and the folder of another, and becomes part of a file name
//! in base64, so it is at most about 150 bytes long; a body with a wrong checksum is refused but has
//! already replaced the object.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Uri};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

use crate::sqs::Sqs;
use crate::{Credentials, StartError};

pub(crate) mod cors;
pub(crate) mod notification;

use notification::{Created, Notification, Sequencer, object_created, test_event};

/// The buckets and who hears about them.
pub(crate) struct Store {
    files: FileSystem,
    root: PathBuf,
    sqs: Arc<Sqs>,
    notifications: Vec<Notification>,
    sequencer: Sequencer,
    access_key_id: String,
    /// Held while an object is put that must not be there yet: `s3s-fs` looks first and writes then.
    creating: tokio::sync::Mutex<()>,
}

impl Store {
    pub(crate) fn open(
        root: PathBuf,
        sqs: Arc<Sqs>,
        notifications: Vec<Notification>,
        access_key_id: String,
    ) -> Result<Self, StartError> {
        let files = std::fs::create_dir_all(&root).map_err(|error| error.to_string());
        let files = files.and_then(|()| FileSystem::new(&root).map_err(|error| format!("{error:?}")));
        let files = files.map_err(|reason| StartError::Unreadable { path: root.clone(), reason })?;
        let (sequencer, creating) = (Sequencer::default(), tokio::sync::Mutex::default());
        Ok(Self { files, root, sqs, notifications, sequencer, access_key_id, creating })
    }

    /// Notify the queues of every object in a bucket with a notification.
    pub(crate) async fn resend(&self) {
        for notification in &self.notifications {
            let mut after = None;
            while let Ok(page) = self.list(&notification.bucket, after.take()).await {
                for object in page.contents.unwrap_or_default() {
                    self.notify(&notification.bucket, object.key.as_deref().unwrap_or_default()).await;
                }
                after = page.next_continuation_token;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    pub(crate) fn send_test_events(&self) {
        for Notification { bucket, queue } in &self.notifications {
            self.sqs.deliver(queue, test_event(bucket).to_string());
        }
    }

    async fn list(&self, bucket: &str, continuation_token: Option<String>) -> S3Result<ListObjectsV2Output> {
        let input = ListObjectsV2Input { bucket: bucket.to_owned(), continuation_token, ..Default::default() };
        Ok(self.files.list_objects_v2(internal(input)).await?.output)
    }

    /// Put an object for another of the servers, and tell the bucket's queue, as a request of a client does. The answer is the
    /// object's `ETag`.
    pub(crate) async fn put(&self, bucket: &str, key: &str, content_type: &str, bytes: Vec<u8>) -> S3Result<String> {
        let input = PutObjectInput {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content_type: Some(content_type.to_owned()),
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
            ..Default::default()
        };
        let output = self.put_object(internal(input)).await?.output;
        Ok(output.e_tag.map_or_else(String::new, |e_tag| e_tag.value().to_owned()))
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        self.check_bucket(&bucket)?;
        request.input.content_type.get_or_insert_with(|| "binary/octet-stream".to_owned());
        let creating = if request.input.if_none_match.is_some() { Some(self.creating.lock().await) } else { None };
        let answer = self.files.put_object(request).await?;
        drop(creating);
        self.notify(&bucket, &key).await;
        Ok(answer)
    }

    async fn notify(&self, bucket: &str, key: &str) {
        let queues = self.notifications.iter().filter(|notification| notification.bucket == bucket);
        for Notification { queue, .. } in queues {
            let input = HeadObjectInput { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
            // The object may be gone again by now; then there is nothing to tell.
            let Ok(head) = self.files.head_object(internal(input)).await else { return };
            let created = Created {
                bucket,
                key,
                size: head.output.content_length.unwrap_or_default(),
                e_tag: head.output.e_tag.as_ref().map_or("", |e_tag| e_tag.value()),
                access_key_id: &self.access_key_id,
            };
            self.sqs.deliver(queue, object_created(&created, &self.sequencer.next()).to_string());
        }
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn check_object(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.check_bucket(bucket)?;
        if self.path(bucket, key).is_dir() { Err(s3_error!(NoSuchKey)) } else { Ok(()) }
    }

    /// The file of an object. Joined as a relative path, so that a key with a leading slash stays inside.
    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join(bucket).join(key.trim_start_matches('/'))
    }
}

/// The operations that are served; any other is answered `NotImplemented`.
struct Api(Arc<Store>);

#[async_trait::async_trait]
impl S3 for Api {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.0.files.create_bucket(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.0.files.list_buckets(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.0.files.list_objects_v2(request).await
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.0.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.0.check_object(&request.input.bucket, &request.input.key)?;
        self.0.files.get_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.0.check_object(&request.input.bucket, &request.input.key)?;
        self.0.files.head_object(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.0.check_bucket(&request.input.bucket)?;
        let object = self.0.path(&request.input.bucket, &request.input.key);
        match self.0.files.delete_object(request).await {
            // A concurrent request deleted it first.
            Err(_) if matches!(object.try_exists(), Ok(false)) => Ok(S3Response::new(DeleteObjectOutput::default())),
            answer => answer,
        }
    }
}

/// A request that comes from no client.
fn internal<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Method::GET,
        uri: Uri::default(),
        headers: HeaderMap::new(),
        extensions: http::Extensions::new(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

pub(crate) fn router(store: Arc<Store>, credentials: &Credentials) -> Router {
    let mut service = S3ServiceBuilder::new(Api(store));
    service.set_auth(SimpleAuth::from_single(&*credentials.access_key_id, &*credentials.secret_access_key));
    Router::new().fallback(handle).with_state(service.build())
}

async fn handle(State(service): State<S3Service>, request: Request) -> Response {
    let unsigned = unsigned_headers(request.uri(), request.headers());
    if !unsigned.is_empty() {
        let message = "There were headers present in the request which were not signed";
        let named = format!("<HeadersNotSigned>{}</HeadersNotSigned>", unsigned.join(", "));
        return refusal(StatusCode::FORBIDDEN, "AccessDenied", message, &named);
    }
    match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(?error, "the embedded S3 failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The `x-amz-` headers that a signature leaves out, which S3 refuses: the holder of a presigned URL could add to what its signer
/// allowed (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>, under `X-Amz-SignedHeaders`).
/// A hash of the body is taken unsigned, as it allows nothing more.
fn unsigned_headers(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let Some(signed) = signed_headers(uri, headers) else { return Vec::new() };
    let is_signed = |name: &str| signed.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    let unsigned = headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    unsigned.filter(|name| *name != "x-amz-content-sha256" && !is_signed(name)).map(ToOwned::to_owned).collect()
}

/// What the signature says it covers, in the query or in `Authorization`.
fn signed_headers(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let in_query = || {
        let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("X-Amz-SignedHeaders"))?;
        Some(value.replace("%3B", ";").replace("%3b", ";"))
    };
    let in_header = || {
        let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
        authorization.split([',', ' ']).find_map(|part| part.strip_prefix("SignedHeaders=")).map(ToOwned::to_owned)
    };
    in_query().or_else(in_header)
}

/// An error as S3 writes it; `more` is XML of its own. Messages hold no markup but what is escaped here.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str, more: &str) -> Response {
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    );
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}
