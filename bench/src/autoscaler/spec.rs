//! The numbers of a manifest.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::behaviour::{Policy, PolicyKind, Rules, Select};
use super::demand::{self, Pod};

/// What a HorizontalPodAutoscaler with one target for CPU says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Never fewer.
    pub replicas_min: u32,
    /// Never more.
    pub replicas_max: u32,
    /// What the average use is to be, in percent of what the pods request.
    pub target_percent: u64,
    /// What holds when replicas come.
    pub scale_up: Rules,
    /// What holds when replicas go.
    pub scale_down: Rules,
}

impl Spec {
    /// Reads the `spec` of a HorizontalPodAutoscaler. What it leaves out has the value that Kubernetes documents.
    ///
    /// # Errors
    /// When it is none, or has another target than the average utilization of CPU.
    pub fn read(spec: &Value) -> Result<Self> {
        let written: Written = serde_json::from_value(spec.clone()).context("no autoscaler")?;
        let [metric] = &written.metrics[..] else {
            anyhow::bail!("an autoscaler with {} metrics", written.metrics.len());
        };
        let resource = &metric.resource;
        ensure!(
            resource.name == "cpu",
            "an autoscaler that looks at {}",
            resource.name
        );
        let behaviour = &written.behavior;
        Ok(Self {
            replicas_min: written.min_replicas.unwrap_or(1),
            replicas_max: written.max_replicas,
            target_percent: resource.target.average_utilization,
            scale_up: behaviour.scale_up.rules(0, &[PERCENT, PODS]),
            scale_down: behaviour.scale_down.rules(300, &[PERCENT]),
        })
    }

    /// How many of `current` replicas with these pods there are to be in the end, whatever came before; nothing when no pod was
    /// measured.
    #[must_use]
    pub fn wanted(&self, current: u32, pods: &[Pod]) -> Option<u32> {
        let wanted = demand::replicas(self.target_percent, current, pods)?;
        Some(wanted.clamp(self.replicas_min, self.replicas_max))
    }
}

/// What holds where a manifest names no policy.
const PERCENT: WrittenPolicy = WrittenPolicy {
    kind: PolicyKind::Percent,
    value: 100,
    period_seconds: 15,
};
/// The second one when replicas come.
const PODS: WrittenPolicy = WrittenPolicy {
    kind: PolicyKind::Pods,
    value: 4,
    period_seconds: 15,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    min_replicas: Option<u32>,
    max_replicas: u32,
    metrics: Vec<WrittenMetric>,
    #[serde(default)]
    behavior: WrittenBehaviour,
}

#[derive(Deserialize)]
struct WrittenMetric {
    resource: WrittenResource,
}

#[derive(Deserialize)]
struct WrittenResource {
    name: String,
    target: WrittenTarget,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenTarget {
    average_utilization: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WrittenBehaviour {
    scale_up: WrittenRules,
    scale_down: WrittenRules,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WrittenRules {
    stabilization_window_seconds: Option<u64>,
    select_policy: Option<Select>,
    policies: Option<Vec<WrittenPolicy>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenPolicy {
    #[serde(rename = "type")]
    kind: PolicyKind,
    value: u32,
    period_seconds: u64,
}

impl WrittenRules {
    fn rules(&self, window_seconds: u64, policies: &[WrittenPolicy]) -> Rules {
        let policies = self.policies.as_deref().unwrap_or(policies);
        Rules {
            window: Duration::from_secs(self.stabilization_window_seconds.unwrap_or(window_seconds)),
            select: self.select_policy.unwrap_or(Select::Max),
            policies: policies.iter().map(WrittenPolicy::policy).collect(),
        }
    }
}

impl WrittenPolicy {
    fn policy(&self) -> Policy {
        Policy {
            kind: self.kind,
            value: self.value,
            period: Duration::from_secs(self.period_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(resource: &str) -> Value {
        let target = json!({"type": "Utilization", "averageUtilization": 70});
        json!({
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": resource, "target": target}}],
        })
    }

    #[test]
    fn what_a_manifest_leaves_out_is_as_kubernetes_documents_it() {
        let spec = Spec::read(&written("cpu")).expect("it is one");
        assert_eq!((spec.replicas_min, spec.replicas_max), (1, 10));
        assert_eq!(
            (spec.scale_up.window, spec.scale_down.window),
            (Duration::ZERO, Duration::from_secs(300))
        );
        assert_eq!(
            spec.scale_up.limit_up(Duration::ZERO, 1, &[]),
            5,
            "four more, or doubled"
        );
        assert_eq!(spec.scale_up.limit_up(Duration::ZERO, 5, &[]), 10);
        assert_eq!(
            spec.scale_down.limit_down(Duration::ZERO, 5, &[]),
            0,
            "all at once"
        );
    }

    #[test]
    fn another_target_than_cpu_is_refused() {
        assert!(Spec::read(&written("memory")).is_err());
    }
}
