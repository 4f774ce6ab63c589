//! Claims and receipts, which are written with an append.

use bytes::Bytes;

use super::appending::append_all_at_once;
use super::{LogUnderTest, an_append, append, new_stream};
use crate::{
    AppendError, Appended, Claim, ClaimChange, EventLog, ExpectedVersion, NewReceipt, Position, ReceiptKey,
    StreamId, Version,
};

pub(super) fn a_claim(name: u8) -> Claim {
    Claim::new("name", [name; 32])
}

pub(super) async fn change_claim(
    log: &EventLog,
    stream: &StreamId,
    change: ClaimChange,
) -> Result<Appended, AppendError> {
    let mut draft = an_append(stream, ExpectedVersion::Any, 1);
    draft.claims = vec![change];
    log.append(draft).await
}

/// See the name.
pub async fn a_claim_has_one_holder_until_it_is_released(test: LogUnderTest) {
    let (first, second, claim) = (new_stream(), new_stream(), a_claim(1));
    assert_eq!(test.log.claim(&claim).await.expect("a look-up"), None);
    change_claim(&test.log, &first, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is free");
    change_claim(&test.log, &first, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is held already");
    let refused = change_claim(&test.log, &second, ClaimChange::Take(claim.clone())).await;
    assert!(matches!(refused, Err(AppendError::ClaimTaken { kind }) if kind == "name"));
    change_claim(&test.log, &second, ClaimChange::Release(claim.clone()))
        .await
        .expect("releasing nothing is fine");
    assert_eq!(
        test.log.claim(&claim).await.expect("a look-up"),
        Some(first.clone())
    );
    change_claim(&test.log, &first, ClaimChange::Release(claim.clone()))
        .await
        .expect("it is held");
    change_claim(&test.log, &second, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is free again");
    assert_eq!(test.log.claim(&claim).await.expect("a look-up"), Some(second));
}

pub(super) fn a_receipt(key: u8, answer: &'static str) -> NewReceipt {
    let (key, fingerprint) = (ReceiptKey([key; 32]), [9; 32]);
    NewReceipt {
        key,
        fingerprint,
        answer: Bytes::from_static(answer.as_bytes()),
        subject: None,
    }
}

/// See the name.
pub async fn a_taken_claim_leaves_nothing_of_its_append(test: LogUnderTest) {
    let (holder, other) = (new_stream(), new_stream());
    change_claim(&test.log, &holder, ClaimChange::Take(a_claim(1)))
        .await
        .expect("it is free");
    let mut draft = an_append(&other, ExpectedVersion::NoStream, 1);
    draft.claims = vec![ClaimChange::Take(a_claim(2)), ClaimChange::Take(a_claim(1))];
    draft.receipt = Some(a_receipt(1, "never"));
    assert!(matches!(
        test.log.append(draft).await,
        Err(AppendError::ClaimTaken { .. })
    ));
    assert_eq!(test.log.claim(&a_claim(2)).await.expect("a look-up"), None);
    assert_eq!(
        test.log.receipt(&ReceiptKey([1; 32])).await.expect("a look-up"),
        None
    );
    assert_eq!(test.log.stream_head(&other).await.expect("no head"), None);
}

/// See the name.
pub async fn a_receipt_keeps_the_first_answer(test: LogUnderTest) {
    let stream = new_stream();
    let drafts = (0..20).map(|_| {
        let mut draft = an_append(&stream, ExpectedVersion::NoStream, 1);
        draft.receipt = Some(a_receipt(1, "the answer"));
        draft
    });
    let answers = append_all_at_once(&test.log, drafts.collect()).await;
    let stored = test
        .log
        .receipt(&ReceiptKey([1; 32]))
        .await
        .expect("a look-up")
        .expect("a receipt");
    assert_eq!(
        (stored.answer.as_deref(), stored.position),
        (Some(&b"the answer"[..]), Position(1))
    );
    for answer in answers {
        match answer {
            Ok(appended) => assert_eq!(appended.position, stored.position),
            Err(AppendError::ReceiptExists(receipt)) => assert_eq!(*receipt, stored),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(test.log.head().await.expect("a head"), Position(1));
}

/// See the name.
pub async fn an_append_without_events_stores_its_receipt(test: LogUnderTest) {
    let stream = new_stream();
    append(&test.log, &stream, 2).await;
    append(&test.log, &new_stream(), 2).await;
    let mut draft = an_append(&stream, ExpectedVersion::Exactly(Version(2)), 0);
    draft.receipt = Some(a_receipt(1, "nothing to do"));
    let appended = test.log.append(draft).await.expect("an append");
    assert_eq!(
        (appended.position, appended.version, appended.events.len()),
        (Position(2), Version(2), 0)
    );
    let stored = test
        .log
        .receipt(&ReceiptKey([1; 32]))
        .await
        .expect("a look-up")
        .expect("a receipt");
    assert_eq!(stored.position, Position(2));
}
