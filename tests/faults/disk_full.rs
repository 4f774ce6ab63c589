//! A disk that is full, and then has room again.
//!
//! The data folder lies on a small tmpfs. Mounting one needs a privilege: where this process has none, the test runs
//! itself again in a user namespace of its own, and where that is forbidden too, it says so and is skipped.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request};
use bench::server::Server;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::world::{SETTLE_LIMIT, START_LIMIT, World};

const NAME: &str = "disk_full::a_full_disk_loses_nothing_and_is_forgotten_once_there_is_room";
const DISK_BYTES: u64 = 96 << 20;
/// Room left beside the ballast: the log takes some hundred commands more, and then the disk is full.
const ROOM_BYTES: u64 = 512 << 10;
const INSIDE: &str = "SEGUE_TEST_IN_NAMESPACE";

#[test]
fn a_full_disk_loses_nothing_and_is_forgotten_once_there_is_room() {
    let folder = TempDir::with_prefix("segue-full-").expect("a temporary folder");
    match Disk::mount(folder.path()) {
        Ok(disk) => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(run(&disk)).expect("a full disk is survived");
        }
        Err(refused) if std::env::var_os(INSIDE).is_some() => skip(&refused.to_string()),
        Err(_) => run_in_namespace(),
    }
}

/// Runs this very test again where it may mount.
fn run_in_namespace() {
    let this = std::env::current_exe().expect("the test's own path");
    let probe = Command::new("unshare")
        .args(["--map-root-user", "--mount", "true"])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip("neither mount nor unshare is permitted");
    }
    let status = Command::new("unshare")
        .args(["--map-root-user", "--mount"])
        .arg(this)
        .args(["--exact", NAME, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare starts");
    assert!(
        status.success(),
        "in its own namespace the test ended with {status}"
    );
}

fn skip(reason: &str) {
    eprintln!("SKIPPED {NAME}: no tmpfs can be mounted here ({reason})");
}

/// A mounted tmpfs. Dropping it unmounts it.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> nix::Result<Self> {
        let options = format!("size={DISK_BYTES},mode=0700");
        mount(
            Some("tmpfs"),
            at,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options.as_str()),
        )?;
        Ok(Self(at.to_owned()))
    }

    fn free_bytes(&self) -> Result<u64> {
        let stat = nix::sys::statvfs::statvfs(&self.0)?;
        Ok(stat.blocks_available() * stat.fragment_size())
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills the disk up to `room` bytes.
    fn fill(&self, room: u64) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let block = vec![1_u8; 64 << 10];
        while self.free_bytes()? > room + block.len() as u64 {
            ballast.write_all(&block)?;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazy: a server that is just being killed may still hold a file.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

async fn run(disk: &Disk) -> Result<()> {
    let mut world = World::in_folder(&disk.0.join("data"), 1).await?;
    let mut server = world.program.serve(START_LIMIT).await?;
    disk.fill(ROOM_BYTES)?;
    work_until_full(&mut world, &server).await?;
    refuses_and_stays_up(&mut server).await?;
    std::fs::remove_file(disk.ballast())?;
    recovers(&mut world, &server).await?;
    let mut checked = Vec::new();
    world
        .check(server.address(), &mut checked)
        .await
        .with_context(|| server.output())?;
    server.kill().await?;
    let server = world.program.serve(START_LIMIT).await?;
    world
        .check(server.address(), &mut Vec::new())
        .await
        .context("after a restart")?;
    server.stop().await
}

/// Every writer sends wishes until one is refused for lack of room.
async fn work_until_full(world: &mut World, server: &Server) -> Result<()> {
    let client = Client::new(server.address())?;
    let sessions = world.sessions(&client);
    let mut refused = 0;
    for writer in &mut world.writers {
        let filled = async {
            while writer.open.is_none() {
                ensure!(
                    writer.wish(&sessions[writer.listener]).await?,
                    "the server went away:\n{}",
                    server.output()
                );
            }
            Ok(())
        };
        timeout(SETTLE_LIMIT, filled)
            .await
            .context("the disk does not fill up")??;
        refused += 1;
    }
    eprintln!(
        "{refused} writers were refused after {} granted wishes",
        granted(world)
    );
    ensure!(granted(world) > 0, "nothing was granted before the disk was full");
    Ok(())
}

fn granted(world: &World) -> usize {
    world.writers.iter().map(|writer| writer.granted.len()).sum()
}

/// A full disk is a problem to report, not a reason to end.
async fn refuses_and_stays_up(server: &mut Server) -> Result<()> {
    let client = Client::new(server.address())?;
    let answer = client.send(None, &Request::get("/livez")).await?;
    answer.expect(200)?;
    ensure!(
        server.exit_status().is_none(),
        "the server ended:\n{}",
        server.output()
    );
    Ok(())
}

/// The same wishes are granted without a restart, soon after there is room.
async fn recovers(world: &mut World, server: &Server) -> Result<()> {
    let began = Instant::now();
    let client = Client::new(server.address())?;
    let sessions = world.sessions(&client);
    for writer in &mut world.writers {
        while writer.open.is_some() {
            ensure!(
                began.elapsed() < SETTLE_LIMIT,
                "it does not recover:\n{}",
                server.output()
            );
            writer.wish(&sessions[writer.listener]).await?;
            sleep(Duration::from_millis(10)).await;
        }
    }
    eprintln!("granted again {:?} after there was room", began.elapsed());
    Ok(())
}
