//! Server-sent events, read as WHATWG's standard says, as far as the service writes them.

use std::io::{self, BufRead, BufReader, Read};

/// A message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The epoch.
    pub id: Option<u64>,
    /// What it is.
    pub event: String,
    /// What it says, a line each.
    pub data: Vec<String>,
}

/// Messages as they come.
pub struct Stream {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl Stream {
    /// Out of what a service sends.
    pub fn new(reader: impl Read + Send + 'static) -> Stream {
        Stream {
            lines: BufReader::new(Box::new(reader)),
        }
    }

    /// Waits for the next message; none when the service has hung up. What is not whole then does not count.
    pub fn next(&mut self) -> io::Result<Option<Message>> {
        let mut message = Message::default();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line)?;
            if !line.ends_with('\n') {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                match message.data.is_empty() {
                    false => return Ok(Some(message)),
                    true => message = Message::default(),
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => message.id = value.parse().ok(),
                "event" => message.event = value.to_owned(),
                "data" => message.data.push(value.to_owned()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_what_is_torn_is_not() {
        let text = ": \n\nid: 3\nevent: changes\ndata: {\"a\":1}\ndata: {\"a\":2}\n\n: \n\n\
                    event: end\r\ndata: {}\r\n\r\nid: 4\ndata: x\n";
        let mut stream = Stream::new(text.as_bytes());
        let changes = Message {
            id: Some(3),
            event: "changes".to_owned(),
            data: vec!["{\"a\":1}".to_owned(), "{\"a\":2}".to_owned()],
        };
        assert_eq!(stream.next().unwrap(), Some(changes));
        let end = stream.next().unwrap().unwrap();
        assert_eq!((end.id, end.event.as_str()), (None, "end"));
        assert_eq!(stream.next().unwrap(), None);
    }
}
