//! What a program sees on a host.

use flotilla_tests::playground::{Ground, needs};
use flotilla_tests::require;

#[test]
fn a_host_has_its_own_name_links_and_cgroups() {
    require!(needs());
    let ground = Ground::up(2);
    let see = |host: &str, script: &str| {
        ground.play(&["exec", host, "--", "sh", "-c", script]).trim().to_owned()
    };
    for host in ["h1", "h2"] {
        assert_eq!(see(host, "cat /proc/sys/kernel/hostname"), host);
        let links = see(host, "ls /sys/class/net");
        let links: Vec<&str> = links.lines().collect();
        assert!(["lo", "eth0", "flotilla0"].iter().all(|link| links.contains(link)), "{links:?}");
        assert!(!links.contains(&"h1"), "{links:?}");
        // The same hierarchy at the same place.
        let own = ground.cgroup(host).join("daemons/cgroup.procs");
        assert!(!see(host, &format!("cat {}", own.display())).is_empty());
        let mounts = see(host, "grep -c ' - cgroup2 ' /proc/self/mountinfo");
        assert_eq!(mounts, "1");
    }
    // Nothing of it is seen outside.
    assert!(!std::path::Path::new("/sys/class/net/flotilla0").exists());
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(!["h1", "h2"].contains(&hostname.trim()));
}

#[test]
fn exec_gives_the_programs_exit_code_and_the_callers_directory() {
    require!(needs());
    let ground = Ground::up(1);
    let code = |words: &[&str]| {
        let arguments = [&["exec", "h1", "--"], words].concat();
        ground.command(&arguments).stderr(std::process::Stdio::null()).status().unwrap().code()
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["no-such-program"]), Some(125));
    let mut command = ground.command(&["exec", "h1", "--", "pwd"]);
    let output = command.current_dir("/usr").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "/usr\n");
}

#[test]
fn a_host_that_is_not_there_is_named() {
    require!(needs());
    let ground = Ground::up(1);
    assert_eq!(
        ground.refused(&["kill", "h2"]),
        "fleetctl: kill h2: there is no such host (this playground has h1)"
    );
    let other = Ground::named("x");
    let refused = other.refused(&["list"]);
    assert!(refused.contains("it is not up (fleetctl playground up --name "), "{refused}");
}
