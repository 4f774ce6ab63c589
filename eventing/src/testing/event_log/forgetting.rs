//! What is deleted about a person.

use super::beside::a_dead_letter;
use super::claims::{a_claim, a_receipt, change_claim};
use super::{LogUnderTest, an_append, new_stream};
use crate::{
    ClaimChange, Deleted, EventId, ExpectedVersion, Forgotten, NewReceipt, Position, ReceiptKey, SubjectId,
};

/// See the name.
pub async fn what_is_kept_about_somebody_is_deleted_and_their_first_key_is_spent(test: LogUnderTest) {
    let (stream, subject, other) = (
        new_stream(),
        SubjectId(EventId::new().0),
        SubjectId(EventId::new().0),
    );
    for (key, of) in [
        (1, Some(subject)),
        (2, Some(subject)),
        (3, Some(other)),
        (4, None),
    ] {
        let mut draft = an_append(&new_stream(), ExpectedVersion::NoStream, 1);
        draft.receipt = Some(NewReceipt {
            subject: of,
            ..a_receipt(key, "an answer")
        });
        test.log.append(draft).await.expect("an append");
    }
    change_claim(&test.log, &stream, ClaimChange::Take(a_claim(1)))
        .await
        .expect("it is free");
    let person = Forgotten { subject, stream };
    let deleted = test
        .log
        .forget(std::slice::from_ref(&person))
        .await
        .expect("it answers");
    assert_eq!((deleted.receipts, deleted.claims), (2, 1));
    assert_eq!(test.log.receipts_about(subject).await.expect("a count"), 0);
    assert_eq!(test.log.receipts_about(other).await.expect("a count"), 1);
    assert_eq!(test.log.claim(&a_claim(1)).await.expect("a look-up"), None);
    let kept = async |key| test.log.receipt(&ReceiptKey([key; 32])).await.expect("a look-up");
    let spent = kept(1).await.expect("a spent key stays");
    assert_eq!(
        (
            spent.fingerprint,
            spent.subject,
            spent.answer.as_deref(),
            spent.position
        ),
        ([0; 32], None, Some(&b""[..]), Position::START)
    );
    assert!(kept(2).await.is_none());
    assert!(kept(3).await.is_some() && kept(4).await.is_some());
    let again = test.log.forget(&[person]).await.expect("it answers");
    assert_eq!(again, Deleted::default(), "doing it again changes nothing");
}

/// See the name: more streams of others than are looked at at a time.
pub async fn what_is_set_aside_of_somebody_is_deleted_behind_however_much_of_others(test: LogUnderTest) {
    for _ in 0..1_100 {
        let row = a_dead_letter("a", &new_stream(), 1);
        test.log.put_dead_letter(row).await.expect("a write");
    }
    // Made last, its name is the last one as well.
    let (stream, subject) = (new_stream(), SubjectId(EventId::new().0));
    let mut draft = an_append(&stream, ExpectedVersion::NoStream, 1);
    draft.metadata.subject = Some(subject);
    test.log.append(draft).await.expect("an append");
    for consumer in ["a", "b"] {
        let row = a_dead_letter(consumer, &stream, 1);
        test.log.put_dead_letter(row).await.expect("a write");
    }
    let deleted = test.log.forget(&[Forgotten { subject, stream }]).await;
    assert_eq!(deleted.expect("it answers").dead_letters, 2);
    let left = test.log.dead_letters(None, usize::MAX).await.expect("a list");
    assert_eq!(left.len(), 1_100, "those of others stay");
}
