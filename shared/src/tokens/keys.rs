//! The keys as a running function holds them: read once, looked at again every few minutes or when a token names
//! a key that is not there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::{rsa, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::claims::Claims;
use super::mac::MacKey;
use super::seal::SealKey;
use crate::clock::Timestamp;
use crate::domain::keys::{self, Algorithm, KeyTimes};
use crate::error::{Causes, Error, Result};
use crate::grant::{GET, Grant, Grants, PUT};
use crate::grants;
use crate::store::{KeyStore, PrivateKey, PublicKey, Store};

/// How long keys are used without looking again: a key that an operator revokes is believed no longer than this.
const FRESH: Duration = Duration::from_mins(1);
const REFRESH_MAC: &str = "refresh";
const CURSOR_MAC: &str = "cursor";
const IMPORT_MAC: &str = "import";
/// How often an unknown key id may make us look: a flood of made-up ids must not become a flood of reads.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How many verified tokens are remembered at most, at one to four kilobytes each; then all are forgotten.
const REMEMBERED: usize = 1000;

#[derive(Debug)]
pub struct Keys {
    store: Store,
    private: KeyStore,
    algorithm: Algorithm,
    verifying: RwLock<Option<Loaded<Trusted>>>,
    signing: RwLock<Option<Loaded<Arc<SigningKey>>>>,
    refresh_mac: OnceCell<MacKey>,
    cursor_mac: OnceCell<MacKey>,
    device_mac: OnceCell<MacKey>,
    challenge_mac: OnceCell<MacKey>,
    population_mac: OnceCell<MacKey>,
    import_mac: OnceCell<MacKey>,
    totp: OnceCell<SealKey>,
    webhooks: OnceCell<SealKey>,
}

type ByKid = HashMap<String, Arc<VerifyingKey>>;

/// The keys that check tokens, and the tokens that they checked: those go when other keys are trusted.
#[derive(Debug, Default)]
struct Trusted {
    /// As it was read.
    published: Vec<PublicKey>,
    keys: ByKid,
    verified: Mutex<HashMap<TokenDigest, Claims>>,
}

/// The SHA-256 of a token: no token is kept in memory longer than its request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(octets)
    }
}

impl std::fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenDigest([REDACTED])")
    }
}

#[derive(Debug)]
struct Loaded<T> {
    value: T,
    at: Timestamp,
}

pub struct VerifyingKey {
    pub algorithm: jsonwebtoken::Algorithm,
    pub decoding: DecodingKey,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm)
    }
}

pub struct SigningKey {
    pub kid: String,
    pub algorithm: jsonwebtoken::Algorithm,
    pub encoding: EncodingKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, [REDACTED])", self.kid)
    }
}

/// The ids of the keys that a run of the sweeper made and withdrew.
#[derive(Debug)]
pub struct Rotation {
    pub made: Option<String>,
    /// Followed by another, for longer than their tokens live.
    pub retired: Vec<String>,
    /// Compromised, an operator says.
    pub revoked: Vec<String>,
    /// When the newest key was made.
    pub newest: Option<Timestamp>,
}

struct Halves {
    trusted: Vec<PrivateKey>,
    revoked: Vec<String>,
}

fn active(keys: Vec<PrivateKey>, now: Timestamp) -> Option<PrivateKey> {
    let times: Vec<KeyTimes> = keys.iter().map(PrivateKey::times).collect();
    let kid = &keys::signing(&times, now)?.kid;
    keys.into_iter().find(|key| key.kid == *kid)
}

