//! What the parts of the API say of themselves: password hashing, streams of events, the catalogue.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::{counter::ConstCounter, gauge::ConstGauge};
use prometheus_client::registry::Registry;

use super::HttpMeasures;
use crate::{catalogue::CatalogueHandle, passwords::Passwords};

/// All that an API counts.
pub(crate) fn of_api(http: &HttpMeasures, passwords: Passwords, catalogue: CatalogueHandle) -> Registry {
    let mut registry = Registry::with_prefix("segue");
    http.register(&mut registry);
    registry.register_collector(Box::new(OfPasswords(passwords)));
    registry.register_collector(Box::new(OfCatalogue(catalogue)));
    registry
}

struct OfPasswords(Passwords);

impl fmt::Debug for OfPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfPasswords").finish_non_exhaustive()
    }
}

impl Collector for OfPasswords {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let passwords = &self.0;
        for (name, help, value) in [
            (
                "password_evaluations_running",
                "Evaluations of Argon2 that run now",
                passwords.running(),
            ),
            (
                "password_evaluations_waiting",
                "Callers who wait for their evaluation of Argon2",
                passwords.waiting(),
            ),
        ] {
            gauge(&mut encoder, name, help, value as u64)?;
        }
        for (name, help, value) in [
            (
                "password_checks",
                "Passwords that were checked",
                passwords.checks(),
            ),
            (
                "password_hashes",
                "Passwords that were hashed",
                passwords.hashes(),
            ),
            (
                "password_refusals",
                "Callers who were sent away because too many waited for Argon2",
                passwords.refusals(),
            ),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

struct OfCatalogue(CatalogueHandle);

impl fmt::Debug for OfCatalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfCatalogue").finish_non_exhaustive()
    }
}

impl Collector for OfCatalogue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let tracks = self.0.current().map_or(0, |catalogue| catalogue.content.len());
        let help = "Tracks in the current catalogue";
        gauge(&mut encoder, "catalogue_tracks", help, tracks as u64)
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}
