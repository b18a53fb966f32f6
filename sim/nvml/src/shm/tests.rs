use super::*;

fn node(gpus: usize) -> (tempfile::TempDir, PathBuf, SharedState) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nvml.state");
    let state = SharedState::create(&path, &vec![GpuSpec::h200(); gpus]).unwrap();
    (folder, path, state)
}

#[test]
fn telemetry_published_through_one_mapping_is_seen_through_another() {
    let (_folder, path, plant) = node(2);
    let library = SharedState::open(&path).unwrap();
    let hot = Telemetry {
        core_celsius: 71.25,
        hbm_celsius: 80.5,
        power_instant_watts: 690.0,
        power_average_watts: 655.5,
        energy_joules: 1.0e9 + 0.125,
        utilisation_percent: 97,
        memory_utilisation_percent: 41,
        sm_clock_mhz: 1755,
        throttle_reasons: throttle::SW_POWER_CAP | throttle::HW_POWER_BRAKE,
        pstate: 2,
        ecc_corrected: u64::MAX,
        ecc_uncorrected: 3,
        memory_used_mib: 120_000,
        workload_pid: 4242,
        out_of_band_limit_milliwatts: 500_000,
    };
    plant.gpu(1).unwrap().publish(&hot);
    plant.set_plant_time_ms(u64::MAX - 1);
    assert_eq!(library.gpu(1).unwrap().telemetry(), hot);
    assert_eq!(library.gpu(0).unwrap().telemetry(), Telemetry::default(), "the neighbour is untouched");
    assert_eq!(library.plant_time_ms(), u64::MAX - 1);
}

#[test]
fn requests_made_through_one_mapping_are_seen_through_another_with_their_plant_time() {
    let (_folder, path, plant) = node(1);
    let library = SharedState::open(&path).unwrap();
    let (asked, seen) = (library.gpu(0).unwrap(), plant.gpu(0).unwrap());
    let fresh = seen.request();
    assert_eq!(fresh.power_limit_milliwatts, 700_000);
    assert_eq!((fresh.power_limit_written_ms, fresh.clock_written_ms), (None, None));
    assert_eq!((fresh.sm_clock_lock, fresh.sequence), (None, 0));

    let lock = ClockRange { min_mhz: 345, max_mhz: 1200 };
    asked.request_power_limit(400_000, 0);
    asked.request_sm_clock(Some(lock), 1_500);
    asked.count_setter_call();
    let request = seen.request();
    assert_eq!(request.power_limit_milliwatts, 400_000);
    assert_eq!(request.power_limit_written_ms, Some(0), "time zero is a time");
    assert_eq!((request.sm_clock_lock, request.clock_written_ms), (Some(lock), Some(1_500)));
    assert_eq!((request.sequence, request.setter_calls), (2, 1));

    asked.request_sm_clock(None, 1_600);
    assert_eq!(seen.request().sm_clock_lock, None);
}

#[test]
fn a_driver_reload_loses_limits_and_locks_but_no_count() {
    let (_folder, _, state) = node(1);
    let gpu = state.gpu(0).unwrap();
    gpu.request_power_limit(300_000, 10);
    gpu.request_sm_clock(Some(ClockRange { min_mhz: 345, max_mhz: 600 }), 10);
    gpu.request_persistence(false);
    state.reload_driver();
    let request = gpu.request();
    assert_eq!(request.power_limit_milliwatts, 700_000);
    assert_eq!((request.sm_clock_lock, request.power_limit_written_ms), (None, None));
    assert!(request.persistence);
    assert_eq!(request.sequence, 3);
}

#[test]
fn faults_and_node_flags_pass_through_the_file() {
    let (_folder, path, plant) = node(1);
    let library = SharedState::open(&path).unwrap();
    assert!(library.privileged(), "setters are allowed at first");
    assert_eq!(library.driver(), Driver::Loaded);

    for condition in [Condition::Lost, Condition::ResetRequired, Condition::Present] {
        let unsupported = Features::CLOCK_LOCK | Features::MARGIN_TEMPERATURE;
        for frozen in [Frozen::Temperature, Frozen::Margin, Frozen::Nothing] {
            let faults = every_fault(condition, unsupported, frozen);
            plant.gpu(0).unwrap().set_faults(faults);
            assert_eq!(library.gpu(0).unwrap().faults(), faults);
        }
    }
    for driver in [Driver::NotLoaded, Driver::VersionMismatch, Driver::Loaded] {
        plant.set_driver(driver);
        assert_eq!(library.driver(), driver);
    }
    plant.set_privileged(false);
    plant.set_init_hangs(true);
    plant.set_deprecated_calls_removed(true);
    plant.set_missing_calls(Features::TEMPERATURE_V);
    plant.replace_driver();
    assert_eq!((library.missing_calls(), library.driver_release()), (Features::TEMPERATURE_V, 1));
    assert!(!library.privileged() && library.init_hangs() && library.deprecated_calls_removed());
}