impl Keys {
    /// [`Self::signing`] where the sweeper has made a key. The public halves are read by every function.
    pub const SIGN: Grants = KeyStore::SIGNING_KEYS;
    /// [`Self::signing`] where it may be the first to need a key.
    pub const MAKE: Grants = grants![Store::PUBLISH_KEY, KeyStore::PUT_SIGNING_KEY];
    pub const ROTATE: Grants = grants![Keys::SIGN, Keys::MAKE, Store::WITHDRAW_KEY, KeyStore::DELETE_SIGNING_KEY];
    pub const REFRESH_MAC: Grants = &[Grant::keys_table(&[GET, PUT], &["MAC#refresh"])];
    pub const CURSOR_MAC: Grants = &[Grant::keys_table(&[GET, PUT], &["MAC#cursor"])];
    pub const IMPORT_MAC: Grants = &[Grant::keys_table(&[GET, PUT], &["MAC#import"])];
    /// [`Self::totp`] for a secret that is there, so that the key is, too.
    pub const OPEN_TOTP: Grants = &[Grant::keys_table(&[GET], &["SEAL#totp"])];
    /// [`Self::totp`] for a secret that may be the first.
    pub const SEAL_TOTP: Grants = &[Grant::keys_table(&[GET, PUT], &["SEAL#totp"])];
    /// [`Self::webhooks`] for a secret that is there.
    pub const OPEN_WEBHOOKS: Grants = &[Grant::keys_table(&[GET], &["SEAL#webhooks"])];
    /// [`Self::webhooks`] for a secret that may be the first.
    pub const SEAL_WEBHOOKS: Grants = &[Grant::keys_table(&[GET, PUT], &["SEAL#webhooks"])];

    #[must_use]
    pub fn new(store: Store, private: KeyStore, algorithm: Algorithm) -> Self {
        Self {
            store,
            private,
            algorithm,
            verifying: RwLock::default(),
            signing: RwLock::default(),
            refresh_mac: OnceCell::new(),
            cursor_mac: OnceCell::new(),
            device_mac: OnceCell::new(),
            challenge_mac: OnceCell::new(),
            population_mac: OnceCell::new(),
            import_mac: OnceCell::new(),
            totp: OnceCell::new(),
            webhooks: OnceCell::new(),
        }
    }

    /// The key that checks tokens with this key id; `None` when there is no such key.
    ///
    /// # Errors
    /// When the keys cannot be read and no earlier reading has the key.
    pub async fn verifying(&self, kid: &str, now: Timestamp) -> Result<Option<Arc<VerifyingKey>>> {
        let held = {
            let verifying = self.verifying.read().unwrap_or_else(PoisonError::into_inner);
            // A set that was read empty is that of a stack whose first key is just being made: it is read again.
            let held = verifying.as_ref().filter(|loaded| !loaded.value.keys.is_empty());
            held.map(|loaded| (loaded.value.keys.get(kid).cloned(), now.since(loaded.at)))
        };
        if let Some((key, age)) = held {
            let look_again = if key.is_some() { FRESH } else { LOOK_AGAIN };
            if age < look_again {
                return Ok(key);
            }
            return match self.load_verifying(now).await {
                Err(error) if key.is_some() => {
                    tracing::warn!(error.message = %Causes(&error), "failed to refresh the public keys; using the cached ones");
                    Ok(key)
                }
                other => other.map(|keys| keys.get(kid).cloned()),
            };
        }
        Ok(self.load_verifying(now).await?.get(kid).cloned())
    }

    /// The claims of a token whose signature was verified with a key that is still trusted without another look.
    #[must_use]
    pub fn verified(&self, token: &TokenDigest, now: Timestamp) -> Option<Claims> {
        let verifying = self.verifying.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = verifying.as_ref().filter(|loaded| now.since(loaded.at) < FRESH)?;
        let verified = fresh.value.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(token).cloned()
    }

    /// Remembers a token that `key` verified, unless the keys were read again since `key` was found.
    pub fn remember(&self, token: TokenDigest, claims: &Claims, kid: &str, key: &Arc<VerifyingKey>) {
        let verifying = self.verifying.read().unwrap_or_else(PoisonError::into_inner);
        let trusted = verifying.as_ref().map(|loaded| &loaded.value);
        let Some(trusted) = trusted.filter(|trusted| trusted.keys.get(kid).is_some_and(|held| Arc::ptr_eq(held, key)))
        else {
            return;
        };
        let mut verified = trusted.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(token, claims.clone());
    }

