//! Sealing under one key.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::KeyError;
use super::xchacha::{Cipher, NONCE_LEN};
use crate::record::SealedPayload;

/// Random bytes from the system. Without them nothing may be sealed, so a failing source ends the program.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

/// A key ready for use. Its memory is cleared when it is dropped.
pub(super) struct DataKey {
    cipher: Cipher,
    fingerprint: [u8; 16],
}

impl DataKey {
    pub(super) fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let hash = Sha256::digest(&key[..]);
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&hash[..16]);
        Self {
            cipher: Cipher::new(key),
            fingerprint,
        }
    }

    pub(super) fn seal(&self, context: &[u8], plaintext: &[u8]) -> SealedPayload {
        let nonce: [u8; NONCE_LEN] = random();
        let data = self.cipher.seal(&nonce, context, plaintext);
        SealedPayload {
            key: self.fingerprint,
            nonce,
            data: data.into(),
        }
    }

    pub(super) fn open(&self, context: &[u8], sealed: &SealedPayload) -> Result<Bytes, KeyError> {
        if sealed.key != self.fingerprint {
            return Err(KeyError::Damaged("sealed under another key"));
        }
        let opened = self.cipher.open(&sealed.nonce, context, &sealed.data);
        opened
            .map(Bytes::from)
            .ok_or(KeyError::Damaged("it was changed, or does not belong here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DataKey {
        DataKey::new(&Zeroizing::new(random()))
    }

    #[test]
    fn what_was_sealed_opens_in_its_own_place_only() {
        let key = key();
        let sealed = key.seal(b"here", b"{\"a\":1}");
        assert_eq!(key.open(b"here", &sealed).expect("it opens"), &b"{\"a\":1}"[..]);
        assert!(matches!(key.open(b"there", &sealed), Err(KeyError::Damaged(_))));
    }

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let key = key();
        let sealed = key.seal(b"", b"some text");
        for at in 0..sealed.data.len() {
            let mut data = sealed.data.to_vec();
            data[at] ^= 1;
            let changed = SealedPayload {
                data: data.into(),
                ..sealed.clone()
            };
            assert!(
                matches!(key.open(b"", &changed), Err(KeyError::Damaged(_))),
                "byte {at}"
            );
        }
    }

    #[test]
    fn another_key_is_told_apart_from_a_changed_payload() {
        let sealed = key().seal(b"", b"some text");
        let error = key().open(b"", &sealed).expect_err("it is another key");
        assert_eq!(error.to_string(), "damaged: sealed under another key");
    }
}
