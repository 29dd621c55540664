//! A presigned `PUT` to S3 (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>), made with the endpoint
//! resolver and the signer of the SDK. The SDK's own operation would add checksums, which are not used and would be an eighth of
//! the function.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use axum::http::Request;
use shared::clock::Timestamp;
use shared::config::Aws;
use shared::grant::{Grant, Grants, Resource};
use shared::{Error, Result};

/// To presign is to let do what oneself may do.
pub const PUT_UPLOAD: Grants = &[Grant::on(Resource::UploadedObjects, &["s3:PutObject"])];

/// Where an object may be put, and as what.
pub struct Put<'a> {
    pub aws: &'a Aws,
    pub bucket: &'a str,
    /// Of characters that a URL takes as they are.
    pub key: &'a str,
    /// Headers that the request has to have, in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    pub expires_in: Duration,
}

impl Put<'_> {
    /// The URL, which works until `now` and `expires_in`, or until the credentials expire.
    ///
    /// # Errors
    /// When region or endpoint are not valid.
    pub async fn presigned(&self, now: Timestamp) -> Result<String> {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(self.expires_in);
        // S3 signs paths as they are.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = self.aws.credentials().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.aws.region)
            .name("s3")
            .time(UNIX_EPOCH + now.since(Timestamp::from_millis(0)))
            .settings(settings)
            .build()
            .map_err(Error::internal)?
            .into();
        let mut request = Request::put(self.url().await?).body(()).map_err(Error::internal)?;
        let (headers, body) = (self.headers.iter().copied(), SignableBody::UnsignedPayload);
        let signable =
            SignableRequest::new("PUT", request.uri().to_string(), headers, body).map_err(Error::internal)?;
        let (signature, _) = sign(signable, &params).map_err(Error::internal)?.into_parts();
        signature.apply_to_request_http1x(&mut request);
        Ok(request.uri().to_string())
    }

    async fn url(&self) -> Result<String> {
        let params = Params::builder()
            .region(&self.aws.region)
            .bucket(self.bucket)
            .key(self.key)
            .set_endpoint(self.aws.endpoints.s3.clone())
            .force_path_style(self.aws.endpoints.s3_path_style())
            .build()
            .map_err(Error::internal)?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.map_err(Error::internal)?;
        Ok(format!("{}/{}?x-id=PutObject", endpoint.url(), self.key))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Builder, Region, RequestChecksumCalculation};
    use aws_sdk_s3::presigning::PresigningConfig;
    use shared::config::Endpoints;

    use super::*;

    const LIFE: Duration = Duration::from_mins(5);
    const KEY: &str = "0199c1f0-0000-7000-8000-000000000000/0199c1f0-0000-7000-8000-000000000001";

    #[tokio::test]
    async fn a_presigned_put_is_what_the_sdk_makes() {
        let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        for (region, endpoint, bucket, token) in [
            ("eu-central-1", None, "uploads-1a2b", Some("to/ken+of=a session")),
            ("us-east-1", None, "uploads-1a2b", None),
            ("us-east-1", None, "uploads.example.com", None),
            ("cn-north-1", None, "uploads-1a2b", Some("t")),
            ("us-east-1", Some("http://127.0.0.1:9000"), "uploads", None),
            ("us-east-1", Some("http://127.0.0.1:9000/"), "uploads", None),
        ] {
            let aws = Aws {
                region: region.into(),
                access_key_id: "AKIDEXAMPLE".into(),
                secret_access_key: "secret".into(),
                session_token: token.map(Into::into),
                endpoints: Endpoints { s3: endpoint.map(Into::into), ..Endpoints::default() },
            };
            let mut config = Builder::new()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::new(region))
                .credentials_provider(aws.credentials())
                .force_path_style(endpoint.is_some())
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
            config.set_endpoint_url(endpoint.map(str::to_owned));
            let presigning = PresigningConfig::builder().start_time(start).expires_in(LIFE).build().unwrap();
            let theirs = Client::from_conf(config.build())
                .put_object()
                .bucket(bucket)
                .key(KEY)
                .content_type("image/png")
                .content_length(68)
                .if_none_match("*")
                .presigned(presigning)
                .await
                .unwrap();
            let headers = [("content-length", "68"), ("content-type", "image/png"), ("if-none-match", "*")];
            let put = Put { aws: &aws, bucket, key: KEY, headers: &headers, expires_in: LIFE };
            assert_eq!(put.presigned(Timestamp::from_seconds(1_790_000_000)).await.unwrap(), theirs.uri());
            let mut wanted: Vec<(&str, &str)> = theirs.headers().collect();
            wanted.sort_unstable();
            assert_eq!(wanted, headers);
        }
    }
}
