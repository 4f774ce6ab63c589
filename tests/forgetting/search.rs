//! Looking for a text in bytes, in every form in which it is likely to lie there.

use std::fs;
use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A text to look for.
pub(crate) struct Needle {
    what: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Needle {
    /// `text` as it is, in hexadecimal digits, in Base64 at each of the three places in a group, and as UTF-16.
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            bytes.to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ];
        for before in 0..3 {
            let padded = [&vec![0; before], bytes].concat();
            // What depends on the bytes before and behind is left out.
            let (start, end) = ([0, 2, 3][before], padded.len() * 8 / 6);
            forms.push(STANDARD_NO_PAD.encode(&padded).as_bytes()[start..end].to_vec());
            forms.push(URL_SAFE_NO_PAD.encode(&padded).as_bytes()[start..end].to_vec());
        }
        Self { what, forms }
    }
}

/// The needles that are in `bytes`, in one pass: megabytes are looked through, by a program that is not optimised.
fn within<'a>(bytes: &[u8], needles: &'a [Needle]) -> Vec<&'a Needle> {
    let mut beginning: Vec<Vec<(usize, &[u8])>> = vec![Vec::new(); 256];
    for (number, needle) in needles.iter().enumerate() {
        for form in &needle.forms {
            beginning[usize::from(form[0])].push((number, form));
        }
    }
    let mut found = vec![false; needles.len()];
    for (at, byte) in bytes.iter().enumerate() {
        for (number, form) in &beginning[usize::from(*byte)] {
            found[*number] = found[*number] || bytes[at..].starts_with(form);
        }
    }
    let needles = needles.iter().zip(found);
    needles
        .filter(|(_, found)| *found)
        .map(|(needle, _)| needle)
        .collect()
}

/// Where which needle was found.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Vec<String>);

impl Found {
    /// Looks through bytes that lie in `place`.
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8], needles: &[Needle]) {
        let found = within(bytes, needles).into_iter();
        self.0
            .extend(found.map(|needle| format!("{} in {place}", needle.what)));
    }

    /// Looks through every file below `folder`, and at its name. Answers how many there were.
    pub(crate) fn look_below(&mut self, folder: &Path, needles: &[Needle]) -> Result<usize> {
        let mut files = 0;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.display().to_string();
            if path.is_dir() {
                files += self.look_below(&path, needles)?;
            } else if let Ok(bytes) = fs::read(&path) {
                // A file that a running server has removed meanwhile holds nothing.
                self.look(&name, name.as_bytes(), needles);
                self.look(&name, &bytes, needles);
                files += 1;
            }
        }
        Ok(files)
    }
}

#[test]
fn a_planted_canary_is_found_in_every_form_and_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    let text = "canary-Zs7-planted";
    let needles = [Needle::new("the canary", text)];
    let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    let base64 = |before: &str| STANDARD_NO_PAD.encode(format!("{before}{text} and more"));
    let planted = [
        format!("before {text} behind"),
        hex,
        base64(""),
        base64("x"),
        base64("xy"),
        URL_SAFE_NO_PAD.encode(format!("?{text}")),
    ];
    for plant in planted {
        fs::write(inner.join("file"), &plant).expect("a file");
        let mut found = Found::default();
        found.look_below(folder.path(), &needles).expect("it is read");
        assert_eq!(found.0.len(), 1, "{plant}");
    }
    fs::write(inner.join("file"), "nothing of the kind").expect("a file");
    let mut found = Found::default();
    let files = found.look_below(folder.path(), &needles).expect("it is read");
    assert_eq!((files, found.0.len()), (1, 0));
}
