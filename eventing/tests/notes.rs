//! Notes, keys, proofs and exports are read in the form that they were first written in, and in no other.

use std::path::PathBuf;

use bytes::Bytes;
use eventing::RecordedEvent;
use eventing::merkle::{Frontier, Hash, node_hash};
use eventing::notes::{Checkpoint, InclusionNote, SignedCheckpoint, SigningKey, WitnessKey};
use eventing::testing::{any_bytes_as_export, any_bytes_as_key, any_bytes_as_note, any_bytes_as_proof};
use eventing::verify::Trust;
use eventing::verify::export::{Demands, Header, Writer, verify};

const LOG_KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn golden(folder: &str, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder)
        .join(name);
    std::fs::read(path).expect(name)
}

/// The golden records, as the first two of a log.
fn records() -> [RecordedEvent; 2] {
    let first = String::from_utf8(golden("records", "open.json")).expect("UTF-8");
    let first = first
        .replacen(":7,", ":1,", 1)
        .replacen("\"version\":2", "\"version\":1", 1);
    let second = String::from_utf8(golden("records", "sealed.json")).expect("UTF-8");
    let second = second.replacen(":18446744073709551615,", ":2,", 1);
    [first, second].map(|record| RecordedEvent::from_record(Bytes::from(record)).expect("a record"))
}

fn log_key() -> SigningKey {
    SigningKey::parse(LOG_KEY).expect("a key")
}

fn witness_key() -> WitnessKey {
    WitnessKey::parse(std::str::from_utf8(&golden("notes", "witness.key")).expect("UTF-8")).expect("a key")
}

fn checkpoint() -> SignedCheckpoint {
    let [first, second] = records().map(|record| Hash(record.leaf_hash));
    let root = node_hash(&first, &second);
    let signed =
        Checkpoint::new("PeterNeumann", 2, root.0).and_then(|checkpoint| checkpoint.sign(&log_key()));
    signed.expect("signed")
}

fn cosigned() -> SignedCheckpoint {
    let checkpoint = checkpoint();
    let line = witness_key().cosign(checkpoint.note(), 1_769_904_000);
    checkpoint.with(line).expect("a note")
}

fn proof() -> InclusionNote {
    let [first, second] = records();
    InclusionNote {
        extra: Some(second.record.to_vec()),
        index: 1,
        hashes: vec![first.leaf_hash],
        checkpoint: cosigned(),
    }
}

fn export() -> Vec<u8> {
    let checkpoint = checkpoint();
    let header = Header::new(&checkpoint, &log_key().verifier());
    let root = checkpoint.checkpoint().root();
    let mut writer = Writer::start(Vec::new(), &header, root).expect("the header");
    for record in records() {
        writer.record(&record).expect("a record");
    }
    writer.finish().expect("the end")
}

#[test]
fn what_is_written_is_what_was_written_first() {
    for (name, written) in [
        ("checkpoint.note", checkpoint().to_string().into_bytes()),
        ("cosigned.note", cosigned().to_string().into_bytes()),
        ("record.tlog-proof", proof().to_string().into_bytes()),
        ("export.ndjson", export()),
        ("log.pub", format!("{}\n", log_key().verifier()).into_bytes()),
        (
            "witness.pub",
            format!("{}\n", witness_key().verifier()).into_bytes(),
        ),
    ] {
        let (written, kept) = (String::from_utf8_lossy(&written), golden("notes", name));
        assert_eq!(written, String::from_utf8_lossy(&kept), "{name}");
    }
}

#[test]
fn what_was_written_first_is_read_and_believed() {
    let key = log_key().verifier();
    let cosigned = SignedCheckpoint::parse(&golden("notes", "cosigned.note")).expect("a checkpoint");
    assert_eq!(cosigned.verify(&key), Ok(()));
    let witness = witness_key().verifier();
    assert_eq!(cosigned.note().verify(&witness), Ok(Some(1_769_904_000)));

    let proof = InclusionNote::parse(&golden("notes", "record.tlog-proof")).expect("a proof");
    let [first, second] = records();
    let mut frontier = Frontier::new();
    frontier.push(Hash(proof.hashes[0]));
    frontier.push(Hash(eventing::record::leaf_hash(
        proof.extra.as_ref().expect("the record"),
    )));
    assert_eq!(frontier.root().0, proof.checkpoint.checkpoint().root());
    assert_eq!(
        (proof.hashes[0], proof.extra),
        (first.leaf_hash, Some(second.record.to_vec()))
    );

    let demands = Demands {
        key: Some(key),
        older_keys: Vec::new(),
        old_checkpoint: Some(cosigned),
    };
    let verified = verify(&golden("notes", "export.ndjson")[..], &demands, |_| {}).expect("it is sound");
    assert_eq!((verified.trust, verified.old_checkpoint), (Trust::Given, Some(2)));
}

/// What must hold of any bytes.
type Holds = fn(&[u8]);

/// Each golden file with what must hold of any bytes in its place.
fn decoders() -> [(&'static str, Holds); 7] {
    [
        ("checkpoint.note", any_bytes_as_note),
        ("cosigned.note", any_bytes_as_note),
        ("log.pub", any_bytes_as_key),
        ("witness.pub", any_bytes_as_key),
        ("witness.key", any_bytes_as_key),
        ("record.tlog-proof", any_bytes_as_proof),
        ("export.ndjson", any_bytes_as_export),
    ]
}

#[test]
fn damaged_bytes_are_refused_or_have_one_form() {
    for (name, holds) in decoders() {
        let sound = golden("notes", name);
        holds(&sound);
        for at in 0..sound.len() {
            holds(&sound[..at]);
            for mask in [1, 0x10, 0x20, 0x80] {
                let mut changed = sound.clone();
                changed[at] ^= mask;
                holds(&changed);
            }
            let mut shorter = sound.clone();
            shorter.remove(at);
            holds(&shorter);
            for put in [b'0', b'+', b'=', b' ', b'\n', 0xe2] {
                let mut longer = sound.clone();
                longer.insert(at, put);
                holds(&longer);
            }
        }
    }
}

#[test]
fn each_file_is_read_by_its_own_decoder_only() {
    for (name, _) in decoders() {
        let bytes = golden("notes", name);
        for (_, holds) in decoders() {
            holds(&bytes);
        }
    }
}
