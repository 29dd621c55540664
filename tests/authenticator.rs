//! A software authenticator, and the browser around it: what a person with a passkey does, and what an attacker would.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};

use crate::text;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

/// One passkey on one device. Its fields are what an attacker bends.
pub struct Authenticator {
    key: EcdsaKeyPair,
    credential_id: Vec<u8>,
    user_handle: Vec<u8>,
    /// Where the browser is.
    pub origin: String,
    /// The relying party that the browser lets it sign for.
    pub rp_id: String,
    /// Signatures until now; `None` for one that does not count.
    pub sign_count: Option<u32>,
    pub verifies_user: bool,
    pub backed_up: bool,
    /// Whether it may be backed up; as `backed_up` unless set.
    pub backup_eligible: Option<bool>,
    /// Whether the page that asks is within one of another site.
    pub cross_origin: bool,
    /// What the browser says of how it is reached.
    pub transports: Value,
}

impl Authenticator {
    /// A new one in a browser at `origin`, whose host is the relying party.
    ///
    /// # Panics
    /// Without random numbers.
    pub fn at(origin: &str) -> Self {
        let credential_id: [u8; 32] = aws_lc_rs::rand::generate(&SystemRandom::new()).expect("random bytes").expose();
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            credential_id: credential_id.to_vec(),
            user_handle: Vec::new(),
            origin: origin.to_owned(),
            rp_id: String::from("localhost"),
            sign_count: Some(0),
            verifies_user: true,
            backed_up: false,
            backup_eligible: None,
            cross_origin: false,
            transports: json!(["internal", "hybrid"]),
        }
    }

    /// The id of its credential, as the browser knows it.
    pub fn credential_id(&self) -> String {
        encode(&self.credential_id)
    }

    /// Whom it was made for, as the browser knows the user.
    pub fn user_handle(&self) -> String {
        encode(&self.user_handle)
    }

    /// The public key, as another system stored it: COSE, in URL-safe base64.
    pub fn public_key(&self) -> String {
        encode(&self.cose_key())
    }

    /// Has it made for an account of another system, by what that called it.
    pub fn set_user_handle(&mut self, handle: &[u8]) {
        self.user_handle = handle.to_vec();
    }

    /// `navigator.credentials.create()`: what its `toJSON()` gives.
    ///
    /// # Panics
    /// When the options are not of the standard's form.
    pub fn create(&mut self, options: &Value) -> Value {
        assert_eq!(options["rp"]["id"], "localhost");
        assert!(options["pubKeyCredParams"].as_array().expect("algorithms").iter().any(|one| one["alg"] == -7));
        self.user_handle = decode(&options["user"]["id"]);
        let client_data = self.client_data("webauthn.create", &options["challenge"]);
        let mut data = self.authenticator_data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential_id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.credential_id);
        data.extend(self.cose_key());
        let attestation = Cbor::Map(
            [
                (Cbor::Text("fmt".into()), Cbor::Text("none".into())),
                (Cbor::Text("attStmt".into()), Cbor::Map([].into())),
                (Cbor::Text("authData".into()), Cbor::Bytes(data)),
            ]
            .into(),
        );
        let attestation = serde_cbor_2::to_vec(&attestation).expect("CBOR");
        self.public_key_credential(&json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "attestationObject": encode(&attestation),
            "transports": self.transports,
        }))
    }

    /// `navigator.credentials.get()`: what its `toJSON()` gives. It counts on with each.
    ///
    /// # Panics
    /// When the options are not of the standard's form.
    pub fn get(&mut self, options: &Value) -> Value {
        assert_eq!(options["userVerification"], "required");
        self.sign_count = self.sign_count.map(|count| count + 1);
        let client_data = self.client_data("webauthn.get", &options["challenge"]);
        let data = self.authenticator_data(0);
        let signed = [data.as_slice(), digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.public_key_credential(&json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "authenticatorData": encode(&data),
            "signature": encode(signature.as_ref()),
            "userHandle": encode(&self.user_handle),
        }))
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> String {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin })
            .to_string()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies_user { USER_VERIFIED } else { 0 };
        let eligible = if self.backup_eligible.unwrap_or(self.backed_up) { BACKUP_ELIGIBLE } else { 0 };
        let backup = eligible | if self.backed_up { BACKED_UP } else { 0 };
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags | USER_PRESENT | verified | backup);
        data.extend(self.sign_count.unwrap_or(0).to_be_bytes());
        data
    }

    /// The public key as COSE has it (RFC 9053, 7.1.1): an elliptic curve, ES256, P-256, x and y.
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
        let number = Cbor::Integer;
        let key = [
            (number(1), number(2)),
            (number(3), number(-7)),
            (number(-1), number(1)),
            (number(-2), Cbor::Bytes(x)),
            (number(-3), Cbor::Bytes(y)),
        ];
        serde_cbor_2::to_vec(&Cbor::Map(key.into())).expect("CBOR")
    }

    fn public_key_credential(&self, response: &Value) -> Value {
        let id = encode(&self.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {}, "response": response,
        })
    }
}

/// An answer that claims another owner.
///
/// # Panics
/// When the answer is none.
pub fn claiming(mut credential: Value, user: &str) -> Value {
    let handle = user.replace('-', "");
    let bytes: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&handle[at * 2..at * 2 + 2], 16).expect("an id")).collect();
    credential["response"]["userHandle"] = json!(encode(&bytes));
    credential
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(value)).expect("base64")
}
