//! `segue settings`: what the program can be told, as data. The manifests and `docs/operations.md` are held against it.

use clap::{Arg, CommandFactory};
use serde::Serialize;

use crate::Outcome;
use crate::cli::Cli;
use crate::output::Output;
use crate::serve::STOP_LIMIT;

/// Everything that a process can be told by its environment, and how long it may take to stop.
#[derive(Debug, Serialize)]
struct Listing {
    settings: Vec<Setting>,
    /// After `SEGUE_DRAIN_DELAY_S` and `SEGUE_DRAIN_TIMEOUT_S`, roles end within so many seconds.
    stop_limit_s: u64,
}

/// One setting.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) environment: String,
    /// Absent where only the environment says it.
    flag: Option<String>,
    pub(super) default: Option<String>,
    is_secret: bool,
    help: String,
}

pub(crate) fn run(output: Output) -> anyhow::Result<Outcome> {
    output.print(&Listing::new(), Listing::text)?;
    Ok(Outcome::Done)
}

impl Listing {
    fn new() -> Self {
        let command = Cli::command();
        let flags = command.get_arguments().filter_map(Setting::of);
        let mut settings: Vec<Setting> = flags.chain(read_by_libraries()).collect();
        settings.sort_by(|a, b| a.environment.cmp(&b.environment));
        Self {
            settings,
            stop_limit_s: STOP_LIMIT.as_secs(),
        }
    }

    /// The table of `docs/operations.md`.
    fn text(&self) -> String {
        let mut table = "| variable | flag | default | what it does |\n|---|---|---|---|\n".to_owned();
        for setting in &self.settings {
            table += &setting.row();
        }
        table
    }
}

impl Setting {
    /// The setting of a flag; flags without a variable are an invocation's own business.
    fn of(arg: &Arg) -> Option<Self> {
        let default: Vec<_> = arg.get_default_values().iter().collect();
        Some(Self {
            environment: arg.get_env()?.to_str()?.to_owned(),
            flag: arg.get_long().map(|flag| format!("--{flag}")),
            default: default.first().map(|value| value.to_string_lossy().into_owned()),
            is_secret: arg.is_hide_env_values_set(),
            help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        })
    }

    fn row(&self) -> String {
        let code = |text: &Option<String>| text.as_ref().map_or_else(String::new, |text| format!("`{text}`"));
        format!(
            "| `{}` | {} | {} | {} |\n",
            self.environment,
            code(&self.flag),
            code(&self.default),
            self.help.replace('|', "\\|")
        )
    }
}

/// What the libraries beneath read from the environment by themselves.
pub(super) fn read_by_libraries() -> [Setting; 2] {
    let setting = |environment: &str, default: Option<&str>, help: &str| Setting {
        environment: environment.to_owned(),
        flag: None,
        default: default.map(str::to_owned),
        is_secret: false,
        help: help.to_owned(),
    };
    [
        setting(
            "GOOGLE_APPLICATION_CREDENTIALS",
            None,
            "File with the Google account that reaches Firestore; the machine's own identity when absent",
        ),
        setting(
            "RUST_LOG",
            Some("info,lapin=off"),
            "Which log lines are written, as `warn` or `info,eventing=debug`",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_has_a_file_in_its_place_and_no_default() {
        let settings = Listing::new().settings;
        let secrets = settings.iter().filter(|setting| setting.is_secret);
        for secret in secrets {
            let file = format!("{}_FILE", secret.environment);
            assert!(
                settings.iter().any(|setting| setting.environment == file),
                "{file}"
            );
            assert_eq!(secret.default, None, "{}", secret.environment);
        }
    }

    #[test]
    fn every_setting_says_what_it_does() {
        let settings = Listing::new().settings;
        assert!(
            settings
                .iter()
                .any(|setting| setting.environment == "REDDIS_HOST")
        );
        assert!(
            settings.iter().all(|setting| !setting.help.is_empty()),
            "{settings:?}"
        );
    }
}
