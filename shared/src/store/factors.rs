//! Second factors, in their owner's partition, and pending sign-ins that need one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder, UpdateBuilder};

use super::change::Change;
use super::revocation::revoke_others;
use super::schema::{PROFILE, RECOVERY, TOTP, challenge_key, factor_attempts_of, passkey_key, session_key, user_key};
use super::sessions::{NewFingerprint, session_item};
use super::{Item, Store, delete, from_item, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::factor::{
    Challenge, Factor, Permission, StoredFactors, TRIES, Totp, TotpUse, TrustedFactors, UsedProof,
};
use crate::domain::id::{CeremonyId, DeviceId, SessionId, UserId};
use crate::domain::lockout::{Attempts, Bucket};
use crate::domain::mail::OutboxEmail;
use crate::domain::passkey::{Ceremony, CeremonyState, Passkey, PasskeyId};
use crate::domain::password::PasswordHash;
use crate::domain::recovery::RecoverySet;
use crate::domain::session::{Reauthentication, Session};
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{ADDRESSES, DELETE, GET, GET_EACH, Grant, Grants, POPULATION, PUT, UPDATE, USERS, WRITE_EACH};

/// The stored second factors of an account.
#[derive(Debug, Clone)]
pub struct Factors {
    pub totp: Option<Totp>,
    pub recovery: Option<RecoverySet>,
    /// Attempts with codes by the given device, or by all unknown devices.
    pub attempts: Option<Attempts>,
    /// The given passkey.
    pub passkey: Option<Passkey>,
}

impl Factors {
    /// The confirmed authenticator app.
    #[must_use]
    pub fn enrolled(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.confirmed_at.is_some())
    }

    /// The number of unused recovery codes.
    #[must_use]
    pub fn recovery_codes_left(&self) -> usize {
        self.recovery.as_ref().map_or(0, RecoverySet::left)
    }
}

/// The state in a challenge's item.
#[derive(serde::Serialize, serde::Deserialize)]
struct ChallengeState {
    tries: u32,
    /// The passkey ceremony, if the account has passkeys.
    #[serde(default)]
    ceremony: Option<CeremonyState>,
}

/// What is read before an answer to a challenge is verified.
#[derive(Debug, Clone)]
pub struct BeforeVerification {
    pub user: Option<User>,
    /// Number of attempts at the challenge; `None` if it was answered or no longer exists.
    pub tries: Option<u32>,
    /// The passkey ceremony of the challenge.
    pub ceremony: Option<CeremonyState>,
    pub factors: Factors,
}

/// A sign-in with a second factor, or with a passkey alone, which has no challenge.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    pub session: &'a Session,
    pub challenge: Option<&'a Challenge>,
    pub proof: &'a UsedProof,
    pub mail: Option<&'a OutboxEmail>,
}

impl Store {
    pub const FACTORS: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn factors(&self, user: UserId, passkey: Option<&PasskeyId>) -> Result<Factors> {
        let keys = factor_keys(user, None, passkey);
        factors(&mut self.get_each(&keys).await?.into_iter())
    }

