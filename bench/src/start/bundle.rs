//! The bundle that all run: what `ocirun spec` writes, for a program that ends at once. A second one, over the same
//! root, has no device rules.

use std::path::Path;

use ocirun::seccomp;
use ocirun::spec::{Seccomp, Spec, template};

use super::stage::{Devices, Stage};

/// Hundreds of calls allowed, a few under conditions, as engines' default profiles are.
const DEFAULT_PROFILE: &str =
    include_str!("../../../runtime/src/seccomp/tests/default_profile.json");

/// Those that an engine lists on x86_64. More would only cost libseccomp time.
const ARCHITECTURES: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

/// Writes both documents.
pub(super) fn write(stage: &Stage, with_seccomp: bool) -> Result<(), String> {
    let mut spec = template::spec(false).map_err(|error| error.to_string())?;
    // crun before 1.9 refuses a document of 1.1 or newer; nothing in this one is.
    spec.oci_version = "1.0.2".to_owned();
    if let Some(root) = &mut spec.root {
        root.path = stage.rootfs();
    }
    spec.hostname = Some("bench".to_owned());
    if let Some(process) = &mut spec.process {
        process.args = vec!["/bin/true".to_owned()];
    }
    if let Some(linux) = &mut spec.linux {
        linux.cgroups_path = Some(stage.cgroups_path());
        if with_seccomp {
            let profile = default_profile()?;
            save_filter(stage, &profile)?;
            linux.seccomp = Some(profile);
        }
    }
    save(&spec, &stage.bundle(Devices::Ruled))?;
    if let Some(linux) = &mut spec.linux {
        linux.resources = None;
    }
    save(&spec, &stage.bundle(Devices::Free))
}

fn save(spec: &Spec, bundle: &Path) -> Result<(), String> {
    let text = serde_json::to_vec(spec).map_err(|error| format!("write config.json: {error}"))?;
    std::fs::write(bundle.join("config.json"), text)
        .map_err(|error| format!("write config.json: {error}"))
}

fn default_profile() -> Result<Seccomp, String> {
    let mut profile: Seccomp = serde_json::from_str(DEFAULT_PROFILE)
        .map_err(|error| format!("read the default profile: {error}"))?;
    if cfg!(target_arch = "x86_64") {
        profile.architectures = Some(ARCHITECTURES.map(str::to_owned).to_vec());
    }
    Ok(profile)
}

/// For the floor, which compiles nothing.
fn save_filter(stage: &Stage, profile: &Seccomp) -> Result<(), String> {
    let program = seccomp::compile(profile).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(8 * program.filter.len());
    for instruction in program.filter {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
    }
    std::fs::write(stage.filter(), bytes).map_err(|error| format!("write the filter: {error}"))
}
