//! The variables of the functions, and where the root template has their values. An area's stack takes each as a parameter.

use shared::domain::limit::Limit;
use shared::http::Area;

use crate::output::camel_case;

/// A variable of the functions' environment, and the root template's value as YAML in one line.
const VARIABLES: [(&str, &str); 38] = [
    ("TABLE_NAME", "!If [MakesTables, !Ref Table, !Ref TableName]"),
    ("KEYS_TABLE_NAME", "!If [MakesTables, !Ref KeysTable, !Ref KeysTableName]"),
    ("UPLOADS_BUCKET", "!Ref UploadsBucket"),
    ("PICTURES_BUCKET", "!Ref PicturesBucket"),
    (
        "PICTURES_URL",
        "!If [HasDistribution, !Sub \"https://${PicturesDistribution.DomainName}\", !If [HasPictures, !Ref Pictures, \"\"]]",
    ),
    (
        "PUBLIC_URL",
        "!If [HasPublicUrl, !Ref PublicUrl, !If [HasDomain, !Sub \"https://${DomainName}\", !Sub \"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}\"]]",
    ),
    (
        "FORMER_PUBLIC_URLS",
        "!If [HasFormerEndpoint, !If [HasFormerPublicUrls, !Sub \"${FormerPublicUrls},https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}\", !Sub \"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}\"], \
         !Ref FormerPublicUrls]",
    ),
    ("FRONT_SECRET_SHA256", "!Ref FrontSecretSha256"),
    ("PRODUCT_NAME", "!Ref ProductName"),
    ("HOME_URL", "!Ref HomeUrl"),
    ("LINK_BASE_URL", "!Ref LinkBaseUrl"),
    ("CHANGE_PASSWORD_URL", "!Ref ChangePasswordUrl"),
    ("ADMIN_EMAIL", "!Ref AdminEmail"),
    ("UNCONFIRMED_DAYS", "!Ref UnconfirmedDays"),
    ("MAIL_QUEUE_URL", "!Ref MailQueue"),
    ("MAIL_FROM", "!Sub \"${ProductName} <${MailAddress}>\""),
    ("MAIL_REPLY_TO", "!Ref MailReplyTo"),
    ("SUPPORT_ADDRESS", "!Ref SupportAddress"),
    ("SES_CONFIGURATION_SET", "!Ref MailConfiguration"),
    ("EVENT_BUS", "!Ref EventBus"),
    ("WEBHOOK_QUEUE_URL", "!Ref WebhookQueue"),
    ("TRANSFER_BUCKET", "!Ref TransferBucket"),
    ("IMPORT_QUEUE_URL", "!Ref ImportQueue"),
    ("LEGACY_USER_POOL", "!Ref LegacyUserPool"),
    ("LEGACY_PASSWORD_URL", "!Ref LegacyPasswordUrl"),
    ("LEGACY_PASSWORDS_UNTIL", "!Ref LegacyPasswordsUntil"),
    ("EVENT_ADDRESSES", "!Ref EventAddresses"),
    ("ACTIVITY_DAYS", "!Ref ActivityDays"),
    ("SIGNING_ALGORITHM", "!Ref SigningAlgorithm"),
    ("TOKEN_AUDIENCE", "!Ref TokenAudience"),
    ("CLIENT_ID", "!Ref ClientId"),
    ("INTROSPECTION_CLIENTS", "!Ref IntrospectionClients"),
    ("CLAIMS", "!Ref Claims"),
    ("PASSWORD_MIN_LENGTH", "!Ref PasswordMinLength"),
    ("RELYING_PARTY_ID", "!Ref RelyingPartyId"),
    ("RELYING_PARTY_ORIGINS", "!Ref RelyingPartyOrigins"),
    ("LOG_STREAM", "!If [HasSearch, !Ref SearchStream, !Ref LogStream]"),
    ("LOG_LEVEL", "!Ref LogLevel"),
];

/// A variable with the root template's value.
pub struct Variable {
    pub name: String,
    /// The parameter of an area's stack that it is set from.
    pub parameter: String,
    pub value: String,
}

/// The variables of an area's functions: all, and the limits that its routes have.
pub fn of_area(area: &Area) -> Vec<Variable> {
    with_limits(&|limit| area.routes.iter().any(|route| route.limit == Some(limit)))
}

/// Every variable of any function.
pub fn all() -> Vec<Variable> {
    with_limits(&|_| true)
}

fn with_limits(has: &dyn Fn(Limit) -> bool) -> Vec<Variable> {
    let limits = Limit::ALL.iter().filter(|limit| has(**limit)).map(|limit| {
        let name = limit.variable().to_string();
        (name.clone(), format!("!Ref {}", camel_case(&name)))
    });
    let variables = VARIABLES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables = variables.chain(limits);
    variables.map(|(name, value)| Variable { parameter: camel_case(&name), name, value }).collect()
}
