use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = netd::cli::parse();
    match netd::commands::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            netd::say::say(e);
            ExitCode::FAILURE
        }
    }
}
