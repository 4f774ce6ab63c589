//! Traces: whether the spans of this process are told, which, and to whom.

#[cfg_attr(not(feature = "production"), path = "without_export.rs")]
mod export;
mod headers;
mod measures;

use std::path::PathBuf;

use clap::Args;

pub(crate) use self::export::Exporting;
use self::headers::Headers;
pub(crate) use self::measures::register;
use crate::hosts::given;
use crate::roles::Role;
use crate::settings::{Secret, read_secret};

/// Where a collector takes spans, below the address that is configured.
const PATH: &str = "/v1/traces";

/// Settings of traces.
#[derive(Debug, Clone, Args)]
pub(crate) struct Traces {
    /// OpenTelemetry collector that takes spans by OTLP over HTTP, as `http://collector:4318`; none are made when absent.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = endpoint, value_name = "URL", global = true)]
    otlp_endpoint: Option<String>,
    /// Headers for the collector, as `authorization=Bearer%20TOKEN,x-tenant=segue`.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true,
        value_name = "HEADERS",
        global = true
    )]
    otlp_headers: Option<Secret>,
    /// File whose first line is `OTEL_EXPORTER_OTLP_HEADERS`.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS_FILE",
        value_name = "FILE",
        global = true
    )]
    otlp_headers_file: Option<PathBuf>,
    /// What the process is called in its spans; `segue-rest`, `segue-usermanagement`, `segue-classifier` or `segue` when absent.
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME", global = true)]
    otel_service_name: Option<String>,
    /// Part of the traces begun here that are told, from 0 to 1; whether another's trace is told, its caller says.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = ratio, value_name = "RATIO", global = true)]
    otel_traces_sampler_arg: f64,
}

/// Who takes spans, and which.
#[cfg_attr(
    not(feature = "production"),
    expect(
        dead_code,
        reason = "a program without the export says only where it was to go"
    )
)]
#[derive(Debug)]
struct Collector {
    url: String,
    headers: Headers,
    service: String,
    ratio: f64,
}

/// Begins to tell spans, if somebody takes them.
///
/// # Errors
/// A setting that makes no sense, or a program that was built without the export; the setting is named.
pub(crate) fn start(traces: &Traces, roles: &[Role]) -> anyhow::Result<Option<Exporting>> {
    traces.collector(roles)?.map(export::start).transpose()
}

impl Traces {
    /// No spans.
    pub(crate) fn none() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: None,
            otlp_headers_file: None,
            otel_service_name: None,
            otel_traces_sampler_arg: 1.0,
        }
    }

    /// Whether spans are to be told.
    pub(crate) fn are_wanted(&self) -> bool {
        given(self.otlp_endpoint.as_deref()).is_some()
    }

    /// The headers for the collector.
    ///
    /// # Errors
    /// The setting is named, and nothing of its text is told.
    pub(crate) fn headers(&self) -> anyhow::Result<Headers> {
        let mut secret = self.otlp_headers.clone();
        let file = self.otlp_headers_file.as_deref();
        read_secret("OTEL_EXPORTER_OTLP_HEADERS", &mut secret, file)?;
        headers::parse(secret.as_ref().map_or("", Secret::reveal))
    }

    fn collector(&self, roles: &[Role]) -> anyhow::Result<Option<Collector>> {
        let Some(endpoint) = given(self.otlp_endpoint.as_deref()) else {
            return Ok(None);
        };
        let service = given(self.otel_service_name.as_deref());
        Ok(Some(Collector {
            url: format!("{}{PATH}", endpoint.trim_end_matches('/')),
            headers: self.headers()?,
            service: service.map_or_else(|| name_of(roles), str::to_owned),
            ratio: self.otel_traces_sampler_arg,
        }))
    }
}

fn name_of(roles: &[Role]) -> String {
    match roles {
        [role] => format!("segue-{}", role.name()),
        _ => "segue".to_owned(),
    }
}

/// An address with a host and nothing that is not told: what is secret goes into headers.
fn endpoint(text: &str) -> Result<String, String> {
    if given(Some(text)).is_none() {
        return Ok(String::new());
    }
    let url = reqwest::Url::parse(text).map_err(|error| format!("no URL: {error}"))?;
    let has_secrets = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    match url.scheme() {
        _ if has_secrets => {
            Err("a user, a password or a query goes into OTEL_EXPORTER_OTLP_HEADERS".to_owned())
        }
        "http" | "https" if url.has_host() => Ok(text.trim().to_owned()),
        _ => Err("must begin with http:// or https://".to_owned()),
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok();
    number
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Told {
        #[command(flatten)]
        traces: Traces,
    }

    fn collector(arguments: &[&str], roles: &[Role]) -> Option<Collector> {
        let told = Told::try_parse_from([&["segue"], arguments].concat()).expect("they are understood");
        told.traces.collector(roles).expect("they make sense")
    }

    #[test]
    fn a_collector_is_told_below_its_address_and_each_role_has_a_name() {
        assert!(collector(&[], &[Role::Rest]).is_none());
        assert!(collector(&["--otlp-endpoint="], &[Role::Rest]).is_none());
        let at = ["--otlp-endpoint", "http://collector:4318/"];
        let told = collector(&at, &[Role::Rest]).expect("a collector");
        assert_eq!(
            (told.url.as_str(), told.service.as_str(), told.ratio),
            ("http://collector:4318/v1/traces", "segue-rest", 1.0)
        );
        let told = collector(&at, Role::ALL).expect("a collector");
        assert_eq!(told.service, "segue");
        let named = [&at[..], &["--otel-service-name", "music"]].concat();
        let told = collector(&named, &[Role::Classifier]).expect("a collector");
        assert_eq!(told.service, "music");
    }

    #[test]
    fn an_address_that_is_none_or_holds_a_secret_is_refused() {
        for fine in ["http://collector:4318", "https://otlp.example/base/", ""] {
            assert!(endpoint(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://user@collector",
            "https://user:secret@collector",
            "https://collector?key=secret",
        ] {
            let error = endpoint(wrong).expect_err(wrong);
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_ratio_lies_between_nothing_and_all() {
        assert_eq!(
            (ratio("0"), ratio("0.25"), ratio("1")),
            (Ok(0.0), Ok(0.25), Ok(1.0))
        );
        for wrong in ["", "-0.1", "1.1", "NaN", "a tenth"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }
}