    /// Reads the trusted keys again. As long as they are the same, the tokens that they verified stay remembered.
    async fn load_verifying(&self, now: Timestamp) -> Result<ByKid> {
        let published = self.store.trusted_keys().await?;
        {
            let mut verifying = self.verifying.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(loaded) = verifying.as_mut().filter(|loaded| loaded.value.published == published) {
                loaded.at = now;
                return Ok(loaded.value.keys.clone());
            }
        }
        let mut keys = HashMap::new();
        for key in &published {
            let jwk: Jwk = serde_json::from_str(&key.jwk).map_err(Error::internal)?;
            let decoding = DecodingKey::from_jwk(&jwk).map_err(Error::internal)?;
            let key = (key.kid.clone(), Arc::new(VerifyingKey { algorithm: key.algorithm.into(), decoding }));
            keys.extend([key]);
        }
        let trusted = Trusted { published, keys: keys.clone(), verified: Mutex::default() };
        let loaded = Loaded { value: trusted, at: now };
        *self.verifying.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(keys)
    }

    /// The key that signs now. A stack that has none makes one: its first, or one in place of a revoked one.
    ///
    /// # Errors
    /// When the keys cannot be read or the first one cannot be written.
    pub async fn signing(&self, now: Timestamp) -> Result<Arc<SigningKey>> {
        if let Some(key) = self.held_signing(now) {
            return Ok(key);
        }
        if let Some(key) = self.load_signing(now).await? {
            return Ok(key);
        }
        self.make(now, now).await?;
        self.load_signing(now).await?.ok_or_else(|| Error::internal("no signing key is active"))
    }

    async fn load_signing(&self, now: Timestamp) -> Result<Option<Arc<SigningKey>>> {
        let Some(key) = active(self.halves().await?.trusted, now) else {
            return Ok(None);
        };
        let pkcs8 = STANDARD.decode(key.pkcs8.expose_secret()).map_err(Error::internal)?;
        let signing = Arc::new(SigningKey {
            kid: key.kid,
            algorithm: key.algorithm.into(),
            encoding: encoding_key(key.algorithm, &pkcs8)?,
        });
        let loaded = Loaded { value: Arc::clone(&signing), at: now };
        *self.signing.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(Some(signing))
    }

