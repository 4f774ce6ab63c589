//! What a process counts, for `/metrics`, besides what its HTTP interface does.

use std::fmt;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::{counter::ConstCounter, gauge::ConstGauge, gauge::Gauge, info::Info};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

use crate::stack::Stack;
use crate::traces;

/// The unit of the times in `/proc/PID/stat`: what Linux shows to programs is a hundredth of a second, whatever the kernel's own.
const TICKS_PER_S: f64 = 100.0;

/// What every process counts: what it is, what it uses, what it appends. The first have the names that every exporter gives
/// them, without our prefix.
pub(crate) fn of_process(stack: &Stack) -> Registry {
    let mut registry = Registry::default();
    let started_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(started_at.unwrap_or_default().as_secs_f64());
    registry.register_with_unit(
        "process_start_time",
        "When the process started, in seconds since 1970",
        Unit::Seconds,
        started,
    );
    registry.register_collector(Box::new(Process));
    let ours = ours(&mut registry);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    ours.register("build", "The version of the program", Info::new(version));
    stack.log.append_measures().register(ours);
    traces::register(ours);
    registry
}

/// The part of `registry` whose names begin with `segue_`.
pub(crate) fn ours(registry: &mut Registry) -> &mut Registry {
    registry.sub_registry_with_prefix("segue")
}

/// Asks the system, at each look, what this process uses. What it does not tell is left out.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(bytes) = resident_bytes() {
            let gauge = ConstGauge::new(bytes);
            let (name, help) = ("process_resident_memory", "Memory of the process that is in use");
            gauge.encode(encoder.encode_descriptor(
                name,
                help,
                Some(&Unit::Bytes),
                gauge.metric_type(),
            )?)?;
        }
        if let Some(seconds) = cpu_s() {
            let counter = ConstCounter::new(seconds);
            let (name, help) = ("process_cpu", "Time that the process has spent computing");
            let unit = Some(&Unit::Seconds);
            counter.encode(encoder.encode_descriptor(name, help, unit, counter.metric_type())?)?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let gauge = ConstGauge::new(open.count() as u64);
            let (name, help) = ("process_open_fds", "Files and sockets that the process has open");
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold spaces; what follows it does not.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_this_process_uses() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1024 * 1024));
        let before = cpu_s().expect("a time");
        let mut sum = 0_u64;
        while cpu_s().expect("a time") < before + 0.05 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
