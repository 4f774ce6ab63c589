//! Every setting as it is given: its text, and where it comes from.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::Context;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use serde::Serialize;

use super::CheckArguments;
use crate::cli::Cli;
use crate::settings::{Format, Secret, Serving, Settings, read_secret};
use crate::tools::settings::read_by_libraries;

/// The command of this tool.
const COMMAND: (&str, &str) = ("config", "check");
/// Secrets that are read from a file's first line before anything starts. The others have files of their own form.
const IN_FIRST_LINE: [&str; 4] = [
    "DATABASE_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "RABBITMQ_PASSWORD",
    "REDIS_PASSWORD",
];

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Flag,
    Environment,
    /// The file that the setting with `_FILE` behind its name names.
    File,
    Default,
    /// Nobody says it, and there is no default.
    Unset,
}

impl Source {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
            Self::Unset => "",
        }
    }
}

/// One setting.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Its environment variable, which is its name.
    pub(super) name: String,
    /// Its flag, without dashes.
    pub(super) flag: Option<String>,
    pub(super) source: Source,
    pub(super) is_secret: bool,
    /// Its text; never shown where it is a secret.
    text: Option<OsString>,
    /// Why it makes no sense.
    pub(super) problem: Option<String>,
}

impl Value {
    /// Its text; none when it is absent, empty, or not to be shown.
    pub(super) fn shown(&self) -> Option<String> {
        let text = self.text.as_ref().filter(|_| !self.is_secret)?;
        Some(text.to_string_lossy().into_owned())
    }

    /// Its text, when a person or a manifest says it.
    fn said(&self) -> Option<&OsStr> {
        let is_said = matches!(self.source, Source::Flag | Source::Environment);
        self.text.as_deref().filter(|_| is_said)
    }

    /// Whether a person or a manifest says it. An empty text says nothing.
    pub(super) fn is_given(&self) -> bool {
        let is_said = matches!(self.source, Source::Flag | Source::Environment | Source::File);
        is_said && self.text.as_ref().is_none_or(|text| !text.is_empty())
    }
}

/// Everything that is given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(super) values: Vec<Value>,
    pub(super) arguments: CheckArguments,
    pub(super) format: Format,
}

/// What the program would take the settings for, but for those that make no sense.
pub(super) struct Effective {
    pub(super) settings: Settings,
    pub(super) serving: Serving,
    /// The settings whose secret cannot be read, with the reason: what depends on them is not looked at.
    pub(super) unreadable: Vec<(String, String)>,
}

impl Effective {
    pub(super) fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.iter().any(|(unreadable, _)| unreadable == name)
    }
}

/// What is given, when `arguments` ask for this tool and can be read; settings may make no sense.
pub(crate) fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Given> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if !arguments.iter().any(|argument| argument == COMMAND.0) {
        return None;
    }
    let any_text = |arg: Arg| match arg.get_env() {
        Some(_) => arg.value_parser(clap::value_parser!(OsString)),
        None => arg,
    };
    let matches = Cli::command()
        .mut_args(any_text)
        .try_get_matches_from(arguments)
        .ok()?;
    let (_, tool) = matches.subcommand().filter(|(name, _)| *name == COMMAND.0)?;
    let (_, check) = tool.subcommand().filter(|(name, _)| *name == COMMAND.1)?;
    let command = Cli::command();
    let flags = command.get_arguments().filter_map(|arg| Value::of(arg, &matches));
    let mut values: Vec<Value> = flags.chain(of_libraries()).collect();
    note_files(&mut values);
    values.sort_by(|a, b| a.name.cmp(&b.name));
    Some(Given {
        values,
        arguments: CheckArguments::from_arg_matches(check).ok()?,
        format: matches.get_one("format").copied().unwrap_or_default(),
    })
}

/// A secret that is absent itself comes from its file.
fn note_files(values: &mut [Value]) {
    let files: Vec<String> = values
        .iter()
        .filter(|value| value.is_given())
        .map(|value| value.name.clone())
        .collect();
    for value in values
        .iter_mut()
        .filter(|value| value.is_secret && value.source == Source::Unset)
    {
        if files.contains(&format!("{}_FILE", value.name)) {
            value.source = Source::File;
        }
    }
}

fn of_libraries() -> impl Iterator<Item = Value> {
    read_by_libraries().into_iter().map(|setting| {
        let text = std::env::var_os(&setting.environment).filter(|text| !text.is_empty());
        let source = match (&text, &setting.default) {
            (Some(_), _) => Source::Environment,
            (None, Some(_)) => Source::Default,
            (None, None) => Source::Unset,
        };
        Value {
            name: setting.environment,
            flag: None,
            source,
            is_secret: false,
            text: text.or(setting.default.map(OsString::from)),
            problem: None,
        }
    })
}

