//! The state directory (`--root`): one directory a container, with its `state.json`.