    pub const BEFORE_VERIFICATION: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// Everything needed to verify an answer to a challenge, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn before_verification(
        &self,
        challenge: &Challenge,
        passkey: Option<&PasskeyId>,
    ) -> Result<BeforeVerification> {
        let pk = user_key(challenge.user);
        let mut keys = vec![(pk.clone(), PROFILE.to_owned()), (pk, challenge_key(challenge.id))];
        keys.extend(factor_keys(challenge.user, challenge.device, passkey));
        let mut found = self.get_each(&keys).await?.into_iter();
        let user = found.next().flatten().map(from_item).transpose()?;
        let asked: Option<ChallengeState> = found.next().flatten().map(from_item).transpose()?;
        let (tries, ceremony) = asked.map(|asked| (asked.tries, asked.ceremony)).unzip();
        Ok(BeforeVerification { user, tries, ceremony: ceremony.flatten(), factors: factors(&mut found)? })
    }

    pub const START_TOTP: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE, DELETE], &[USERS])];

    /// Stores an unconfirmed authenticator app, replacing another unconfirmed one, uses the proof for it, and enqueues `mail`.
    /// `false` if a confirmed one exists, or if the proof has been used.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn start_totp(
        &self,
        user: UserId,
        totp: &Totp,
        proof: Option<&UsedProof>,
        mail: Option<&OutboxEmail>,
        events: &[DomainEvent],
    ) -> Result<bool> {
        let pk = user_key(user);
        let mut item = to_item(pk.clone(), TOTP, totp)?;
        item.insert("ttl".into(), n(totp.expires_at.seconds()));
        let mut items = vec![put(self.put_of(item).condition_expression("attribute_not_exists(confirmed_at)"))?];
        if let Some(proof) = proof {
            items.extend(self.use_proof_and_reset_attempts(&pk, proof, None)?);
        }
        items.extend(self.enqueue(mail)?);
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    pub const BEGIN_CEREMONY_WITH: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE, DELETE], &[USERS])];

    /// Stores the ceremony for adding a passkey, uses the proof for it, and enqueues `mail`. `false` if the proof has been used.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_ceremony_with(
        &self,
        user: UserId,
        id: CeremonyId,
        ceremony: &Ceremony,
        proof: &UsedProof,
        mail: Option<&OutboxEmail>,
        event: &DomainEvent,
    ) -> Result<bool> {
        let pk = user_key(user);
        let mut items = vec![self.put_new(Self::ceremony_item(Some(user), id, ceremony)?)?];
        items.extend(self.use_proof_and_reset_attempts(&pk, proof, None)?);
        items.extend(self.enqueue(mail)?);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const CONFIRM_TOTP: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE, DELETE], &[USERS])];

    /// Confirms the authenticator app whose code matched `step` and enqueues an email to the owner. Adds the given recovery codes
    /// if none are left. `false` if some are left, if another app has replaced it or was confirmed, if the account's factors are no
    /// longer those of `user`, or if all sessions were ended: an owner who regains the account must not find an app from a
    /// concurrent request of an attacker.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn confirm_totp(
        &self,
        user: &User,
        TotpUse { secret, step }: &TotpUse,
        recovery: Option<&RecoverySet>,
        mail: &OutboxEmail,
        events: &[DomainEvent],
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
            .expression_attribute_values(":now", n(now.millis()));
        let mut items = vec![
            update(totp)?,
            update(same_factors(profile, user))?,
            delete(self.delete_of(&pk, &factor_attempts_of(None)))?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        if let Some(recovery) = recovery {
            let none_left = "attribute_not_exists(pk) OR size(codes) = :none";
            let recovery = self.put_of(to_item(pk, RECOVERY, recovery)?).condition_expression(none_left);
            items.push(put(recovery.expression_attribute_values(":none", n(0)))?);
        }
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    pub const REMOVE_FACTOR: Grants =
        &[Grant::table(&[UPDATE, DELETE], &[USERS]), Grant::table(&[PUT], &[USERS, ADDRESSES])];

    /// Removes a factor, and the recovery codes with the last one, and enqueues an email to the owner. Everything else that may
    /// have started with the factor ends (`store/revocation.rs`), except the caller's own session. `false` if the proof has been
    /// used, the session has ended, the factor does not exist, or the account's factors are no longer those of `user`.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn remove_factor(
        &self,
        user: &User,
        session: &Session,
        factor: &Factor,
        permission: &Permission,
        mail: &OutboxEmail,
        events: &[DomainEvent],
    ) -> Result<bool> {
        let pk = user_key(user.id);
        let change = revoke_others(session, mail.created_at)?;
        let (gone, change) = match factor {
            Factor::Totp => (TOTP.to_owned(), change.remove("totp_since")),
            Factor::Passkey(id) if user.passkeys <= 1 => (passkey_key(id), change.remove("passkeys, passkeys_since")),
            Factor::Passkey(id) => {
                let fewer = change.and_set("passkeys = :fewer").value(":fewer", n(user.passkeys - 1));
                (passkey_key(id), fewer)
            }
        };
        let profile = change.into_update(self.update(pk.clone(), PROFILE));
        let mut going = vec![gone];
        going.extend(factor.is_last_of(user).then(|| RECOVERY.to_owned()));

        let mut items = vec![
            update(same_factors(profile, user))?,
            self.take_along(session)?,
            delete(self.delete_of(&pk, &factor_attempts_of(None)))?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        let unused = match permission {
            Permission::Proof(proof) => {
                let unused = UnusedCondition::of(proof)?;
                // The proof may be the removed factor: a transaction can contain an item only once.
                if !going.contains(&unused.sk) {
                    items.push(update(self.use_proof(&pk, proof)?)?);
                }
                Some(unused)
            }
            // The session continues, or the transaction fails.
            Permission::Session => None,
        };
        for sk in going {
            let gone = self.delete_of(&pk, &sk);
            items.push(delete(match &unused {
                Some(unused) if unused.sk == sk => unused.clone().on_delete(gone),
                // An account may have none: undoing a change of the address removes them.
                _ if sk == RECOVERY => gone,
                _ => if_exists(gone),
            })?);
        }
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    pub const REAUTHENTICATE: Grants = &[
        Grant::table(&[UPDATE], &[USERS]),
        Grant::table(&[DELETE], &[USERS, ADDRESSES]),
        Grant::table(&[PUT], &[USERS, ADDRESSES]),
    ];

    /// Records a step-up in a session and resets the failed attempts. With a proof of the second factor, the proof is used;
    /// without, the account has no second factor and the password was given. Enqueues `mail`. `false` if the proof has been used,
    /// the session has ended, or the account's factors are no longer those of `user`.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn reauthenticate(
        &self,
        user: &User,
        session: SessionId,
        proof: Option<&UsedProof>,
        mail: Option<&OutboxEmail>,
        event: &DomainEvent,
    ) -> Result<bool> {
        let (pk, now) = (user_key(user.id), event.at);
        let reauthentication = Reauthentication { at: now, second_factor: proof.map(UsedProof::method) };
        let profile = self.update(pk.clone(), PROFILE).update_expression("SET session_epoch = :epoch");
        let mut items =
            vec![update(self.proved_in(user, session, reauthentication)?)?, update(same_factors(profile, user))?];
        match proof {
            Some(proof) => items.extend(self.use_proof_and_reset_attempts(&pk, proof, None)?),
            None => {
                let address = user.email.normalized();
                let bucket = Bucket::of_account(&address, user.id);
                items.push(self.forget(bucket)?);
            }
        }
        items.extend(self.enqueue(mail)?);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const NOTE_SECOND_FACTOR: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// Records in a session that its user proved a second factor by adding it, unless the session has ended.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn note_second_factor(&self, user: &User, session: SessionId, proof: Reauthentication) -> Result<()> {
        self.transact(vec![update(self.proved_in(user, session, proof)?)?]).await.map(|_| ())
    }

    fn proved_in(&self, user: &User, session: SessionId, proof: Reauthentication) -> Result<UpdateBuilder> {
        let noted = self
            .update(user_key(user.id), &session_key(session))
            .update_expression("SET reauthenticated = :proof")
            .expression_attribute_values(":proof", value(&proof)?);
        Ok(of_live_session(noted, user))
    }

    pub const RENEW_RECOVERY_CODES: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE, DELETE], &[USERS])];

    /// Replaces the recovery codes and enqueues an email to the owner. Everything else that may have started with an old code ends
    /// (`store/revocation.rs`), except the caller's own session. `false` if the proof has been used, or the account's factors or
    /// sessions are no longer those of `user`.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn renew_recovery_codes(
        &self,
        user: &User,
        session: &Session,
        proof: &UsedProof,
        recovery: &RecoverySet,
        mail: &OutboxEmail,
        events: &[DomainEvent],
    ) -> Result<bool> {
        let pk = user_key(user.id);
        let new = self.put_of(to_item(pk.clone(), RECOVERY, recovery)?);
        let mut items = match proof {
            UsedProof::RecoveryCode(_) => vec![put(UnusedCondition::of(proof)?.on_put(new))?],
            UsedProof::Totp(_) | UsedProof::Passkey(_) => vec![update(self.use_proof(&pk, proof)?)?, put(new)?],
        };
        let change = revoke_others(session, mail.created_at)?;
        items.push(update(same_factors(change.into_update(self.update(pk.clone(), PROFILE)), user))?);
        items.push(self.take_along(session)?);
        items.push(delete(self.delete_of(&pk, &factor_attempts_of(None)))?);
        items.push(self.put_new(Self::email_item(mail)?)?);
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    /// For a transaction that undoes a change of the address: removes all factors except those `left`. With [`same_factors`] it
    /// fails if factors were added concurrently.
    pub(super) fn drop_distrusted(
        &self,
        user: &User,
        left: &TrustedFactors<'_>,
        StoredFactors { recovery, passkeys }: StoredFactors<'_>,
    ) -> Result<Vec<TransactWriteItem>> {
        const SAME: &str = "created_at = :created_at";
        let pk = user_key(user.id);
        let mut items = Vec::new();
        if user.totp_since.is_some() && !left.totp {
            items.push(delete(self.delete_of(&pk, TOTP))?);
        }
        for passkey in passkeys {
            let sk = passkey_key(&passkey.id);
            // A condition on each remaining one, so that an equal count means that they are the ones that were read.
            items.push(if left.passkeys.contains(&&passkey.id) {
                self.assert_exists(&pk, &sk)?
            } else {
                delete(if_exists(self.delete_of(&pk, &sk)))?
            });
        }
        if left.totp != user.totp_since.is_some() || left.passkeys.len() < passkeys.len() {
            // The owner must not be locked out by an attacker's guesses.
            items.push(delete(self.delete_of(&pk, &factor_attempts_of(None)))?);
        }
        if let Some(set) = recovery {
            let created_at = n(set.created_at.millis());
            items.push(if left.recovery {
                let codes = self.update(pk, RECOVERY).update_expression("SET created_at = :created_at");
                update(codes.condition_expression(SAME).expression_attribute_values(":created_at", created_at))?
            } else {
                let codes = self.delete_of(&pk, RECOVERY).condition_expression(SAME);
                delete(codes.expression_attribute_values(":created_at", created_at))?
            });
        }
        Ok(items)
    }

    pub const BEGIN_CHALLENGE: Grants = &[Grant::table(&[WRITE_EACH], &[USERS, ADDRESSES])];

    /// Starts a sign-in that needs a second factor, with the ceremony for the account's passkeys, and resets the failed attempts of
    /// the known device, if there is one, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_challenge(
        &self,
        challenge: &Challenge,
        ceremony: Option<CeremonyState>,
        device: Option<Bucket<'_>>,
    ) -> Result<()> {
        self.put_and_forget(challenge_item(challenge, ceremony)?, device).await
    }

    pub const BEGIN_CHALLENGE_WITH_HASH: Grants = &[
        Grant::table(&[UPDATE], &[USERS, POPULATION]),
        Grant::table(&[PUT], &[USERS, ADDRESSES]),
        Grant::table(&[DELETE], &[ADDRESSES]),
    ];

    /// Like [`Self::begin_challenge`], and replaces the account's hash. `false` if the hash was replaced concurrently, or the
    /// account moved to another address.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_challenge_with_hash(
        &self,
        user: &User,
        challenge: &Challenge,
        ceremony: Option<CeremonyState>,
        device: Option<Bucket<'_>>,
        hash: &PasswordHash,
    ) -> Result<bool> {
        let begun = vec![put(self.put_of(challenge_item(challenge, ceremony)?))?];
        self.begin_with_hash(user, hash, Change::default(), begun, device).await
    }

    pub const TAKE_TRY: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// Uses one attempt of the challenge before its code is verified. `false` if none is left or it was answered.
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

    pub const COMPLETE_SIGN_IN: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE], &[USERS])];
    /// [`Self::complete_sign_in`] of a challenge, in addition.
    pub const ANSWER_CHALLENGE: Grants = &[Grant::table(&[DELETE], &[USERS])];

    /// Completes a sign-in atomically: uses the challenge, if it has one, and the proof of the second factor, resets the failed
    /// attempts, starts the session and stores its fingerprint. `false` if challenge or proof has been used, or another fingerprint
    /// was stored.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn complete_sign_in(&self, sign_in: &SignIn<'_>, fingerprint: Option<&NewFingerprint>) -> Result<bool> {
        let SignIn { session, challenge, proof, mail } = *sign_in;
        let pk = user_key(session.user);
        let mut items = match challenge {
            Some(challenge) => {
                let answered = if_exists(self.delete_of(&pk, &challenge_key(challenge.id)));
                let mut items = self.use_proof_and_reset_attempts(&pk, proof, challenge.device)?;
                items.push(delete(answered)?);
                items
            }
            // No guessing is possible, so there are no attempts to reset.
            None => vec![update(self.use_proof(&pk, proof)?)?],
        };
        items.push(put(self.put_of(session_item(session)?))?);
        if let Some(fingerprint) = fingerprint {
            items.extend(self.remember(session.user, fingerprint)?);
        }
        items.extend(self.enqueue(mail)?);
        self.transact(items).await
    }

    fn enqueue(&self, mail: Option<&OutboxEmail>) -> Result<Option<TransactWriteItem>> {
        mail.map(|mail| self.put_new(Self::email_item(mail)?)).transpose()
    }

    pub const FACTOR_ATTEMPTS: Grants = &[Grant::table(&[GET], &[USERS])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn factor_attempts(&self, user: UserId, device: Option<DeviceId>) -> Result<Option<Attempts>> {
        self.get(user_key(user), &factor_attempts_of(device)).await
    }

    pub const COUNT_FACTOR_ATTEMPT: Grants = &[Grant::table(&[PUT], &[USERS])];

    /// Counts an attempt with a code before it is verified, as [`Self::count_attempt`] does with a password. The count stays until
    /// a correct code or the deletion of the account: it does not expire.
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
        self.put_count(to_item(user_key(user), factor_attempts_of(device), &now)?, earlier).await
    }

    /// Marks a correct proof as used, if it was not used before, and resets the failed attempts.
    fn use_proof_and_reset_attempts(
        &self,
        pk: &str,
        proof: &UsedProof,
        device: Option<DeviceId>,
    ) -> Result<Vec<TransactWriteItem>> {
        Ok(vec![update(self.use_proof(pk, proof)?)?, delete(self.delete_of(pk, &factor_attempts_of(device)))?])
    }

    /// Marks a correct proof as used, if it was not used before.
    fn use_proof(&self, pk: &str, proof: &UsedProof) -> Result<UpdateBuilder> {
        let unused = UnusedCondition::of(proof)?;
        let update = self.update(pk.to_owned(), &unused.sk);
        let update = match proof {
            UsedProof::Totp(_) => update.update_expression("SET last_step = :step"),
            UsedProof::RecoveryCode(_) => update.update_expression("REMOVE codes.#hash"),
            UsedProof::Passkey(used) => update
                .update_expression(
                    "SET credential = :credential, sign_count = :count, backed_up = :backed_up, last_used_at = :now",
                )
                .expression_attribute_values(":credential", value(&used.credential)?)
                .expression_attribute_values(":backed_up", value(&used.backed_up)?)
                .expression_attribute_values(":now", n(used.used_at.millis())),
        };
        Ok(unused.on_update(update))
    }

    /// For a transaction that fails unless the item exists: an update that changes nothing, because a condition check needs a
    /// permission of its own.
    fn assert_exists(&self, pk: &str, sk: &str) -> Result<TransactWriteItem> {
        let same = self.update(pk.to_owned(), sk).update_expression("SET created_at = created_at");
        update(same.condition_expression("attribute_exists(pk)"))
    }
}

