//! Loaded into the kernel of this machine. A filter holds for one thread: the test's own.

use crate::seccomp::compile;
use crate::spec::seccomp::Seccomp;
use crate::sys::{identity, mount};

use super::default_profile;

/// What `act` answers in a thread under the profile.
fn under<T: Send>(profile: &Seccomp, act: impl FnOnce() -> T + Send) -> T {
    let program = compile(profile).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            identity::set_no_new_privileges().unwrap();
            identity::load_seccomp(&program.filter, program.flags.into()).unwrap();
            act()
        });
        thread.join().unwrap()
    })
}

#[test]
fn the_kernel_obeys_a_rule() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":99}]}"#;
    let profile: Seccomp = serde_json::from_str(profile).unwrap();
    let refusal = under(&profile, || std::fs::create_dir("/a/b")).unwrap_err();
    assert_eq!(refusal.raw_os_error(), Some(99));
}

#[test]
fn the_kernel_takes_the_default_profile() {
    let read = under(&default_profile::get(), || std::fs::read("/proc/thread-self/status"));
    let refused = under(&default_profile::get(), || mount::fsopen("tmpfs"));
    assert!(String::from_utf8(read.unwrap()).unwrap().contains("Seccomp:\t2"));
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
}
