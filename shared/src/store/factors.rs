//! Second factors, in their owner's partition, and the sign-ins that wait for one.

use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{Delete, DeleteRequest, Put, PutRequest, TransactWriteItem, WriteRequest};

use super::attempts::attempts_key;
use super::sessions::{NewClient, session_item};
use super::users::{PROFILE, user_key};
use super::{Item, Store, from_item, if_condition_held, n, s, to_item, value};
use crate::clock::Timestamp;
use crate::domain::factor::{Challenge, SealedSecret, Spent, TRIES, Totp};
use crate::domain::id::{ChallengeId, DeviceId, UserId};
use crate::domain::lockout::{Attempts, Bucket};
use crate::domain::mail::OwedMail;
use crate::domain::recovery::{RecoveryHash, RecoverySet};
use crate::domain::session::Session;
use crate::domain::totp::Step;
use crate::domain::user::User;
use crate::error::{Error, Result};

const TOTP: &str = "FACTOR#TOTP";
const RECOVERY: &str = "FACTOR#RECOVERY";

fn attempts_of(device: Option<DeviceId>) -> String {
    device.map_or_else(|| "FACTOR#ATTEMPTS".to_owned(), |device| format!("FACTOR#ATTEMPTS#{device}"))
}

fn challenge_key(id: ChallengeId) -> String {
    format!("FACTOR#CHALLENGE#{id}")
}

/// What stands in the table of an account's second factor.
#[derive(Debug, Clone)]
pub struct Factors {
    pub totp: Option<Totp>,
    pub recovery: Option<RecoverySet>,
    /// Attempts with codes by the device that was asked about, or by all that are not known.
    pub attempts: Option<Attempts>,
}