/// The condition that the proof of the second factor was not used before, and the item that it applies to.
#[derive(Clone)]
struct UnusedCondition {
    sk: String,
    condition: &'static str,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
}

impl UnusedCondition {
    fn of(proof: &UsedProof) -> Result<Self> {
        Ok(match proof {
            UsedProof::Totp(TotpUse { secret, step }) => Self {
                sk: TOTP.to_owned(),
                condition: "secret = :secret AND last_step < :step",
                names: None,
                values: Some(HashMap::from([(":secret".into(), value(secret)?), (":step".into(), n(step.number()))])),
            },
            UsedProof::RecoveryCode(hash) => Self {
                sk: RECOVERY.to_owned(),
                condition: "attribute_exists(codes.#hash)",
                names: Some(HashMap::from([("#hash".into(), hash.as_str().to_owned())])),
                values: None,
            },
            // A counter that the authenticator does not support stays 0; a supported one only increases.
            UsedProof::Passkey(used) => Self {
                sk: passkey_key(&used.id),
                condition: if used.sign_count == 0 { "sign_count = :count" } else { "sign_count < :count" },
                names: None,
                values: Some(HashMap::from([(":count".into(), n(used.sign_count))])),
            },
        })
    }

    fn on_update(self, update: UpdateBuilder) -> UpdateBuilder {
        let names = update.get_expression_attribute_names().clone();
        let values = update.get_expression_attribute_values().clone();
        update
            .condition_expression(self.condition)
            .set_expression_attribute_names(merge(names, self.names))
            .set_expression_attribute_values(merge(values, self.values))
    }

