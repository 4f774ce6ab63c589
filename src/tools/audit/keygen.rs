//! `segue audit keygen`: a new key, of a log or of a witness.

use std::path::PathBuf;

use eventing::notes::{KEY_FILE, SigningKey, WitnessKey, new_origin};
use serde::Serialize;

use crate::Outcome;
use crate::cli::KeygenArguments;
use crate::output::{Output, remark};
use crate::settings::Settings;

#[derive(Serialize)]
struct NewKey {
    name: String,
    public_key: String,
    file: PathBuf,
}

pub(super) fn run(
    settings: &Settings,
    output: Output,
    arguments: &KeygenArguments,
) -> anyhow::Result<Outcome> {
    let file = arguments
        .out
        .clone()
        .unwrap_or_else(|| settings.data.join(KEY_FILE));
    let name = arguments.origin.clone().unwrap_or_else(new_origin);
    let public_key = if arguments.witness {
        let key = WitnessKey::generate(&name)?;
        key.write_new(&file)?;
        key.verifier().to_string()
    } else {
        let key = SigningKey::generate(&name)?;
        key.write_new(&file)?;
        key.verifier().to_string()
    };
    remark(&format!(
        "The secret key is in {}, for its owner alone; it was made once and cannot be made again. This is its public half:",
        file.display()
    ));
    let made = NewKey {
        name,
        public_key,
        file,
    };
    output.print(&made, |made| made.public_key.clone())?;
    Ok(Outcome::Done)
}
