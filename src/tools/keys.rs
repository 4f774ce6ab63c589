//! `segue keys`: making a master key, and replacing the present one.

use std::path::Path;

use anyhow::Context;
use eventing::{Keys, MasterKey, PostgresConfig, Rotated};
use serde::Serialize;

use crate::Outcome;
use crate::cli::KeysCommand;
use crate::output::{Output, Progress};
use crate::settings::Settings;
use crate::stack;

/// What a rotation came to.
#[derive(Serialize)]
struct Rotation {
    /// Subject keys that were wrapped anew; absent when an earlier run had done it.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    /// Whether the key file in the data folder was replaced.
    installed: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: KeysCommand,
) -> anyhow::Result<Outcome> {
    match command {
        KeysCommand::Generate { file } => generate(output, &file),
        KeysCommand::Rotate { new_key_file } => rotate(settings, output, &new_key_file).await,
    }
}

fn generate(output: Output, file: &Path) -> anyhow::Result<Outcome> {
    MasterKey::create_file(file)?;
    output.print(&file, |file| {
        format!("a new master key lies in {}", file.display())
    })?;
    Ok(Outcome::Done)
}

async fn rotate(settings: &Settings, output: Output, file: &Path) -> anyhow::Result<Outcome> {
    let new = MasterKey::from_file(file)?;
    anyhow::ensure!(
        settings.database_url.is_some() || Keys::is_in(&settings.data),
        "there are no keys in {}; nothing was changed",
        settings.data.display()
    );
    let _in_use = stack::use_folder(&settings.data)?;
    let present = stack::master_key(settings)?;
    let mut progress = Progress::of("keys wrapped anew");
    let progress = move |done| progress.at(done);
    let rotated = match &settings.database_url {
        Some(url) => {
            let config = PostgresConfig::parse(url.reveal())?;
            Keys::rotate_postgres(&config, present, new.clone(), progress).await?
        }
        None => Keys::rotate(&settings.data, present, new.clone(), progress).await?,
    };
    let is_in_folder = settings.master_key.is_none() && settings.master_key_file.is_none();
    if is_in_folder {
        new.install(&settings.data)
            .context("the keys are under the new master key, and it could not be put into the data folder: do it again")?;
    }
    let rotation = Rotation {
        keys: match rotated {
            Rotated::Now(keys) => Some(keys),
            Rotated::Before => None,
        },
        installed: is_in_folder,
    };
    output.print(&rotation, text)?;
    Ok(Outcome::Done)
}

fn text(rotation: &Rotation) -> String {
    let what = match rotation.keys {
        Some(keys) => format!("{keys} keys are under the new master key, and under no other"),
        None => "the keys were under the new master key already".to_owned(),
    };
    let then = match rotation.installed {
        true => "it lies in the data folder; start every running process again",
        false => "give it to every process, and start them again",
    };
    format!("{what}; {then}")
}
