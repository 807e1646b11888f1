//! Sealing: nothing personal and no secret stands in the database in plain text.
//!
//! Values are sealed with XChaCha20-Poly1305 under a *data key*; data keys stand in the store, wrapped with the *master
//! key*, which stands nowhere but in the configuration. So a new master key re-wraps a few keys and not every row.
//! Envelope: version (1 byte), data key id (8 bytes, big endian), nonce (24 bytes), ciphertext with tag. The place (table,
//! column and row) is authenticated, so an envelope that is moved elsewhere does not open.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};

const ENVELOPE: u8 = 1;

/// The key that opens a store. 32 bytes, base64 in the configuration.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why a text is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a master key is 32 random bytes in base64 with padding (44 characters), as `openssl rand -base64 32` prints them"
)]
pub struct NoMasterKey;

impl MasterKey {
    /// Reads base64 of 32 bytes.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> std::result::Result<Self, NoMasterKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| NoMasterKey)?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| NoMasterKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// A short id that tells two master keys apart and says nothing about them.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"renkei master key id").chain_update(self.0.as_slice()).finalize();
        hex(&digest[..6])
    }

    /// Wraps a data key.
    #[must_use]
    pub fn wrap(&self, key_id: i64, key: &[u8; 32]) -> Vec<u8> {
        seal_with(&self.0, key_id, &format!("data_keys|{key_id}"), key)
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    /// When it was wrapped with another master key.
    pub fn unwrap_key(&self, key_id: i64, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let place = format!("data_keys|{key_id}");
        let plain = Zeroizing::new(open_with(&self.0, &place, wrapped)?);
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| StoreError::Sealed { place })?;
        Ok(Zeroizing::new(key))
    }
}

/// The unwrapped data keys of an open store.
pub struct Keys {
    sealing: BTreeMap<i64, Zeroizing<[u8; 32]>>,
    hashing: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} data keys)", self.sealing.len())
    }
}

impl Keys {
    /// `sealing` by key id, the newest (largest id) seals; `hashing` never changes, because hashes are compared.
    #[must_use]
    pub fn new(sealing: BTreeMap<i64, Zeroizing<[u8; 32]>>, hashing: Zeroizing<[u8; 32]>) -> Self {
        Self { sealing, hashing }
    }

    /// Seals `plain` for `place`, which names table, column and row.
    #[must_use]
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        match self.sealing.last_key_value() {
            Some((id, key)) => seal_with(key, *id, place, plain),
            // An open store always has a data key; without one an empty envelope is written that never opens.
            None => Vec::new(),
        }
    }

    /// Opens an envelope that was sealed for `place`.
    ///
    /// # Errors
    /// When it was changed, moved, or sealed with a key that is gone.
    pub fn open(&self, place: &str, envelope: &[u8]) -> Result<Vec<u8>> {
        let fault = || StoreError::Sealed { place: place.split('|').next().unwrap_or_default().to_owned() };
        let id =
            envelope.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes).ok_or_else(fault)?;
        let key = self.sealing.get(&id).ok_or_else(fault)?;
        open_with(key, place, envelope).map_err(|_| fault())
    }

    /// The same for what is only shown: what does not open is named in the log and left out, so that it hides nothing else.
    #[must_use]
    pub fn open_if_it_does(&self, place: &str, envelope: &[u8]) -> Option<Vec<u8>> {
        self.open(place, envelope)
            .inspect_err(|error| tracing::error!(error = %error, "a value does not open and is left out of a list"))
            .ok()
    }

    /// Seals a text of JSON.
    ///
    /// # Errors
    /// When `value` can not be written as JSON.
    pub fn seal_json<T: serde::Serialize>(&self, place: &str, value: &T) -> Result<Vec<u8>> {
        Ok(self.seal(place, &Zeroizing::new(serde_json::to_vec(value)?)))
    }

    /// Opens a text of JSON.
    ///
    /// # Errors
    /// As [`Keys::open`], or when the JSON is not a `T`.
    pub fn open_json<T: serde::de::DeserializeOwned>(&self, place: &str, envelope: &[u8]) -> Result<T> {
        Ok(serde_json::from_slice(&Zeroizing::new(self.open(place, envelope)?))?)
    }

    /// A keyed hash: equal inputs in equal places have equal hashes, and nobody without the key can guess inputs.
    #[must_use]
    pub fn hash(&self, purpose: &str, parts: &[&[u8]]) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(self.hashing.as_slice()) else { return String::new() };
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes()[..16])
    }
}

/// 32 fresh random bytes.
#[must_use]
pub fn fresh_key() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(key.as_mut_slice());
    key
}

fn seal_with(key: &[u8; 32], key_id: i64, place: &str, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    let payload = Payload { msg: plain, aad: place.as_bytes() };
    // Fails only for plain texts of many gigabytes.
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
    let mut envelope = Vec::with_capacity(33 + sealed.len());
    envelope.push(ENVELOPE);
    envelope.extend_from_slice(&key_id.to_be_bytes());
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&sealed);
    envelope
}

fn open_with(key: &[u8; 32], place: &str, envelope: &[u8]) -> Result<Vec<u8>> {
    let fault = || StoreError::Sealed { place: place.to_owned() };
    if envelope.len() < 33 || envelope[0] != ENVELOPE {
        return Err(fault());
    }
    let (nonce, sealed) = envelope[9..].split_at(24);
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: place.as_bytes() }).map_err(|_| fault())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