    fn on_delete(self, delete: DeleteBuilder) -> DeleteBuilder {
        delete
            .condition_expression(self.condition)
            .set_expression_attribute_names(self.names)
            .set_expression_attribute_values(self.values)
    }

    fn on_put(self, put: PutBuilder) -> PutBuilder {
        put.condition_expression(self.condition)
            .set_expression_attribute_names(self.names)
            .set_expression_attribute_values(self.values)
    }
}

fn merge<T>(one: Option<HashMap<String, T>>, other: Option<HashMap<String, T>>) -> Option<HashMap<String, T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.into_iter().chain(other).collect()),
        (one, other) => one.or(other),
    }
}

/// On condition that the session exists and has the account's epoch: sessions of other epochs have ended.
fn of_live_session(session: UpdateBuilder, user: &User) -> UpdateBuilder {
    session
        .condition_expression("attribute_exists(pk) AND epoch = :epoch")
        .expression_attribute_values(":epoch", n(user.session_epoch))
}

fn challenge_item(challenge: &Challenge, ceremony: Option<CeremonyState>) -> Result<Item> {
    let asked = ChallengeState { tries: 0, ceremony };
    let mut item = to_item(user_key(challenge.user), challenge_key(challenge.id), &asked)?;
    item.insert("ttl".into(), n(challenge.expires_at.seconds()));
    Ok(item)
}

