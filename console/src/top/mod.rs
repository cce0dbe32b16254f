//! What a service does now: its events with how far they are, what that costs, what waits, and what went wrong. It is
//! what the service counts and lists anyway, put side by side.

mod page;
mod screen;
mod table;
mod view;

use std::io::{self, Write};

use crate::client::{ClientError, Service};

pub use screen::show;
pub use view::View;

use page::Page;

/// So many events are looked at, the newest.
const EVENTS: usize = 200;

/// Looks once.
pub fn look(service: &Service) -> Result<View, ClientError> {
    let events = service.items(&format!("events?limit={EVENTS}"))?;
    let page = Page::read(&service.text("/metrics")?);
    Ok(View::new(&events, page))
}

/// Writes what was seen as a plain table.
pub fn print(view: &View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", view.summary())?;
    table::write(&view.rows(None), out)
}