impl Factors {
    /// The authenticator app that is in force.
    #[must_use]
    pub fn enrolled(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.confirmed_at.is_some())
    }

    /// How many recovery codes are left.
    #[must_use]
    pub fn recovery_codes_left(&self) -> usize {
        self.recovery.as_ref().map_or(0, RecoverySet::left)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Tries {
    tries: u32,
}

/// What stands in the table when somebody answers a challenge.
#[derive(Debug, Clone)]
pub struct BeforeVerification {
    pub user: Option<User>,
    /// Tries that the challenge has had; `None` when it was answered or is forgotten.
    pub tries: Option<u32>,
    pub factors: Factors,
}

impl Store {
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn factors(&self, user: UserId, device: Option<DeviceId>) -> Result<Factors> {
        let pk = user_key(user);
        let keys = [TOTP.to_owned(), RECOVERY.to_owned(), attempts_of(device)].map(|sk| (pk.clone(), sk));
        factors(&mut self.get_each(&keys).await?.into_iter())
    }

    /// All that decides about an answer to a challenge, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn before_verification(&self, challenge: &Challenge) -> Result<BeforeVerification> {
        let pk = user_key(challenge.user);
        let (challenge, attempts) = (challenge_key(challenge.id), attempts_of(challenge.device));
        let keys = [PROFILE.to_owned(), challenge, TOTP.to_owned(), RECOVERY.to_owned(), attempts];
        let mut found = self.get_each(&keys.map(|sk| (pk.clone(), sk))).await?.into_iter();
        let user = found.next().flatten().map(from_item).transpose()?;
        let tries: Option<Tries> = found.next().flatten().map(from_item).transpose()?;
        Ok(BeforeVerification { user, tries: tries.map(|tries| tries.tries), factors: factors(&mut found)? })
    }

    /// Notes an authenticator app that waits for its first code, in place of another that waits. `false` when one is in
    /// force.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn start_totp(&self, user: UserId, totp: &Totp) -> Result<bool> {
        let mut item = to_item(user_key(user), TOTP, totp)?;
        item.insert("ttl".into(), n(totp.expires_at.seconds()));
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(confirmed_at)");
        Ok(if_condition_held(put.send().await)?.is_some())
    }

    /// Puts the authenticator app in force that showed the code of `step`, with a set of recovery codes, and owes the owner
    /// a mail. `false` when another one was put in its place or in force meanwhile, or when all sessions were ended: an
    /// owner who gets the account back must not find the app of somebody whose request was under way.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn confirm_totp(
        &self,
        user: &User,
        (secret, step): (&SealedSecret, Step),
        recovery: &RecoverySet,
        mail: &OwedMail,
        now: Timestamp,
    ) -> Result<bool> {
        let pk = user_key(user.id);
        let totp = self
            .update(pk.clone(), TOTP)
            .update_expression("SET confirmed_at = :now, last_step = :step REMOVE #ttl")
            .condition_expression("attribute_not_exists(confirmed_at) AND secret = :secret")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":step", n(step.number()))
            .expression_attribute_values(":secret", value(secret)?);
        let profile = self
            .update(pk.clone(), PROFILE)
            .update_expression("SET totp_since = :now")
            .condition_expression("session_epoch = :epoch AND attribute_not_exists(totp_since)")
            .expression_attribute_values(":epoch", n(user.session_epoch))
            .expression_attribute_values(":now", n(now.millis()));
        let recovery = self.put_of(to_item(pk.clone(), RECOVERY, recovery)?);
        let items = vec![
            update(totp)?,
            update(profile)?,
            put(recovery)?,
            delete(self.delete_of(&pk, &attempts_of(None)))?,
            self.put_new(Self::mail_item(mail)?)?,
        ];
        self.transact(items).await
    }

    /// Takes the authenticator app away, its recovery codes with it, and owes the owner a mail. `false` when what is spent
    /// for it was used meanwhile.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn remove_totp(&self, user: UserId, spent: &Spent, mail: &OwedMail) -> Result<bool> {
        let pk = user_key(user);
        let (totp, recovery) = (self.delete_of(&pk, TOTP), self.delete_of(&pk, RECOVERY));
        let (totp, recovery) = match spent {
            Spent::Step { secret, step } => {
                let totp = totp
                    .condition_expression("secret = :secret AND last_step < :step")
                    .expression_attribute_values(":secret", value(secret)?)
                    .expression_attribute_values(":step", n(step.number()));
                (totp, recovery)
            }
            Spent::RecoveryCode(hash) => {
                let recovery = recovery
                    .condition_expression("attribute_exists(codes.#hash)")
                    .expression_attribute_names("#hash", hash.as_str());
                (totp.condition_expression("attribute_exists(confirmed_at)"), recovery)
            }
        };
        let profile = self
            .update(pk.clone(), PROFILE)
            .update_expression("REMOVE totp_since")
            .condition_expression("attribute_exists(totp_since)");
        let items = vec![
            delete(totp)?,
            delete(recovery)?,
            update(profile)?,
            delete(self.delete_of(&pk, &attempts_of(None)))?,
            self.put_new(Self::mail_item(mail)?)?,
        ];
        self.transact(items).await
    }

    /// Puts a new set of recovery codes in the place of the old one and owes the owner a mail. `false` when what is spent
    /// for it was used meanwhile.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn renew_recovery_codes(
        &self,
        user: UserId,
        spent: &Spent,
        recovery: &RecoverySet,
        mail: &OwedMail,
    ) -> Result<bool> {
        let pk = user_key(user);
        let new = self.put_of(to_item(pk.clone(), RECOVERY, recovery)?);
        let mut items = match spent {
            Spent::Step { secret, step } => vec![update(self.spend_step(&pk, secret, *step)?)?, put(new)?],
            Spent::RecoveryCode(hash) => {
                let new = new
                    .condition_expression("attribute_exists(codes.#hash)")
                    .expression_attribute_names("#hash", hash.as_str());
                vec![put(new)?]
            }
        };
        items.push(delete(self.delete_of(&pk, &attempts_of(None)))?);
        items.push(self.put_new(Self::mail_item(mail)?)?);
        self.transact(items).await
    }

    /// For a transaction that takes `totp_since` from the account: the app and its recovery codes, whoever has them.
    pub(super) fn drop_totp(&self, user: UserId) -> Result<Vec<TransactWriteItem>> {
        let pk = user_key(user);
        [TOTP, RECOVERY, &attempts_of(None)].map(|sk| delete(self.delete_of(&pk, sk))).into_iter().collect()
    }

    /// For a transaction: takes the recovery codes away if they were made at `since` or later; otherwise they stay, and the
    /// transaction fails if others were made in their place.
    pub(super) fn drop_or_hold_recovery_codes(
        &self,
        user: UserId,
        set: &RecoverySet,
        since: Option<Timestamp>,
    ) -> Result<TransactWriteItem> {
        const SAME: &str = "created_at = :created_at";
        let (pk, created_at) = (user_key(user), n(set.created_at.millis()));
        if since.is_some_and(|since| set.created_at >= since) {
            let codes = self.delete_of(&pk, RECOVERY).condition_expression(SAME);
            return delete(codes.expression_attribute_values(":created_at", created_at));
        }
        let codes = self.update(pk, RECOVERY).update_expression("SET created_at = :created_at");
        update(codes.condition_expression(SAME).expression_attribute_values(":created_at", created_at))
    }

    /// Begins a sign-in that waits for its second factor, and forgets the failed ones of the password if they are counted, in
    /// one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_challenge(&self, challenge: &Challenge, counted: Option<Bucket<'_>>) -> Result<()> {
        let mut item = to_item(user_key(challenge.user), challenge_key(challenge.id), &Tries { tries: 0 })?;
        item.insert("ttl".into(), n(challenge.expires_at.seconds()));
        let put = PutRequest::builder().set_item(Some(item)).build().map_err(Error::internal)?;
        let mut writes = vec![WriteRequest::builder().put_request(put).build()];
        if let Some(bucket) = counted {
            let forget = DeleteRequest::builder().set_key(Some(attempts_key(bucket))).build();
            writes.push(WriteRequest::builder().delete_request(forget.map_err(Error::internal)?).build());
        }
        self.write_all(writes).await
    }

    /// Takes one of the challenge's tries before its code is looked at. `false` when none is left or it was answered.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn take_try(&self, challenge: &Challenge) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(user_key(challenge.user)))
            .key("sk", s(challenge_key(challenge.id)))
            .update_expression("SET tries = tries + :one")
            .condition_expression("tries < :most")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":most", n(TRIES));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    /// Completes a sign-in: uses up the challenge and the code, forgets the failures, begins the session and remembers its
    /// client, all or nothing. `false` when challenge or code was used meanwhile, or another client was remembered.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn complete_sign_in(
        &self,
        challenge: &Challenge,
        spent: &Spent,
        session: &Session,
        client: Option<&NewClient>,
        mail: Option<&OwedMail>,
    ) -> Result<bool> {
        let pk = user_key(challenge.user);
        let answered = self.delete_of(&pk, &challenge_key(challenge.id)).condition_expression("attribute_exists(pk)");
        let code = match spent {
            Spent::Step { secret, step } => self.spend_step(&pk, secret, *step)?,
            Spent::RecoveryCode(hash) => self.spend_recovery_code(&pk, hash),
        };
        let mut items = vec![
            delete(answered)?,
            update(code)?,
            delete(self.delete_of(&pk, &attempts_of(challenge.device)))?,
            put(self.put_of(session_item(session)?))?,
        ];
        if let Some(client) = client {
            items.extend(self.remember(session.user, client)?);
        }
        if let Some(mail) = mail {
            items.push(self.put_new(Self::mail_item(mail)?)?);
        }
        self.transact(items).await
    }

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn factor_attempts(&self, user: UserId, device: Option<DeviceId>) -> Result<Option<Attempts>> {
        self.get(user_key(user), &attempts_of(device)).await
    }

    /// Counts an attempt with a code before it is looked at, as [`Self::count_attempt`] does with a password. It stays
    /// until a right one, or the account's end: no time forgets it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn count_factor_attempt(
        &self,
        user: UserId,
        device: Option<DeviceId>,
        earlier: Option<Attempts>,
        now: Attempts,
    ) -> Result<bool> {
        self.put_count(to_item(user_key(user), attempts_of(device), &now)?, earlier).await
    }

    /// Remembers the step of a code, if no code of it or of a later one was used before.
    fn spend_step(&self, pk: &str, secret: &SealedSecret, step: Step) -> Result<UpdateBuilder> {
        let update = self
            .update(pk.to_owned(), TOTP)
            .update_expression("SET last_step = :step")
            .condition_expression("secret = :secret AND last_step < :step")
            .expression_attribute_values(":secret", value(secret)?)
            .expression_attribute_values(":step", n(step.number()));
        Ok(update)
    }

    /// Takes a code out of the set, if it is still in there.
    fn spend_recovery_code(&self, pk: &str, hash: &RecoveryHash) -> UpdateBuilder {
        self.update(pk.to_owned(), RECOVERY)
            .update_expression("REMOVE codes.#hash")
            .condition_expression("attribute_exists(codes.#hash)")
            .expression_attribute_names("#hash", hash.as_str())
    }

    fn delete_of(&self, pk: &str, sk: &str) -> DeleteBuilder {
        Delete::builder().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk))
    }

    fn put_of(&self, item: Item) -> PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }
}

fn factors(found: &mut impl Iterator<Item = Option<Item>>) -> Result<Factors> {
    let mut next = || found.next().flatten();
    Ok(Factors {
        totp: next().map(from_item).transpose()?,
        recovery: next().map(from_item).transpose()?,
        attempts: next().map(from_item).transpose()?,
    })
}

fn update(update: UpdateBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().update(update.build().map_err(Error::internal)?).build())
}

fn delete(delete: DeleteBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().delete(delete.build().map_err(Error::internal)?).build())
}

fn put(put: PutBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().put(put.build().map_err(Error::internal)?).build())
}