fn every_fault(condition: Condition, unsupported: Features, frozen: Frozen) -> Faults {
    Faults {
        condition,
        hangs: true,
        blocks: true,
        slow_ms: 20,
        unsupported,
        frozen,
        implausible: true,
        mig: true,
        ecc_corrected: 7,
        ecc_uncorrected: 8,
        remapped: RemappedRows { corrected: 1, uncorrected: 2, pending: true, failed: true },
        recovery: Recovery::DrainAndReset,
    }
}

#[test]
fn every_event_is_told_once_even_the_same_twice() {
    let (_folder, _, state) = node(1);
    let gpu = state.gpu(0).unwrap();
    assert_eq!((gpu.events_raised(), gpu.event_after(0)), (0, None));
    gpu.raise_xid(79);
    gpu.raise_xid(79);
    gpu.raise(GpuEvent::DoubleBitEcc);
    let events: Vec<u64> = (0..3).map(|seen| gpu.event_after(seen).unwrap().1).collect();
    assert_eq!(events, [8 << 32 | 79, 8 << 32 | 79, 2 << 32]);
    assert_eq!((gpu.events_raised(), gpu.event_after(3)), (3, None));
}

#[test]
fn who_is_far_behind_loses_the_oldest_events_and_no_other() {
    let (_folder, _, state) = node(1);
    let gpu = state.gpu(0).unwrap();
    (0..100).for_each(|xid| gpu.raise_xid(xid));
    assert_eq!(gpu.event_after(0), Some((37, 8 << 32 | 36)));
    assert_eq!(gpu.event_after(99), Some((100, 8 << 32 | 99)));
}

#[test]
fn profiles_and_smoothing_are_kept_and_lost_with_the_driver() {
    let (_folder, path, state) = node(1);
    let library = SharedState::open(&path).unwrap();
    let (asked, seen) = (library.gpu(0).unwrap(), state.gpu(0).unwrap());
    asked.request_power_profiles(0b110, 40);
    asked.request_smoothing(true);
    assert!(asked.request_smoothing_preset(4) && !asked.request_smoothing_preset(5));
    assert!(asked.request_smoothing_number(4, 3, 250.0) && !asked.request_smoothing_number(4, 4, 1.0));
    let request = seen.request();
    assert_eq!((request.power_profiles, request.power_profiles_written_ms), (0b110, Some(40)));
    assert_eq!((request.smoothing, request.smoothing_preset, request.sequence), (true, 4, 4));
    assert!(request.max_q() && seen.smoothing_number(4, 3) == Some(250.0));

    state.reload_driver();
    let request = asked.request();
    assert_eq!((request.power_profiles, request.power_profiles_written_ms), (0, None));
    assert_eq!((request.smoothing, request.smoothing_preset), (false, 0));
    assert!(!request.max_q() && asked.smoothing_number(4, 3) == Some(0.0));
}

#[test]
fn the_file_holds_as_many_gpus_as_were_asked_for_and_no_more_than_sixteen() {
    let (_folder, path, state) = node(MAX_GPUS);
    assert_eq!(state.gpus().len(), MAX_GPUS);
    assert!(state.gpu(MAX_GPUS).is_none());
    let refused = SharedState::create(&path, &vec![GpuSpec::h200(); MAX_GPUS + 1]);
    assert!(matches!(refused, Err(ShmError::TooManyGpus { count: 17 })));
    assert!(SharedState::create(&path, &[]).unwrap().gpus().is_empty());
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = GpuSpec { name: "x".repeat(64), ..GpuSpec::h200() };
    let refused = SharedState::create(&folder.path().join("state"), &[GpuSpec::h200(), long]);
    assert!(matches!(refused, Err(ShmError::NameTooLong { index: 1, .. })));
}

#[test]
fn a_file_created_anew_leaves_old_mappings_alone() {
    let (_folder, path, old) = node(1);
    let new = SharedState::create(&path, &[GpuSpec::h200(); 1]).unwrap();
    new.set_plant_time_ms(77);
    assert_eq!(old.plant_time_ms(), 0, "the old mapping is still readable");
    assert_eq!(SharedState::open(&path).unwrap().plant_time_ms(), 77);
}

#[test]
fn a_file_that_is_missing_foreign_or_of_another_version_is_refused() {
    let (_folder, path, state) = node(1);
    assert!(matches!(SharedState::open(&path.with_extension("gone")), Err(ShmError::Open { .. })));

    state.layout().header.version.store(99, Ordering::Release);
    assert!(matches!(SharedState::open(&path), Err(ShmError::Version { found: 99, .. })));

    fs::write(&path, vec![0; size_of::<Layout>()]).unwrap();
    assert!(matches!(SharedState::open(&path), Err(ShmError::Foreign { .. })), "right length, wrong magic");
    fs::write(path.with_extension("short"), b"short").unwrap();
    assert!(matches!(SharedState::open(&path.with_extension("short")), Err(ShmError::Foreign { .. })));
}
