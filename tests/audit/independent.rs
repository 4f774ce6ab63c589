//! What a verifier that others wrote says of our tiles, checkpoints, proofs and exports: the package `aics-tlog`, pure Python.
//!
//! It has its own tree, notes and proofs and shares no line with ours. It is installed once into the build folder; where it
//! cannot be had, the test fails and says so.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use eventing::notes::{SignedCheckpoint, WitnessKey};
use serde_json::Value;

use crate::history::{Instance, append, text};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit/independent");

/// The Python with the verifier in it.
fn python() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tlog-verifier");
    std::fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let (python, wanted) = (
        folder.join("venv/bin/python"),
        std::fs::read(Path::new(FILES).join("requirements.txt"))?,
    );
    let installed = folder.join("installed.txt");
    if std::fs::read(&installed).ok().as_ref() != Some(&wanted) {
        let venv = folder.join("venv");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            .context("python3 cannot make an environment; ops/install installs python3-venv")?;
        // It asks for Python 3.12 and runs on Debian 12's 3.11 as well.
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--ignore-requires-python",
            "-r",
        ];
        run(Command::new(&python)
            .args(pip)
            .arg(Path::new(FILES).join("requirements.txt")))
        .context("the independent verifier cannot be installed")?;
        std::fs::write(&installed, wanted)?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// Everything that the verifier is shown.
struct Shown {
    instance: Instance,
    key: String,
    witness_key: String,
    size: u64,
}

impl Shown {
    async fn new(records: u64) -> Result<Self> {
        let instance = Instance::with(records / 2).await?;
        let key = instance.public_key().await?;
        std::fs::write(instance.file("old.note"), instance.done(&["checkpoint"]).await?)?;
        append(instance.program.data(), records - records / 2).await?;
        let (tiles, proof, export) = (
            instance.file("tiles"),
            instance.file("proof"),
            instance.file("export"),
        );
        instance.done(&["tiles", "--out", text(&tiles)]).await?;
        let position = records.to_string();
        instance
            .done(&["prove", &position, "--out", text(&proof)])
            .await?;
        instance.done(&["export", "--out", text(&export)]).await?;
        let note = std::fs::read(tiles.join("checkpoint"))?;
        let checkpoint = SignedCheckpoint::parse(&note)?;
        let witness = WitnessKey::generate("witness.example/w1")?;
        let line = witness.cosign(checkpoint.note(), 1_790_000_000);
        let size = checkpoint.checkpoint().size();
        std::fs::write(instance.file("cosigned"), checkpoint.with(line)?.to_string())?;
        Ok(Self {
            instance,
            key,
            witness_key: witness.verifier().to_string(),
            size,
        })
    }

    fn verify(&self) -> Result<Output> {
        let mut command = Command::new(python()?);
        command
            .arg(Path::new(FILES).join("verify.py"))
            .arg(&self.key)
            .arg(&self.witness_key);
        for name in ["tiles", "old.note", "proof", "export", "cosigned"] {
            command.arg(self.instance.file(name));
        }
        run(&mut command)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_of_others_agrees_with_tiles_proofs_exports_and_cosignatures() -> Result<()> {
    for records in [1_u64, 2, 255, 256, 257, 700] {
        let shown = Shown::new(records).await?;
        let said: Value = serde_json::from_slice(&shown.verify()?.stdout)?;
        assert_eq!(said["size"], shown.size, "{said}");
        assert_eq!(said["bundles"], shown.size.div_ceil(256), "{said}");
        assert_eq!(said["old_size"], records / 2, "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_of_others_notices_a_change() -> Result<()> {
    let shown = Shown::new(300).await?;
    shown.verify()?;
    for (name, from_the_end) in [
        ("tiles/tile/0/000", 100),
        ("tiles/tile/entries/000", 100),
        ("proof", 3),
        ("cosigned", 30),
    ] {
        let path = shown.instance.file(name);
        let sound = std::fs::read(&path)?;
        let mut changed = sound.clone();
        let at = changed.len() - from_the_end;
        changed[at] ^= 1;
        std::fs::write(&path, &changed)?;
        ensure!(shown.verify().is_err(), "{name} was changed");
        std::fs::write(&path, &sound)?;
    }
    Ok(())
}
