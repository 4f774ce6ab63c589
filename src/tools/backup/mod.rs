//! `segue backup`: log, keys and models of the embedded stack, as of one moment each, while it runs or not.
//!
//! Everything goes into a folder under a temporary name, is made durable, described in a manifest, and gets its name last:
//! what has the name is whole.

mod manifest;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::Utc;
use eventing::backup::{self, Stop};
use eventing::{EventLog, MasterKey};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use uuid::Uuid;

pub(crate) use self::manifest::{FORMAT, Manifest, digest_of};
use crate::Outcome;
use crate::cli::BackupArguments;
use crate::output::{Output, Progress};
use crate::settings::Settings;
use crate::stack::use_folder;

/// What is copied as it lies there, if it is there. The log's copy of each published model is the truth; these spare a start
/// from reading it.
const FOLDERS: &[&str] = &["models"];
/// The key that signs checkpoints.
pub(crate) const AUDIT_KEY: &str = "audit.key";
const LOG: &str = "log.db";
const KEYS: &str = "keys.db";
/// How often it is said how far a copy is.
const SAID_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    arguments: BackupArguments,
) -> anyhow::Result<Outcome> {
    refuse_database(settings)?;
    let BackupArguments { out, with_master_key } = arguments;
    ensure!(
        !out.exists(),
        "{} exists: a backup never replaces anything",
        out.display()
    );
    ensure!(
        EventLog::is_in(&settings.data),
        "there is no log in {}",
        settings.data.display()
    );
    let _in_use = use_folder(&settings.data)?;
    let draft = Draft::beside(&out)?;
    let master_key = with_master_key.then(|| master_key_file(settings)).transpose()?;
    let stop = Stop::default();
    let copying = copy(
        settings.data.clone(),
        draft.path.clone(),
        master_key,
        stop.clone(),
    );
    let copying = tokio::task::spawn_blocking(copying);
    let manifest = interruptible(copying, &stop, said(draft.path.join(LOG))).await?;
    draft.become_whole(&out)?;
    output.print(&manifest, |manifest| text(manifest, &out))?;
    Ok(Outcome::Done)
}

/// What lies in a database is for its own tools.
pub(crate) fn refuse_database(settings: &Settings) -> anyhow::Result<()> {
    ensure!(
        settings.database_url.is_none(),
        "DATABASE_URL is set: log and keys lie in PostgreSQL, and are backed up with pg_dump as docs/backup.md says"
    );
    Ok(())
}

fn text(manifest: &Manifest, out: &Path) -> String {
    let files = manifest.files.len();
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let key = match manifest.has_master_key {
        true => "with the master key: who has it can read everybody's records",
        false => "without the master key: keep that elsewhere, nothing can be read without it",
    };
    format!(
        "{} holds the log up to position {} ({files} files, {bytes} bytes), {key}",
        out.display(),
        manifest.log_head
    )
}

fn master_key_file(settings: &Settings) -> anyhow::Result<PathBuf> {
    if settings.master_key.is_some() {
        bail!("the master key comes from SEGUE_MASTER_KEY, so there is no file of it to put into a backup");
    }
    let in_folder = MasterKey::path_in(&settings.data);
    Ok(settings.master_key_file.clone().unwrap_or(in_folder))
}

/// Everything that may block, in the order that keeps the copy whole: the keys after the log.
fn copy(
    data: PathBuf,
    to: PathBuf,
    master_key: Option<PathBuf>,
    stop: Stop,
) -> impl FnOnce() -> anyhow::Result<Manifest> + Send + 'static {
    move || {
        let copied = backup::copy_log(&data, &to.join(LOG), &stop)?;
        backup::copy_keys(&data, &to.join(LOG), &to.join(KEYS), &stop)?;
        for folder in FOLDERS {
            copy_folder(&data.join(folder), &to.join(folder))?;
        }
        copy_if_there(&data.join(AUDIT_KEY), &to.join(AUDIT_KEY))?;
        if let Some(file) = &master_key {
            fs::copy(file, MasterKey::path_in(&to))
                .with_context(|| format!("the master key {} cannot be copied", file.display()))?;
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            made_at: Utc::now(),
            log_head: copied.head.get(),
            has_master_key: master_key.is_some(),
            files: manifest::describe(&to)?,
        };
        manifest.write(&to)?;
        Ok(manifest)
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("{} cannot be read", from.display()))?,
    };
    make_private(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy_if_there(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A draft of a model may be gone by the time it is copied.
pub(crate) fn copy_if_there(from: &Path, to: &Path) -> anyhow::Result<bool> {
    match fs::copy(from, to) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be copied", from.display())),
    }
}

fn make_private(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// A folder that is not whole yet, and is removed unless it becomes so.
pub(crate) struct Draft {
    pub(crate) path: PathBuf,
    is_whole: bool,
}

impl Draft {
    /// An empty folder beside `place`.
    pub(crate) fn beside(place: &Path) -> anyhow::Result<Self> {
        let name = place
            .file_name()
            .context("the folder has no name")?
            .to_string_lossy();
        let path = place.with_file_name(format!("{name}.partial-{}", Uuid::now_v7()));
        make_private(&path)?;
        Ok(Self {
            path,
            is_whole: false,
        })
    }

    /// Makes everything in it durable and gives it its name, which nothing has but perhaps an empty folder.
    pub(crate) fn become_whole(mut self, place: &Path) -> anyhow::Result<()> {
        sync_all(&self.path)?;
        let named = fs::rename(&self.path, place);
        named.with_context(|| not_placed(place))?;
        self.is_whole = true;
        sync_parent(place)
    }

    /// Makes everything in it durable and changes places with the folder at `place`, in one step; that one is called `aside`
    /// then.
    pub(crate) fn replace(mut self, place: &Path, aside: &Path) -> anyhow::Result<()> {
        sync_all(&self.path)?;
        let exchanged = renameat2(
            AT_FDCWD,
            &self.path,
            AT_FDCWD,
            place,
            RenameFlags::RENAME_EXCHANGE,
        );
        exchanged.with_context(|| not_placed(place))?;
        // What has the draft's name now is what was there before.
        self.is_whole = true;
        fs::rename(&self.path, aside)
            .with_context(|| format!("what was there lies in {} now", self.path.display()))?;
        sync_parent(place)
    }
}

fn not_placed(place: &Path) -> String {
    format!(
        "{} cannot be given its place: it must be a folder that can be renamed, not a mount point; nothing was changed",
        place.display()
    )
}

fn sync_parent(place: &Path) -> anyhow::Result<()> {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?)
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is left behind has a name that says that it is not whole.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Files are the owner's alone, whatever the copied ones allowed.
fn sync_all(dir: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            let file = File::open(&path)?;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.sync_all()?;
        }
    }
    Ok(File::open(dir)?.sync_all()?)
}

/// Waits for blocking work, says how far it is, and stops it at the first SIGINT.
pub(crate) async fn interruptible<T>(
    mut work: tokio::task::JoinHandle<anyhow::Result<T>>,
    stop: &Stop,
    mut say: impl FnMut(),
) -> anyhow::Result<T> {
    loop {
        tokio::select! {
            done = &mut work => return done?,
            _ = tokio::signal::ctrl_c() => stop.stop(),
            () = tokio::time::sleep(SAID_EVERY) => say(),
        }
    }
}

fn said(copy: PathBuf) -> impl FnMut() {
    let mut progress = Progress::of("KiB of the log copied");
    move || {
        if let Ok(file) = fs::metadata(&copy) {
            progress.at(file.len() >> 10);
        }
    }
}
