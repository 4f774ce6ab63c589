//! XChaCha20-Poly1305 as draft-irtf-cfrg-xchacha-03 composes it: HChaCha20 makes each message a key of its own from the
//! first 16 bytes of its nonce, and the cipher of RFC 8439 takes that key with the other eight.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a nonce: enough that random ones do not meet.
pub(super) const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// The cipher under one key, of which the memory is cleared when it is dropped.
pub(super) struct Cipher(Zeroizing<[u8; 32]>);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// `plaintext` encrypted, with its tag behind it. No `nonce` may come twice.
    pub(super) fn seal(&self, nonce: &[u8; NONCE_LEN], context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let (key, nonce) = self.of_message(nonce);
        let mut data = Vec::with_capacity(plaintext.len() + TAG_LEN);
        data.extend_from_slice(plaintext);
        key.seal_in_place_append_tag(nonce, Aad::from(context), &mut data)
            .expect("a payload is far below 256 GiB");
        data
    }

    /// What [`Cipher::seal`] was given; nothing when anything of it was changed.
    pub(super) fn open(&self, nonce: &[u8; NONCE_LEN], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = self.of_message(nonce);
        let mut data = sealed.to_vec();
        let len = key
            .open_in_place(nonce, Aad::from(context), &mut data)
            .ok()?
            .len();
        data.truncate(len);
        Some(data)
    }

    fn of_message(&self, nonce: &[u8; NONCE_LEN]) -> (LessSafeKey, Nonce) {
        let (first, rest) = nonce
            .split_first_chunk::<16>()
            .expect("a nonce is longer than that");
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(hchacha::<R20>((&*self.0).into(), first.into()).into());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key[..]).expect("a key of 32 bytes");
        let mut inner = [0; 12];
        inner[4..].copy_from_slice(rest);
        (LessSafeKey::new(key), Nonce::assume_unique_for_key(inner))
    }
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{Aead, KeyInit, Payload};
    use chacha20poly1305::{XChaCha20Poly1305, XNonce};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Appendix A.3.1 of the draft.
    #[test]
    fn the_example_of_the_draft_comes_out() {
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + at as u8);
        let nonce: [u8; NONCE_LEN] = std::array::from_fn(|at| 0x40 + at as u8);
        let context = hex::decode("50515253c0c1c2c3c4c5c6c7").expect("it is hexadecimal");
        let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let sealed = Cipher::new(&key).seal(&nonce, &context, plaintext);
        assert!(
            hex::encode(&sealed)
                .starts_with("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb")
        );
        assert!(hex::encode(&sealed).ends_with("c0875924c1c7987947deafd8780acf49"));
    }

    proptest! {
        #[test]
        fn it_is_the_cipher_of_an_independent_crate(
            key: [u8; 32],
            nonce: [u8; NONCE_LEN],
            context in vec(any::<u8>(), 0..100),
            plaintext in vec(any::<u8>(), 0..700),
        ) {
            let ours = Cipher::new(&key);
            let theirs = XChaCha20Poly1305::new(&key.into());
            let message = Payload { msg: &plaintext, aad: &context };
            let sealed = theirs.encrypt(&XNonce::from(nonce), message).expect("it seals");
            prop_assert_eq!(&ours.seal(&nonce, &context, &plaintext), &sealed);
            prop_assert_eq!(ours.open(&nonce, &context, &sealed), Some(plaintext));
        }
    }
}
