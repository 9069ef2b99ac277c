//! The `config.json` that `ocirun spec` writes.
