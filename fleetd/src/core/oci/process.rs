//! What is executed: the unit's words over the image's.

use crate::core::unit::container::ContainerUnit;

/// Entry point and arguments, as podman and Docker combine them: `Entrypoint=` replaces the
/// image's entry point and drops its command; `Exec=` replaces the command.
pub fn command(
    unit: &ContainerUnit,
    image_entrypoint: &[String],
    image_cmd: &[String],
) -> Result<Vec<String>, String> {
    let entrypoint = unit.entrypoint.as_deref().unwrap_or(image_entrypoint);
    let rest: &[String] = if !unit.exec.is_empty() {
        &unit.exec
    } else if unit.entrypoint.is_some() {
        &[]
    } else {
        image_cmd
    };
    let args = [entrypoint, rest].concat();
    if args.is_empty() {
        return Err(format!(
            "run {}: image {} names no program; set Exec= in [Container]",
            unit.name, unit.image
        ));
    }
    Ok(args)
}