/// On condition that the item exists.
fn if_exists(delete: DeleteBuilder) -> DeleteBuilder {
    delete.condition_expression("attribute_exists(pk)")
}

/// On the additional condition that factors and sessions of the account have not changed since it was read, so that decisions
/// based on them are still valid.
pub(super) fn same_factors(profile: UpdateBuilder, user: &User) -> UpdateBuilder {
    let mut conditions: Vec<String> = profile.get_condition_expression().clone().into_iter().collect();
    conditions.push("session_epoch = :epoch".into());
    // Accounts from before there were passkeys have no count.
    let none = if user.passkeys == 0 { "attribute_not_exists(passkeys) OR " } else { "" };
    conditions.push(format!("({none}passkeys = :passkeys)"));
    let profile = match user.totp_since {
        Some(since) => {
            conditions.push("totp_since = :totp_since".into());
            profile.expression_attribute_values(":totp_since", n(since.millis()))
        }
        None => {
            conditions.push("attribute_not_exists(totp_since)".into());
            profile
        }
    };
    profile
        .condition_expression(conditions.join(" AND "))
        .expression_attribute_values(":epoch", n(user.session_epoch))
        .expression_attribute_values(":passkeys", n(user.passkeys))
}

/// The keys of the parts of [`Factors`].
fn factor_keys(user: UserId, device: Option<DeviceId>, passkey: Option<&PasskeyId>) -> Vec<(String, String)> {
    let sks = [TOTP.to_owned(), RECOVERY.to_owned(), factor_attempts_of(device)];
    sks.into_iter().chain(passkey.map(passkey_key)).map(|sk| (user_key(user), sk)).collect()
}

fn factors(found: &mut impl Iterator<Item = Option<Item>>) -> Result<Factors> {
    let mut next = || found.next().flatten();
    Ok(Factors {
        totp: next().map(from_item).transpose()?,
        recovery: next().map(from_item).transpose()?,
        attempts: next().map(from_item).transpose()?,
        passkey: next().map(from_item).transpose()?,
    })
}