impl Value {
    fn of(arg: &Arg, matches: &ArgMatches) -> Option<Self> {
        let id = arg.get_id().as_str();
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) => Source::Environment,
            Some(_) => Source::Default,
            None => Source::Unset,
        };
        let text = matches
            .get_raw(id)
            .and_then(|mut texts| texts.next())
            .map(OsStr::to_owned);
        let is_said = matches!(source, Source::Flag | Source::Environment);
        let problem = text
            .as_ref()
            .filter(|_| is_said)
            .and_then(|text| problem_of(arg, text));
        Some(Self {
            name: arg.get_env()?.to_str()?.to_owned(),
            flag: arg.get_long().map(str::to_owned),
            source,
            is_secret: arg.is_hide_env_values_set(),
            text,
            problem,
        })
    }
}

/// Why `arg` cannot be `text`, when it cannot.
fn problem_of(arg: &Arg, text: &OsStr) -> Option<String> {
    let mut argument = OsString::from(format!("--{}=", arg.get_long()?));
    argument.push(text);
    let alone = arg
        .clone()
        .env(Resettable::Reset)
        .action(ArgAction::Set)
        .num_args(1);
    let refused = Command::new("segue")
        .no_binary_name(true)
        .arg(alone)
        .try_get_matches_from([argument])
        .err()?;
    if arg.is_hide_env_values_set() {
        return Some("is no text".to_owned());
    }
    let shown = text.to_string_lossy();
    let choices = refused
        .get(ContextKind::ValidValue)
        .and_then(|choices| match choices {
            ContextValue::Strings(choices) if !choices.is_empty() => Some(choices.join(", ")),
            _ => None,
        });
    Some(match (choices, std::error::Error::source(&refused)) {
        (Some(choices), _) => format!("is {shown:?}, and must be one of {choices}"),
        (None, Some(source)) => format!("is {shown:?}: {source}"),
        (None, None) if shown.is_empty() => "is empty".to_owned(),
        (None, None) => format!("is {shown:?}, which is not understood"),
    })
}

impl Given {
    /// The value of the setting `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.name == name)
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some_and(Value::is_given)
    }

    /// The text of a setting that a person or a manifest says, be it empty: an empty secret is one, and a wrong one. For checks,
    /// never for showing.
    pub(super) fn said(&self, name: &str) -> Option<&OsStr> {
        self.get(name).and_then(Value::said)
    }

    /// The same, where an empty text says nothing.
    pub(super) fn text(&self, name: &str) -> Option<&OsStr> {
        self.said(name).filter(|text| !text.is_empty())
    }

    /// The settings as the program takes them, with every secret in its place that can be read.
    pub(super) fn effective(&self) -> anyhow::Result<Effective> {
        let mut arguments = vec![OsString::from("segue")];
        let mut unreadable = Vec::new();
        for value in &self.values {
            if IN_FIRST_LINE.contains(&value.name.as_str()) {
                match self.secret(&value.name) {
                    Ok(secret) => arguments
                        .extend(secret.and_then(|secret| value.argument(OsStr::new(secret.reveal())))),
                    Err(error) => unreadable.push((value.name.clone(), format!("{error:#}"))),
                }
            } else if value.problem.is_none() && !self.is_first_line_file(value) {
                arguments.extend(value.said().and_then(|text| value.argument(text)));
            }
        }
        let without_environment = |arg: Arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .env(Resettable::Reset)
                .action(ArgAction::Set)
                .num_args(1)
                .default_value("false"),
            _ => arg.env(Resettable::Reset),
        };
        let matches = Cli::command()
            .mut_args(without_environment)
            .try_get_matches_from(arguments);
        // The arguments hold secrets: what is wrong with them is not repeated.
        let matches = matches.ok().context("the settings cannot be put together")?;
        Ok(Effective {
            settings: Settings::from_arg_matches(&matches)?,
            serving: Serving::from_arg_matches(&matches)?,
            unreadable,
        })
    }

    fn is_first_line_file(&self, value: &Value) -> bool {
        IN_FIRST_LINE
            .iter()
            .any(|name| value.name == format!("{name}_FILE"))
    }

    /// The secret `name`, wherever it is.
    fn secret(&self, name: &str) -> anyhow::Result<Option<Secret>> {
        let text = self.said(name).map(|text| text.to_str().context("is no text"));
        let mut secret = text.transpose()?.map(Secret::from);
        let file = self.text(&format!("{name}_FILE")).map(Path::new);
        read_secret(name, &mut secret, file)?;
        Ok(secret)
    }
}

impl Value {
    fn argument(&self, text: &OsStr) -> Option<OsString> {
        let mut argument = OsString::from(format!("--{}=", self.flag.as_ref()?));
        argument.push(text);
        Some(argument)
    }
}
