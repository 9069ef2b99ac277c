pub(crate) mod simulation;