    /// Preloads the keys for making a pair of tokens, unless they are cached. It only reads: it can be cancelled, and missing keys
    /// are created on first use.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub async fn read_ahead(&self, now: Timestamp) -> Result<()> {
        if self.held_signing(now).is_none() {
            self.load_signing(now).await?;
        }
        self.known_refresh_mac().await?;
        Ok(())
    }

    fn held_signing(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        let held = self.signing.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|loaded| now.since(loaded.at) < FRESH).map(|loaded| Arc::clone(&loaded.value))
    }

    /// All keys, told apart by whether they may be trusted.
    async fn halves(&self) -> Result<Halves> {
        let private = self.private.signing_keys().await?;
        // Read after the private halves, and written before them: a private half without a public one here had it taken away.
        let public = self.store.public_keys().await?;
        let published = |key: &PrivateKey| public.iter().any(|half| half.kid == key.kid && !half.revoked);
        let (trusted, revoked): (Vec<_>, Vec<_>) = private.into_iter().partition(published);
        let mut revoked: Vec<String> = revoked.into_iter().map(|key| key.kid).collect();
        revoked.extend(public.into_iter().filter(|half| half.revoked).map(|half| half.kid));
        revoked.sort_unstable();
        revoked.dedup();
        Ok(Halves { trusted, revoked })
    }

    /// Makes the next key when it is due, and withdraws those that nothing needs any more and those that were revoked.
    ///
    /// # Errors
    /// When the keys cannot be read or written.
    pub async fn rotate(&self, now: Timestamp) -> Result<Rotation> {
        let Halves { trusted, revoked } = self.halves().await?;
        let times: Vec<KeyTimes> = trusted.iter().map(PrivateKey::times).collect();
        let made = match keys::next_active_from(&times, self.algorithm, now) {
            Some(active_from) => Some(self.make(active_from, now).await?),
            None => None,
        };
        let newest = made.as_ref().map(|_| now).or_else(|| times.iter().map(|key| key.created_at).max());
        let retired: Vec<String> = keys::retired(&times, now).into_iter().map(|key| key.kid.clone()).collect();
        for kid in retired.iter().chain(&revoked) {
            // The private half first: as long as it is there, what says that it is revoked must be there too.
            self.private.delete_signing_key(kid).await?;
            self.store.withdraw_key(kid).await?;
        }
        Ok(Rotation { made, retired, revoked, newest })
    }

    /// The key that signs next, made now unless one waits for its turn already; and whether it was made. For operators: the sweeper
    /// makes one when it is due.
    ///
    /// # Errors
    /// When the keys cannot be read or written.
    pub async fn make_next(&self, now: Timestamp) -> Result<(KeyTimes, bool)> {
        let times: Vec<KeyTimes> = self.halves().await?.trusted.iter().map(PrivateKey::times).collect();
        if let Some(active_from) = keys::early_active_from(&times, now) {
            let kid = self.make(active_from, now).await?;
            return Ok((KeyTimes { kid, algorithm: self.algorithm, created_at: now, active_from }, true));
        }
        let waiting = keys::waiting(&times, now).cloned();
        waiting.map(|next| (next, false)).ok_or_else(|| Error::internal("no signing key was made, and none is pending"))
    }

    /// Published first, then stored for signing: nothing is ever signed with a key that cannot be checked.
    async fn make(&self, active_from: Timestamp, now: Timestamp) -> Result<String> {
        let pkcs8 = generate(self.algorithm).map_err(|_| Error::internal("failed to make a signing key"))?;
        let mut jwk = Jwk::from_encoding_key(&encoding_key(self.algorithm, &pkcs8)?, self.algorithm.into())
            .map_err(Error::internal)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(Error::internal)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwk = serde_json::to_string(&jwk).map_err(Error::internal)?;
        self.store.publish_key(&PublicKey { kid: kid.clone(), algorithm: self.algorithm, jwk, revoked: false }).await?;
        let pkcs8 = STANDARD.encode(pkcs8).into();
        let key = PrivateKey { kid: kid.clone(), algorithm: self.algorithm, created_at: now, active_from, pkcs8 };
        self.private.put_signing_key(&key).await?;
        Ok(kid)
    }

    /// # Errors
    /// When the key cannot be read or, the first time, written.
    pub async fn refresh_mac(&self) -> Result<&MacKey> {
        self.mac(&self.refresh_mac, REFRESH_MAC).await
    }

    /// The same for who only checks: `None` when no refresh token was ever made.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub async fn known_refresh_mac(&self) -> Result<Option<&MacKey>> {
        if let Some(key) = self.refresh_mac.get() {
            return Ok(Some(key));
        }
        match self.private.find_mac_key(REFRESH_MAC).await? {
            Some(key) => Ok(Some(self.refresh_mac.get_or_init(async || MacKey::new(&key)).await)),
            None => Ok(None),
        }
    }

    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn cursor_mac(&self) -> Result<&MacKey> {
        self.mac(&self.cursor_mac, CURSOR_MAC).await
    }

    /// Derived from the refresh tokens' key, which every sign-in needs anyway: one key less to read at a cold start.
    ///
    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn device_mac(&self) -> Result<&MacKey> {
        self.device_mac.get_or_try_init(async || Ok(self.refresh_mac().await?.derive("device"))).await
    }

    /// Made like [`Self::device_mac`].
    ///
    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn challenge_mac(&self) -> Result<&MacKey> {
        self.challenge_mac.get_or_try_init(async || Ok(self.refresh_mac().await?.derive("challenge"))).await
    }

    /// Made like [`Self::device_mac`].
    ///
    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn population_mac(&self) -> Result<&MacKey> {
        self.population_mac.get_or_try_init(async || Ok(self.refresh_mac().await?.derive("population"))).await
    }

    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn import_mac(&self) -> Result<&MacKey> {
        self.mac(&self.import_mac, IMPORT_MAC).await
    }

    /// The same for who only checks: `None` when there can be no challenge yet.
    ///
    /// # Errors
    /// As [`Self::known_refresh_mac`].
    pub async fn known_challenge_mac(&self) -> Result<Option<&MacKey>> {
        match self.known_refresh_mac().await? {
            Some(key) => Ok(Some(self.challenge_mac.get_or_init(async || key.derive("challenge")).await)),
            None => Ok(None),
        }
    }

    /// The key that seals the secrets of authenticator apps. It is not derived from another key: replacing the refresh tokens' key
    /// in an emergency must not remove the second factor of all users.
    ///
    /// # Errors
    /// As [`Self::refresh_mac`].
    pub async fn totp(&self) -> Result<&SealKey> {
        self.totp.get_or_try_init(async || SealKey::new(&self.private.seal_key("totp").await?)).await
    }

    /// What seals the secrets of webhooks.
    ///
    /// # Errors
    /// When the key cannot be read or, the first time, written.
    pub async fn webhooks(&self) -> Result<&SealKey> {
        self.webhooks.get_or_try_init(async || SealKey::new(&self.private.seal_key("webhooks").await?)).await
    }

    async fn mac<'a>(&self, cell: &'a OnceCell<MacKey>, purpose: &str) -> Result<&'a MacKey> {
        cell.get_or_try_init(async || Ok(MacKey::new(&self.private.mac_key(purpose).await?))).await
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::ES256,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}

