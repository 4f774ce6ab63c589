//! What this machine can do at all: the disk's commits, memory, Argon2, and an HTTP server that does nothing.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// How many times a second 4 KiB can be overwritten and forced to the disk, one after the other.
///
/// # Errors
/// When the file cannot be written.
pub fn syncs_per_second(folder: &Path, duration: Duration) -> Result<f64> {
    let path = folder.join("syncs");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)?;
    let block = [7_u8; 4_096];
    file.write_all_at(&vec![0_u8; 1 << 20], 0)?;
    file.sync_all()?;
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < duration {
        file.write_all_at(&block, (count % 256) * 4_096)?;
        file.sync_data()?;
        count += 1;
    }
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(per_second)
}

/// Bytes a second that one thread reads from `floats`, added up so that nothing is skipped. The best of several rounds.
#[must_use]
pub fn read_bytes_per_second(floats: &[f32], rounds: usize) -> f64 {
    let best = (0..rounds).map(|_| {
        let began = Instant::now();
        black_box(sum(black_box(floats)));
        began.elapsed()
    });
    size_of_val(floats) as f64 / best.min().unwrap_or_default().as_secs_f64()
}

/// 32 independent sums, so that the additions do not wait for each other.
fn sum(floats: &[f32]) -> f32 {
    let mut sums = [0_f32; 32];
    for chunk in floats.chunks_exact(32) {
        for (sum, float) in sums.iter_mut().zip(chunk) {
            *sum += float;
        }
    }
    sums.iter().sum()
}

/// Argon2id hashes a second with Segue's parameters (19,456 KiB, t = 2, p = 1) on `threads` threads, each with its own
/// memory made once.
///
/// # Errors
/// When the parameters are refused.
pub fn argon2_per_second(threads: usize, duration: Duration) -> Result<f64> {
    let began = Instant::now();
    let counts: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || hashes_until(began + duration)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .collect()
    });
    Ok(counts?.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
}

fn hashes_until(deadline: Instant) -> Result<u64> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0_u8; 32];
    let mut count = 0;
    while Instant::now() < deadline {
        argon2
            .hash_password_into_with_memory(
                b"lanterns-over-quiet-harbour-91",
                &[5; 16],
                &mut hash,
                &mut memory,
            )
            .map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
        count += 1;
    }
    Ok(count)
}

/// A process that answers `GET /echo` with the same bytes each time: what HTTP costs in the framework that Segue uses.
#[derive(Debug)]
pub struct Echo {
    /// Killed when dropped.
    _child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Echo {
    /// Starts this very program as an echo of `bytes` zero bytes.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(bytes: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--echo", &bytes.to_string()])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().context("no output")?;
        let line = BufReader::new(out)
            .lines()
            .next_line()
            .await?
            .context("the echo ended")?;
        Ok(Self {
            address: line.parse()?,
            _child: child,
        })
    }
}

/// Serves an echo until it is killed; prints its address first.
///
/// # Errors
/// When it cannot listen.
#[expect(clippy::print_stdout, reason = "the parent reads the address from here")]
pub async fn serve_echo(bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    command_api::testing::serve_echo(listener, Bytes::from(vec![b'0'; bytes])).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_is_read() {
        let floats = vec![1.0_f32; 320];
        assert_eq!(sum(&floats), 320.0);
    }
}
