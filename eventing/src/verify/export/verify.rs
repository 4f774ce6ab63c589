//! Verifies an export: a header, its checkpoint, and every line after it.

use std::io::{self, BufRead};

use bytes::Bytes;

use super::header::Header;
use super::lines::{Line, parse_hash_line, read_line, tile_len};
use crate::ids::Position;
use crate::merkle::{Hash, TILE_WIDTH};
use crate::notes::{SignedCheckpoint, VerifierKey};
use crate::verify::{Checker, Disagreement, Fault, Kept, Trust, Verified};

/// How many tiles are read before they are checked: enough to keep both cores busy, and some 10 MB of usual records.
const BATCH_TILES: usize = 64;
/// No further tile is begun when so many bytes were read.
const BATCH_BYTES: usize = 32 << 20;

/// What a record begins with, and a line of hashes does not.
const RECORD_START: &[u8] = b"{\"position\":";

/// What an export is verified against.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// The log's public key. Without one the export's own is taken, which proves that nothing was damaged, and not who made it.
    pub key: Option<VerifierKey>,
    /// Keys that signed the log before: the old checkpoint may be signed with one of them.
    pub older_keys: Vec<VerifierKey>,
    /// A checkpoint from an earlier time, which the history must begin with.
    pub old_checkpoint: Option<SignedCheckpoint>,
}

/// Why an export is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something is wrong with it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It could not be read to its end.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
}

/// Verifies an export. `progress` is told now and then how many records were checked.
///
/// # Errors
/// [`VerifyError`], with the first fault by position.
pub fn verify(
    mut input: impl BufRead,
    demands: &Demands,
    mut progress: impl FnMut(u64),
) -> Result<Verified, VerifyError> {
    let header = read_header(&mut input)?;
    let (checkpoint, key) = check_header(&header, demands)?;
    check_old(&checkpoint, &key, demands)?;
    let size = checkpoint.checkpoint().size();
    let old_size = demands.old_checkpoint.as_ref().map(|old| old.checkpoint().size());
    let mut checker = Checker::new(old_size.into_iter().chain([size]));
    let mut tiles = Tiles { input, size, next: 0 };
    loop {
        let batch = tiles.read();
        for damaged in &batch.damaged {
            checker.disagree(*damaged);
        }
        checker.take(&batch.records, |_| {})?;
        progress(checker.size());
        match batch.ends {
            None => {}
            Some(Ending::Whole) => break,
            Some(Ending::Fault(position, fault)) => return Err(checker.fail_at(position, fault).into()),
            Some(Ending::Failed(error)) => return Err(VerifyError::Read(error)),
        }
    }
    let root = Hash(checkpoint.checkpoint().root());
    checker.judge(|_| Some((size, root)))?;
    if checker.root_at(size) != Some(root) {
        return Err(Fault::Root { size }.into());
    }
    if let Some(old) = &demands.old_checkpoint {
        let (size, root) = (old.checkpoint().size(), Hash(old.checkpoint().root()));
        if checker.root_at(size) != Some(root) {
            return Err(Fault::OldRoot { size }.into());
        }
    }
    Ok(Verified {
        trust: if demands.key.is_some() {
            Trust::Given
        } else {
            Trust::Brought
        },
        checkpoint,
        key,
        old_checkpoint: old_size,
        streams: checker.streams().len() as u64,
    })
}

fn read_header(input: &mut impl BufRead) -> Result<Header, VerifyError> {
    let mut line = Vec::new();
    let read = match read_line(input, &mut line) {
        Ok(read) => read,
        Err(error) => return Err(failed(error, Fault::TruncatedHeader)),
    };
    Ok(Header::parse(&line, read == Line::Whole)?)
}

/// What a failing read means: a compressed stream that ends or breaks is a fault of the export, all else is the system's.
fn failed(error: io::Error, truncated: Fault) -> VerifyError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated.into(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Fault::Compression(error.to_string()).into()
        }
        _ => VerifyError::Read(error),
    }
}

/// Checks who signed, then that the header says nothing else than its checkpoint.
fn check_header(header: &Header, demands: &Demands) -> Result<(SignedCheckpoint, VerifierKey), Fault> {
    let named: VerifierKey = header.public_key.parse().map_err(Fault::HeaderKey)?;
    let checkpoint = SignedCheckpoint::parse(header.checkpoint.as_bytes()).map_err(Fault::NoCheckpoint)?;
    let size = checkpoint.checkpoint().size();
    let key = demands.key.as_ref().unwrap_or(&named);
    checkpoint
        .verify(key)
        .map_err(|cause| Fault::untrusted(size, cause, false))?;
    if *key != named {
        return Err(Fault::OtherKey(header.public_key.clone()));
    }
    if header.origin != checkpoint.checkpoint().origin() {
        return Err(Fault::Header("its origin is not its checkpoint's"));
    }
    if header.size != size {
        return Err(Fault::Header("its size is not its checkpoint's"));
    }
    Ok((checkpoint, named))
}

