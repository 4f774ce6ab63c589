//! The export of a history: a file of lines that can be verified without the log.
//!
//! ```text
//! {"segue_export":1,"origin":"segue-0123abcd","size":300,"checkpoint":"<signed note>","public_key":"<verifier key>"}
//! <the record at position 1, its exact bytes>
//! …
//! <the record at position 256>
//! {"tile":0,"hashes":"<base64 of the leaf hashes of the records 1 to 256>"}
//! <the record at position 257>
//! …
//! <the record at position 300>
//! {"tile":1,"hashes":"<base64 of the leaf hashes of the records 257 to 300>"}
//! ```
//!
//! Each line ends with a line feed, the last one too. The lines of hashes are the tiles of level 0 of the log's tree: with them
//! a changed record is found at its position, and not only that some record was changed. Sealed payloads stay sealed.

mod header;
mod lines;
mod verify;
mod writer;

pub use header::Header;
pub use lines::{InvalidHashLine, LINE_LEN_MAX, hash_line, parse_hash_line};
pub use verify::{Demands, VerifyError, verify};
pub use writer::{WriteError, Writer};
