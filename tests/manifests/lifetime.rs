//! What is told to stop has the time that it needs.

use crate::resources::{OVERLAYS, file, number};
use crate::settings::{default_s, listing, stop_limit_s};

/// Seconds beyond the bounds in which a process flushes what it says and ends.
const SPARE_S: u64 = 5;

#[test]
fn a_role_has_longer_to_end_than_it_may_take() {
    let http = default_s("SEGUE_DRAIN_DELAY_S") + default_s("SEGUE_DRAIN_TIMEOUT_S");
    for overlay in OVERLAYS.iter() {
        for (role, drain) in [("rest", http), ("usermanagement", 0), ("classifier", 0)] {
            let pod = &overlay.get("Deployment", role)["spec"]["template"]["spec"];
            let pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
                .as_u64()
                .unwrap_or(0);
            let needs = pause + drain + stop_limit_s() + SPARE_S;
            let has = number(&pod["terminationGracePeriodSeconds"]);
            assert!(
                has >= needs,
                "{} {role}: {has} s, and it may take {needs} s",
                overlay.name
            );
        }
    }
}

/// Requests are sent to a pod for a moment after it was told to end.
#[test]
fn rest_goes_on_for_a_moment_before_it_is_told_to_stop() {
    for overlay in OVERLAYS.iter() {
        let pod = &overlay.get("Deployment", "rest")["spec"]["template"]["spec"];
        let pause = &pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"];
        assert!(number(pause) >= 5, "{}", overlay.name);
    }
}

#[test]
fn a_new_version_of_a_role_is_ready_before_the_old_one_goes() {
    for overlay in OVERLAYS.iter() {
        for role in ["rest", "usermanagement", "classifier"] {
            let update = &overlay.get("Deployment", role)["spec"]["strategy"]["rollingUpdate"];
            assert_eq!(
                (number(&update["maxSurge"]), number(&update["maxUnavailable"])),
                (1, 0),
                "{role}"
            );
        }
    }
}

#[test]
fn the_bounds_of_the_manifests_are_those_of_the_program() {
    for overlay in OVERLAYS.iter() {
        for map in overlay.of("ConfigMap") {
            for name in ["SEGUE_DRAIN_DELAY_S", "SEGUE_DRAIN_TIMEOUT_S"] {
                assert!(
                    map["data"][name].is_null(),
                    "the grace periods were reckoned without {name}"
                );
            }
        }
    }
    assert!(number(&listing()["stop_limit_s"]) > 0);
}

/// Above this mark the broker slows publishers down, and above the limit it is killed.
#[test]
fn the_brokers_mark_and_the_views_bound_leave_room_below_their_limits() {
    let said = |page: &str, key: &str| -> u64 {
        let page = file(page);
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .expect("it is said");
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("a number of MB")
    };
    let mark = said(
        "ops/docker/rabbitmq/rabbitmq.conf",
        "vm_memory_high_watermark.absolute",
    );
    let bound = said("ops/docker/redis/redis.conf", "maxmemory ");
    for overlay in OVERLAYS.iter() {
        for (name, mb) in [("rabbitmq", mark), ("redis", bound)] {
            let pod = &overlay.get("StatefulSet", name)["spec"]["template"]["spec"];
            let limit = pod["containers"][0]["resources"]["limits"]["memory"].as_str();
            let limit_mb = match limit.expect("a limit") {
                "1Gi" => 1_073,
                "1280Mi" => 1_342,
                other => panic!("{name}: {other}"),
            };
            assert!(mb * 3 / 2 < limit_mb, "{name}: {mb} MB of {limit_mb}");
        }
    }
}
