//! The daemon.

use super::{CommandError, socket, system};
use crate::cli::Arguments;
use crate::dns::{self, Forwarder};
use crate::engine::{self, Settings, Started};
use crate::{notify, server};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::unix::fs::DirBuilderExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Runs until SIGTERM or SIGINT. What is in the kernel stays: containers do not notice.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    raise_descriptor_limit();
    let settings = Settings {
        state_dir: arguments.state_dir.clone(),
        network: arguments.network.clone(),
        device: arguments.device.clone(),
        table: arguments.table.clone(),
        subnets: arguments.subnets.clone(),
        search: arguments.search.clone(),
        pool: usize::from(arguments.pool),
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&arguments.run_dir)
        .map_err(system(format!("create {}", arguments.run_dir.display())))?;
    let started = engine::start(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the event loop"))?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(arguments, started))
}

async fn serve(arguments: &Arguments, started: Started) -> Result<(), CommandError> {
    let Started { engine, inbox, zone, names, proxies } = started;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("catch SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("catch SIGINT"))?;
    tokio::spawn(proxies.run());
    let forwarder = Forwarder::new(arguments.resolv_conf.clone(), zone.clone());
    let (tried, served) = oneshot::channel();
    tokio::task::spawn_local(dns::serve(names, zone, forwarder, tried));
    served.await.map_err(|e| system("start the name server")(std::io::Error::other(e)))?;
    let thread = std::thread::Builder::new().name("engine".to_owned());
    let (alive, ended) = oneshot::channel::<()>();
    let run = move || {
        let _alive = alive;
        engine.run();
    };
    thread.spawn(run).map_err(system("start a thread"))?;
    let path = socket(arguments);
    let listener =
        server::listen(&path).map_err(system(format!("listen on {}", path.display())))?;
    notify::ready().map_err(system("tell the service manager that netd is ready"))?;
    tokio::select! {
        () = server::serve(listener, inbox) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // A daemon that only looks alive is worse than one that is started again.
        _ = ended => return Err(CommandError::Answer("run the engine: it has ended".to_owned())),
    }
    // Gone is as good as removed; the next start would replace it too.
    let _ = std::fs::remove_file(&path);
    Ok(())
}

/// Every endpoint and every published port takes a descriptor.
fn raise_descriptor_limit() {
    // What is refused leaves the limit as it was, which is an operator's choice.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
