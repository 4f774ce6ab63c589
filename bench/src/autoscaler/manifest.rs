//! What Kubernetes is told of a workload that is scaled.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::spec::Spec;

/// An autoscaler, and what it scales.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The numbers of the autoscaler.
    pub spec: Spec,
    /// What the containers of a pod request, in thousandths of a core.
    pub requested: u64,
}

impl Manifest {
    /// Reads the autoscaler and the Deployment `name` from a file of manifests.
    ///
    /// # Errors
    /// When the file cannot be read, or one of them is not in it.
    pub fn read(file: &Path, name: &str) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let resources: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        let named = |kind: &str| {
            let found = resources
                .iter()
                .find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name);
            found.with_context(|| format!("no {kind} {name} in {}", file.display()))
        };
        Ok(Self {
            spec: Spec::read(&named("HorizontalPodAutoscaler")?["spec"])?,
            requested: requested(named("Deployment")?)?,
        })
    }
}

fn requested(workload: &Value) -> Result<u64> {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array();
    let containers = containers.context("no containers")?.iter();
    let requests = containers.map(|container| millicores(&container["resources"]["requests"]["cpu"]));
    requests.sum()
}

/// A quantity of CPU, as `500m` or `2`, in thousandths of a core.
///
/// # Errors
/// When it is none.
pub fn millicores(quantity: &Value) -> Result<u64> {
    let text = quantity
        .as_str()
        .map_or_else(|| quantity.to_string(), str::to_owned);
    let (digits, factor) = text
        .strip_suffix('m')
        .map_or((text.as_str(), 1e3), |digits| (digits, 1.0));
    let number: f64 = digits
        .parse()
        .with_context(|| format!("{text} is no quantity of CPU"))?;
    Ok((number * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cpu_is_read_in_whole_cores_and_in_thousandths() {
        for (quantity, expected) in [
            (json!("500m"), 500),
            (json!("2"), 2_000),
            (json!(1), 1_000),
            (json!("0.5"), 500),
        ] {
            assert_eq!(millicores(&quantity).ok(), Some(expected), "{quantity}");
        }
        assert!(millicores(&json!("much")).is_err());
    }
}
