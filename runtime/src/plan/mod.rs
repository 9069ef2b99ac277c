//! Pure decisions: from `config.json` to flags, numbers and lists. No file, clock or system call.
