#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", super::error::Sentence(.0))]
    Io(std::io::Error),
}
