//! Messages of a push-pull on a stream: the lengths of head and body (4 bytes each, big-endian),
//! head, body.

use crate::core::gossip::Node;
use crate::core::gossip::exchange::{Asking, Knowledge, MAX_PART, Message};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;

/// Questions on one stream; a push-pull has fewer.
const QUESTIONS: usize = 5_000;
/// Of each part of a message before a push-pull has begun.
const FIRST: usize = 1_024;

/// Asks who is there.
pub(super) async fn ask_who<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Node> {
    write(stream, &Message::who()).await?;
    let answer = read(stream, FIRST).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    answer.is_from().ok_or_else(|| malformed("the answer to another question"))
}

/// Compares and exchanges everything, and gives back who the other side says is there.
pub(super) async fn push_pull<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    knowledge: &Knowledge,
) -> io::Result<Vec<(Node, u16)>> {
    let mut asking = Asking::default();
    let mut question = Some(asking.first(knowledge));
    let mut all = Vec::new();
    while let Some(asked) = question {
        write(stream, &asked).await?;
        let answer = read(stream, MAX_PART).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (next, heard) = asking.next(knowledge, &answer);
        all = if heard.is_empty() { all } else { heard };
        question = next;
    }
    Ok(all)
}

/// Answers until the other side has no more questions, and gives back who it says is there. A push-pull
/// takes a place; who only asks who is there needs none: for want of it this host would be called dead.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    knowledge: &Knowledge,
    places: &Semaphore,
) -> io::Result<Vec<(Node, u16)>> {
    let mut all = Vec::new();
    let mut place = None;
    for _ in 0..QUESTIONS {
        let most = if place.is_some() { MAX_PART } else { FIRST };
        let Some(question) = read(stream, most).await? else { return Ok(all) };
        if place.is_none() && !question.asks_who() {
            place = Some(places.try_acquire().map_err(|_| busy())?);
        }
        let (answer, heard) = knowledge.answer(&question);
        all = if heard.is_empty() { all } else { heard };
        write(stream, &answer).await?;
    }
    Err(malformed("more questions than a push-pull has"))
}

fn busy() -> io::Error {
    io::Error::other("answer a push-pull: too many at once")
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, message: &Message) -> io::Result<()> {
    let (head, body) = message.encode()?;
    let length = |part: &[u8]| {
        let length = u32::try_from(part.len()).ok().filter(|_| part.len() <= MAX_PART);
        length.ok_or_else(|| malformed("a part that is too long"))
    };
    let lengths = [length(&head)?.to_be_bytes(), length(body)?.to_be_bytes()].concat();
    stream.write_all(&[&lengths, head.as_slice(), body].concat()).await?;
    stream.flush().await
}

/// None: the other side has closed the stream between two messages.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, most: usize) -> io::Result<Option<Message>> {
    let mut lengths = [0; 8];
    if stream.read(&mut lengths[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut lengths[1..]).await?;
    let [a, b, c, d, e, f, g, h] = lengths;
    let head = read_part(stream, u32::from_be_bytes([a, b, c, d]), most).await?;
    let body = read_part(stream, u32::from_be_bytes([e, f, g, h]), most).await?;
    Ok(Some(Message::decode(&head, body)?))
}

/// Takes memory as bytes come, not as they are announced.
async fn read_part<S: AsyncRead + Unpin>(
    stream: &mut S,
    length: u32,
    most: usize,
) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > most {
        return Err(malformed("a part that is too long"));
    }
    let mut part = Vec::new();
    let read = stream.take(length as u64).read_to_end(&mut part).await?;
    if read < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(part) }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("read a push-pull message: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gossip::{Gossip, Parameters};
    use crate::core::machine_id::MachineId;
    use tokio::io::duplex;

    fn knowledge() -> Knowledge {
        let own = Node::new(MachineId(1), 1, "10.0.0.1:7400".parse().unwrap());
        let gossip = Gossip::new(own.clone(), 1, Parameters::default(), [1; 32]);
        Knowledge { own, members: gossip.present(), records: gossip.records(), peer: None }
    }

    #[tokio::test]
    async fn who_is_there_is_answered_while_all_places_are_taken_and_a_push_pull_is_not() {
        let (knowledge, places) = (knowledge(), Semaphore::new(1));
        let (mut slow, mut served) = duplex(4_096);
        let first = async {
            write(&mut slow, &Asking::default().first(&knowledge)).await.unwrap();
            read(&mut slow, MAX_PART).await.unwrap().unwrap();
            let (mut here, mut there) = duplex(4_096);
            let asks = async {
                let who = ask_who(&mut here).await;
                drop(here);
                who
            };
            let answers = async {
                let answered = answer(&mut there, &knowledge, &places).await;
                drop(there);
                answered
            };
            let (who, answered) = tokio::join!(asks, answers);
            assert_eq!(who.unwrap(), knowledge.own);
            assert!(answered.unwrap().is_empty());
            let (mut here, mut there) = duplex(4_096);
            let asks = async {
                let asked = push_pull(&mut here, &knowledge).await;
                drop(here);
                asked
            };
            let answers = async {
                let answered = answer(&mut there, &knowledge, &places).await;
                drop(there);
                answered
            };
            let (asked, answered) = tokio::join!(asks, answers);
            assert!(asked.is_err());
            assert!(answered.unwrap_err().to_string().contains("too many at once"));
            drop(slow);
        };
        let (_, served) = tokio::join!(first, answer(&mut served, &knowledge, &places));
        assert!(served.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_first_question_is_a_small_one() {
        let (knowledge, places) = (knowledge(), Semaphore::new(1));
        let (mut here, mut there) = duplex(4_096);
        let lengths = [1_025_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        here.write_all(&lengths).await.unwrap();
        drop(here);
        let refused = answer(&mut there, &knowledge, &places).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}