fn encoding_key(algorithm: Algorithm, pkcs8: &[u8]) -> Result<EncodingKey> {
    match algorithm {
        Algorithm::Es256 => Ok(EncodingKey::from_ec_der(pkcs8)),
        // As DER, `jsonwebtoken` takes the PKCS #1 inside only; as PEM, it takes it out itself.
        Algorithm::Rs256 => {
            let base64 = Zeroizing::new(STANDARD.encode(pkcs8));
            let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *base64));
            EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(Error::internal)
        }
        Algorithm::EdDsa => Ok(EncodingKey::from_ed_der(pkcs8)),
    }
}

/// A new private key: PKCS #8, DER.
fn generate(algorithm: Algorithm) -> std::result::Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let pkcs8 = match algorithm {
        Algorithm::Es256 => signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?
            .to_pkcs8v1()?
            .as_ref()
            .to_vec(),
        Algorithm::Rs256 => {
            let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec()
        }
        Algorithm::EdDsa => AsDer::<Pkcs8V1Der<'_>>::as_der(&signature::Ed25519KeyPair::generate()?)?.as_ref().to_vec(),
    };
    Ok(pkcs8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Header, Validation};

    #[test]
    fn each_algorithm_signs_what_its_published_half_verifies() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
            let key = encoding_key(algorithm, &generate(algorithm).unwrap()).unwrap();
            let jwk = Jwk::from_encoding_key(&key, algorithm.into()).unwrap();
            let public = serde_json::to_string(&jwk).unwrap();
            assert!(!public.contains("\"d\""), "{algorithm}: {public}");
            let token =
                jsonwebtoken::encode(&Header::new(algorithm.into()), &serde_json::json!({ "sub": "x" }), &key).unwrap();
            let decoding = DecodingKey::from_jwk(&serde_json::from_str(&public).unwrap()).unwrap();
            let mut validation = Validation::new(algorithm.into());
            validation.required_spec_claims.clear();
            validation.validate_exp = false;
            assert!(jsonwebtoken::decode::<serde_json::Value>(&token, &decoding, &validation).is_ok(), "{algorithm}");
        }
    }
}
