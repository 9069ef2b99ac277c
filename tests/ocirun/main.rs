//! `ocirun`, seen from inside the containers that it starts.
