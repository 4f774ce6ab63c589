//! The data folder, which every process makes and writes to.

use std::path::Path;

use eventing::{EventLog, Keys};
use nix::unistd::{AccessFlags, access};

use crate::settings::Settings;
use crate::tools::config::finding::Finding;

const NAME: &str = "SEGUE_DATA";
/// The files that a process opens for writing where log and keys are embedded.
const WRITTEN: [&str; 2] = ["log.db", "keys.db"];

pub(super) fn all(settings: &Settings) -> Vec<Finding> {
    let data = &settings.data;
    let mut problems: Vec<String> = writable(data).err().into_iter().collect();
    if settings.database_url.is_none() {
        problems.extend(WRITTEN.iter().filter_map(|file| unwritable(&data.join(file))));
        if EventLog::is_in(data) && !Keys::is_in(data) {
            problems.push(format!(
                "{} holds a log without its subject keys: put its keys.db back beside it",
                data.display()
            ));
        }
    }
    problems
        .into_iter()
        .map(|problem| Finding::error(&[NAME], problem))
        .collect()
}

/// Whether the folder can be written to, or made.
fn writable(data: &Path) -> Result<(), String> {
    // A bare name lies in the present folder.
    let existing = data
        .ancestors()
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        })
        .find(|folder| folder.symlink_metadata().is_ok())
        .ok_or_else(|| format!("{} cannot be looked at", data.display()))?;
    let shown = existing.display();
    if !existing.is_dir() {
        return Err(format!("{shown} is no folder"));
    }
    access(existing, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| match existing == data {
        true => format!("{shown} cannot be written to: {error}"),
        false => format!("{} cannot be made in {shown}: {error}", data.display()),
    })
}

fn unwritable(file: &Path) -> Option<String> {
    let error = access(file, AccessFlags::R_OK | AccessFlags::W_OK).err()?;
    file.exists()
        .then(|| format!("{} cannot be read and written: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use eventing::testing::TempDir;

    use super::*;

    fn problems(data: &Path) -> Vec<String> {
        let findings = all(&Settings::in_folder(data));
        findings.into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn a_folder_that_is_there_or_can_be_made_is_fine_and_stays_as_it_is() {
        let dir = TempDir::new();
        assert!(problems(dir.path()).is_empty());
        let deeper = dir.path().join("a/b");
        assert!(problems(&deeper).is_empty());
        assert!(!dir.path().join("a").exists());
    }

    #[test]
    fn a_file_in_the_folders_place_and_a_log_without_keys_are_told() {
        let dir = TempDir::new();
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("a file");
        for data in [file.clone(), file.join("deeper")] {
            let problems = problems(&data);
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.ends_with("file is no folder")),
                "{problems:?}"
            );
        }
        std::fs::write(dir.path().join("log.db"), "").expect("a log");
        let problems = problems(dir.path());
        assert!(
            problems.len() == 1 && problems[0].contains("without its subject keys"),
            "{problems:?}"
        );
    }
}
