//! Sealing: AES-256-GCM under a key that is derived from a text. What is sealed is bound to the name that it has, so that
//! one secret cannot be put in the place of another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

/// The form of what is sealed, in its first byte.
const FORM: u8 = 1;

/// Why a secret cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is of another key, or not what was sealed.
    #[error("was sealed under another key than this one, or is damaged; set it again")]
    Opening,
    /// The system has no randomness, or the library refuses.
    #[error("cannot be sealed")]
    Sealing,
}

/// Seals and opens.
pub struct SealingKey {
    key: RandomizedNonceKey,
}

impl SealingKey {
    /// Of a text with enough that nobody knows.
    pub fn derive(text: &[u8]) -> Result<SealingKey, SealError> {
        let mut bytes = [0; 32];
        let secret = Salt::new(HKDF_SHA256, b"matchcut").extract(text);
        secret
            .expand(&[b"secrets, AES-256-GCM"], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut bytes))
            .map_err(|_| SealError::Sealing)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Sealing)?;
        Ok(SealingKey { key })
    }

    /// A secret as it may lie on a disk.
    pub fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut text = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| SealError::Sealing)?;
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// The secret of a name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, text) = sealed
            .strip_prefix(&[FORM])
            .and_then(|rest| rest.split_at_checked(NONCE_LEN))
            .ok_or(SealError::Opening)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Opening)?;
        let mut text = text.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut text);
        let opened = opened.map_err(|_| SealError::Opening)?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_twice_differs_and_any_change_is_seen() {
        let key = SealingKey::derive(b"a text with enough that nobody knows").unwrap();
        let sealed = key.seal("a", b"secret").unwrap();
        assert_ne!(sealed, key.seal("a", b"secret").unwrap());
        assert_eq!(sealed.len(), 1 + NONCE_LEN + 6 + 16);
        assert_eq!(key.open("a", &sealed).unwrap(), b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open("a", &changed), Err(SealError::Opening), "{at}");
            assert_eq!(key.open("a", &sealed[..at]), Err(SealError::Opening));
        }
    }
}
