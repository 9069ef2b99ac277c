//! The container has ended: the rest of its output, the record, the cgroup, the answers.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use super::connection::Role;
use super::pump::{CHUNK, LARGEST_PIPE, Read};
use super::record::{self, Ended, Exit};
use super::{Supervisor, notify, request, stamp, start};
use crate::error::{Doing, Result};
use crate::hooks;
use crate::sys::{process, signal};

/// For a killed process to be gone, in milliseconds.
const REAPED_WITHIN: i32 = 1000;

impl Supervisor {
    /// Until nothing of the container is left but its log and its record.
    pub(super) fn end(mut self) -> Result<()> {
        let exit = process::wait(self.container.pidfd.as_fd()).doing("wait for the container")?;
        // Those that are in no process namespace with the first one may still run.
        self.kill();
        self.dismiss_successor();
        self.reap_sessions();
        self.drain_outputs();
        self.on_notify();
        let events = self.container.cgroup.path().join("memory.events");
        let oom =
            std::fs::read_to_string(events).is_ok_and(|text| record::was_out_of_memory(&text));
        let exit = Exit::of(self.container.identity.clone(), Ended::from(exit), oom);
        let recorded = self.exit_file.write(&exit);
        if let Err(error) = &recorded {
            self.say(&error.to_string());
        }
        if let Err(error) = self.container.cgroup.destroy() {
            self.say(&error.to_string());
        }
        self.run_poststop_hooks();
        self.tell_all(request::ok(&exit));
        recorded
    }

    /// The container is gone by now; what fails is a line in the log.
    fn run_poststop_hooks(&mut self) {
        let Some(bundle) = self.container.poststop.take() else { return };
        let faults = match start::read_config(&self.container.config) {
            Ok(spec) => {
                let state =
                    hooks::State::new(&spec, &self.container.identity.id, &bundle).stopped();
                hooks::run_all("poststop", &spec.hooks.poststop, &state)
            }
            Err(error) => vec![error],
        };
        for fault in faults {
            self.say(&fault.to_string());
        }
    }

    fn reap_sessions(&mut self) {
        let beginnings: Vec<u32> = self.beginnings.keys().copied().collect();
        for number in beginnings {
            // It was killed, so this does not block.
            self.on_begun(number);
        }
        let numbers: Vec<u32> = self.sessions.keys().copied().collect();
        for number in numbers {
            let Some(session) = self.sessions.get(&number) else { continue };
            let ended = signal::poll(&[(session.pidfd.as_fd(), libc::POLLIN)], REAPED_WITHIN);
            if ended.is_ok_and(|events| events.iter().any(|&events| events != 0)) {
                self.on_exec_end(number);
            }
        }
    }

    /// Takes what is in the pipes. Who holds their other ends by now is not of the container, and
    /// is not waited for.
    fn drain_outputs(&mut self) {
        let mut buffer = [0; CHUNK];
        for number in 0..self.outputs.len() {
            let Some(mut output) = self.outputs[number].take() else { continue };
            // As much as a pipe holds: somebody outside may write for ever.
            for _ in 0..LARGEST_PIPE / CHUNK {
                let Read::Some(length) = output.read(&mut buffer) else { break };
                output.log(&buffer[..length], &stamp(), &mut self.log);
                self.copy_to_watchers(output.stream, &buffer[..length]);
            }
            output.finish(&stamp(), &mut self.log);
        }
    }

    /// Answers those who wait, and those who have connected but were not heard yet.
    fn tell_all(&mut self, line: Vec<u8>) {
        start::remove_socket();
        self.accept();
        self.exit_line = Some(line.clone());
        self.tell_ready(&request::refused(&notify::never()));
        for (number, mut connection) in std::mem::take(&mut self.connections) {
            match connection.role {
                Role::AwaitsEnd => connection.send(&line, Vec::new()),
                Role::Asking => {
                    connection.receive();
                    self.answer_all(number, &mut connection);
                }
                _ => {}
            }
        }
        self.connections = BTreeMap::new();
    }
}