/// Checks that the old checkpoint is the log's own and not larger than this history.
fn check_old(checkpoint: &SignedCheckpoint, key: &VerifierKey, demands: &Demands) -> Result<(), Fault> {
    let Some(old) = &demands.old_checkpoint else {
        return Ok(());
    };
    let old_size = old.checkpoint().size();
    old.verify_with_older(key, &demands.older_keys)
        .map_err(|cause| Fault::untrusted(old_size, cause, true))?;
    let size = checkpoint.checkpoint().size();
    if old_size > size {
        let checkpoint = old_size;
        return Err(Fault::Shorter { size, checkpoint });
    }
    Ok(())
}

/// How the reading of lines came to its end.
#[derive(Debug)]
enum Ending {
    /// After the last line.
    Whole,
    /// Something is wrong at a position, after all that was read.
    Fault(Position, Fault),
    /// The system could not read on.
    Failed(io::Error),
}

/// Records of some tiles, with the hashes beside them.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Kept>,
    damaged: Vec<Disagreement>,
    ends: Option<Ending>,
}

/// Where the lines of one tile lie in a buffer.
struct TileLines {
    n: u64,
    records: Vec<std::ops::Range<usize>>,
    hashes: Option<std::ops::Range<usize>>,
}

/// The lines after the header.
struct Tiles<R> {
    input: R,
    size: u64,
    next: u64,
}

impl<R: BufRead> Tiles<R> {
    /// Reads the next tiles, and says if that was all.
    fn read(&mut self) -> Batch {
        let mut buffer = Vec::new();
        let mut tiles = Vec::new();
        let mut ends = None;
        while tiles.len() < BATCH_TILES && buffer.len() < BATCH_BYTES && ends.is_none() {
            if tile_len(self.next, self.size) == 0 {
                ends = Some(self.read_end(&mut buffer));
                break;
            }
            let mut tile = TileLines {
                n: self.next,
                records: Vec::with_capacity(TILE_WIDTH),
                hashes: None,
            };
            ends = self.read_tile(&mut tile, &mut buffer).err();
            tiles.push(tile);
            self.next += 1;
        }
        batch(&Bytes::from(buffer), &tiles, self.size, ends)
    }

    fn read_tile(&mut self, tile: &mut TileLines, buffer: &mut Vec<u8>) -> Result<(), Ending> {
        let first = tile.n * TILE_WIDTH as u64 + 1;
        for _ in 0..tile_len(tile.n, self.size) {
            let position = Position(first + tile.records.len() as u64);
            let line = self.read_whole(buffer, position)?;
            tile.records.push(line);
        }
        // What a missing line of hashes leaves out comes after the tile's last record.
        let position = Position(first + tile.records.len() as u64);
        let line = self.read_whole(buffer, position)?;
        if buffer[line.clone()].starts_with(RECORD_START) {
            return Err(Ending::Fault(position, Fault::HashLineMissing { position }));
        }
        tile.hashes = Some(line);
        Ok(())
    }

    fn read_whole(
        &mut self,
        buffer: &mut Vec<u8>,
        position: Position,
    ) -> Result<std::ops::Range<usize>, Ending> {
        let start = buffer.len();
        let truncated = || {
            let size = self.size;
            Ending::Fault(position, Fault::Truncated { position, size })
        };
        match read_line(&mut self.input, buffer) {
            Ok(Line::Whole) => Ok(start..buffer.len()),
            Ok(Line::Cut | Line::End) => Err(truncated()),
            Ok(Line::TooLong) => {
                let what = "it is longer than any line of an export";
                Err(Ending::Fault(position, Fault::HashLine { position, what }))
            }
            Err(error) => Err(
                match failed(
                    error,
                    Fault::Truncated {
                        position,
                        size: self.size,
                    },
                ) {
                    VerifyError::Fault(fault) => Ending::Fault(position, fault),
                    VerifyError::Read(error) => Ending::Failed(error),
                },
            ),
        }
    }

    /// After the last line there is nothing.
    fn read_end(&mut self, buffer: &mut Vec<u8>) -> Ending {
        let position = Position(self.size + 1);
        match read_line(&mut self.input, buffer) {
            Ok(Line::End) => Ending::Whole,
            Ok(_) => Ending::Fault(position, Fault::Trailing { position }),
            Err(error) => match failed(
                error,
                Fault::Truncated {
                    position,
                    size: self.size,
                },
            ) {
                VerifyError::Fault(fault) => Ending::Fault(position, fault),
                VerifyError::Read(error) => Ending::Failed(error),
            },
        }
    }
}

/// Puts each record beside its hash.
fn batch(buffer: &Bytes, tiles: &[TileLines], size: u64, ends: Option<Ending>) -> Batch {
    let mut batch = Batch {
        ends,
        ..Batch::default()
    };
    for tile in tiles {
        let hashes = tile.hashes.clone().map(|line| {
            let count = tile_len(tile.n, size);
            parse_hash_line(&buffer[line], tile.n, count)
        });
        if let Some(Err(damaged)) = &hashes {
            let before = tile.n * TILE_WIDTH as u64;
            batch.damaged.push(Disagreement::Line {
                first: Position(before + 1),
                last: Position(before + tile.records.len() as u64),
                what: damaged.0,
            });
        }
        let hashes = hashes.and_then(Result::ok).unwrap_or_default();
        let records = tile.records.iter().enumerate().map(|(at, line)| Kept {
            record: buffer.slice(line.clone()),
            hash: hashes.get(at).copied(),
            columns: None,
        });
        batch.records.extend(records);
    }
    batch
}
