//! Judges a document before anything is created: one sentence a fault, with the field's name.
