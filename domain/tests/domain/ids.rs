use domain::ids::{InvalidDigest, InvalidTrackId};
use domain::{AccountId, CatalogueId, Digest, TrackId};
use uuid::Uuid;

#[test]
fn a_track_id_has_bounds() {
    assert_eq!(TrackId::parse(""), Err(InvalidTrackId::Empty));
    assert_eq!(TrackId::parse("x".repeat(129)), Err(InvalidTrackId::TooLong));
    assert_eq!(TrackId::parse("a\u{7}b"), Err(InvalidTrackId::Control));
    assert_eq!(TrackId::parse(" a"), Err(InvalidTrackId::Untrimmed));
    assert!(TrackId::parse("x".repeat(128)).is_ok() && TrackId::parse("a b").is_ok());
}

#[test]
fn a_stored_track_id_is_checked_too() {
    assert!(serde_json::from_str::<TrackId>("\"ok\"").is_ok());
    assert!(serde_json::from_str::<TrackId>("\" no\"").is_err());
}

#[test]
fn a_digest_reads_what_it_writes_and_nothing_else() {
    let digest = Digest::of("abc");
    assert_eq!(
        digest.to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
    assert_eq!(Digest::parse("ba78"), Err(InvalidDigest));
    assert_eq!(Digest::parse(&"g".repeat(64)), Err(InvalidDigest));
    let json = serde_json::to_string(&digest).unwrap();
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
}

#[test]
fn streams_are_named_by_category_and_id() {
    let account = AccountId::new(Uuid::from_u128(1));
    assert_eq!(
        account.stream_name(),
        "account-00000000-0000-0000-0000-000000000001"
    );
    assert_eq!(
        account.listener_stream_name(),
        "listener-00000000-0000-0000-0000-000000000001"
    );
    assert_eq!(
        CatalogueId::MAIN.stream_name(),
        "catalogue-5e60ca7a-1090-7000-8000-000000000001"
    );
}
