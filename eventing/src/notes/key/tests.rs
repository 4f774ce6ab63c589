use ed25519_dalek::VerifyingKey;

use super::*;
use crate::notes::SignedNote;

/// The example of Go's `golang.org/x/mod/sumdb/note`, the first implementation of the format.
const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const SIGNED: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem \
    is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The example of the specification of signed notes.
const SPEC_PUBLIC: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_SIGNED: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn the_known_key_signs_the_known_note() {
    let key = SigningKey::parse(SECRET).expect("a key");
    assert_eq!(*key.text(), SECRET);
    assert_eq!(key.verifier().to_string(), PUBLIC);
    assert_eq!(key.sign(TEXT).expect("a note").to_string(), SIGNED);
}

#[test]
fn the_known_notes_verify_with_the_known_keys() {
    for (key, note) in [(PUBLIC, SIGNED), (SPEC_PUBLIC, SPEC_SIGNED)] {
        let key: VerifierKey = key.parse().expect("a key");
        let note = SignedNote::parse(note.as_bytes()).expect("a note");
        assert_eq!(note.verify(&key), Ok(None));
    }
}

#[test]
fn a_key_changed_in_any_character_is_refused() {
    let written = |text: &str| -> Option<String> {
        match text.strip_prefix(PRIVATE) {
            Some(_) => SigningKey::parse(text).ok().map(|key| key.text().to_string()),
            None => text.parse().ok().map(|key: VerifierKey| key.to_string()),
        }
    };
    for key in [SECRET, PUBLIC] {
        assert_eq!(written(key).as_deref(), Some(key));
        for at in 0..key.len() {
            for mask in [1, 0x10, 0x20] {
                let mut bytes = key.as_bytes().to_vec();
                bytes[at] ^= mask;
                let changed = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(written(&changed), None, "{changed}");
            }
            assert_eq!(written(&key[..at]), None, "cut at {at}");
        }
    }
}

#[test]
fn a_key_of_the_other_kind_says_so() {
    let log = SigningKey::generate("log.example").expect("a key");
    let witness = WitnessKey::generate("witness.example").expect("a key");
    assert_eq!(
        WitnessKey::parse(&log.text()).err(),
        Some(InvalidKey::OtherKind(KeyKind::Log))
    );
    assert_eq!(
        SigningKey::parse(&witness.text()).err(),
        Some(InvalidKey::OtherKind(KeyKind::Witness))
    );
    assert_eq!(
        WitnessKey::parse(&witness.text()).expect("a key").verifier(),
        witness.verifier()
    );
}

#[test]
fn a_point_of_small_order_is_no_key() {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let public = VerifyingKey::from_bytes(&identity).expect("a point");
    let key = VerifierKey {
        name: "weak".to_owned(),
        kind: KeyKind::Log,
        id: key_id("weak", KeyKind::Log, &public),
        public,
    };
    assert_eq!(key.to_string().parse::<VerifierKey>(), Err(InvalidKey::Point));
}

#[test]
fn a_name_has_no_space_plus_or_control_character() {
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{0}"] {
        assert_eq!(
            SigningKey::generate(name).err(),
            Some(InvalidKey::Name),
            "{name:?}"
        );
    }
    assert!(SigningKey::generate("Österreich.example/log").is_ok());
}

#[test]
fn a_secret_key_is_not_shown() {
    let shown = format!("{:?}", SigningKey::parse(SECRET).expect("a key"));
    assert_eq!(shown, "SecretKey(PeterNeumann, …)");
}

#[test]
fn new_keys_and_origins_differ() {
    assert_ne!(new_origin(), new_origin());
    assert_eq!(new_origin().len(), "segue-".len() + 8);
    let key = || SigningKey::generate("a").expect("a key");
    assert_ne!(key().text(), key().text());
}
