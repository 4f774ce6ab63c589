//! Keys under the master key, as they are stored.

use zeroize::Zeroizing;

use super::sealing::random;
use super::xchacha::{Cipher, NONCE_LEN};
use super::{KeyError, MasterKey};

/// What the pepper is wrapped for; a subject's key is wrapped for its id.
pub(super) const PEPPER_CONTEXT: &[u8] = b"segue pepper";

/// Wraps and unwraps keys: a nonce and the sealed 32 bytes.
pub(super) struct Wrapper(Cipher);

impl Wrapper {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self(Cipher::new(master.bytes()))
    }

    /// A new random key, wrapped for `context`.
    pub(super) fn wrap_new(&self, context: &[u8]) -> Vec<u8> {
        self.wrap(context, &Zeroizing::new(random()))
    }

    /// `key`, wrapped for `context`.
    pub(super) fn wrap(&self, context: &[u8], key: &Zeroizing<[u8; 32]>) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let sealed = self.0.seal(&nonce, context, &key[..]);
        [&nonce[..], &sealed].concat()
    }

    pub(super) fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let damaged = || KeyError::Damaged("a wrapped key does not open");
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let opened = self.0.open(nonce, context, sealed).ok_or_else(damaged)?;
        let opened = Zeroizing::new(opened);
        let mut key = Zeroizing::new([0; 32]);
        if opened.len() != key.len() {
            return Err(damaged());
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}
