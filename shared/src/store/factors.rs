//! Second factors, in their owner's partition, and the sign-ins that wait for one.

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

/// What stands in the table of an account's second factor.
#[derive(Debug, Clone)]
pub struct Factors {
    pub totp: Option<Totp>,
    pub recovery: Option<RecoverySet>,
    /// Attempts with codes by the device that was asked about, or by all that are not known.
    pub attempts: Option<Attempts>,
    /// The passkey that was asked about.
    pub passkey: Option<Passkey>,
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

/// What a challenge's item holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct ChallengeState {
    tries: u32,
    /// What the account's passkeys were asked, if it has any.
    #[serde(default)]
    ceremony: Option<CeremonyState>,
}

/// What stands in the table when somebody answers a challenge.
#[derive(Debug, Clone)]
pub struct BeforeVerification {
    pub user: Option<User>,
    /// Tries that the challenge has had; `None` when it was answered or is forgotten.
    pub tries: Option<u32>,
    /// What the account's passkeys were asked with the challenge.
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

    /// All that decides about an answer to a challenge, in one round trip.
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

    /// Notes an authenticator app that waits for its first code, in place of another that waits, uses up the proof
    /// for it, and enqueues `mail`. `false` when one is in force, or the proof was used in the meantime.
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

    /// Stores what was asked of an authenticator to add a passkey, uses up the proof for it, and enqueues `mail`.
    /// `false` when the proof was used in the meantime.
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

    /// Confirms the authenticator app whose code matched `step` and enqueues an email to the owner. With it come recovery codes
    /// where a set is given and none are left. `false` when some are, or another app was put in its place or in force meanwhile,
    /// or the account's factors are not those of `user` any more, or when all sessions were ended: an owner who gets the account
    /// back must not find the app of somebody whose request was under way.
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

    /// Takes a factor away, the recovery codes with the last one, and enqueues an email to the owner. Whatever else may
    /// have begun with the factor ends (`store/revocation.rs`), but for the caller's own session. `false` when the proof
    /// was used or the session ended in the meantime, the factor is not there, or the account's factors are not those of
    /// `user` any more.
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
                // What proves it may be what goes: one item has one place in a transaction.
                if !going.contains(&unused.sk) {
                    items.push(update(self.use_proof(&pk, proof)?)?);
                }
                Some(unused)
            }
            // It goes on, or the transaction fails.
            Permission::Session => None,
        };
        for sk in going {
            let gone = self.delete_of(&pk, &sk);
            items.push(delete(match &unused {
                Some(unused) if unused.sk == sk => unused.clone().on_delete(gone),
                // An account may have none: they went when a change of the address was taken back.
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

    /// Notes in a session that its user proved again who they are, and forgets the failures: with what proved the second
    /// factor, which is used up; without, by the password of an account that has none. Enqueues `mail`. `false` when the
    /// proof was used or the session ended in the meantime, or the account's factors are not those of `user` any more.
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

    /// Notes in a session that its user proved a second factor by adding it, unless the session is over.
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

    /// Puts a new set of recovery codes in the place of the old one and enqueues an email to the owner. Whatever else may
    /// have begun with an old code ends (`store/revocation.rs`), but for the caller's own session. `false` when the proof
    /// for it was used meanwhile, or the account's factors or sessions are not those of `user` any more.
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

    /// For a transaction that takes a change of the address back: takes away the factors that are not among those `left`. With
    /// [`same_factors`] it fails if factors came meanwhile that `user` and what is stored do not show.
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
            // One that stays is held, so that as many as were read are those that were read.
            items.push(if left.passkeys.contains(&&passkey.id) {
                self.assert_exists(&pk, &sk)?
            } else {
                delete(if_exists(self.delete_of(&pk, &sk)))?
            });
        }
        if left.totp != user.totp_since.is_some() || left.passkeys.len() < passkeys.len() {
            // Nobody waits for what somebody else's guesses have locked.
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

    /// Begins a sign-in that waits for its second factor, with what the account's passkeys are asked, and forgets the failed
    /// ones of a device that is known, if it began on one, in one round trip.
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

    /// As [`Self::begin_challenge`], and replaces the account's hash. `false` when another was put in its place meanwhile, or the
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

    pub const COMPLETE_SIGN_IN: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE], &[USERS])];
    /// [`Self::complete_sign_in`] of a challenge, in addition.
    pub const ANSWER_CHALLENGE: Grants = &[Grant::table(&[DELETE], &[USERS])];

    /// Completes a sign-in: uses up the challenge, if it has one, and what proved the second factor, forgets the failures,
    /// begins the session and remembers its fingerprint, all or nothing. `false` when challenge or proof was used meanwhile, or
    /// another fingerprint was remembered.
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
            // Nothing was guessed at, so there are no attempts to reset.
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
        self.put_count(to_item(user_key(user), factor_attempts_of(device), &now)?, earlier).await
    }

    /// Marks as used what was right, if nobody used it before, and forgets the wrong ones.
    fn use_proof_and_reset_attempts(
        &self,
        pk: &str,
        proof: &UsedProof,
        device: Option<DeviceId>,
    ) -> Result<Vec<TransactWriteItem>> {
        Ok(vec![update(self.use_proof(pk, proof)?)?, delete(self.delete_of(pk, &factor_attempts_of(device)))?])
    }

    /// Marks as used what was right, if nobody used it before.
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

    /// For a transaction that fails unless the item is there: an update that changes nothing, as a check alone is a permission
    /// of its own.
    fn assert_exists(&self, pk: &str, sk: &str) -> Result<TransactWriteItem> {
        let same = self.update(pk.to_owned(), sk).update_expression("SET created_at = created_at");
        update(same.condition_expression("attribute_exists(pk)"))
    }
}

/// The condition that what proved the second factor was not used before, and the item that it is about.
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
            // A count that the authenticator does not keep stays 0; one that it keeps only rises.
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

/// On condition that the session is there and of the account's epoch: sessions of another are over.
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

/// On condition that the item is there.
fn if_exists(delete: DeleteBuilder) -> DeleteBuilder {
    delete.condition_expression("attribute_exists(pk)")
}

/// On condition, besides any other, that the account has the factors and the sessions that it was read with: what is decided
/// by them is decided rightly then.
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

/// Where the parts of [`Factors`] lie.
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
