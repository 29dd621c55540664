//! Proving the second factor: used by `verify_login`, and by the routes that change or remove it.

use secrecy::SecretString;
use serde::Deserialize;
use shared::domain::Invalid;
use shared::domain::factor::{Method, Spent};
use shared::domain::id::{DeviceId, UserId};
use shared::domain::lockout::{self, Attempts};
use shared::domain::recovery::RecoveryCode;
use shared::domain::totp::TotpCode;
use shared::http::fields::Fields;
use shared::store::Factors;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

/// What a step-up asks for beside the recent sign-in: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// Six digits of the authenticator app.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<SecretString>,
    /// A recovery code, instead.
    #[schema(value_type = Option<String>, example = "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P")]
    recovery_code: Option<SecretString>,
}

impl StepUp {
    pub fn parse(self) -> Result<Proof> {
        let mut fields = Fields::default();
        let proof = Proof::parse(&mut fields, self.code, self.recovery_code);
        fields.finish(proof)
    }
}

/// A code that somebody gave.
pub enum Proof {
    Totp(TotpCode),
    RecoveryCode(RecoveryCode),
}

impl Proof {
    /// Of a request's two fields exactly one has to be there.
    pub fn parse(fields: &mut Fields, code: Option<SecretString>, recovery_code: Option<SecretString>) -> Option<Self> {
        match (code, recovery_code) {
            (Some(_), Some(recovery_code)) => fields.optional("recovery_code", Some(recovery_code), |_| {
                Err(Invalid::new("one_too_many", "Send either `code` or `recovery_code`."))
            }),
            (None, Some(recovery_code)) => fields
                .optional("recovery_code", Some(recovery_code), |text| RecoveryCode::parse(&text))
                .map(Self::RecoveryCode),
            (code, None) => fields.required("code", code, |text| TotpCode::parse(&text)).map(Self::Totp),
        }
    }

    const fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
        }
    }
}

/// Counts the attempt, then looks at the code: what a step-up does.
pub async fn step_up(app: &App, user: UserId, proof: &Proof) -> Result<Spent> {
    let factors = app.store.factors(user, None).await?;
    if factors.enrolled().is_none() {
        return Err(Error::TotpNotFound);
    }
    count(app, user, None, factors.attempts).await?;
    check(app, user, &factors, proof).await
}

/// Counts an attempt, unless the account's second factor is locked for this device, or for all that are not known.
pub async fn count(app: &App, user: UserId, device: Option<DeviceId>, mut earlier: Option<Attempts>) -> Result<()> {
    if !app.config.limits.on {
        return Ok(());
    }
    loop {
        let now = app.clock.now();
        if let Some(retry_after) = lockout::wait(earlier, now) {
            Event::SecondFactorLocked { user, device: device.is_some() }.record();
            return Err(Error::TooManyAttempts { retry_after });
        }
        // Ends as the loop in `login` does: each failed condition is another attempt that was counted.
        if app.store.count_factor_attempt(user, device, earlier, lockout::one_more_for_good(earlier, now)).await? {
            return Ok(());
        }
        earlier = app.store.factor_attempts(user, device).await?;
    }
}

/// Whether the code is right; what it uses up, if so.
pub async fn check(app: &App, user: UserId, factors: &Factors, proof: &Proof) -> Result<Spent> {
    let spent = match proof {
        Proof::Totp(code) => match factors.enrolled() {
            Some(totp) => {
                let secret = app.keys.totp().await?.open(&totp.secret, user)?;
                let step = secret.accept(code, totp.last_step, app.clock.now());
                step.map(|step| Spent::Step { secret: totp.secret.clone(), step })
            }
            None => None,
        },
        Proof::RecoveryCode(code) => {
            let hash = code.hash();
            let known = factors.recovery.as_ref().is_some_and(|set| set.has(&hash));
            known.then_some(Spent::RecoveryCode(hash))
        }
    };
    spent.ok_or_else(|| refuse(user, proof.method()))
}

/// A code that is wrong, or that somebody else used first.
#[must_use]
pub fn refuse(user: UserId, method: Method) -> Error {
    Event::SecondFactorFailed { user, method: method.as_str() }.record();
    Error::InvalidCode
}
